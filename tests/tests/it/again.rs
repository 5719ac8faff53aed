//! Reacting again: after a crash in between, after a restore of the log, and never to another system's history.

use daybook_commands::related::{rest_of, shipment_of};
use daybook_commands::use_cases::{Scope, Submission, pack_shipment, refund_payment, submit_cart};
use daybook_domain::inventory::InventoryCommand;
use daybook_domain::order::OrderStatus;
use daybook_domain::shipment::ShipmentStatus;
use daybook_domain::{Money, Quantity, Timestamp};
use daybook_eventstore::CommandContext;
use sqlx::Executor;

use crate::checkout::at;
use crate::harness::shop::{TestShop, Wanted, context, item};

/// An order of which one parcel has left, and a part of what was paid for it has gone back.
async fn sell_send_and_refund(shop: &TestShop, lantern: Wanted) {
    let order_id = shop.buy(&[lantern.times(3)], "card_approve").await;
    let order = shop.order_is(order_id, OrderStatus::Confirmed).await;
    let line = order.placement().expect("placed").quote.lines[0].line_id;
    let first = shipment_of(order_id, &at("LON"));
    shop.shipment_is(first, ShipmentStatus::Open).await;
    pack_shipment(&shop.shop, &context(), first, Some(vec![(line, Quantity::ONE)]))
        .await
        .expect("it is packed");
    shop.shipment_is(rest_of(first), ShipmentStatus::Open).await;
    shop.dispatch(first).await.expect("it may leave");
    let paid = shop.payment_is(order_id, "a part is captured", |one| !one.captured().is_zero()).await;
    let refund = (Money::new(100, paid.captured().currency()), "damaged".to_owned());
    refund_payment(&shop.shop, &context(), order_id, refund).await.expect("it is asked for");
    shop.payment_is(order_id, "a part is back", |one| !one.refunded().is_zero()).await;
}

/// How many events there are, and how many commands took effect.
async fn log(shop: &TestShop) -> (i64, i64) {
    let counts = sqlx::query_as("SELECT (SELECT count(*) FROM events), (SELECT count(*) FROM commands)");
    counts.fetch_one(&shop.events.pool).await.expect("the log")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_reacts_to_all_of_a_restored_log_again_and_does_nothing_twice() {
    let shop = TestShop::open().await;
    let _worker = shop.worker(&[]);
    let lantern = shop.product(1_000, 9).await;
    sell_send_and_refund(&shop, lantern).await;
    let declined = shop.buy(&[lantern], "card_decline").await;
    shop.order_is(declined, OrderStatus::Cancelled).await;
    let cancelled = shop.buy(&[lantern], "card_approve").await;
    shop.order_is(cancelled, OrderStatus::Confirmed).await;
    shop.cancel(cancelled).await.expect("nothing has left");
    shop.stock_is(lantern, "LON", "the rest is free again", |stock| stock.available() == 6).await;
    shop.worker_is_through().await;
    let ((events, _), charges) = (log(&shop).await, shop.charges().await);

    let mut told = Vec::new();
    for _ in 0..2 {
        let restore = "UPDATE log_head SET epoch = gen_random_uuid()";
        shop.events.pool.execute(restore).await.expect("a new epoch");
        shop.worker_is_through().await;
        told.push(log(&shop).await);
    }
    // What it finds to be done already may be noted as a command, but only once.
    assert_eq!((told[0].0, told[1]), (events, told[0]));
    assert_eq!(shop.charges().await, charges);
    let after = shop.buy(&[lantern], "card_approve").await;
    shop.order_is(after, OrderStatus::Confirmed).await;
}

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

#[tokio::test(flavor = "multi_thread")]
async fn nobody_reacts_to_what_was_imported() {
    let shop = TestShop::open().await;
    let _worker = shop.worker(&[]);
    let lantern = shop.product(1_000, 9).await;
    let (cart_id, expected_total) = shop.cart(&[lantern]).await;
    let submission = Submission { cart_id, payment_token: "card_approve".into(), expected_total };
    let long_ago = CommandContext { actor: "import:elsewhere".to_owned(), ..context() };
    let imported = submit_cart(&shop.shop, &long_ago, Scope::All, submission).await.expect("it is imported");
    let bought = shop.buy(&[lantern], "card_approve").await;
    shop.order_is(bought, OrderStatus::Confirmed).await;
    shop.worker_is_through().await;
    assert!(shop.order(imported.value.0).await.placement().is_none());
    assert_eq!(shop.charges().await.len(), 1);
}
