//! Each read model read back from real servers.

use std::collections::BTreeMap;

use daybook_domain::cart::CartEvent;
use daybook_domain::catalogue::DomainEvent;
use daybook_domain::inventory::{InventoryEvent, StockItem};
use daybook_domain::pricing::TaxTreatment;
use daybook_domain::product::{ProductEvent, Variant};
use daybook_domain::{CartId, Currency, CustomerId, Money, ProductId, Quantity, VariantId};
use daybook_eventstore::Position;
use daybook_eventstore::process::SystemIds;
use daybook_projections::products::facet::Facet;
use daybook_projections::products::query::{PriceRange, ProductFilter, ProductSort};
use daybook_projections::read::PageRequest;
use daybook_projections::{carts, products, stock};

use super::shop::Shop;

/// A product with one variant; says its ids and where the log is then.
pub(super) async fn sell(
    shop: &Shop,
    title: &str,
    category: &str,
    price: Money,
    published: bool,
) -> (ProductId, VariantId, Position) {
    let (product_id, variant_id) = (ProductId::generate(&SystemIds), VariantId::generate(&SystemIds));
    let sku = format!("SKU {title}").chars().take(64).collect::<String>();
    let variant = Variant {
        variant_id,
        sku: sku.trim().parse().expect("a sku"),
        options: BTreeMap::from([("Size".to_owned(), "M".to_owned())]),
        prices: vec![price],
    };
    let (title, description) = (title.to_owned(), "Hand made".to_owned());
    let mut facts = vec![
        ProductEvent::Created { product_id, title, description, options: Vec::new() },
        ProductEvent::Categorised { categories: vec![category.to_owned()] },
        ProductEvent::VariantAdded { variant },
    ];
    if published {
        facts.push(ProductEvent::Published {});
    }
    let facts: Vec<_> = facts.into_iter().map(DomainEvent::Product).collect();
    let position = shop.append("Product", &product_id.to_string(), 0, &facts).await;
    (product_id, variant_id, position)
}

pub(super) const fn pounds(minor: i64) -> Money {
    Money::new(minor, Currency::GBP)
}

/// Puts so many units of a variant in a location's stock.
pub(super) async fn receive(shop: &Shop, variant_id: VariantId, location: &str, count: i64) -> Position {
    let item = StockItem { variant_id, location: location.parse().expect("a location") };
    let quantity = Quantity::try_new(count).expect("a quantity");
    let received = InventoryEvent::Received { item: item.clone(), quantity, reference: String::new() };
    shop.append("Inventory", &item.to_string(), 0, &[DomainEvent::Inventory(received)]).await
}

/// A cart with nothing in it.
pub(super) async fn take_cart(shop: &Shop, customer_id: Option<CustomerId>) -> (CartId, Position) {
    let cart_id = CartId::generate(&SystemIds);
    let created =
        CartEvent::Created { cart_id, customer_id, currency: Currency::GBP, tax: TaxTreatment::Standard };
    let position = shop.append("Cart", &cart_id.to_string(), 0, &[DomainEvent::Cart(created)]).await;
    (cart_id, position)
}

async fn titles(shop: &Shop, filter: &ProductFilter, sort: ProductSort) -> Vec<String> {
    let request = PageRequest { first: 100, after: None, with_total: true };
    let page = products::query::list(&shop.db, filter, sort, &request).await.expect("the list");
    assert_eq!(page.total, Some(page.rows.len() as u64));
    page.rows.into_iter().map(|(_, row)| row.product.title().to_owned()).collect()
}

