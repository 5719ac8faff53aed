//! What a checkout makes of bad luck: money that is not where it was left, steps that run again, and answers that come
//! too late. The processes are run by hand, so that each piece of luck can be had on purpose.

use chrono::TimeDelta;
use daybook_commands::related::{payment_of, rest_of, shipment_of};
use daybook_commands::use_cases::{
    Dispatching, Returned, Scope, cancel_order, capture_payment, dispatch_shipment, pack_shipment,
    refund_payment, return_stock,
};
use daybook_domain::inventory::InventoryCommand;
use daybook_domain::order::{FulfilmentStatus, OrderStatus};
use daybook_domain::payment::{Authorisation, PaymentCommand, PaymentStatus, Progress};
use daybook_domain::shipment::{CarrierStatus, ShipmentStatus};
use daybook_domain::{Clock, Currency, LocationCode, Money, OrderId, Quantity, ShipmentId};

use crate::harness::metric;
use crate::harness::shop::{TestShop, Wanted, context, item};
use crate::harness::steps::{Mood, Steps};

pub(super) const NONE: [&str; 0] = [];

/// The shipment that London opens for an order.
pub(super) fn parcel(order_id: OrderId) -> ShipmentId {
    shipment_of(order_id, &LocationCode::try_new("LON").expect("a location"))
}

impl TestShop {
    /// Tells the payment of an order something.
    async fn pay(&self, order_id: OrderId, command: PaymentCommand) {
        let id = payment_of(order_id).to_string();
        self.shop.payments.execute(&id, command, &context(), "null").await.expect("it is recorded");
    }

    /// Packs `units` of the first line, and lets the parcel leave.
    pub(super) async fn leave(&self, shipment_id: ShipmentId, units: i64) {
        self.pack(shipment_id, units).await;
        let dispatching = Dispatching { shipment_id, carrier: "Royal Mail".into(), tracking: "RM1".into() };
        dispatch_shipment(&self.shop, &context(), dispatching).await.expect("it may leave");
    }

    async fn pack(&self, shipment_id: ShipmentId, units: i64) {
        let shipment = self.shop.shipments.load(&shipment_id.to_string()).await.expect("a shipment").state;
        let quantity = Quantity::try_new(units).expect("a quantity");
        let lines = vec![(shipment.lines()[0].line_id, quantity)];
        pack_shipment(&self.shop, &context(), shipment_id, Some(lines)).await.expect("it is packed");
    }

    async fn shipment_status(&self, shipment_id: ShipmentId) -> ShipmentStatus {
        self.shop.shipments.load(&shipment_id.to_string()).await.expect("a shipment").state.status()
    }
}

/// An order of three that is confirmed and paid for.
async fn confirmed(shop: &TestShop, steps: &mut Steps) -> OrderId {
    let lantern = shop.product(1_000, 5).await;
    confirmed_of(shop, steps, lantern.times(3)).await
}

/// The same of this.
pub(super) async fn confirmed_of(shop: &TestShop, steps: &mut Steps, wanted: Wanted) -> OrderId {
    let order_id = shop.buy(&[wanted], "card").await;
    assert_eq!(steps.run().await, NONE);
    assert_eq!(shop.order(order_id).await.status(), OrderStatus::Confirmed);
    order_id
}

#[tokio::test]
async fn goods_whose_money_was_let_go_leave_and_the_payment_says_what_is_missing() {
    let shop = TestShop::open().await;
    let mut steps = Steps::of(&shop);
    let order_id = confirmed(&shop, &mut steps).await;
    let gateway_reference = String::new();
    shop.pay(order_id, PaymentCommand::RecordVoided { gateway_reference }).await;
    shop.leave(parcel(order_id), 1).await;
    assert_eq!(steps.run().await, NONE);
    shop.leave(rest_of(parcel(order_id)), 2).await;
    for _ in 0..2 {
        assert_eq!(steps.run().await, NONE, "nothing is put off");
        assert_eq!(steps.again("OrderDispatched").await, NONE);
    }
    let payment = shop.payment(order_id).await;
    assert_eq!((payment.shortfall(), payment.captured().minor()), (shop.order(order_id).await.due(), 0));
    assert!(steps.gateway.asked().iter().all(|key| !key.starts_with("capture:")));
    assert_eq!(shop.shipment_status(parcel(order_id)).await, ShipmentStatus::Dispatched);
}

