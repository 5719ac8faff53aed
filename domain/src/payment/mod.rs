//! A payment: what was asked of the gateway for an order and what it answered.
//!
//! The payment is where a cancel and a capture race: one of them wins here, and the money follows. It never
//! loses an answer: one that comes too late is recorded, and what it holds or took goes back.

mod authorise;
mod cancel;
mod capture;
mod command;
mod decide;
mod event;
mod extra;
mod refund;
mod refusal;
mod samples;
mod status;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::kernel::{Currency, Money, OrderId, PaymentId, RefundId, Timestamp, aggregate};

pub use command::PaymentCommand;
pub use event::PaymentEvent;
pub use refusal::PaymentRefusal;
pub use samples::samples;
pub use status::PaymentStatus;

/// The longest text a means of payment is known by.
pub const MAX_PAYMENT_TOKEN: usize = 255;
/// The longest text that is kept of what a gateway says.
const MAX_GATEWAY_TEXT: usize = 2_048;

/// A payment.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payment {
    request: Option<PaymentRequest>,
    authorisation: Authorisation,
    conflicts: Vec<Conflict>,
    /// Whether whatever is held or comes in goes back.
    cancelled: bool,
    captures: Vec<Capture>,
    /// What is due and not held, when that was ever so.
    shortfall: Option<Money>,
    voids: Vec<Void>,
    refunds: Vec<Refund>,
    extras: Vec<Extra>,
}

/// What was asked for; it never changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PaymentRequest {
    /// The payment.
    pub payment_id: PaymentId,
    /// The order it is for.
    pub order_id: OrderId,
    /// The amount to hold.
    pub amount: Money,
    /// What the gateway knows the shopper's means of payment by.
    pub payment_token: String,
    /// Until when to wait for the authorisation.
    pub deadline: Timestamp,
}

/// How far the authorisation is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Authorisation {
    /// The gateway has not answered.
    #[default]
    Pending,
    /// The shopper must take a second step.
    ActionRequired {
        /// Where.
        url: String,
    },
    /// The gateway holds money.
    Held {
        /// How much.
        amount: Money,
        /// What the gateway calls it.
        gateway_reference: String,
    },
    /// The gateway refused.
    Declined {
        /// Why, in the gateway's words.
        code: String,
    },
    /// No answer came in time.
    Expired,
}

/// An answer that is not what was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conflict {
    /// What was asked for.
    pub asked: Money,
    /// What the gateway holds or took.
    pub got: Money,
    /// What the gateway calls it.
    pub gateway_reference: String,
}

/// How far a movement of money is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Progress {
    /// The gateway is asked.
    Pending,
    /// The gateway did it.
    Done,
    /// The gateway refused.
    Failed,
}

/// A part of what is held that is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capture {
    /// The capture.
    pub capture_id: Uuid,
    /// How much was asked for, and once it is done how much was taken.
    pub amount: Money,
    /// How far it is.
    pub progress: Progress,
}

/// An uncaptured rest that is let go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Void {
    /// How much.
    pub amount: Money,
    /// How far it is.
    pub progress: Progress,
}

/// A part of what was captured that is paid back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refund {
    /// The refund.
    pub refund_id: RefundId,
    /// How much.
    pub amount: Money,
    /// How far it is.
    pub progress: Progress,
}

/// A second hold, which is let go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Extra {
    /// How much.
    pub amount: Money,
    /// What the gateway calls it.
    pub gateway_reference: String,
    /// How far letting it go is.
    pub progress: Progress,
    /// How often the gateway refused to.
    pub refused: usize,
}

impl Payment {
    /// What was asked for; nothing before that.
    pub fn request(&self) -> Option<&PaymentRequest> {
        self.request.as_ref()
    }

    /// How far the authorisation is.
    pub fn authorisation(&self) -> &Authorisation {
        &self.authorisation
    }

    /// The answers that are not what was asked for.
    pub fn conflicts(&self) -> &[Conflict] {
        &self.conflicts
    }

    /// Whether whatever is held or comes in goes back.
    pub fn is_cancelled(&self) -> bool {
        self.cancelled
    }

    /// The captures, in the order in which they were asked for.
    pub fn captures(&self) -> &[Capture] {
        &self.captures
    }

    /// What is due and cannot be taken, because it is not held any more.
    pub fn shortfall(&self) -> Money {
        self.shortfall.unwrap_or(Money::zero(self.currency()))
    }

    /// The voids, in the order in which they were asked for.
    pub fn voids(&self) -> &[Void] {
        &self.voids
    }

    /// The refunds, in the order in which they were asked for.
    pub fn refunds(&self) -> &[Refund] {
        &self.refunds
    }

    /// The second holds, which are no part of any sum of this payment.
    pub fn extras(&self) -> &[Extra] {
        &self.extras
    }

    /// What the gateway holds or held, captured parts included.
    pub fn authorised(&self) -> Money {
        match &self.authorisation {
            Authorisation::Held { amount, .. } => *amount,
            Authorisation::Pending
            | Authorisation::ActionRequired { .. }
            | Authorisation::Declined { .. }
            | Authorisation::Expired => Money::zero(self.currency()),
        }
    }

    /// What the gateway took.
    pub fn captured(&self) -> Money {
        self.sum_done(self.captures.iter().map(|one| (one.amount, one.progress)))
    }

    /// What was paid back.
    pub fn refunded(&self) -> Money {
        self.sum_done(self.refunds.iter().map(|one| (one.amount, one.progress)))
    }

    /// What can still be captured: held, not let go, and not yet asked for.
    pub fn capturable(&self) -> Money {
        let captures = self.captures.iter().map(|one| (one.amount, one.progress));
        let voids = self.voids.iter().map(|one| (one.amount, one.progress));
        less(self.authorised(), captures.chain(voids))
    }

