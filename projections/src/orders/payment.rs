//! What the events of a payment do to the order's row.

use daybook_domain::OrderId;
use daybook_domain::payment::PaymentEvent;

use super::row::{Capture, OrderRow, PaymentStatus, PaymentView, Progress, Refund, Void};
use crate::runtime::{Envelope, FoldError};

/// The order that the payment is for.
pub(super) const fn order_of(event: &PaymentEvent) -> OrderId {
    match event {
        PaymentEvent::AuthorisationRequested { order_id, .. }
        | PaymentEvent::ActionRequired { order_id, .. }
        | PaymentEvent::Authorised { order_id, .. }
        | PaymentEvent::Declined { order_id, .. }
        | PaymentEvent::Expired { order_id }
        | PaymentEvent::Conflicted { order_id, .. }
        | PaymentEvent::CaptureRequested { order_id, .. }
        | PaymentEvent::Captured { order_id, .. }
        | PaymentEvent::CaptureFailed { order_id, .. }
        | PaymentEvent::CaptureFellShort { order_id, .. }
        | PaymentEvent::CancellationRequested { order_id }
        | PaymentEvent::VoidRequested { order_id, .. }
        | PaymentEvent::Voided { order_id, .. }
        | PaymentEvent::VoidFailed { order_id, .. }
        | PaymentEvent::RefundRequested { order_id, .. }
        | PaymentEvent::Refunded { order_id, .. }
        | PaymentEvent::RefundFailed { order_id, .. }
        | PaymentEvent::ExtraAuthorised { order_id, .. }
        | PaymentEvent::ExtraVoidRequested { order_id, .. }
        | PaymentEvent::ExtraVoided { order_id, .. }
        | PaymentEvent::ExtraVoidFailed { order_id, .. } => *order_id,
    }
}

pub(super) fn fold(row: &mut OrderRow, happened: &PaymentEvent, event: &Envelope) -> Result<(), FoldError> {
    let payment = &mut row.payment;
    match happened {
        PaymentEvent::AuthorisationRequested { payment_id, .. } => payment.payment_id = Some(*payment_id),
        PaymentEvent::ActionRequired { url, .. } => {
            payment.outcome = Some(PaymentStatus::ActionRequired);
            payment.action_url = Some(url.clone());
        }
        PaymentEvent::Authorised { amount, .. } => {
            payment.authorised = *amount;
            payment.outcome = None;
            payment.action_url = None;
        }
        PaymentEvent::Declined { code, .. } => {
            payment.outcome = Some(PaymentStatus::Declined);
            payment.decline_code = Some(code.clone());
            payment.action_url = None;
        }
        PaymentEvent::Expired { .. } => {
            payment.outcome = Some(PaymentStatus::Expired);
            payment.action_url = None;
        }
        PaymentEvent::Conflicted { got, .. } => {
            payment.outcome = Some(PaymentStatus::Conflicted);
            payment.conflict = Some(*got);
            payment.action_url = None;
        }
        PaymentEvent::CaptureRequested { capture_id, amount, .. } => payment.captures.push(Capture {
            capture_id: *capture_id,
            amount: *amount,
            progress: Progress::Requested,
            failure: None,
        }),
        PaymentEvent::Captured { capture_id, amount, captured_total, .. } => {
            payment.captured = *captured_total;
            let capture = capture(payment, *capture_id)?;
            (capture.progress, capture.amount) = (Progress::Succeeded, *amount);
        }
        PaymentEvent::CaptureFailed { capture_id, code, .. } => {
            let capture = capture(payment, *capture_id)?;
            (capture.progress, capture.failure) = (Progress::Failed, Some(code.clone()));
        }
        PaymentEvent::CaptureFellShort { shortfall, .. } => payment.shortfall = *shortfall,
        // Nobody is sent to pay for what is off.
        PaymentEvent::CancellationRequested { .. } => payment.action_url = None,
        PaymentEvent::VoidRequested { .. }
        | PaymentEvent::VoidFailed { .. }
        | PaymentEvent::Voided { .. } => voided(payment, happened),
        // What the gateway held beside goes back and is no part of the order's money.
        PaymentEvent::ExtraAuthorised { .. }
        | PaymentEvent::ExtraVoidRequested { .. }
        | PaymentEvent::ExtraVoided { .. }
        | PaymentEvent::ExtraVoidFailed { .. } => {}
        PaymentEvent::RefundRequested { .. }
        | PaymentEvent::Refunded { .. }
        | PaymentEvent::RefundFailed { .. } => {
            refunded(payment, happened, event)?;
        }
    }
    Ok(())
}

/// The gateway's word on a void names none: it is the earliest one without an answer, or its own doing.
fn voided(payment: &mut PaymentView, happened: &PaymentEvent) {
    let waiting = payment.voids.iter_mut().find(|void| void.progress == Progress::Requested);
    if let PaymentEvent::VoidRequested { amount, .. } = happened {
        payment.voids.push(Void { amount: *amount, progress: Progress::Requested });
    } else if let PaymentEvent::Voided { amount, .. } = happened {
        match waiting {
            Some(void) => void.progress = Progress::Succeeded,
            None => payment.voids.push(Void { amount: *amount, progress: Progress::Succeeded }),
        }
        payment.voided = true;
    } else if let (PaymentEvent::VoidFailed { .. }, Some(void)) = (happened, waiting) {
        void.progress = Progress::Failed;
    }
}

fn refunded(payment: &mut PaymentView, happened: &PaymentEvent, event: &Envelope) -> Result<(), FoldError> {
    if let PaymentEvent::RefundRequested { refund_id, amount, reason, .. } = happened {
        payment.refunds.push(Refund {
            refund_id: *refund_id,
            amount: *amount,
            reason: reason.clone(),
            progress: Progress::Requested,
            failure: None,
            requested_at: event.occurred_at(),
        });
    } else if let PaymentEvent::Refunded { refund_id, refunded_total, .. } = happened {
        payment.refunded = *refunded_total;
        refund(payment, *refund_id)?.progress = Progress::Succeeded;
    } else if let PaymentEvent::RefundFailed { refund_id, code, .. } = happened {
        let refund = refund(payment, *refund_id)?;
        (refund.progress, refund.failure) = (Progress::Failed, Some(code.clone()));
    }
    Ok(())
}

fn capture(payment: &mut PaymentView, id: uuid::Uuid) -> Result<&mut Capture, FoldError> {
    payment.captures.iter_mut().find(|capture| capture.capture_id == id).ok_or(FoldError::Unknown("capture"))
}

fn refund(payment: &mut PaymentView, id: daybook_domain::RefundId) -> Result<&mut Refund, FoldError> {
    payment.refunds.iter_mut().rev().find(|refund| refund.refund_id == id).ok_or(FoldError::Unknown("refund"))
}
