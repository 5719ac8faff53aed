//! A second hold for a payment that has one: it goes back by itself under its own name, and the first is none the wiser.

use super::decide::Decision;
use super::{Extra, MAX_GATEWAY_TEXT, Payment, PaymentEvent, Progress};
use crate::kernel::{Money, OrderId, already, happened, tidied};

impl Payment {
    pub(super) fn record_extra(
        &self,
        order_id: OrderId,
        amount: Money,
        gateway_reference: String,
    ) -> Decision {
        if amount.minor() <= 0 || self.extra(&gateway_reference).is_some() {
            return already();
        }
        let reference = gateway_reference.clone();
        Ok(vec![
            PaymentEvent::ExtraAuthorised { order_id, amount, gateway_reference },
            PaymentEvent::ExtraVoidRequested { order_id, amount, gateway_reference: reference },
        ])
    }

    /// Asks again for all that the gateway refused to let go.
    pub(super) fn void_extras(&self) -> Decision {
        let order_id = self.requested()?.order_id;
        let refused = self.extras.iter().filter(|extra| extra.progress == Progress::Failed).cloned();
        let again = |Extra { amount, gateway_reference, .. }| PaymentEvent::ExtraVoidRequested {
            order_id,
            amount,
            gateway_reference,
        };
        Ok(refused.map(again).collect())
    }

    pub(super) fn extra(&self, gateway_reference: &str) -> Option<&Extra> {
        self.extras.iter().find(|extra| extra.gateway_reference == gateway_reference)
    }

    pub(super) fn note_extra(&mut self, gateway_reference: &str, progress: Progress) {
        for extra in self.extras.iter_mut().filter(|one| one.gateway_reference == gateway_reference) {
            extra.progress = progress;
            extra.refused += usize::from(progress == Progress::Failed);
        }
    }
}

impl Extra {
    pub(super) fn voided(&self, order_id: OrderId) -> Decision {
        let Self { amount, gateway_reference, progress, .. } = self.clone();
        match progress {
            Progress::Done => already(),
            // The gateway let it go, or after all.
            Progress::Pending | Progress::Failed => {
                happened(PaymentEvent::ExtraVoided { order_id, amount, gateway_reference })
            }
        }
    }

    pub(super) fn void_failed(&self, order_id: OrderId, code: &str) -> Decision {
        let (gateway_reference, code) = (self.gateway_reference.clone(), tidied(code, MAX_GATEWAY_TEXT));
        match self.progress {
            Progress::Done | Progress::Failed => already(),
            Progress::Pending => {
                happened(PaymentEvent::ExtraVoidFailed { order_id, gateway_reference, code })
            }
        }
    }
}