#[tokio::test]
async fn what_staff_captured_by_hand_is_not_captured_again_and_nothing_before_it_is_due() {
    let shop = TestShop::open().await;
    let mut steps = Steps::of(&shop);
    let order_id = confirmed(&shop, &mut steps).await;
    let total = shop.payment(order_id).await.authorised();
    let by_hand = Money::new(total.minor() - 100, total.currency());
    capture_payment(&shop.shop, &context(), order_id, Some(by_hand)).await.expect("it is asked for");
    shop.leave(parcel(order_id), 1).await;
    assert_eq!(steps.run().await, NONE);
    assert_eq!(shop.payment(order_id).await.captured(), by_hand);

    shop.leave(rest_of(parcel(order_id)), 2).await;
    assert_eq!(steps.run().await, NONE);
    assert_eq!(shop.payment(order_id).await.captured(), total);
}

#[tokio::test]
async fn the_next_shipment_makes_up_for_a_capture_that_failed() {
    let shop = TestShop::open().await;
    let mut steps = Steps::of(&shop);
    let order_id = confirmed(&shop, &mut steps).await;
    shop.leave(parcel(order_id), 1).await;
    steps.gateway.is(Mood::Refusing);
    assert_eq!(steps.run().await, NONE);
    assert!(shop.payment(order_id).await.captured().is_zero());

    steps.gateway.is(Mood::Willing);
    shop.leave(rest_of(parcel(order_id)), 2).await;
    assert_eq!(steps.run().await, NONE);
    let payment = shop.payment(order_id).await;
    assert_eq!(payment.captured(), payment.authorised());
    let captures = steps.gateway.asked().iter().filter(|key| key.starts_with("capture:")).count();
    assert_eq!((captures, payment.captures().len()), (2, 2));
}

#[tokio::test]
async fn stock_that_was_promised_before_a_crash_is_not_promised_elsewhere_after_it() {
    let shop = TestShop::open().await;
    let mut steps = Steps::of(&shop);
    let lantern = shop.product_at(1_000, &[("LON", 2), ("ROT", 2)]).await;
    steps.gateway.is(Mood::Silent);
    let order_id = shop.buy(&[lantern.times(2)], "card").await;
    steps.run().await;
    assert_eq!(shop.stock(lantern, "LON").await.reserved(), 2);
    // The hold runs out, and what was free then was promised in Rotterdam when the worker was killed.
    assert_eq!(steps.after(TimeDelta::minutes(16)).await, NONE);
    assert_eq!(shop.stock(lantern, "LON").await.reserved(), 0);
    let item = item(lantern, "ROT");
    let quantity = Quantity::try_new(2).expect("a quantity");
    let promise = InventoryCommand::Allocate { item: item.clone(), order_id, quantity };
    let stock = &shop.shop.inventory;
    stock.execute(&item.to_string(), promise, &context(), "null").await.expect("it is promised");

    let amount = shop.payment(order_id).await.request().expect("a request").amount;
    let gateway_reference = "told".to_owned();
    shop.pay(order_id, PaymentCommand::RecordAuthorised { amount, gateway_reference }).await;
    assert_eq!(steps.run().await, NONE);
    let order = shop.order(order_id).await;
    assert_eq!(order.status(), OrderStatus::Confirmed);
    assert_eq!(order.allocations()[0].item, item);
    assert_eq!(shop.stock(lantern, "LON").await.committed(), 0);
}

