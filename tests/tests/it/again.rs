//! Reacting again after a crash in between.

use daybook_domain::inventory::InventoryCommand;
use daybook_domain::order::OrderStatus;
use daybook_domain::{Quantity, Timestamp};

use crate::harness::shop::{TestShop, context, item};

#[tokio::test(flavor = "multi_thread")]
async fn what_an_earlier_run_held_is_not_held_again_elsewhere() {
    let shop = TestShop::open().await;
    let lantern = shop.product_at(1_000, &[("LON", 5), ("ROT", 5)]).await;
    let order_id = shop.buy(&[lantern.times(3)], "card_approve").await;
    // A run that was killed had held it where it was then, which is not where it would be looked for first.
    let (there, quantity) = (item(lantern, "ROT"), Quantity::try_new(3).expect("a quantity"));
    let expires_at = Timestamp::MAX_UTC;
    let hold = InventoryCommand::Reserve { item: there.clone(), order_id, quantity, expires_at };
    shop.shop.inventory.execute(&there.to_string(), hold, &context(), "null").await.expect("it is held");
    let _worker = shop.worker(&[]);
    shop.order_is(order_id, OrderStatus::Confirmed).await;
    assert_eq!(shop.stock(lantern, "LON").await.available(), 5);
    let stock = shop.stock(lantern, "ROT").await;
    assert_eq!((stock.committed(), stock.reserved()), (3, 0));
}
