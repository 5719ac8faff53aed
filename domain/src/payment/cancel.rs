//! Giving up a payment: what is held is let go, what was taken is paid back, and what is on its way is waited
//! for, because only the gateway knows which came first.

use super::decide::Decision;
use super::{Authorisation, MAX_GATEWAY_TEXT, Payment, PaymentEvent, PaymentRefusal, Progress, Void};
use crate::kernel::{OrderId, RefundId, already, happened, refuse, tidied};

impl Payment {
    pub(super) fn cancel(&self, refund_id: RefundId) -> Decision {
        let order_id = self.requested()?.order_id;
        match self.authorisation {
            Authorisation::Pending | Authorisation::ActionRequired { .. } if self.cancelled => already(),
            Authorisation::Pending | Authorisation::ActionRequired { .. } => {
                happened(PaymentEvent::CancellationRequested { order_id })
            }
            // Nothing is held; should it be after all, it goes back by itself.
            Authorisation::Declined { .. } | Authorisation::Expired => already(),
            Authorisation::Held { .. } => Ok(self.give_back(order_id, refund_id)),
        }
    }

    fn give_back(&self, order_id: OrderId, refund_id: RefundId) -> Vec<PaymentEvent> {
        let mut events = Vec::new();
        if self.is_capturing() && !self.cancelled {
            events.push(PaymentEvent::CancellationRequested { order_id });
        }
        let amount = self.refundable();
        if amount.minor() > 0 && self.refund(refund_id).is_none() {
            let reason = "cancelled".to_owned();
            events.push(PaymentEvent::RefundRequested { order_id, refund_id, amount, reason });
        }
        let rest = self.capturable();
        if rest.minor() > 0 && !self.is_capturing() {
            events.push(PaymentEvent::VoidRequested { order_id, amount: rest });
        }
        events
    }

    pub(super) fn record_voided(&self, gateway_reference: &str) -> Decision {
        let order_id = self.requested()?.order_id;
        if let Some(extra) = self.extra(gateway_reference) {
            return extra.voided(order_id);
        }
        if !matches!(self.authorisation, Authorisation::Held { .. }) {
            return refuse(PaymentRefusal::NotAuthorised);
        }
        let told = self.voids.iter().any(|void| void.progress == Progress::Done);
        let amount = match self.pending_void() {
            Some(void) => void.amount,
            None if told => return already(),
            // The gateway let it go by itself, or after all.
            None => self.capturable(),
        };
        if amount.minor() > 0 { happened(PaymentEvent::Voided { order_id, amount }) } else { already() }
    }

    fn pending_void(&self) -> Option<&Void> {
        self.voids.iter().find(|void| void.progress == Progress::Pending)
    }

    pub(super) fn record_void_failed(&self, gateway_reference: &str, code: &str) -> Decision {
        let order_id = self.requested()?.order_id;
        if let Some(extra) = self.extra(gateway_reference) {
            return extra.void_failed(order_id, code);
        }
        if self.pending_void().is_none() {
            return already();
        }
        let code = tidied(code, MAX_GATEWAY_TEXT);
        happened(PaymentEvent::VoidFailed { order_id, code })
    }
}
