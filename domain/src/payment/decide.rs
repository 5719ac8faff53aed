//! Where each request to a payment, and each answer of the gateway, is decided.

use super::{Payment, PaymentCommand, PaymentEvent, PaymentRefusal, PaymentRequest};
use crate::kernel::{self, Money};

pub(super) type Decision = kernel::Decision<PaymentEvent, PaymentRefusal>;

impl Payment {
    /// What happens when `command` is asked of it.
    pub fn decide(&self, command: PaymentCommand) -> Decision {
        use PaymentCommand as Ask;
        match command {
            Ask::RequestAuthorisation { payment_id, order_id, amount, payment_token, deadline } => self
                .request_authorisation(PaymentRequest {
                    payment_id,
                    order_id,
                    amount,
                    payment_token,
                    deadline,
                }),
            Ask::RequireAction { url } => self.require_action(&url),
            Ask::RecordAuthorised { amount, gateway_reference } => {
                self.record_authorised(amount, &gateway_reference)
            }
            Ask::RecordDeclined { code } => self.record_declined(&code),
            Ask::Expire { at } => self.expire(at),
            Ask::RequestCapture { capture_id, amount } => self.request_capture(capture_id, amount),
            Ask::CaptureDue { capture_id, due } => self.capture_due(capture_id, due),
            Ask::RecordCaptured { capture_id, amount } => self.record_captured(capture_id, amount),
            Ask::RecordCaptureFailed { capture_id, code } => self.record_capture_failed(capture_id, &code),
            Ask::Cancel { refund_id } => self.cancel(refund_id),
            Ask::RecordVoided { gateway_reference } => self.record_voided(&gateway_reference),
            Ask::RecordVoidFailed { gateway_reference, code } => {
                self.record_void_failed(&gateway_reference, &code)
            }
            Ask::VoidExtras => self.void_extras(),
            Ask::RequestRefund { refund_id, amount, reason } => {
                self.request_refund(refund_id, amount, reason)
            }
            Ask::RecordRefunded { refund_id } => self.record_refunded(refund_id),
            Ask::RecordRefundFailed { refund_id, code } => self.record_refund_failed(refund_id, &code),
        }
    }

    /// What was asked for, when anything was.
    pub(super) fn requested(&self) -> Result<&PaymentRequest, PaymentRefusal> {
        self.request.as_ref().ok_or(PaymentRefusal::NotFound)
    }
}

impl PaymentRequest {
    pub(super) fn check_currency(&self, given: Money) -> Result<(), PaymentRefusal> {
        let (payment, given) = (self.amount.currency(), given.currency());
        if payment == given { Ok(()) } else { Err(PaymentRefusal::CurrencyMismatch { payment, given }) }
    }
}