#[tokio::test]
async fn products_are_filtered_sorted_counted_and_looked_up() {
    let shop = Shop::open().await;
    let _projector = shop.project("products");
    sell(&shop, "blue Mug", "Kitchen", pounds(500), true).await;
    sell(&shop, "Lantern", "Lights", pounds(900), true).await;
    sell(&shop, "Apron", "Kitchen", pounds(700), true).await;
    sell(&shop, "Imported", "Kitchen", Money::new(100, Currency::SEK), true).await;
    let (hidden, variant, head) = sell(&shop, "Draft", "Kitchen", pounds(100), false).await;
    shop.live_at("products", head).await;

    let published = ProductFilter { published: Some(true), ..ProductFilter::default() };
    let by = |sort| titles(&shop, &published, sort);
    assert_eq!(by(ProductSort::Title).await, ["Apron", "blue Mug", "Imported", "Lantern"]);
    assert_eq!(by(ProductSort::Newest).await, ["Imported", "Apron", "Lantern", "blue Mug"]);
    assert_eq!(by(ProductSort::PriceAscending(Currency::GBP)).await, ["blue Mug", "Apron", "Lantern"]);
    assert_eq!(by(ProductSort::PriceDescending(Currency::SEK)).await, ["Imported"]);

    let kitchen = vec![Facet::Category("Kitchen".to_owned())];
    let price = Some(PriceRange { currency: Currency::GBP, from: Some(600), to: None });
    let narrow = ProductFilter { facets: vec![kitchen], price, ..published.clone() };
    assert_eq!(titles(&shop, &narrow, ProductSort::Newest).await, ["Apron"]);
    let titled = ProductFilter { title: Some("MUG".to_owned()), ..published.clone() };
    assert_eq!(titles(&shop, &titled, ProductSort::Newest).await, ["blue Mug"]);
    let wild = ProductFilter { title: Some("%".to_owned()), ..published.clone() };
    assert!(titles(&shop, &wild, ProductSort::Newest).await.is_empty(), "a text is not a pattern");

    let counts = products::query::facets(&shop.db, &published).await.expect("the facets");
    let shown: Vec<_> = counts.iter().map(|count| (&count.facet, count.count)).collect();
    let size = Facet::Option { name: "Size".to_owned(), value: "M".to_owned() };
    let (kitchen, lights) = (Facet::Category("Kitchen".to_owned()), Facet::Category("Lights".to_owned()));
    assert_eq!(shown, [(&kitchen, 3), (&lights, 1), (&size, 4)]);

    let found = products::query::by_variants(&shop.db, &[variant]).await.expect("the products");
    assert_eq!(found[&variant].product_id, hidden);
    let sku = "SKU Draft".parse().expect("a sku");
    let found = products::query::by_skus(&shop.db, std::slice::from_ref(&sku)).await.expect("the products");
    assert_eq!(found[&sku].product_id, hidden);
}

#[tokio::test]
async fn pages_of_products_go_on_where_the_last_one_ended() {
    let shop = Shop::open().await;
    let _projector = shop.project("products");
    let mut head = 0;
    for n in 0..7 {
        head = sell(&shop, &format!("Twin {}", n / 2), "Kitchen", pounds(100), true).await.2;
    }
    shop.live_at("products", head).await;
    for sort in [ProductSort::Title, ProductSort::Newest, ProductSort::PriceDescending(Currency::GBP)] {
        let (mut seen, mut after) = (Vec::new(), None);
        loop {
            let request = PageRequest { first: 2, after, with_total: true };
            let filter = ProductFilter::default();
            let page = products::query::list(&shop.db, &filter, sort, &request).await.expect("the list");
            assert_eq!(page.total, Some(7));
            after = page.rows.last().map(|(cursor, _)| cursor.clone());
            seen.extend(page.rows.into_iter().map(|(_, row)| row.product_id));
            if !page.has_next {
                break;
            }
        }
        let count = seen.len();
        seen.sort();
        seen.dedup();
        assert_eq!((count, seen.len()), (7, 7), "{sort:?}");
    }
}

#[tokio::test]
async fn stock_is_read_by_variant_with_every_location() {
    let shop = Shop::open().await;
    let _projector = shop.project("stock");
    let (one, other) = (VariantId::generate(&SystemIds), VariantId::generate(&SystemIds));
    receive(&shop, one, "ROT", 4).await;
    let head = receive(&shop, one, "LON", 10).await;
    shop.live_at("stock", head).await;
    let levels = stock::query::by_variants(&shop.db, &[one, other]).await.expect("the levels");
    let shown: Vec<_> =
        levels[&one].iter().map(|level| (level.location.as_str(), level.available())).collect();
    assert_eq!(shown, [("LON", 10), ("ROT", 4)]);
    assert!(levels[&other].is_empty());
}

#[tokio::test]
async fn carts_are_read_by_id_and_by_customer() {
    let shop = Shop::open().await;
    let _projector = shop.project("carts");
    let customer = CustomerId::generate(&SystemIds);
    let (guest, _) = take_cart(&shop, None).await;
    let (own, head) = take_cart(&shop, Some(customer)).await;
    shop.live_at("carts", head).await;
    let found = carts::query::by_ids(&shop.db, &[guest, own]).await.expect("the carts");
    assert_eq!(found.len(), 2);
    let owned = carts::query::by_customers(&shop.db, &[customer]).await.expect("the carts");
    assert_eq!(owned[&customer].len(), 1);
    assert_eq!(owned[&customer][0].cart.terms().map(|terms| terms.cart_id), Some(own));
}
