//! Given events of an order, its payment and its shipments: the row.

use daybook_domain::catalogue::DomainEvent;
use daybook_domain::order::{CancelReason, OrderEvent, ShippedLine};
use daybook_domain::payment::PaymentEvent;
use daybook_domain::pricing::{Quote, QuotedLine, ShippingQuote};
use daybook_domain::shipment::{CarrierStatus, ShipmentEvent};
use daybook_domain::{
    CartId, Currency, LineId, Money, OrderId, PaymentId, ProductId, Quantity, RefundId, Sealed, ShipmentId,
    SubjectId, VariantId,
};
use daybook_eventstore::Upcasters;
use uuid::Uuid;

use super::{
    FulfilmentStatus, OrderRow, OrderStatus, Orders, PaymentStatus, Progress, ShipmentStatus, order_of,
};
use crate::runtime::testing::{envelope, fold_all, moment};
use crate::runtime::{FoldError, ReadModel};

const fn id(n: u128) -> Uuid {
    Uuid::from_u128(n)
}

const fn pounds(minor: i64) -> Money {
    Money::new(minor, Currency::GBP)
}

fn order_id() -> OrderId {
    OrderId::new(id(1))
}

fn units(count: i64) -> Quantity {
    Quantity::try_new(count).expect("a quantity")
}

fn shipped(count: i64) -> Vec<ShippedLine> {
    vec![ShippedLine {
        line_id: LineId::new(id(10)),
        variant_id: VariantId::new(id(12)),
        quantity: units(count),
    }]
}

fn sealed() -> Sealed {
    Sealed { subject: SubjectId::new(id(2)), data: "c2VhbGVk".to_owned() }
}

fn quote() -> Quote {
    let line = QuotedLine {
        line_id: LineId::new(id(10)),
        product_id: ProductId::new(id(11)),
        variant_id: VariantId::new(id(12)),
        sku: "85123A".parse().expect("a sku"),
        title: "White hanging heart".to_owned(),
        attributes: std::collections::BTreeMap::new(),
        quantity: units(4),
        unit_price: pounds(250),
        net: pounds(1_000),
        tax: pounds(200),
        gross: pounds(1_200),
    };
    Quote {
        lines: vec![line],
        shipping: ShippingQuote { method: "standard".parse().expect("a method"), price: pounds(390) },
        country: "GB".parse().expect("a country"),
        tax_rate: 2_000,
        shipping_tax: pounds(78),
        net: pounds(1_000),
        tax: pounds(278),
        total: pounds(1_668),
        expires_at: moment(60),
    }
}

fn order(event: OrderEvent) -> (String, DomainEvent) {
    (order_id().to_string(), DomainEvent::Order(event))
}

fn payment(event: PaymentEvent) -> (String, DomainEvent) {
    (id(20).to_string(), DomainEvent::Payment(event))
}

fn shipment(event: ShipmentEvent) -> (String, DomainEvent) {
    (id(30).to_string(), DomainEvent::Shipment(event))
}

fn placed() -> (String, DomainEvent) {
    order(OrderEvent::Placed {
        order_id: order_id(),
        cart_id: CartId::new(id(3)),
        customer_id: None,
        contact: sealed(),
        address: sealed(),
        quote: quote(),
        payment_token: "tok_ok".to_owned(),
    })
}

fn authorised() -> Vec<(String, DomainEvent)> {
    let (order_id, amount) = (order_id(), pounds(1_668));
    let requested = PaymentEvent::AuthorisationRequested {
        payment_id: PaymentId::new(id(20)),
        order_id,
        amount,
        payment_token: "tok_ok".to_owned(),
        deadline: moment(60),
    };
    let held = PaymentEvent::Authorised { order_id, amount, gateway_reference: "g1".to_owned() };
    vec![payment(requested), payment(held)]
}

fn opened() -> (String, DomainEvent) {
    shipment(ShipmentEvent::Opened {
        shipment_id: ShipmentId::new(id(30)),
        order_id: order_id(),
        location: "LON".parse().expect("a location"),
        lines: shipped(4),
    })
}

