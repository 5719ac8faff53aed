//! An order that is called off, at whatever moment: all that was held for it and all that was paid goes back.

use daybook_commands::related::{rest_of, shipment_of};
use daybook_commands::use_cases::{
    Cancelling, Scope, Submission, UseCaseError, cancel_order, pack_shipment, submit_cart,
};
use daybook_domain::Quantity;
use daybook_domain::order::{CancelReason, OrderStatus};
use daybook_domain::payment::PaymentStatus;
use daybook_domain::shipment::ShipmentStatus;
use futures::future::join_all;

use crate::checkout::{at, code};
use crate::harness::eventually;
use crate::harness::shop::{SOON, TestShop, context};

#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_is_called_off_at_any_moment_leaves_nothing_held_and_nobody_charged() {
    let shop = TestShop::open().await;
    let _worker = shop.worker(&[]);
    let lantern = shop.product(1_000, 100).await;
    // Each a little later in its checkout than the one before.
    join_all((0..40).map(async |n: i32| {
        let order_id = shop.buy(&[lantern.times(2)], "card_approve").await;
        eventually(SOON, "it is placed and called off", || async {
            match shop.cancel(order_id).await {
                Ok(()) => Some(()),
                Err(UseCaseError::Refused(refused)) if refused.code == "NOT_FOUND" => None,
                Err(other) => panic!("order {n}: {other:?}"),
            }
        })
        .await;
    }))
    .await;
    shop.stock_is(lantern, "LON", "all is free again", |stock| stock.available() == 100).await;
    shop.nobody_was_charged().await;
    shop.worker_is_through().await;
    let stock = shop.stock(lantern, "LON").await;
    assert_eq!((stock.on_hand(), stock.available()), (100, 100));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_that_comes_after_the_order_was_called_off_takes_no_stock_and_goes_back() {
    let shop = TestShop::open().await;
    let _worker = shop.worker(&[]);
    let lantern = shop.product(1_000, 2).await;
    let order_id = shop.buy(&[lantern.times(2)], "card_action").await;
    shop.payment_is(order_id, "a second step is asked for", |one| {
        one.status() == PaymentStatus::ActionRequired
    })
    .await;
    shop.worker_is_through().await;
    shop.cancel(order_id).await.expect("nothing has left");
    shop.stock_is(lantern, "LON", "the stock is free", |stock| stock.available() == 2).await;
    shop.complete_action(order_id).await;
    shop.nobody_was_charged().await;
    shop.payment_is(order_id, "it is void", |one| one.status() == PaymentStatus::Voided).await;
    shop.worker_is_through().await;
    assert_eq!(shop.stock(lantern, "LON").await.available(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn when_an_order_is_called_off_every_parcel_of_it_stays() {
    let shop = TestShop::open().await;
    let _worker = shop.worker(&[]);
    let lantern = shop.product(1_000, 9).await;
    let order_id = shop.buy(&[lantern.times(3)], "card_approve").await;
    let order = shop.order_is(order_id, OrderStatus::Confirmed).await;
    let line = order.placement().expect("placed").quote.lines[0].line_id;
    let first = shipment_of(order_id, &at("LON"));
    shop.shipment_is(first, ShipmentStatus::Open).await;
    pack_shipment(&shop.shop, &context(), first, Some(vec![(line, Quantity::ONE)]))
        .await
        .expect("it is packed");
    shop.shipment_is(rest_of(first), ShipmentStatus::Open).await;

    shop.cancel(order_id).await.expect("nothing has left");
    for parcel in [first, rest_of(first)] {
        shop.shipment_is(parcel, ShipmentStatus::Cancelled).await;
    }
    shop.stock_is(lantern, "LON", "the stock is free", |stock| stock.available() == 9).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_called_off_on_purpose_is_not_bought_again_by_submitting_the_cart_again() {
    let shop = TestShop::open().await;
    let _worker = shop.worker(&[]);
    let lantern = shop.product(1_000, 9).await;
    let by_staff = [None, Some(CancelReason::Fraud), Some(CancelReason::Other)].map(|why| (Scope::All, why));
    for (scope, reason) in by_staff.into_iter().chain([(Scope::Of(None), None)]) {
        let (cart_id, expected_total) = shop.cart(&[lantern]).await;
        let order_id = shop.submit(cart_id, expected_total, "card_approve").await;
        shop.order_is(order_id, OrderStatus::Confirmed).await;
        let cancelling = Cancelling { reason, ..order_id.into() };
        cancel_order(&shop.shop, &context(), scope, cancelling).await.expect("nothing has left");
        shop.stock_is(lantern, "LON", "the stock is free", |stock| stock.available() == 9).await;
        shop.worker_is_through().await;
        let submission = Submission { cart_id, payment_token: "card_approve".into(), expected_total };
        let again = submit_cart(&shop.shop, &context(), scope, submission).await;
        assert_eq!(code(again.map(drop)), "CART_NOT_OPEN");
    }
}
