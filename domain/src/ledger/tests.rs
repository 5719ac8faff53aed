//! Given what happened to an order and its payment: what the books say.

use cqrs_es::Aggregate as _;

use super::{Balance, Ledger};
use crate::catalogue::DomainEvent;
use crate::kernel::{Currency, Money, OrderId, PaymentId, RefundId, sample};
use crate::order::{self, CancelReason, OrderEvent};
use crate::payment::{Payment, PaymentCommand};

fn gbp(minor: i64) -> Money {
    Money::new(minor, Currency::GBP)
}

/// The sample order: its total is 34.68.
fn placed() -> DomainEvent {
    let placed = order::samples().into_iter().find(|event| matches!(event, OrderEvent::Placed { .. }));
    DomainEvent::Order(placed.expect("there is one"))
}

fn cancelled() -> DomainEvent {
    DomainEvent::Order(OrderEvent::Cancelled { reason: CancelReason::Staff, holds: Vec::new(), note: None })
}

/// What becomes of a payment of so much, when it is asked for this in turn.
fn paid(total: i64, commands: impl IntoIterator<Item = PaymentCommand>) -> Vec<DomainEvent> {
    let request = PaymentCommand::RequestAuthorisation {
        payment_id: PaymentId::new(sample::id(1)),
        order_id: OrderId::new(sample::id(0x21)),
        amount: gbp(total),
        payment_token: "card".to_owned(),
        deadline: sample::moment(900),
    };
    let (mut payment, mut events) = (Payment::default(), Vec::new());
    for command in [request].into_iter().chain(commands) {
        for event in payment.decide(command).expect("it is granted") {
            payment.apply(event.clone());
            events.push(DomainEvent::Payment(event));
        }
    }
    events
}

fn held(minor: i64, reference: &str) -> PaymentCommand {
    PaymentCommand::RecordAuthorised { amount: gbp(minor), gateway_reference: reference.to_owned() }
}

fn capture(number: u16, minor: i64) -> [PaymentCommand; 2] {
    let (capture_id, amount) = (sample::id(number), gbp(minor));
    [
        PaymentCommand::RequestCapture { capture_id, amount },
        PaymentCommand::RecordCaptured { capture_id, amount },
    ]
}

fn refund(number: u16, minor: i64) -> [PaymentCommand; 2] {
    let (refund_id, amount) = (RefundId::new(sample::id(number)), gbp(minor));
    let reason = String::new();
    [
        PaymentCommand::RequestRefund { refund_id, amount, reason },
        PaymentCommand::RecordRefunded { refund_id },
    ]
}

fn books(events: &[DomainEvent]) -> Ledger {
    Ledger::of((1..).zip(events)).expect("sums that fit")
}

/// The accounts that are not even, in minor units.
fn open(ledger: &Ledger) -> Vec<(&'static str, i64)> {
    let balances = ledger.balances().filter(|balance| !balance.amount.is_zero());
    balances.map(|Balance { account, amount }| (account.as_str(), amount.minor())).collect()
}

#[test]
fn a_placed_order_is_owed_for_goods_shipping_and_tax() {
    let ledger = books(&[placed()]);
    let DomainEvent::Order(OrderEvent::Placed { quote, .. }) = placed() else { panic!("it was placed") };
    let expected = [
        ("customer", quote.total.minor()),
        ("goods", -quote.net.minor()),
        ("shipping", -quote.shipping.price.minor()),
        ("tax", -quote.tax.minor()),
    ];
    assert_eq!(open(&ledger), expected.into_iter().filter(|(_, minor)| *minor != 0).collect::<Vec<_>>());
}

#[test]
fn what_is_held_is_no_money_until_it_is_taken() {
    let ledger = books(&paid(3_468, [held(3_468, "g")]));
    assert_eq!(open(&ledger), [("held", 3_468), ("promised", -3_468)]);
    let some = [held(3_468, "g")].into_iter().chain(capture(2, 3_000));
    let ledger = books(&paid(3_468, some.clone()));
    assert_eq!(open(&ledger), [("customer", -3_000), ("gateway", 3_000), ("held", 468), ("promised", -468)]);
    let cancel = PaymentCommand::Cancel { refund_id: RefundId::new(sample::id(9)) };
    let voided = PaymentCommand::RecordVoided { gateway_reference: "g".to_owned() };
    let ledger = books(&paid(3_468, some.chain([cancel, voided])));
    assert_eq!(open(&ledger), [("customer", -3_000), ("gateway", 3_000)]);
}