#[tokio::test]
async fn a_payment_that_was_requested_after_its_order_was_called_off_goes_back() {
    for asked_for in [0, 1] {
        let shop = TestShop::open().await;
        let mut steps = Steps::of(&shop);
        let lantern = shop.product(1_000, 5).await;
        let order_id = shop.buy(&[lantern], "card").await;
        steps.gateway.is(Mood::Silent);
        steps.run_until("OrderPlaced").await;
        cancel_order(&shop.shop, &context(), Scope::All, order_id.into()).await.expect("nothing has left");
        steps.run().await;
        // The slower of two workers does not know yet.
        let payment_id = payment_of(order_id);
        let request = PaymentCommand::RequestAuthorisation {
            payment_id,
            order_id,
            amount: Money::new(1_668, Currency::GBP),
            payment_token: "card".to_owned(),
            deadline: steps.clock.now() + TimeDelta::minutes(30),
        };
        shop.pay(order_id, request).await;
        let amount = Money::new(1_668 + asked_for, Currency::GBP);
        let gateway_reference = "told".to_owned();
        shop.pay(order_id, PaymentCommand::RecordAuthorised { amount, gateway_reference }).await;
        steps.gateway.is(Mood::Willing);
        assert_eq!(steps.run().await, NONE);
        let payment = shop.payment(order_id).await;
        assert_eq!((payment.capturable().minor(), payment.voids().len()), (0, 1), "{payment:?}");
    }
}

#[tokio::test]
async fn what_a_late_run_took_for_an_order_that_was_called_off_goes_back() {
    let shop = TestShop::open().await;
    let mut steps = Steps::of(&shop);
    let lantern = shop.product(1_000, 5).await;
    let order_id = shop.buy(&[lantern.times(2)], "card").await;
    steps.run_until("OrderPlaced").await;
    // The slower of two workers knows the order as it is now, and hears no more of it.
    let behind = Steps::remembering(&shop);
    behind.shop.orders.recall(&order_id.to_string()).await.expect("the order");
    cancel_order(&shop.shop, &context(), Scope::All, order_id.into()).await.expect("nothing has left");
    assert_eq!(steps.run().await, NONE);
    assert_eq!(behind.again("OrderPlaced").await, NONE);
    assert_eq!(steps.run().await, NONE);
    assert_eq!(shop.stock(lantern, "LON").await.available(), 5);
}

#[tokio::test]
async fn what_is_packed_in_part_while_the_order_is_called_off_opens_no_other_parcel() {
    let shop = TestShop::open().await;
    let mut steps = Steps::of(&shop);
    let order_id = confirmed(&shop, &mut steps).await;
    let first = parcel(order_id);
    cancel_order(&shop.shop, &context(), Scope::All, order_id.into()).await.expect("nothing has left");
    shop.pack(first, 1).await;
    assert_eq!(steps.run().await, NONE);
    assert_eq!(shop.shipment_status(first).await, ShipmentStatus::Cancelled);
    assert_eq!(shop.shipment_status(rest_of(first)).await, ShipmentStatus::Unopened);
    assert_eq!(steps.again("OrderConfirmed").await, NONE);
    assert_eq!(shop.shipment_status(first).await, ShipmentStatus::Cancelled);
}

#[tokio::test]
async fn a_second_charge_goes_back_by_its_own_name_and_the_order_ships() {
    let shop = TestShop::open().await;
    let mut steps = Steps::of(&shop);
    let order_id = confirmed(&shop, &mut steps).await;
    let amount = shop.payment(order_id).await.authorised();
    let gateway_reference = "another".to_owned();
    shop.pay(order_id, PaymentCommand::RecordAuthorised { amount, gateway_reference }).await;
    assert_eq!(steps.run().await, NONE);
    assert_eq!(shop.payment(order_id).await.extras()[0].progress, Progress::Done);
    let voids = steps.gateway.asked().into_iter().filter(|key| key.starts_with("void:"));
    assert_eq!(voids.count(), 1);
    shop.leave(parcel(order_id), 3).await;
    assert_eq!(steps.run().await, NONE);
    assert_eq!(shop.payment(order_id).await.captured(), amount);
}