    /// What can still be refunded: captured, not paid back, and not being paid back.
    pub fn refundable(&self) -> Money {
        less(self.captured(), self.refunds.iter().map(|one| (one.amount, one.progress)))
    }

    /// The payment's currency; ISO 4217's "no currency" for one that was never asked for.
    fn currency(&self) -> Currency {
        self.request.as_ref().map_or(Currency::XXX, |request| request.amount.currency())
    }

    fn sum_done(&self, parts: impl Iterator<Item = (Money, Progress)>) -> Money {
        let done = parts.filter(|(_, progress)| *progress == Progress::Done);
        Money::new(done.map(|(amount, _)| amount.minor()).fold(0, i64::saturating_add), self.currency())
    }

    fn evolve(&mut self, event: PaymentEvent) {
        match event {
            PaymentEvent::AuthorisationRequested {
                payment_id,
                order_id,
                amount,
                payment_token,
                deadline,
            } => {
                self.request = Some(PaymentRequest { payment_id, order_id, amount, payment_token, deadline });
            }
            PaymentEvent::ActionRequired { url, .. } => {
                self.authorisation = Authorisation::ActionRequired { url };
            }
            PaymentEvent::Authorised { amount, gateway_reference, .. } => {
                self.authorisation = Authorisation::Held { amount, gateway_reference };
            }
            PaymentEvent::Declined { code, .. } => self.authorisation = Authorisation::Declined { code },
            PaymentEvent::Expired { .. } => self.authorisation = Authorisation::Expired,
            PaymentEvent::Conflicted { asked, got, gateway_reference, .. } => {
                self.note_conflict(Conflict { asked, got, gateway_reference });
            }
            PaymentEvent::CaptureRequested { capture_id, amount, .. } => {
                self.captures.push(Capture { capture_id, amount, progress: Progress::Pending });
            }
            PaymentEvent::Captured { capture_id, amount, .. } => {
                self.note_capture(capture_id, amount, Progress::Done);
            }
            PaymentEvent::CaptureFailed { capture_id, amount, .. } => {
                self.note_capture(capture_id, amount, Progress::Failed);
            }
            PaymentEvent::CaptureFellShort { shortfall, .. } => self.shortfall = Some(shortfall),
            PaymentEvent::CancellationRequested { .. } => self.cancelled = true,
            PaymentEvent::VoidRequested { amount, .. } => {
                self.cancelled = true;
                self.voids.push(Void { amount, progress: Progress::Pending });
            }
            PaymentEvent::Voided { amount, .. } => self.note_void(amount, Progress::Done),
            PaymentEvent::VoidFailed { .. } => self.note_void(self.authorised(), Progress::Failed),
            PaymentEvent::RefundRequested { refund_id, amount, .. } => {
                self.refunds.push(Refund { refund_id, amount, progress: Progress::Pending });
            }
            PaymentEvent::Refunded { refund_id, .. } => self.note_refund(refund_id, Progress::Done),
            PaymentEvent::RefundFailed { refund_id, .. } => self.note_refund(refund_id, Progress::Failed),
            PaymentEvent::ExtraAuthorised { amount, gateway_reference, .. } => {
                self.extras.push(Extra {
                    amount,
                    gateway_reference,
                    progress: Progress::Pending,
                    refused: 0,
                });
            }
            PaymentEvent::ExtraVoidRequested { gateway_reference, .. } => {
                self.note_extra(&gateway_reference, Progress::Pending);
            }
            PaymentEvent::ExtraVoided { gateway_reference, .. } => {
                self.note_extra(&gateway_reference, Progress::Done);
            }
            PaymentEvent::ExtraVoidFailed { gateway_reference, .. } => {
                self.note_extra(&gateway_reference, Progress::Failed);
            }
        }
    }

    fn note_conflict(&mut self, conflict: Conflict) {
        if !matches!(self.authorisation, Authorisation::Held { .. }) {
            // It is not what was asked for, but it is held, and can be let go.
            let (amount, gateway_reference) = (conflict.got, conflict.gateway_reference.clone());
            self.authorisation = Authorisation::Held { amount, gateway_reference };
        }
        self.conflicts.push(conflict);
    }

    fn note_capture(&mut self, capture_id: Uuid, amount: Money, progress: Progress) {
        for capture in self.captures.iter_mut().filter(|one| one.capture_id == capture_id) {
            (capture.amount, capture.progress) = (amount, progress);
        }
    }

    /// The gateway's word on a void names none: it is the earliest one without an answer, or its own doing.
    fn note_void(&mut self, amount: Money, progress: Progress) {
        match self.voids.iter_mut().find(|void| void.progress == Progress::Pending) {
            Some(void) => void.progress = progress,
            None => self.voids.push(Void { amount, progress }),
        }
    }

    fn note_refund(&mut self, refund_id: RefundId, progress: Progress) {
        for refund in self.refunds.iter_mut().filter(|one| one.refund_id == refund_id) {
            refund.progress = progress;
        }
    }
}

/// What is left of `whole` without the parts that are taken or may yet be. Every part was checked to be of its
/// currency, and all of them to fit.
fn less(whole: Money, parts: impl Iterator<Item = (Money, Progress)>) -> Money {
    let taken = parts.filter(|(_, progress)| *progress != Progress::Failed);
    let left = taken.fold(whole.minor(), |left, (amount, _)| left.saturating_sub(amount.minor()));
    Money::new(left, whole.currency())
}

aggregate!(Payment, "Payment", PaymentCommand, PaymentEvent, PaymentRefusal);
