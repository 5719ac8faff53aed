//! As much of everything as a long list shows.

use std::collections::BTreeMap;

use daybook_commands::related::{payment_of, shipment_of};
use daybook_commands::use_cases::{
    NewProduct, NewVariant, VariantRef, capture_payment, create_product, refund_payment,
};
use daybook_domain::order::OrderStatus;
use daybook_domain::product::ProductOption;
use daybook_domain::{CartId, Currency, IdSource, Money, OrderId, Sku};
use daybook_eventstore::process::SystemIds;
use futures::future::join_all;

use super::super::reading::global;
use crate::checkout::at;
use crate::harness::shop::{TestShop, Wanted, context, item};

/// How many rows the long list has.
pub(super) const MANY: usize = 20;
/// How many fields may stand at the root of a query.
pub(super) const ROOTS: usize = 10;
/// How much of each variant there is.
const STOCK: i64 = 1_000;

/// What is for sale and what nobody has bought yet, by the ids that clients know.
pub(super) struct Goods {
    pub(super) products: Vec<String>,
    pub(super) skus: Vec<String>,
    pub(super) variants: Vec<String>,
    pub(super) stock: Vec<String>,
    /// Carts with two lines and with many.
    pub(super) carts: [String; 2],
    wanted: Vec<Wanted>,
}

/// What was bought.
pub(super) struct Sales {
    /// The carts that the orders were.
    pub(super) carts: Vec<String>,
    pub(super) orders: Vec<String>,
    pub(super) payments: Vec<String>,
    pub(super) refunds: Vec<String>,
    pub(super) parcels: Vec<String>,
    /// Orders with two lines and with many.
    pub(super) short_and_long: [String; 2],
}

impl Goods {
    pub(super) async fn put_up(shop: &TestShop) -> Self {
        let made = join_all((0..MANY).map(|number| product(shop, number))).await;
        let wanted: Vec<Wanted> = made.iter().map(|(wanted, _)| *wanted).collect();
        let [(few, _), (many, _)] = [shop.cart(&wanted[..2]).await, shop.cart(&wanted).await];
        Self {
            products: ids("Product", &wanted, |one| one.variant.product_id.to_string()),
            skus: made.into_iter().map(|(_, sku)| sku.to_string()).collect(),
            variants: ids("ProductVariant", &wanted, |one| one.variant.to_string()),
            stock: ids("StockItem", &wanted, |one| item(*one, "LON").to_string()),
            carts: [few, many].map(|id| global("Cart", &id.to_string())),
            wanted,
        }
    }

    /// Has it bought, and the worker, which must run, come to an end with all of it.
    pub(super) async fn sell(&self, shop: &TestShop) -> Sales {
        let wanted = &self.wanted;
        let pair = |n: usize| [wanted[n], wanted[(n + 1) % MANY]];
        let bought = join_all((0..MANY).map(async |n| buy(shop, &pair(n)).await)).await;
        let long = buy(shop, wanted).await.1;
        let orders: Vec<OrderId> = bought.iter().map(|(_, order_id)| *order_id).collect();
        for order_id in orders.iter().chain([&long]) {
            shop.order_is(*order_id, OrderStatus::Confirmed).await;
        }
        let refunds = join_all(orders.iter().take(ROOTS).map(|id| refund(shop, *id))).await;
        shop.worker_is_through().await;
        Sales {
            carts: ids("Cart", &bought, |(cart_id, _)| cart_id.to_string()),
            payments: ids("Payment", &orders, |id| payment_of(*id).to_string()),
            parcels: ids("Shipment", &orders, |id| shipment_of(*id, &at("LON")).to_string()),
            refunds,
            short_and_long: [orders[0], long].map(|id| global("Order", &id.to_string())),
            orders: ids("Order", &orders, ToString::to_string),
        }
    }
}

fn ids<T>(name: &str, of: &[T], key: impl Fn(&T) -> String) -> Vec<String> {
    of.iter().map(|one| global(name, &key(one))).collect()
}

/// A product in two colours, one of which is held at two locations: which of them is wanted, and its sku.
async fn product(shop: &TestShop, number: usize) -> (Wanted, Sku) {
    let text = |text: &str| text.to_owned();
    let variant = |colour: &str| NewVariant {
        sku: Sku::try_new(format!("SKU-{}", SystemIds.next())).expect("a sku"),
        options: BTreeMap::from([(text("Colour"), text(colour))]),
        prices: vec![Money::new(1_000, Currency::GBP)],
    };
    let variants = vec![variant("red"), variant("white")];
    let sku = variants[0].sku.clone();
    let new = NewProduct {
        title: format!("Paper lantern {number}"),
        description: text("It glows."),
        options: vec![ProductOption { name: text("Colour"), values: vec![text("red"), text("white")] }],
        categories: vec![text("Lights"), text("Paper")],
        attributes: BTreeMap::from([(text("Size"), text("small"))]),
        variants,
        published: true,
    };
    let product = create_product(&shop.shop, &context(), new).await.expect("a product").value;
    let product_id = product.product_id().expect("it was created");
    let [red, white] = [0, 1].map(|index: usize| {
        let variant_id = product.variants()[index].variant_id;
        Wanted { variant: VariantRef { product_id, variant_id }, quantity: 1 }
    });
    for (wanted, location) in [(red, "LON"), (red, "ROT"), (white, "LON")] {
        shop.receive(wanted, location, STOCK).await;
    }
    (red, sku)
}

async fn buy(shop: &TestShop, wanted: &[Wanted]) -> (CartId, OrderId) {
    let (cart_id, total) = shop.cart(wanted).await;
    (cart_id, shop.submit(cart_id, total, "card_approve").await)
}

/// Takes an order's money, and pays a pound of it back.
async fn refund(shop: &TestShop, order_id: OrderId) -> String {
    capture_payment(&shop.shop, &context(), order_id, None).await.expect("it is asked for");
    shop.payment_is(order_id, "it is captured", |one| !one.captured().is_zero()).await;
    let back = (Money::new(100, Currency::GBP), "late".to_owned());
    let refund = refund_payment(&shop.shop, &context(), order_id, back).await.expect("it is asked for");
    shop.payment_is(order_id, "it is back", |one| !one.refunded().is_zero()).await;
    global("Refund", &refund.value.0.to_string())
}