#[tokio::test]
async fn what_the_gateway_may_hold_is_asked_for_until_it_answers_and_then_goes_back() {
    for called_off in [false, true] {
        let shop = TestShop::open().await;
        let mut steps = Steps::of(&shop);
        let lantern = shop.product(1_000, 5).await;
        steps.gateway.is(Mood::Silent);
        let order_id = shop.buy(&[lantern], "card").await;
        steps.run().await;
        if called_off {
            cancel_order(&shop.shop, &context(), Scope::All, order_id.into())
                .await
                .expect("nothing has left");
        }
        steps.after(TimeDelta::minutes(31)).await;
        assert_eq!(shop.order(order_id).await.status(), OrderStatus::Cancelled);
        assert_eq!(shop.payment(order_id).await.authorisation(), &Authorisation::Expired);
        assert_eq!(steps.again("PaymentAuthorisationRequested").await.len(), 1, "it is put off once more");

        steps.gateway.is(Mood::Willing);
        assert_eq!(steps.again("PaymentAuthorisationRequested").await, NONE);
        assert_eq!(steps.run().await, NONE);
        let payment = shop.payment(order_id).await;
        assert_eq!((payment.status(), payment.capturable().minor()), (PaymentStatus::Voided, 0));
        let mut keys = steps.gateway.asked();
        keys.retain(|key| key.starts_with("authorise:"));
        keys.dedup();
        assert_eq!(keys.len(), 1, "always with the same key");
    }
}

#[tokio::test]
async fn money_that_the_gateway_would_not_give_back_is_asked_for_again_until_it_does() {
    for captured in [0, 100] {
        let shop = TestShop::open().await;
        let mut steps = Steps::of(&shop);
        let order_id = confirmed(&shop, &mut steps).await;
        let total = shop.payment(order_id).await.authorised();
        if captured > 0 {
            let amount = Some(Money::new(captured, total.currency()));
            capture_payment(&shop.shop, &context(), order_id, amount).await.expect("it is asked for");
            assert_eq!(steps.run().await, NONE);
        }
        steps.gateway.is(Mood::Refusing);
        cancel_order(&shop.shop, &context(), Scope::All, order_id.into()).await.expect("nothing has left");
        assert_eq!(steps.run().await, NONE);
        assert_eq!(steps.after(TimeDelta::seconds(2)).await, NONE);
        assert_eq!(steps.after(TimeDelta::seconds(3)).await, NONE);
        assert_eq!(shop.payment(order_id).await.voids().len(), 2, "the second pause is longer");

        steps.gateway.is(Mood::Willing);
        assert_eq!(steps.after(TimeDelta::seconds(1)).await, NONE);
        assert_eq!(steps.after(TimeDelta::hours(1)).await, NONE);
        let payment = shop.payment(order_id).await;
        assert_eq!((payment.capturable().minor(), payment.refunded()), (0, payment.captured()));
        let mut voids = steps.gateway.asked();
        voids.retain(|key| key.starts_with("void:"));
        assert_eq!(voids.len(), 3);
        voids.dedup();
        assert_eq!(voids.len(), 3, "each under a key of its own: {voids:?}");
    }
}

#[tokio::test]
async fn a_capture_that_was_refused_is_asked_for_again_and_a_refund_by_hand_is_not() {
    let shop = TestShop::open().await;
    let mut steps = Steps::of(&shop);
    let order_id = confirmed(&shop, &mut steps).await;
    steps.gateway.is(Mood::Refusing);
    shop.leave(parcel(order_id), 3).await;
    assert_eq!(steps.run().await, NONE);
    steps.gateway.is(Mood::Willing);
    assert_eq!(steps.after(TimeDelta::seconds(2)).await, NONE);
    let total = shop.payment(order_id).await.captured();
    assert_eq!(total, shop.order(order_id).await.due());

    steps.gateway.is(Mood::Refusing);
    let damaged = (total, "damaged".to_owned());
    refund_payment(&shop.shop, &context(), order_id, damaged).await.expect("it is asked for");
    assert_eq!(steps.run().await, NONE);
    steps.gateway.is(Mood::Willing);
    assert_eq!(steps.after(TimeDelta::hours(1)).await, NONE);
    assert_eq!(shop.payment(order_id).await.refundable(), total);
}

#[tokio::test]
async fn a_second_charge_that_the_gateway_kept_is_asked_for_again() {
    let shop = TestShop::open().await;
    let mut steps = Steps::of(&shop);
    let order_id = confirmed(&shop, &mut steps).await;
    let (amount, gateway_reference) = (shop.payment(order_id).await.authorised(), "another".to_owned());
    steps.gateway.is(Mood::Refusing);
    shop.pay(order_id, PaymentCommand::RecordAuthorised { amount, gateway_reference }).await;
    assert_eq!(steps.run().await, NONE);
    assert_eq!(shop.payment(order_id).await.extras()[0].progress, Progress::Failed);
    steps.gateway.is(Mood::Willing);
    assert_eq!(steps.after(TimeDelta::seconds(2)).await, NONE);
    assert_eq!(shop.payment(order_id).await.extras()[0].progress, Progress::Done);
}

