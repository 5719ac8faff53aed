//! The port to whoever holds and moves the money. A gateway is asked and answers; what its answer means for a
//! payment is the payment's own decision.
//!
//! Every call carries an idempotency key, the same one however often the call is made, so a call whose outcome is
//! unknown is simply made again and never moves money twice.

pub mod simulated;
pub mod webhook;

mod answer;
mod notice;
mod request;
mod timed;

use async_trait::async_trait;

pub use answer::{AuthoriseAnswer, CaptureAnswer, GatewayError, RefundAnswer, VoidAnswer};
pub use notice::{GatewayNotice, GatewayOutcome};
pub use request::{AuthoriseRequest, CaptureRequest, RefundRequest, VoidRequest};
pub use timed::TimedGateway;

/// A payment gateway.
#[async_trait]
pub trait PaymentGateway: Send + Sync {
    /// Asks for an amount to be held on the shopper's account.
    async fn authorise(&self, request: AuthoriseRequest) -> Result<AuthoriseAnswer, GatewayError>;

    /// Takes a part of what is held.
    async fn capture(&self, request: CaptureRequest) -> Result<CaptureAnswer, GatewayError>;

    /// Lets go of what is held and was not taken.
    async fn void(&self, request: VoidRequest) -> Result<VoidAnswer, GatewayError>;

    /// Pays back a part of what was taken.
    async fn refund(&self, request: RefundRequest) -> Result<RefundAnswer, GatewayError>;
}
