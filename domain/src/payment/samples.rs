//! One event of each kind, always the same: for golden files and the event catalogue.

use super::PaymentEvent;
use crate::kernel::{Money, OrderId, PaymentId, RefundId, sample};
use crate::pricing::samples::CURRENCY;

/// One or more events of every type.
pub fn samples() -> Vec<PaymentEvent> {
    let mut samples = authorisations();
    samples.extend(captures());
    samples.extend(giving_back());
    samples.extend(extras());
    samples
}

const fn money(minor: i64) -> Money {
    Money::new(minor, CURRENCY)
}

fn order_id() -> OrderId {
    OrderId::new(sample::id(0x21))
}

fn authorisations() -> Vec<PaymentEvent> {
    let order_id = order_id();
    let gateway_reference = "sim_0001".to_owned();
    vec![
        PaymentEvent::AuthorisationRequested {
            payment_id: PaymentId::new(sample::id(0x91)),
            order_id,
            amount: money(3_468),
            payment_token: "card_approved".to_owned(),
            deadline: sample::moment(900),
        },
        PaymentEvent::ActionRequired { order_id, url: "https://gateway.example/3ds/0001".to_owned() },
        PaymentEvent::Authorised {
            order_id,
            amount: money(3_468),
            gateway_reference: gateway_reference.clone(),
        },
        PaymentEvent::Declined { order_id, code: "insufficient_funds".to_owned() },
        PaymentEvent::Expired { order_id },
        PaymentEvent::Conflicted { order_id, asked: money(3_468), got: money(3_400), gateway_reference },
    ]
}

fn captures() -> Vec<PaymentEvent> {
    let (order_id, capture_id) = (order_id(), sample::id(0xa1));
    let amount = money(3_468);
    vec![
        PaymentEvent::CaptureRequested { order_id, capture_id, amount },
        PaymentEvent::Captured { order_id, capture_id, amount, captured_total: amount },
        PaymentEvent::CaptureFailed { order_id, capture_id, amount, code: "processing_error".to_owned() },
        PaymentEvent::CaptureFellShort { order_id, shortfall: money(2_218) },
    ]
}

fn giving_back() -> Vec<PaymentEvent> {
    let (order_id, refund_id) = (order_id(), RefundId::new(sample::id(0xb1)));
    let (held, amount) = (money(3_468), money(1_250));
    vec![
        PaymentEvent::CancellationRequested { order_id },
        PaymentEvent::VoidRequested { order_id, amount: held },
        PaymentEvent::Voided { order_id, amount: held },
        PaymentEvent::VoidFailed { order_id, code: "already_captured".to_owned() },
        PaymentEvent::RefundRequested { order_id, refund_id, amount, reason: "damaged".to_owned() },
        PaymentEvent::Refunded { order_id, refund_id, amount, refunded_total: amount },
        PaymentEvent::RefundFailed { order_id, refund_id, amount, code: "account_closed".to_owned() },
    ]
}

fn extras() -> Vec<PaymentEvent> {
    let (order_id, amount) = (order_id(), money(3_468));
    let gateway_reference = || "sim_0002".to_owned();
    vec![
        PaymentEvent::ExtraAuthorised { order_id, amount, gateway_reference: gateway_reference() },
        PaymentEvent::ExtraVoidRequested { order_id, amount, gateway_reference: gateway_reference() },
        PaymentEvent::ExtraVoided { order_id, amount, gateway_reference: gateway_reference() },
        PaymentEvent::ExtraVoidFailed {
            order_id,
            gateway_reference: gateway_reference(),
            code: "processing_error".to_owned(),
        },
    ]
}