fn dispatched(count: i64) -> (String, DomainEvent) {
    order(OrderEvent::Dispatched {
        shipment_id: ShipmentId::new(id(30)),
        lines: shipped(count),
        carrier: "Royal Mail".to_owned(),
        tracking: "RM1".to_owned(),
        to_capture: pounds(1_668),
    })
}

fn captured(minor: i64) -> Vec<(String, DomainEvent)> {
    let (order_id, capture_id, amount) = (order_id(), id(21), pounds(minor));
    vec![
        payment(PaymentEvent::CaptureRequested { order_id, capture_id, amount }),
        payment(PaymentEvent::Captured { order_id, capture_id, amount, captured_total: amount }),
    ]
}

fn given(events: impl IntoIterator<Item = (String, DomainEvent)>) -> OrderRow {
    fold_all::<Orders>(events).expect("the fold succeeds").expect("there is a row")
}

#[test]
fn a_placed_order_waits_for_everything() {
    let row = given([placed()]);
    assert_eq!(row.status, OrderStatus::Placed);
    assert_eq!(row.payment_status(), PaymentStatus::Pending);
    assert_eq!(row.fulfilment_status(), FulfilmentStatus::Unfulfilled);
    assert_eq!(row.lines[0].quoted, quote().lines[0]);
    assert!(row.quote.lines.is_empty(), "the lines are kept once");
}

#[test]
fn an_order_that_shipped_and_was_paid_is_delivered_and_captured() {
    let mut events = vec![placed()];
    events.extend(authorised());
    events.push(order(OrderEvent::Confirmed { allocations: Vec::new() }));
    events.push(opened());
    events.push(dispatched(4));
    events.push(shipment(ShipmentEvent::Dispatched {
        order_id: order_id(),
        carrier: "Royal Mail".to_owned(),
        tracking: "RM1".to_owned(),
    }));
    events.extend(captured(1_668));
    let row = given(events.clone());
    assert_eq!(row.status, OrderStatus::Confirmed);
    assert_eq!(row.payment_status(), PaymentStatus::Captured);
    assert_eq!(row.fulfilment_status(), FulfilmentStatus::Dispatched);

    events.push(shipment(ShipmentEvent::CarrierReported {
        order_id: order_id(),
        report_id: "r1".to_owned(),
        status: CarrierStatus::Delivered,
        at: moment(30),
    }));
    events.push(shipment(ShipmentEvent::Delivered { order_id: order_id(), at: moment(30) }));
    events.push(order(OrderEvent::Delivered { shipment_id: ShipmentId::new(id(30)) }));
    events.push(order(OrderEvent::Completed {}));
    let row = given(events);
    assert_eq!(row.status, OrderStatus::Completed);
    assert_eq!(row.fulfilment_status(), FulfilmentStatus::Delivered);
    assert_eq!(row.shipments[0].status, ShipmentStatus::Delivered);
    assert_eq!(row.shipments[0].tracking.as_deref(), Some("RM1"));
    assert_eq!(row.shipments[0].delivered_at, Some(moment(30)));
}

#[test]
fn half_an_order_shows_as_half() {
    let mut events = vec![placed()];
    events.extend(authorised());
    events.extend([opened(), dispatched(2)]);
    events.extend(captured(834));
    let row = given(events);
    assert_eq!(row.lines[0].dispatched, 2);
    assert_eq!(row.fulfilment_status(), FulfilmentStatus::PartiallyDispatched);
    assert_eq!(row.payment_status(), PaymentStatus::PartiallyCaptured);
}

/// What happens to a parcel after it was opened: it leaves with these units, and ends so.
fn sent(parcel: u128, units: i64, end: CarrierStatus) -> Vec<(String, DomainEvent)> {
    let (order_id, shipment_id, at) = (order_id(), ShipmentId::new(id(parcel)), moment(30));
    let (carrier, tracking) = ("Royal Mail".to_owned(), format!("RM{parcel}"));
    let lines = shipped(units);
    let of_parcel = |event| (id(parcel).to_string(), DomainEvent::Shipment(event));
    let location = "LON".parse().expect("a location");
    let opened = ShipmentEvent::Opened { shipment_id, order_id, location, lines: lines.clone() };
    let leaves = OrderEvent::Dispatched {
        shipment_id,
        lines,
        carrier: carrier.clone(),
        tracking: tracking.clone(),
        to_capture: pounds(834),
    };
    let mut events = vec![
        of_parcel(opened),
        order(leaves),
        of_parcel(ShipmentEvent::Dispatched { order_id, carrier, tracking }),
    ];
    match end {
        CarrierStatus::Delivered => events.push(of_parcel(ShipmentEvent::Delivered { order_id, at })),
        CarrierStatus::Failed => events.push(of_parcel(ShipmentEvent::Failed { order_id, at })),
        CarrierStatus::PickedUp
        | CarrierStatus::InTransit
        | CarrierStatus::OutForDelivery
        | CarrierStatus::AttemptFailed => {}
    }
    events
}

