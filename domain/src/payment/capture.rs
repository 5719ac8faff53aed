//! Taking parts of what is held: never more than that in sum.

use uuid::Uuid;

use super::decide::Decision;
use super::{
    Authorisation, Capture, Conflict, MAX_GATEWAY_TEXT, Payment, PaymentEvent, PaymentRefusal, Progress,
};
use crate::kernel::{Money, OrderId, RefundId, already, happened, refuse, tidied};

impl Payment {
    pub(super) fn request_capture(&self, capture_id: Uuid, amount: Money) -> Decision {
        let request = self.requested()?;
        if let Some(known) = self.capture(capture_id) {
            let refusal = PaymentRefusal::CaptureIdUsed { capture_id };
            return if known.amount == amount { already() } else { refuse(refusal) };
        }
        request.check_currency(amount)?;
        if amount.is_negative() {
            return refuse(PaymentRefusal::AmountNotPositive);
        }
        if !self.conflicts.is_empty() {
            return refuse(PaymentRefusal::InConflict);
        }
        if self.cancelled {
            return refuse(PaymentRefusal::Cancelled);
        }
        if !matches!(self.authorisation, Authorisation::Held { .. }) {
            return refuse(PaymentRefusal::NotAuthorised);
        }
        let remaining = self.capturable();
        if amount.minor() > remaining.minor() {
            return refuse(PaymentRefusal::CaptureExceedsAuthorised { remaining, asked: amount });
        }
        if amount.is_zero() {
            // What left was free: there is nothing to take.
            return already();
        }
        happened(PaymentEvent::CaptureRequested { order_id: request.order_id, capture_id, amount })
    }

    /// Whatever was asked for before, by whomever, and did not fail counts: told twice, late or in another order, no
    /// more is asked for than is due. What is not held any more cannot be taken by asking again: what is held is taken, and
    /// the rest is on record for a person.
    pub(super) fn capture_due(&self, capture_id: Uuid, due: Money) -> Decision {
        let request = self.requested()?;
        request.check_currency(due)?;
        let asked = self.captures.iter().filter(|one| one.progress != Progress::Failed);
        let missing = asked.fold(due.minor(), |left, one| left.saturating_sub(one.amount.minor()));
        if missing <= 0 || self.capture(capture_id).is_some() {
            return already();
        }
        let held = self.capturable().minor().clamp(0, missing);
        let mut events = self.request_capture(capture_id, Money::new(held, due.currency()))?;
        let shortfall = Money::new(missing - held, due.currency());
        if shortfall.minor() > self.shortfall().minor() {
            events.push(PaymentEvent::CaptureFellShort { order_id: request.order_id, shortfall });
        }
        Ok(events)
    }

    pub(super) fn record_captured(&self, capture_id: Uuid, amount: Money) -> Decision {
        let order_id = self.requested()?.order_id;
        let capture = self.capture(capture_id).ok_or(PaymentRefusal::CaptureNotFound { capture_id })?;
        if capture.progress == Progress::Done && amount == capture.amount {
            return already();
        }
        let fits = self.fits(capture, amount);
        let mut events = Vec::new();
        if amount != capture.amount || !fits {
            let gateway_reference = capture_id.to_string();
            let conflict = Conflict { asked: capture.amount, got: amount, gateway_reference };
            events.extend(self.record_conflict(order_id, conflict)?);
        }
        if !fits {
            return Ok(events);
        }
        // What was taken was taken, if not as asked.
        let captured_total = Money::new(self.captured().minor() + amount.minor(), amount.currency());
        events.push(PaymentEvent::Captured { order_id, capture_id, amount, captured_total });
        if self.cancelled && !amount.is_zero() {
            // The capture won the race, so the cancel becomes a refund.
            let refund_id = RefundId::derived(capture_id, "cancelled");
            let reason = "cancelled".to_owned();
            events.push(PaymentEvent::RefundRequested { order_id, refund_id, amount, reason });
        }
        Ok(self.and_the_rest(order_id, events))
    }

    pub(super) fn record_capture_failed(&self, capture_id: Uuid, code: &str) -> Decision {
        let order_id = self.requested()?.order_id;
        let capture = self.capture(capture_id).ok_or(PaymentRefusal::CaptureNotFound { capture_id })?;
        if capture.progress != Progress::Pending {
            return already();
        }
        let (amount, code) = (capture.amount, tidied(code, MAX_GATEWAY_TEXT));
        let failed = PaymentEvent::CaptureFailed { order_id, capture_id, amount, code };
        Ok(self.and_the_rest(order_id, vec![failed]))
    }

    /// Whether any capture is not yet answered.
    pub(super) fn is_capturing(&self) -> bool {
        self.captures.iter().any(|capture| capture.progress == Progress::Pending)
    }

    fn capture(&self, capture_id: Uuid) -> Option<&Capture> {
        self.captures.iter().find(|capture| capture.capture_id == capture_id)
    }

    /// Whether this amount can have been taken of what is held for the capture. One that failed gave its part back, which
    /// may have been taken or let go since.
    fn fits(&self, capture: &Capture, amount: Money) -> bool {
        let room = match capture.progress {
            Progress::Pending => self.capturable().minor().saturating_add(capture.amount.minor()),
            Progress::Done => return false,
            Progress::Failed => self.capturable().minor(),
        };
        amount.currency() == capture.amount.currency() && (0..=room).contains(&amount.minor())
    }

    /// `answers`, and letting the rest go when the payment is cancelled and no other capture is waited for.
    fn and_the_rest(&self, order_id: OrderId, mut answers: Vec<PaymentEvent>) -> Vec<PaymentEvent> {
        let mut after = self.clone();
        answers.iter().cloned().for_each(|event| after.evolve(event));
        let rest = after.capturable();
        if after.cancelled && !after.is_capturing() && rest.minor() > 0 {
            answers.push(PaymentEvent::VoidRequested { order_id, amount: rest });
        }
        answers
    }
}
