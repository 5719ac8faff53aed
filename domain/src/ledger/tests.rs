//! Given what happened to an order and its payment: what the books say.

use proptest::prelude::*;

use super::{Account, Balance, Ledger};
use crate::catalogue::DomainEvent;
use crate::kernel::{Currency, Money, OrderId, RefundId, sample};
use crate::order::{self, CancelReason, OrderEvent};
use crate::payment::PaymentEvent;

fn gbp(minor: i64) -> Money {
    Money::new(minor, Currency::GBP)
}

fn order_id() -> OrderId {
    OrderId::new(sample::id(0x21))
}

/// The sample order: its total is 34.68.
fn placed() -> DomainEvent {
    let placed = order::samples().into_iter().find(|event| matches!(event, OrderEvent::Placed { .. }));
    DomainEvent::Order(placed.expect("there is one"))
}

fn cancelled() -> DomainEvent {
    DomainEvent::Order(OrderEvent::Cancelled { reason: CancelReason::Staff, holds: Vec::new(), note: None })
}

fn authorised(minor: i64) -> DomainEvent {
    let (order_id, gateway_reference) = (order_id(), "g".to_owned());
    DomainEvent::Payment(PaymentEvent::Authorised { order_id, amount: gbp(minor), gateway_reference })
}

fn captured(minor: i64) -> DomainEvent {
    let (order_id, capture_id, amount) = (order_id(), sample::id(1), gbp(minor));
    DomainEvent::Payment(PaymentEvent::Captured { order_id, capture_id, amount, captured_total: amount })
}

fn voided(minor: i64) -> DomainEvent {
    DomainEvent::Payment(PaymentEvent::Voided { order_id: order_id(), amount: gbp(minor) })
}

fn refunded(minor: i64) -> DomainEvent {
    let (order_id, refund_id, amount) = (order_id(), RefundId::new(sample::id(2)), gbp(minor));
    DomainEvent::Payment(PaymentEvent::Refunded { order_id, refund_id, amount, refunded_total: amount })
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
    let ledger = books(&[authorised(3_468)]);
    assert_eq!(open(&ledger), [("held", 3_468), ("promised", -3_468)]);
    let ledger = books(&[authorised(3_468), captured(3_000)]);
    assert_eq!(open(&ledger), [("customer", -3_000), ("gateway", 3_000), ("held", 468), ("promised", -468)]);
    let ledger = books(&[authorised(3_468), captured(3_000), voided(468)]);
    assert_eq!(open(&ledger), [("customer", -3_000), ("gateway", 3_000)]);
}

#[test]
fn the_customer_of_a_paid_order_owes_nothing() {
    let DomainEvent::Order(OrderEvent::Placed { quote, .. }) = placed() else { panic!("it was placed") };
    let total = quote.total.minor();
    let ledger = books(&[placed(), authorised(total), captured(total)]);
    assert!(open(&ledger).iter().all(|(account, _)| *account != "customer" && *account != "held"));
    assert_eq!(open(&ledger)[0], ("gateway", total));
}

#[test]
fn a_refund_of_a_sale_that_stands_is_the_shops_and_one_of_a_cancelled_order_is_the_customers() {
    let DomainEvent::Order(OrderEvent::Placed { quote, .. }) = placed() else { panic!("it was placed") };
    let total = quote.total.minor();
    let stands = books(&[placed(), authorised(total), captured(total), refunded(500)]);
    assert!(open(&stands).contains(&("refunds", 500)));
    let cancelled = books(&[placed(), authorised(total), captured(total), cancelled(), refunded(total)]);
    assert_eq!(open(&cancelled), []);
    assert_eq!(cancelled.entries().len(), 5);
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

fn any_event() -> impl Strategy<Value = DomainEvent> {
    let amount = || 0..10_000_i64;
    prop_oneof![
        Just(placed()),
        Just(cancelled()),
        amount().prop_map(authorised),
        amount().prop_map(captured),
        amount().prop_map(voided),
        amount().prop_map(refunded),
    ]
}

proptest! {
    #[test]
    fn the_table_sums_to_zero_whatever_happened(events in prop::collection::vec(any_event(), 0..40)) {
        let ledger = books(&events);
        prop_assert!(ledger.is_balanced().expect("sums that fit"));
        let sum: i64 = ledger.balances().map(|balance| balance.amount.minor()).sum();
        prop_assert_eq!(sum, 0);
        let held = ledger.balances().find(|balance| balance.account == Account::Held);
        prop_assert!(held.is_none_or(|held| !held.amount.is_negative()));
    }
}