#[test]
fn an_order_is_delivered_only_when_all_of_it_arrived() {
    let after = |ends: [CarrierStatus; 2]| {
        let mut events = vec![placed()];
        events.extend(authorised());
        events.extend(sent(30, 3, ends[0]));
        events.extend(sent(31, 1, ends[1]));
        given(events).fulfilment_status()
    };
    let (arrives, fails, travels) =
        (CarrierStatus::Delivered, CarrierStatus::Failed, CarrierStatus::InTransit);
    assert_eq!(after([arrives, arrives]), FulfilmentStatus::Delivered);
    assert_eq!(after([arrives, fails]), FulfilmentStatus::PartiallyDelivered);
    assert_eq!(after([arrives, travels]), FulfilmentStatus::PartiallyDelivered);
    assert_eq!(after([travels, fails]), FulfilmentStatus::Dispatched);
    assert_eq!(after([fails, fails]), FulfilmentStatus::DeliveryFailed);
}

#[test]
fn a_parcel_that_was_let_go_and_not_yet_sent_off_has_not_arrived() {
    let mut events = vec![placed()];
    events.extend(authorised());
    events.extend(sent(31, 2, CarrierStatus::Delivered));
    events.extend([opened(), dispatched(2)]);
    assert_eq!(given(events).fulfilment_status(), FulfilmentStatus::PartiallyDelivered);
}

#[test]
fn a_payment_in_conflict_stays_in_conflict_when_something_was_taken() {
    let conflicted = PaymentEvent::Conflicted {
        order_id: order_id(),
        asked: pounds(1_668),
        got: pounds(1_600),
        gateway_reference: "g1".to_owned(),
    };
    let mut events = vec![placed()];
    events.extend(authorised());
    events.extend(captured(1_600));
    events.push(payment(conflicted));
    let row = given(events);
    assert_eq!(row.payment_status(), PaymentStatus::Conflicted);
    assert_eq!(row.payment.conflict, Some(pounds(1_600)), "what was charged instead is seen");
}

#[test]
fn a_failed_refund_leaves_the_money_captured() {
    let (order_id, refund_id, amount) = (order_id(), RefundId::new(id(22)), pounds(100));
    let mut events = vec![placed()];
    events.extend(authorised());
    events.extend(captured(1_668));
    let reason = "broken".to_owned();
    events.push(payment(PaymentEvent::RefundRequested { order_id, refund_id, amount, reason }));
    let code = "account_closed".to_owned();
    events.push(payment(PaymentEvent::RefundFailed { order_id, refund_id, amount, code }));
    let row = given(events.clone());
    assert_eq!(row.payment_status(), PaymentStatus::Captured);
    assert_eq!(row.payment.refunds[0].progress, Progress::Failed);

    let refunded_total = amount;
    events.push(payment(PaymentEvent::Refunded { order_id, refund_id, amount, refunded_total }));
    assert_eq!(given(events).payment_status(), PaymentStatus::PartiallyRefunded);
}

#[test]
fn a_cancelled_order_says_why_and_its_money_is_let_go() {
    let mut events = vec![placed()];
    events.extend(authorised());
    let (reason, note) = (CancelReason::Fraud, Some(sealed()));
    events.push(order(OrderEvent::Cancelled { reason, holds: Vec::new(), note: note.clone() }));
    events.push(payment(PaymentEvent::Voided { order_id: order_id(), amount: pounds(1_668) }));
    let row = given(events);
    assert_eq!((row.cancel_reason, &row.cancel_note), (Some(reason), &note));
    assert_eq!(row.payment_status(), PaymentStatus::Voided);
    assert_eq!(row.fulfilment_status(), FulfilmentStatus::Cancelled);
}