#[test]
fn a_conflict_about_what_is_held_is_no_second_hold_and_a_second_hold_is_one() {
    let ledger = books(&paid(100, [held(100, "g"), held(90, "g")]));
    assert_eq!(open(&ledger), [("held", 100), ("promised", -100)]);
    let capture_id = sample::id(2);
    let short = [
        held(100, "g"),
        PaymentCommand::RequestCapture { capture_id, amount: gbp(40) },
        PaymentCommand::RecordCaptured { capture_id, amount: gbp(35) },
    ];
    let expected = [("customer", -35), ("gateway", 35), ("held", 65), ("promised", -65)];
    assert_eq!(open(&books(&paid(100, short))), expected);
    // Another amount than was asked for is held all the same.
    assert_eq!(open(&books(&paid(100, [held(90, "g")]))), [("held", 90), ("promised", -90)]);
    let second = [held(100, "g"), held(100, "h")];
    assert_eq!(open(&books(&paid(100, second.clone()))), [("held", 200), ("promised", -200)]);
    let gone = PaymentCommand::RecordVoided { gateway_reference: "h".to_owned() };
    let ended = books(&paid(100, second.into_iter().chain([gone])));
    assert_eq!(open(&ended), [("held", 100), ("promised", -100)]);
}

#[test]
fn the_customer_of_a_paid_order_owes_nothing() {
    let total = total();
    let events =
        [vec![placed()], paid(total, [held(total, "g")].into_iter().chain(capture(2, total)))].concat();
    let ledger = books(&events);
    assert!(open(&ledger).iter().all(|(account, _)| *account != "customer" && *account != "held"));
    assert_eq!(open(&ledger)[0], ("gateway", total));
}

fn total() -> i64 {
    let DomainEvent::Order(OrderEvent::Placed { quote, .. }) = placed() else { panic!("it was placed") };
    quote.total.minor()
}

#[test]
fn a_refund_of_a_sale_that_stands_is_the_shops_and_one_of_a_cancelled_order_is_the_customers() {
    let total = total();
    let taken = || [held(total, "g")].into_iter().chain(capture(2, total));
    let stands = books(&[vec![placed()], paid(total, taken().chain(refund(3, 500)))].concat());
    assert!(open(&stands).contains(&("refunds", 500)));
    // Whether the order was cancelled before the money went back, in between, or after.
    let all = paid(total, taken().chain(refund(3, 500)).chain(refund(4, total - 500)));
    for at in 0..=all.len() {
        let events = [vec![placed()], all[..at].to_vec(), vec![cancelled()], all[at..].to_vec()].concat();
        assert_eq!(open(&books(&events)), [], "cancelled after {at}");
    }
}

#[test]
fn a_refund_that_the_gateway_takes_back_never_was() {
    let total = total();
    let refund_id = RefundId::new(sample::id(3));
    let failed = PaymentCommand::RecordRefundFailed { refund_id, code: "no".to_owned() };
    let taken = [held(total, "g")].into_iter().chain(capture(2, total)).chain(refund(3, 500)).chain([failed]);
    let all = paid(total, taken);
    let stands = open(&books(&[vec![placed()], all.clone()].concat()));
    assert!(stands.contains(&("gateway", total)), "{stands:?}");
    assert!(stands.iter().all(|(account, _)| *account != "refunds" && *account != "customer"), "{stands:?}");
    for at in 0..=all.len() {
        let events = [vec![placed()], all[..at].to_vec(), vec![cancelled()], all[at..].to_vec()].concat();
        assert_eq!(open(&books(&events)), [("customer", -total), ("gateway", total)], "cancelled after {at}");
    }
}

#[test]
fn what_was_cancelled_once_is_taken_back_once() {
    assert_eq!(open(&books(&[placed(), cancelled(), cancelled()])), []);
}

#[test]
fn other_events_are_no_entries() {
    let events = order::samples().into_iter().map(DomainEvent::Order);
    let events: Vec<_> = events
        .filter(|event| {
            !matches!(event, DomainEvent::Order(OrderEvent::Placed { .. } | OrderEvent::Cancelled { .. }))
        })
        .collect();
    assert!(books(&events).entries().is_empty());
}
