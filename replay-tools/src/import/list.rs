//! A stock code as a product for sale. The first invoice that sells it lists it; others wait for that.

use std::collections::BTreeMap;

use daybook_domain::inventory::StockItem;
use daybook_domain::product::{ProductCommand, Variant};
use daybook_eventstore::Fingerprint;

use super::error::ImportError;
use super::plan::Listing;
use super::story::{Desk, Story};

const CREATE: &str = "create product";
const ADD_VARIANT: &str = "add variant";
const PUBLISH: &str = "publish product";

/// Makes sure that the product is for sale.
pub(super) async fn ensure(desk: &Desk, listing: &Listing) -> Result<(), ImportError> {
    listing.listed.get_or_try_init(|| list(desk, listing)).await?;
    Ok(())
}

async fn list(desk: &Desk, listing: &Listing) -> Result<(), ImportError> {
    let name = format!("product {}", listing.sku);
    // Another file may see another title or price first; the product stays what it was listed as.
    let content = Fingerprint::of(&[listing.sku.as_str().as_bytes()]);
    let steps = [CREATE, ADD_VARIANT, PUBLISH].map(str::to_owned);
    let story = Story::begin(desk, name, (content, listing.at), steps).await?;
    let (products, id) = (&story.shop().products, listing.product_id.to_string());
    let create = ProductCommand::Create {
        product_id: listing.product_id,
        title: listing.title.clone(),
        description: String::new(),
        options: Vec::new(),
    };
    let stock = StockItem { variant_id: listing.variant_id, location: story.location() };
    story.begins(&story.shop().inventory, &stock.to_string()).await;
    story.begins(products, &id).await;
    story.tell(products, &id, CREATE, create).await?;
    let variant = Variant {
        variant_id: listing.variant_id,
        sku: listing.sku.clone(),
        options: BTreeMap::new(),
        prices: vec![listing.price],
    };
    story.tell(products, &id, ADD_VARIANT, ProductCommand::AddVariant { variant }).await?;
    story.tell(products, &id, PUBLISH, ProductCommand::Publish).await
}