#[test]
fn a_declined_payment_shows_its_code() {
    let declined = PaymentEvent::Declined { order_id: order_id(), code: "insufficient_funds".to_owned() };
    let row = given([placed(), payment(declined)]);
    assert_eq!(row.payment_status(), PaymentStatus::Declined);
    assert_eq!(row.payment.decline_code.as_deref(), Some("insufficient_funds"));
}

#[test]
fn what_can_be_captured_and_refunded_follows_every_request_and_answer() {
    let (order_id, refund_id) = (order_id(), RefundId::new(id(22)));
    let mut events = vec![placed()];
    events.extend(authorised());
    let after = |events: &[(String, DomainEvent)]| {
        let view = given(events.to_vec()).payment;
        (view.capturable().minor(), view.refundable().minor())
    };
    let mut step = |event: PaymentEvent| {
        events.push(payment(event));
        after(&events)
    };
    let (capture_id, amount) = (id(21), pounds(668));
    assert_eq!(step(PaymentEvent::CaptureRequested { order_id, capture_id, amount }), (1_000, 0));
    let captured_total = amount;
    assert_eq!(step(PaymentEvent::Captured { order_id, capture_id, amount, captured_total }), (1_000, 668));
    let (rest, code) = (pounds(1_000), "no".to_owned());
    assert_eq!(step(PaymentEvent::VoidRequested { order_id, amount: rest }), (0, 668));
    assert_eq!(step(PaymentEvent::VoidFailed { order_id, code: code.clone() }), (1_000, 668));
    assert_eq!(step(PaymentEvent::VoidRequested { order_id, amount: rest }), (0, 668));
    assert_eq!(step(PaymentEvent::Voided { order_id, amount: rest }), (0, 668));
    let (amount, reason) = (pounds(600), "late".to_owned());
    assert_eq!(step(PaymentEvent::RefundRequested { order_id, refund_id, amount, reason }), (0, 68));
    assert_eq!(step(PaymentEvent::RefundFailed { order_id, refund_id, amount, code }), (0, 668));
}

#[test]
fn nobody_is_sent_to_the_bank_any_more_when_the_payment_came_to_an_end() {
    let url = "https://bank.example".to_owned();
    let asked = vec![placed(), payment(PaymentEvent::ActionRequired { order_id: order_id(), url })];
    assert_eq!(given(asked.clone()).payment.action_url.as_deref(), Some("https://bank.example"));
    let order_id = order_id();
    for end in [
        PaymentEvent::Declined { order_id, code: "authentication_failed".to_owned() },
        PaymentEvent::Expired { order_id },
        PaymentEvent::CancellationRequested { order_id },
        PaymentEvent::Authorised { order_id, amount: pounds(1_668), gateway_reference: "g1".to_owned() },
    ] {
        let mut events = asked.clone();
        events.push(payment(end.clone()));
        assert_eq!(given(events).payment.action_url, None, "{end:?}");
    }
}

#[test]
fn a_payment_before_its_order_is_refused() {
    assert_eq!(fold_all::<Orders>(authorised()), Err(FoldError::NothingYet("order")));
}

#[test]
fn a_payment_that_cannot_be_read_is_its_orders_matter() {
    let (_, event) = &authorised()[0];
    let mut recorded = envelope(1, &id(20).to_string(), event.clone()).recorded;
    recorded.payload = format!(r#"{{"Levitated":{{"order_id":"{}"}}}}"#, order_id());
    assert_eq!(Orders::key_of_unreadable(&recorded), order_id().to_string());
}

#[test]
fn events_of_an_order_its_payment_and_its_parcels_belong_to_the_order() {
    let facts = [placed(), opened(), dispatched(1)].into_iter().chain(authorised());
    for (position, (id, event)) in (1..).zip(facts) {
        let mut recorded = envelope(position, &id, event).recorded;
        assert_eq!(
            order_of(&recorded, &Upcasters::default()),
            Some(order_id().to_string()),
            "{}",
            recorded.event_type
        );
        recorded.aggregate_type = "Product".to_owned();
        assert_eq!(order_of(&recorded, &Upcasters::default()), None);
    }
}
