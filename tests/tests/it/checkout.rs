//! The checkout, from the submitted cart to the delivered order, and everything that can go wrong on the way: with a
//! real worker on a real store, and the gateway at its worst.

use std::time::Duration;

use daybook_commands::gateway::simulated::Charge;
use daybook_commands::related::{rest_of, shipment_of};
use daybook_commands::use_cases::{
    Dispatching, Scope, Submission, UseCaseError, cancel_order, capture_payment, dispatch_shipment,
    pack_shipment, refund_payment, report_carrier, reprice_cart, submit_cart,
};
use daybook_domain::order::{CancelReason, FulfilmentStatus, OrderStatus};
use daybook_domain::payment::PaymentStatus;
use daybook_domain::product::ProductCommand;
use daybook_domain::shipment::{CarrierStatus, Shipment, ShipmentStatus};
use daybook_domain::{CartId, Clock, LocationCode, Money, OrderId, ShipmentId};
use daybook_eventstore::process::SystemClock;
use futures::future::join_all;
use futures::{StreamExt, stream};

use crate::harness::eventually;
use crate::harness::shop::{SOON, TestShop, Wanted, context};

/// How long a thousand orders may take.
const SETTLED: Duration = Duration::from_secs(90);

pub(super) fn at(location: &str) -> LocationCode {
    LocationCode::try_new(location).expect("a location")
}

impl TestShop {
    pub(super) async fn shipment_is(
        &self,
        id: ShipmentId,
        status: ShipmentStatus,
    ) -> std::sync::Arc<Shipment> {
        eventually(SOON, &format!("shipment {id} is {status:?}"), || async {
            let shipment = self.shop.shipments.load(&id.to_string()).await.expect("the shipment").state;
            (shipment.status() == status).then_some(shipment)
        })
        .await
    }

    /// Packs and sends off a whole shipment.
    pub(super) async fn send(&self, shipment_id: ShipmentId) {
        self.shipment_is(shipment_id, ShipmentStatus::Open).await;
        pack_shipment(&self.shop, &context(), shipment_id, None).await.expect("it is packed");
        self.dispatch(shipment_id).await.expect("it may leave");
        self.shipment_is(shipment_id, ShipmentStatus::Dispatched).await;
    }

    pub(super) async fn dispatch(&self, shipment_id: ShipmentId) -> Result<(), UseCaseError> {
        let dispatching = Dispatching { shipment_id, carrier: "Royal Mail".into(), tracking: "RM1".into() };
        dispatch_shipment(&self.shop, &context(), dispatching).await.map(drop)
    }

    pub(super) async fn report(&self, shipment_id: ShipmentId, report: &str, status: CarrierStatus) {
        let report = (report.to_owned(), status, SystemClock.now());
        report_carrier(&self.shop, &context(), shipment_id, report).await.expect("it is noted");
    }

    pub(super) async fn cancel(&self, order_id: OrderId) -> Result<(), UseCaseError> {
        cancel_order(&self.shop, &context(), Scope::All, order_id.into()).await.map(drop)
    }

    /// Nobody was charged: nothing is held at the gateway, and nothing was kept.
    pub(super) async fn nobody_was_charged(&self) {
        eventually(SOON, "all money is back", || async {
            let charges = self.charges().await;
            charges
                .iter()
                .all(|one| one.captured + one.voided == one.amount.minor() && one.captured == one.refunded)
                .then_some(())
        })
        .await;
    }
}