#[tokio::test]
async fn a_capture_whose_answer_was_lost_is_seen_as_asked_for_and_asked_again_with_the_same_key() {
    let shop = TestShop::open().await;
    let mut steps = Steps::of(&shop);
    let order_id = confirmed(&shop, &mut steps).await;
    steps.gateway.is(Mood::Silent);
    shop.leave(parcel(order_id), 3).await;
    assert_eq!(steps.run().await, ["PaymentCaptureRequested: still waiting"]);
    let payment = shop.payment(order_id).await;
    let total = payment.authorised();
    let asked: Vec<_> = payment.captures().iter().map(|one| (one.amount, one.progress)).collect();
    assert_eq!(asked, [(total, Progress::Pending)]);
    assert_eq!((payment.captured().minor(), payment.capturable().minor()), (0, 0), "neither taken nor free");

    steps.gateway.is(Mood::Willing);
    assert_eq!(steps.again("PaymentCaptureRequested").await, NONE);
    assert_eq!(steps.run().await, NONE);
    let payment = shop.payment(order_id).await;
    assert_eq!((payment.captured(), payment.captures().len()), (total, 1));
    let key = format!("capture:{}", payment.captures()[0].capture_id);
    let asked = steps.gateway.asked();
    let captures: Vec<&String> = asked.iter().filter(|key| key.starts_with("capture:")).collect();
    assert_eq!(captures, [&key, &key]);
}

#[tokio::test]
async fn a_parcel_that_comes_back_is_counted_and_moves_no_money_until_staff_do() {
    let shop = TestShop::open().await;
    let mut steps = Steps::of(&shop);
    let lantern = shop.product(1_000, 5).await;
    let order_id = confirmed_of(&shop, &mut steps, lantern.times(3)).await;
    shop.leave(parcel(order_id), 3).await;
    assert_eq!(steps.run().await, NONE);
    let counted = || metric("daybook_shipments_failed_total");
    let before = counted();
    shop.report(parcel(order_id), "1", CarrierStatus::Failed).await;
    assert_eq!(steps.run().await, NONE);
    assert!(counted() > before, "somebody is told");
    let (order, payment) = (shop.order(order_id).await, shop.payment(order_id).await);
    assert_eq!(
        (order.status(), order.fulfilment_status()),
        (OrderStatus::Confirmed, FulfilmentStatus::Fulfilled)
    );
    assert_eq!((payment.captured(), payment.refunds().len()), (payment.authorised(), 0));
    assert_eq!(shop.stock(lantern, "LON").await.on_hand(), 2);

    let (item, quantity) = (item(lantern, "LON"), Quantity::try_new(3).expect("a quantity"));
    let returned = Returned { item, order_id, quantity };
    return_stock(&shop.shop, &context(), returned).await.expect("staff take it back");
    let refund = (payment.captured(), "it came back".to_owned());
    refund_payment(&shop.shop, &context(), order_id, refund).await.expect("staff pay it back");
    assert_eq!(steps.run().await, NONE);
    assert_eq!(shop.payment(order_id).await.status(), PaymentStatus::Refunded);
    assert_eq!(shop.stock(lantern, "LON").await.on_hand(), 5);
}

#[tokio::test]
async fn a_conflict_is_counted() {
    let shop = TestShop::open().await;
    let mut steps = Steps::of(&shop);
    let order_id = confirmed(&shop, &mut steps).await;
    let counted = || metric("daybook_payment_conflicts_total");
    let before = counted();
    let held = shop.payment(order_id).await.authorised();
    let (amount, gateway_reference) =
        (Money::new(held.minor() - 1, held.currency()), format!("told_{}", payment_of(order_id)));
    shop.pay(order_id, PaymentCommand::RecordAuthorised { amount, gateway_reference }).await;
    assert_eq!(steps.run().await, NONE);
    assert!(counted() > before, "somebody is told");
}
