//! Having the amount held. An answer that comes after the payment was given up is recorded and goes back.

use super::decide::Decision;
use super::{
    Authorisation, Conflict, MAX_GATEWAY_TEXT, MAX_PAYMENT_TOKEN, Payment, PaymentEvent, PaymentRefusal,
    PaymentRequest,
};
use crate::kernel::{Money, OrderId, Timestamp, already, check_line, happened, refuse, tidied};

impl Payment {
    pub(super) fn request_authorisation(&self, request: PaymentRequest) -> Decision {
        if let Some(existing) = &self.request {
            return if *existing == request { already() } else { refuse(PaymentRefusal::AlreadyExists) };
        }
        if request.amount.is_negative() {
            return refuse(PaymentRefusal::AmountNotPositive);
        }
        check_line("payment token", &request.payment_token, 1..=MAX_PAYMENT_TOKEN)?;
        let PaymentRequest { payment_id, order_id, amount, payment_token, deadline } = request;
        happened(PaymentEvent::AuthorisationRequested {
            payment_id,
            order_id,
            amount,
            payment_token,
            deadline,
        })
    }

    pub(super) fn require_action(&self, url: &str) -> Decision {
        let order_id = self.requested()?.order_id;
        let url = tidied(url, MAX_GATEWAY_TEXT);
        match &self.authorisation {
            // Nobody is sent to pay for what is off.
            _ if self.cancelled => already(),
            Authorisation::ActionRequired { url: known } if *known == url => already(),
            Authorisation::Pending | Authorisation::ActionRequired { .. } => {
                happened(PaymentEvent::ActionRequired { order_id, url })
            }
            // The gateway has answered since: this is the earlier answer, told late.
            Authorisation::Held { .. } | Authorisation::Declined { .. } | Authorisation::Expired => already(),
        }
    }

    pub(super) fn record_authorised(&self, amount: Money, gateway_reference: &str) -> Decision {
        let request = self.requested()?;
        let gateway_reference = tidied(gateway_reference, MAX_GATEWAY_TEXT);
        let given_up = self.cancelled
            || matches!(self.authorisation, Authorisation::Declined { .. } | Authorisation::Expired);
        match &self.authorisation {
            Authorisation::Held { amount: held, gateway_reference: known }
                if *held == amount && *known == gateway_reference =>
            {
                already()
            }
            // Another word about the same hold: a person must look.
            Authorisation::Held { gateway_reference: known, .. } if *known == gateway_reference => {
                self.conflicted(request, amount, gateway_reference)
            }
            Authorisation::Held { .. } => self.record_extra(request.order_id, amount, gateway_reference),
            Authorisation::Pending
            | Authorisation::ActionRequired { .. }
            | Authorisation::Declined { .. }
            | Authorisation::Expired => {
                let mut events = if amount == request.amount {
                    let order_id = request.order_id;
                    vec![PaymentEvent::Authorised { order_id, amount, gateway_reference }]
                } else {
                    self.conflicted(request, amount, gateway_reference)?
                };
                if given_up && amount.minor() > 0 {
                    events.push(PaymentEvent::VoidRequested { order_id: request.order_id, amount });
                }
                Ok(events)
            }
        }
    }

    pub(super) fn record_declined(&self, code: &str) -> Decision {
        let code = tidied(code, MAX_GATEWAY_TEXT);
        self.while_waiting(|order_id| happened(PaymentEvent::Declined { order_id, code }))
    }

    pub(super) fn expire(&self, at: Timestamp) -> Decision {
        if at < self.requested()?.deadline {
            return already();
        }
        self.while_waiting(|order_id| happened(PaymentEvent::Expired { order_id }))
    }

    /// The decision while no answer is known; afterwards the answer stands.
    fn while_waiting(&self, decision: impl FnOnce(OrderId) -> Decision) -> Decision {
        let order_id = self.requested()?.order_id;
        match self.authorisation {
            Authorisation::Pending | Authorisation::ActionRequired { .. } => decision(order_id),
            Authorisation::Held { .. } | Authorisation::Declined { .. } | Authorisation::Expired => already(),
        }
    }

    fn conflicted(&self, request: &PaymentRequest, got: Money, gateway_reference: String) -> Decision {
        let conflict = Conflict { asked: request.amount, got, gateway_reference };
        self.record_conflict(request.order_id, conflict)
    }

    /// Makes a conflict visible, once.
    pub(super) fn record_conflict(&self, order_id: OrderId, conflict: Conflict) -> Decision {
        if self.conflicts.contains(&conflict) {
            return already();
        }
        let Conflict { asked, got, gateway_reference } = conflict;
        happened(PaymentEvent::Conflicted { order_id, asked, got, gateway_reference })
    }
}
