//! Paying back: never more than was captured, with what is on its way counted.

use super::decide::Decision;
use super::{MAX_GATEWAY_TEXT, Payment, PaymentEvent, PaymentRefusal, Progress, Refund};
use crate::kernel::{Money, RefundId, already, check_line, happened, refuse, tidied};

/// The longest reason of a refund.
const MAX_REASON: usize = 500;

impl Payment {
    pub(super) fn request_refund(&self, refund_id: RefundId, amount: Money, reason: String) -> Decision {
        let request = self.requested()?;
        if let Some(known) = self.refund(refund_id) {
            let refusal = PaymentRefusal::RefundIdUsed { refund_id };
            return if known.amount == amount { already() } else { refuse(refusal) };
        }
        request.check_currency(amount)?;
        if amount.minor() <= 0 {
            return refuse(PaymentRefusal::AmountNotPositive);
        }
        let remaining = self.refundable();
        if amount.minor() > remaining.minor() {
            return refuse(PaymentRefusal::RefundExceedsCaptured { remaining, asked: amount });
        }
        check_line("reason", &reason, 0..=MAX_REASON)?;
        happened(PaymentEvent::RefundRequested { order_id: request.order_id, refund_id, amount, reason })
    }

    pub(super) fn record_refunded(&self, refund_id: RefundId) -> Decision {
        let order_id = self.requested()?.order_id;
        let refund = self.refund(refund_id).ok_or(PaymentRefusal::RefundNotFound { refund_id })?;
        match refund.progress {
            // A gateway may take a success back and never a failure: this is the success, told late.
            Progress::Done | Progress::Failed => already(),
            Progress::Pending => {
                let amount = refund.amount;
                let refunded_total = Money::new(self.refunded().minor() + amount.minor(), amount.currency());
                happened(PaymentEvent::Refunded { order_id, refund_id, amount, refunded_total })
            }
        }
    }

    pub(super) fn record_refund_failed(&self, refund_id: RefundId, code: &str) -> Decision {
        let order_id = self.requested()?.order_id;
        let refund = self.refund(refund_id).ok_or(PaymentRefusal::RefundNotFound { refund_id })?;
        match refund.progress {
            Progress::Failed => already(),
            Progress::Pending | Progress::Done => {
                let code = tidied(code, MAX_GATEWAY_TEXT);
                happened(PaymentEvent::RefundFailed { order_id, refund_id, amount: refund.amount, code })
            }
        }
    }

    pub(super) fn refund(&self, refund_id: RefundId) -> Option<&Refund> {
        self.refunds.iter().find(|refund| refund.refund_id == refund_id)
    }
}