pub(super) fn code(refused: Result<(), UseCaseError>) -> &'static str {
    match refused {
        Err(UseCaseError::Refused(refused)) => refused.code,
        other => panic!("not refused: {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shopper_buys_and_the_parcel_arrives() {
    let shop = TestShop::open().await;
    let _worker = shop.worker(&[]);
    let lantern = shop.product(1_000, 5).await;
    let order_id = shop.buy(&[lantern.times(2)], "card_approve").await;

    let order = shop.order_is(order_id, OrderStatus::Confirmed).await;
    let total = order.placement().expect("placed").quote.total;
    assert_eq!(shop.payment(order_id).await.authorised(), total);
    assert_eq!(shop.stock(lantern, "LON").await.committed(), 2);

    let parcel = shipment_of(order_id, &at("LON"));
    shop.send(parcel).await;
    let payment = shop.payment_is(order_id, "the money is captured", |one| !one.captured().is_zero()).await;
    assert_eq!(payment.captured(), total);
    let stock = shop.stock_is(lantern, "LON", "the stock has left", |one| one.on_hand() == 3).await;
    assert_eq!((stock.committed(), stock.available()), (0, 3));

    shop.report(parcel, "1", CarrierStatus::Delivered).await;
    let order = shop.order_is(order_id, OrderStatus::Completed).await;
    assert_eq!(order.fulfilment_status(), FulfilmentStatus::Delivered);
    let charges = shop.charges().await;
    assert_eq!(charges.len(), 1);
    assert_eq!(charges[0].captured, total.minor());
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_thousand_buyers_of_the_last_ten_units_exactly_ten_are_sold_one() {
    let shop = TestShop::open().await;
    let _worker = shop.worker(&[]);
    let rare = shop.product(1_000, 10).await;
    // They fill their carts in their own time, and buy at once.
    let filling = stream::iter(0..1_000).map(async |_| shop.cart(&[rare]).await);
    let carts: Vec<(CartId, Money)> = filling.buffer_unordered(32).collect().await;
    let buys = carts.into_iter().map(|(cart_id, total)| shop.submit(cart_id, total, "card_approve"));
    let orders = join_all(buys).await;

    let settled = join_all(orders.iter().map(|id| async {
        eventually(SETTLED, "the order is confirmed or cancelled", || async {
            let order = shop.order(*id).await;
            let open = order.placement().is_none() || order.status() == OrderStatus::Placed;
            (!open).then_some(order)
        })
        .await
    }))
    .await;
    let (sold, told): (Vec<_>, Vec<_>) =
        settled.into_iter().partition(|order| order.status() == OrderStatus::Confirmed);
    assert_eq!(sold.len(), 10);
    assert!(told.iter().all(|order| order.cancel_reason() == Some(CancelReason::OutOfStock)));
    let stock = shop.stock(rare, "LON").await;
    assert_eq!((stock.on_hand(), stock.committed(), stock.available()), (10, 10, 0));
    assert_eq!(shop.charges().await.len(), 10, "the others were never charged");
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_third_item_is_short_the_first_two_are_given_back_once() {
    let shop = TestShop::open().await;
    let _worker = shop.worker(&[]);
    let (first, second, third) =
        (shop.product(100, 5).await, shop.product(200, 5).await, shop.product(300, 1).await);
    let order_id = shop.buy(&[first.times(2), second.times(3), third.times(2)], "card_approve").await;

    let order = shop.order_is(order_id, OrderStatus::Cancelled).await;
    assert_eq!(order.cancel_reason(), Some(CancelReason::OutOfStock));
    for (one, units) in [(first, 5), (second, 5), (third, 1)] {
        shop.stock_is(one, "LON", "all is free again", |stock| stock.available() == units).await;
    }
    assert!(shop.charges().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn two_lines_of_one_item_are_summed_before_the_check() {
    let shop = TestShop::open().await;
    let _worker = shop.worker(&[]);
    let lantern = shop.product(1_000, 5).await;
    let order_id = shop.buy(&[lantern.times(3), lantern.times(3)], "card_approve").await;
    shop.order_is(order_id, OrderStatus::Cancelled).await;
    shop.stock_is(lantern, "LON", "all is free again", |stock| stock.available() == 5).await;

    let order_id = shop.buy(&[lantern.times(3), lantern.times(2)], "card_approve").await;
    shop.order_is(order_id, OrderStatus::Confirmed).await;
    assert_eq!(shop.stock(lantern, "LON").await.committed(), 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_is_served_from_the_location_that_has_all_of_it() {
    let shop = TestShop::open().await;
    let _worker = shop.worker(&[]);
    let lantern = shop.product_at(1_000, &[("LON", 1), ("ROT", 5)]).await;
    let order_id = shop.buy(&[lantern.times(3)], "card_approve").await;
    shop.order_is(order_id, OrderStatus::Confirmed).await;
    assert_eq!(shop.stock(lantern, "ROT").await.committed(), 3);
    assert_eq!(shop.stock(lantern, "LON").await.available(), 1);
}

/// A hold runs out while the shopper is at the bank; then the payment succeeds.
async fn pay_after_the_hold_ran_out(shop: &TestShop, lantern: Wanted) -> OrderId {
    let order_id = shop.buy(&[lantern.times(2)], "card_action").await;
    shop.payment_is(order_id, "a second step is asked for", |one| {
        one.status() == PaymentStatus::ActionRequired
    })
    .await;
    shop.stock_is(lantern, "LON", "the hold has run out", |stock| stock.reserved() == 0).await;
    order_id
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_payment_takes_the_stock_again_if_it_is_there() {
    let shop = TestShop::open().await;
    let _worker = shop.worker(&[("HOLD_SECONDS", "1")]);
    let lantern = shop.product(1_000, 2).await;
    let order_id = pay_after_the_hold_ran_out(&shop, lantern).await;
    shop.complete_action(order_id).await;
    shop.order_is(order_id, OrderStatus::Confirmed).await;
    assert_eq!(shop.stock(lantern, "LON").await.committed(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_payment_goes_back_when_the_stock_is_gone() {
    let shop = TestShop::open().await;
    let _worker = shop.worker(&[("HOLD_SECONDS", "1")]);
    let lantern = shop.product(1_000, 2).await;
    let late = pay_after_the_hold_ran_out(&shop, lantern).await;
    let quick = shop.buy(&[lantern.times(2)], "card_approve").await;
    shop.order_is(quick, OrderStatus::Confirmed).await;

    shop.complete_action(late).await;
    let order = shop.order_is(late, OrderStatus::Cancelled).await;
    assert_eq!(order.cancel_reason(), Some(CancelReason::OutOfStock));
    shop.payment_is(late, "the money is back", |one| one.status() == PaymentStatus::Voided).await;
    let stock = shop.stock(lantern, "LON").await;
    assert_eq!((stock.on_hand(), stock.committed(), stock.reserved()), (2, 2, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_that_never_comes_is_given_up() {
    let shop = TestShop::open().await;
    let _worker = shop.worker(&[("HOLD_SECONDS", "1"), ("PAY_SECONDS", "2")]);
    let lantern = shop.product(1_000, 2).await;
    let order_id = shop.buy(&[lantern], "card_action").await;
    let order = shop.order_is(order_id, OrderStatus::Cancelled).await;
    assert_eq!(order.cancel_reason(), Some(CancelReason::PaymentExpired));
    shop.stock_is(lantern, "LON", "the stock is free", |stock| stock.available() == 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_declined_card_gives_the_stock_and_the_cart_back() {
    let shop = TestShop::open().await;
    let _worker = shop.worker(&[]);
    let lantern = shop.product(1_000, 2).await;
    let (cart_id, total) = shop.cart(&[lantern]).await;
    let order_id = shop.submit(cart_id, total, "card_decline").await;
    let order = shop.order_is(order_id, OrderStatus::Cancelled).await;
    assert_eq!(order.cancel_reason(), Some(CancelReason::PaymentDeclined));
    shop.stock_is(lantern, "LON", "the stock is free", |stock| stock.available() == 2).await;

    // The same cart, with another card.
    eventually(SOON, "the cart is open again", || async {
        let cart = shop.shop.carts.load(&cart_id.to_string()).await.expect("the cart").state;
        (cart.status() == daybook_domain::cart::CartStatus::Open).then_some(())
    })
    .await;
    let again = shop.submit(cart_id, total, "card_approve").await;
    shop.order_is(again, OrderStatus::Confirmed).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_time_out_is_asked_again_with_the_same_key_and_charged_once() {
    let shop = TestShop::open().await;
    let _worker = shop.worker(&[]);
    let lantern = shop.product(1_000, 9).await;
    let at_authorisation = shop.buy(&[lantern], "card_timeout_once").await;
    let at_capture = shop.buy(&[lantern], "card_timeout_capture").await;
    for order_id in [at_authorisation, at_capture] {
        shop.order_is(order_id, OrderStatus::Confirmed).await;
        shop.send(shipment_of(order_id, &at("LON"))).await;
        shop.payment_is(order_id, "it is captured", |one| one.status() == PaymentStatus::Captured).await;
    }
    let charges = shop.charges().await;
    assert_eq!(charges.len(), 2);
    assert!(charges.iter().all(|one| one.captured == one.amount.minor()));
    let keys: i64 = sqlx::query_scalar("SELECT count(*) FROM simulated_gateway.requests")
        .fetch_one(&shop.events.pool)
        .await
        .expect("a count");
    assert_eq!(keys, 4, "one key for each authorisation and each capture, asked again or not");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_amount_than_asked_is_a_conflict_and_nothing_is_promised_shipped_or_taken() {
    let shop = TestShop::open().await;
    let _worker = shop.worker(&[]);
    let lantern = shop.product(1_000, 9).await;
    for (card, refusal) in
        [("card_wrong_amount", "PAYMENT_IN_CONFLICT"), ("card_wrong_currency", "CURRENCY_MISMATCH")]
    {
        let order_id = shop.buy(&[lantern], card).await;
        shop.payment_is(order_id, "it is in conflict", |one| one.status() == PaymentStatus::Conflict).await;
        shop.worker_is_through().await;
        assert_eq!(shop.order(order_id).await.status(), OrderStatus::Placed);
        let parcel = shipment_of(order_id, &at("LON"));
        let packed = pack_shipment(&shop.shop, &context(), parcel, None).await;
        assert_eq!(code(packed.map(drop)), "NOT_FOUND", "no parcel was opened");
        let by_hand = capture_payment(&shop.shop, &context(), order_id, None).await;
        assert_eq!(code(by_hand.map(drop)), refusal);
    }
    let stock = shop.stock(lantern, "LON").await;
    assert_eq!((stock.on_hand(), stock.committed(), stock.reserved()), (9, 0, 2), "it is held, not promised");
    assert!(shop.charges().await.iter().all(|one| one.captured == 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refund_never_exceeds_what_was_captured_and_a_failed_one_can_be_made_again() {
    let shop = TestShop::open().await;
    let _worker = shop.worker(&[]);
    let lantern = shop.product(1_000, 9).await;
    let order_id = shop.buy(&[lantern], "card_refund_fails").await;
    shop.order_is(order_id, OrderStatus::Confirmed).await;
    shop.send(shipment_of(order_id, &at("LON"))).await;
    let paid = shop.payment_is(order_id, "it is captured", |one| !one.captured().is_zero()).await;
    let total = paid.captured();
    let refund = async |minor: i64| {
        let amount = (Money::new(minor, total.currency()), "damaged".to_owned());
        refund_payment(&shop.shop, &context(), order_id, amount).await.map(drop)
    };
    assert_eq!(code(refund(total.minor() + 1).await), "REFUND_EXCEEDS_CAPTURED");

    refund(total.minor()).await.expect("it is asked for");
    shop.payment_is(order_id, "the refund failed", |one| one.refundable() == total).await;
    refund(total.minor()).await.expect("it is asked for again");
    shop.payment_is(order_id, "it is refunded", |one| one.refunded() == total).await;
    assert_eq!(code(refund(1).await), "REFUND_EXCEEDS_CAPTURED");
    assert_eq!(shop.charges().await[0].refunded, total.minor());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refund_that_is_asked_for_twice_is_one_refund() {
    let shop = TestShop::open().await;
    let _worker = shop.worker(&[]);
    let lantern = shop.product(1_000, 9).await;
    let order_id = shop.buy(&[lantern], "card_approve").await;
    shop.order_is(order_id, OrderStatus::Confirmed).await;
    capture_payment(&shop.shop, &context(), order_id, None).await.expect("it is asked for");
    let paid = shop.payment_is(order_id, "it is captured", |one| !one.captured().is_zero()).await;
    let (once, hundred) = (context(), Money::new(100, paid.captured().currency()));
    let ask = async || refund_payment(&shop.shop, &once, order_id, (hundred, "damaged".to_owned())).await;
    let first = ask().await.expect("it is asked for");
    shop.payment_is(order_id, "it is refunded", |one| one.refunded() == hundred).await;
    let again = ask().await.expect("it is told");
    assert_eq!((again.replayed, again.value.0), (true, first.value.0));
    shop.worker_is_through().await;
    assert_eq!(shop.charges().await[0].refunded, 100);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancel_that_races_a_capture_leaves_nobody_charged() {
    let shop = TestShop::open().await;
    let _worker = shop.worker(&[]);
    let lantern = shop.product(1_000, 50).await;
    let orders = join_all((0..10).map(async |_| shop.buy(&[lantern], "card_approve").await)).await;
    for order_id in &orders {
        shop.order_is(*order_id, OrderStatus::Confirmed).await;
    }
    join_all(orders.iter().map(|order_id| async {
        let everyday = context();
        let (cancelled, _captured) =
            tokio::join!(shop.cancel(*order_id), capture_payment(&shop.shop, &everyday, *order_id, None));
        cancelled.expect("nothing has left, so it can be cancelled");
    }))
    .await;
    for order_id in &orders {
        shop.payment_is(*order_id, "the money is back", |one| {
            matches!(one.status(), PaymentStatus::Voided | PaymentStatus::Refunded)
        })
        .await;
    }
    shop.nobody_was_charged().await;
    shop.stock_is(lantern, "LON", "the stock is free", |stock| stock.available() == 50).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_order_never_leaves_and_one_that_left_is_never_cancelled() {
    let shop = TestShop::open().await;
    let _worker = shop.worker(&[]);
    let lantern = shop.product(1_000, 50).await;
    let orders = join_all((0..10).map(async |_| shop.buy(&[lantern], "card_approve").await)).await;
    join_all(orders.iter().map(|order_id| async {
        shop.order_is(*order_id, OrderStatus::Confirmed).await;
        let parcel = shipment_of(*order_id, &at("LON"));
        shop.shipment_is(parcel, ShipmentStatus::Open).await;
        pack_shipment(&shop.shop, &context(), parcel, None).await.expect("it is packed");
        let (cancelled, left) = tokio::join!(shop.cancel(*order_id), shop.dispatch(parcel));
        assert_ne!(cancelled.is_ok(), left.is_ok(), "one of them wins");
        if left.is_ok() {
            shop.shipment_is(parcel, ShipmentStatus::Dispatched).await;
            shop.payment_is(*order_id, "it is captured", |one| one.status() == PaymentStatus::Captured).await;
        } else {
            shop.shipment_is(parcel, ShipmentStatus::Cancelled).await;
            shop.payment_is(*order_id, "it is void", |one| one.status() == PaymentStatus::Voided).await;
        }
    }))
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_captured_by_hand_is_not_captured_again_when_the_parcel_leaves() {
    let shop = TestShop::open().await;
    let _worker = shop.worker(&[]);
    let lantern = shop.product(1_000, 9).await;
    let order_id = shop.buy(&[lantern], "card_approve").await;
    shop.order_is(order_id, OrderStatus::Confirmed).await;
    capture_payment(&shop.shop, &context(), order_id, None).await.expect("it is asked for");
    let paid = shop.payment_is(order_id, "it is captured", |one| !one.captured().is_zero()).await;
    shop.send(shipment_of(order_id, &at("LON"))).await;
    shop.stock_is(lantern, "LON", "the stock has left", |stock| stock.on_hand() == 8).await;
    shop.worker_is_through().await;
    assert_eq!(shop.payment(order_id).await.captured(), paid.captured());
    assert_eq!(shop.charges().await[0].captured, paid.captured().minor());
    assert_eq!(shop.put_off().await, 0, "nothing more was asked for");
}

#[tokio::test(flavor = "multi_thread")]
async fn half_an_order_ships_and_only_that_half_is_captured() {
    let shop = TestShop::open().await;
    let _worker = shop.worker(&[]);
    let lantern = shop.product(333, 9).await;
    let order_id = shop.buy(&[lantern.times(3)], "card_approve").await;
    let order = shop.order_is(order_id, OrderStatus::Confirmed).await;
    let quote = &order.placement().expect("placed").quote;
    let (line, total) = (quote.lines[0].line_id, quote.total);

    let first = shipment_of(order_id, &at("LON"));
    shop.shipment_is(first, ShipmentStatus::Open).await;
    let one = daybook_domain::Quantity::ONE;
    pack_shipment(&shop.shop, &context(), first, Some(vec![(line, one)])).await.expect("one is packed");
    let rest = rest_of(first);
    shop.shipment_is(rest, ShipmentStatus::Open).await;
    shop.dispatch(first).await.expect("it may leave");
    let half = shop
        .payment_is(order_id, "a part is captured", |one| one.status() == PaymentStatus::PartiallyCaptured)
        .await;
    assert!(half.captured().minor() < total.minor());
    let held = |charge: &Charge| charge.amount.minor() - charge.captured - charge.voided;
    let (at_gateway, rest_held) = (shop.charges().await, total.minor() - half.captured().minor());
    assert_eq!((half.capturable().minor(), held(&at_gateway[0])), (rest_held, rest_held));
    assert_eq!((at_gateway.len(), at_gateway[0].captured), (1, half.captured().minor()));
    assert_eq!(shop.order(order_id).await.fulfilment_status(), FulfilmentStatus::PartiallyFulfilled);
    let stock = shop.stock_is(lantern, "LON", "one has left", |stock| stock.on_hand() == 8).await;
    assert_eq!(stock.committed(), 2);

    shop.send(rest).await;
    let paid =
        shop.payment_is(order_id, "all is captured", |one| one.status() == PaymentStatus::Captured).await;
    assert_eq!(paid.captured(), total);
    assert_eq!(shop.order(order_id).await.fulfilment_status(), FulfilmentStatus::Fulfilled);
}

#[tokio::test(flavor = "multi_thread")]
async fn carrier_reports_in_any_order_and_twice_move_a_shipment_once_and_never_back() {
    let shop = TestShop::open().await;
    let _worker = shop.worker(&[]);
    let lantern = shop.product(1_000, 9).await;
    let order_id = shop.buy(&[lantern], "card_approve").await;
    shop.order_is(order_id, OrderStatus::Confirmed).await;
    let parcel = shipment_of(order_id, &at("LON"));
    shop.send(parcel).await;
    for (report, status) in
        [("2", CarrierStatus::Delivered), ("1", CarrierStatus::InTransit), ("2", CarrierStatus::Delivered)]
    {
        shop.report(parcel, report, status).await;
    }
    shop.order_is(order_id, OrderStatus::Completed).await;
    shop.shipment_is(parcel, ShipmentStatus::Delivered).await;
    assert_eq!(shop.stock(lantern, "LON").await.on_hand(), 8);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quote_is_honoured_until_it_expires_and_then_the_new_total_is_shown_before_anyone_pays() {
    let shop = TestShop::open().await;
    let _worker = shop.worker(&[]);
    let lantern = shop.product(1_000, 9).await;
    let (early, seen) = shop.cart(&[lantern]).await;
    let (late, _) = shop.cart(&[lantern]).await;
    let product = lantern.variant.product_id.to_string();
    let (variant_id, price) = (lantern.variant.variant_id, Money::new(1_500, seen.currency()));
    let dearer = ProductCommand::SetPrice { variant_id, price };
    shop.shop.products.execute(&product, dearer, &context(), "null").await.expect("it is dearer now");

    let order_id = shop.submit(early, seen, "card_approve").await;
    let order = shop.order_is(order_id, OrderStatus::Confirmed).await;
    assert_eq!(order.placement().expect("placed").quote.total, seen, "what was quoted is what is paid");

    let tomorrow = || {
        let now = context();
        daybook_eventstore::CommandContext {
            occurred_at: now.occurred_at + chrono::TimeDelta::days(1),
            ..now
        }
    };
    let submit = async |expected_total| {
        let submission = Submission { cart_id: late, payment_token: "card_approve".into(), expected_total };
        submit_cart(&shop.shop, &tomorrow(), Scope::All, submission).await
    };
    let Err(UseCaseError::Refused(refused)) = submit(seen).await else { panic!("the quote has expired") };
    assert_eq!(refused.code, "QUOTE_EXPIRED");
    let repriced = reprice_cart(&shop.shop, &tomorrow(), Scope::All, late).await.expect("today's prices");
    let total = repriced.value.quote().expect("a quote").total;
    for number in [seen, total] {
        assert!(refused.message.contains(&number.to_string()), "{} names {number}", refused.message);
    }
    submit(total).await.expect("now the shopper has seen it");
    assert_eq!(code(submit(seen).await.map(drop)), "CART_NOT_OPEN");
}
