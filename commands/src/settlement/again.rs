//! What the gateway refused is asked for again, later and later, as long as it is still wanted: what a cancelled order's
//! payment holds or took, what is due for goods that left, and second charges. A refund that staff made is theirs to
//! make again.

use chrono::TimeDelta;
use daybook_domain::catalogue::DomainEvent;
use daybook_domain::order::OrderStatus;
use daybook_domain::payment::{Payment, PaymentCommand, PaymentEvent, PaymentRefusal, Progress as Movement};
use daybook_domain::{CommandId, OrderId, RefundId};

use super::Settlement;
use crate::process::{Due, ProcessError, Reaction, tell};

/// What is due when something that was refused is to be asked for again.
pub(super) const AGAIN_LATER: &str = "refused";
/// The first pause; it doubles with each refusal up to [`DOUBLINGS`] times, which is 18 hours.
const FIRST: TimeDelta = TimeDelta::seconds(2);
const DOUBLINGS: u32 = 15;

/// Something that the gateway refused to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refused {
    Capture,
    Void,
    Refund,
    ExtraVoid,
}

impl Refused {
    /// What the event says was refused, if it says that.
    pub(super) fn by(reaction: &Reaction) -> Option<(Self, OrderId)> {
        let DomainEvent::Payment(event) = &reaction.event else { return None };
        let refused = match event {
            PaymentEvent::CaptureFailed { .. } => Self::Capture,
            PaymentEvent::VoidFailed { .. } => Self::Void,
            PaymentEvent::RefundFailed { .. } => Self::Refund,
            PaymentEvent::ExtraVoidFailed { .. } => Self::ExtraVoid,
            PaymentEvent::AuthorisationRequested { .. }
            | PaymentEvent::ActionRequired { .. }
            | PaymentEvent::Authorised { .. }
            | PaymentEvent::Declined { .. }
            | PaymentEvent::Expired { .. }
            | PaymentEvent::Conflicted { .. }
            | PaymentEvent::CaptureRequested { .. }
            | PaymentEvent::Captured { .. }
            | PaymentEvent::CaptureFellShort { .. }
            | PaymentEvent::CancellationRequested { .. }
            | PaymentEvent::VoidRequested { .. }
            | PaymentEvent::Voided { .. }
            | PaymentEvent::RefundRequested { .. }
            | PaymentEvent::Refunded { .. }
            | PaymentEvent::ExtraAuthorised { .. }
            | PaymentEvent::ExtraVoidRequested { .. }
            | PaymentEvent::ExtraVoided { .. } => return None,
        };
        Some((refused, event.order_id()))
    }

    const fn operation(self) -> &'static str {
        match self {
            Self::Capture => "capture",
            Self::Void => "void",
            Self::Refund => "refund",
            Self::ExtraVoid => "extra_void",
        }
    }

    /// How often it was refused for this payment.
    fn times(self, payment: &Payment) -> usize {
        let failed = |progress: Movement| progress == Movement::Failed;
        match self {
            Self::Capture => payment.captures().iter().filter(|one| failed(one.progress)).count(),
            Self::Void => payment.voids().iter().filter(|one| failed(one.progress)).count(),
            Self::Refund => payment.refunds().iter().filter(|one| failed(one.progress)).count(),
            Self::ExtraVoid => payment.extras().iter().map(|one| one.refused).max().unwrap_or(0),
        }
    }
}

impl Settlement {
    /// The gateway refused: that is counted, and it is asked again after a while.
    pub(super) async fn note_refused(
        &self,
        refused: Refused,
        reaction: &Reaction,
    ) -> Result<(), ProcessError> {
        let operation = refused.operation();
        let payment = self.shop.payments.recall(&reaction.aggregate_id).await?.state;
        let times = refused.times(&payment);
        let at = self.shop.clock.now() + pause(times);
        metrics::counter!("daybook_payment_refused_total", "operation" => operation).increment(1);
        tracing::error!(payment = reaction.aggregate_id, correlation_id = %reaction.correlation_id(), operation,
            times, "the gateway refused to move money; what is still wanted is asked for again");
        let later = Due { what: AGAIN_LATER, at }.timer(self, reaction);
        Ok(self.timers.schedule(&[later]).await?)
    }

    /// Asks for it again, as far as it is still wanted: under a new id, since under the old one the gateway would only
    /// repeat itself.
    pub(super) async fn ask_again(
        &self,
        (refused, order_id): (Refused, OrderId),
        reaction: &Reaction,
    ) -> Result<(), ProcessError> {
        let order = self.shop.orders.recall(&order_id.to_string()).await?.state;
        let id = CommandId::derived(reaction.event_id, "again").uuid();
        let command = match refused {
            Refused::Capture => PaymentCommand::CaptureDue { capture_id: id, due: order.due() },
            Refused::Void | Refused::Refund if order.status() != OrderStatus::Cancelled => return Ok(()),
            Refused::Void | Refused::Refund => PaymentCommand::Cancel { refund_id: RefundId::new(id) },
            Refused::ExtraVoid => PaymentCommand::VoidExtras,
        };
        let context = reaction.context("again", self.shop.clock.now());
        // What is in conflict is a person's, and what is cancelled goes back by itself.
        tell(&self.shop.payments, &reaction.aggregate_id, command, &context, |refusal| {
            matches!(refusal, PaymentRefusal::InConflict | PaymentRefusal::Cancelled)
        })
        .await
    }
}

/// How long to wait after this many refusals.
fn pause(times: usize) -> TimeDelta {
    let doublings = u32::try_from(times.saturating_sub(1)).unwrap_or(DOUBLINGS).min(DOUBLINGS);
    FIRST * 2_i32.pow(doublings)
}

#[cfg(test)]
mod tests {
    use super::pause;

    #[test]
    fn pauses_double_up_to_eighteen_hours_and_never_overflow() {
        let seconds = [0, 1, 2, 3, 16, 17, usize::MAX].map(|times| pause(times).num_seconds());
        assert_eq!(seconds, [2, 2, 4, 8, 65_536, 65_536, 65_536]);
    }
}
