//! A gateway that always answers in time: a call that takes longer is given up, its outcome unknown.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;

use super::{
    AuthoriseAnswer, AuthoriseRequest, CaptureAnswer, CaptureRequest, GatewayError, PaymentGateway,
    RefundAnswer, RefundRequest, VoidAnswer, VoidRequest,
};

/// Bounds every call to another gateway, and measures it.
#[derive(Clone)]
pub struct TimedGateway {
    inner: Arc<dyn PaymentGateway>,
    limit: Duration,
}

impl TimedGateway {
    /// `inner`, given at most `limit` for each call.
    pub fn new(inner: Arc<dyn PaymentGateway>, limit: Duration) -> Self {
        Self { inner, limit }
    }

    async fn bounded<A: Send>(
        &self,
        operation: &'static str,
        call: impl Future<Output = Result<A, GatewayError>> + Send,
    ) -> Result<A, GatewayError> {
        let started = Instant::now();
        let answer = tokio::time::timeout(self.limit, call).await.unwrap_or(Err(GatewayError::TimedOut));
        let outcome = match &answer {
            Ok(_) => "answered",
            Err(GatewayError::TimedOut) => "timed_out",
            Err(GatewayError::Unavailable(_)) => "unavailable",
            Err(GatewayError::Rejected { .. }) => "rejected",
        };
        metrics::histogram!("daybook_gateway_call_seconds", "operation" => operation, "outcome" => outcome)
            .record(started.elapsed());
        answer
    }
}

#[async_trait]
impl PaymentGateway for TimedGateway {
    async fn authorise(&self, request: AuthoriseRequest) -> Result<AuthoriseAnswer, GatewayError> {
        self.bounded("authorise", self.inner.authorise(request)).await
    }

    async fn capture(&self, request: CaptureRequest) -> Result<CaptureAnswer, GatewayError> {
        self.bounded("capture", self.inner.capture(request)).await
    }

    async fn void(&self, request: VoidRequest) -> Result<VoidAnswer, GatewayError> {
        self.bounded("void", self.inner.void(request)).await
    }

    async fn refund(&self, request: RefundRequest) -> Result<RefundAnswer, GatewayError> {
        self.bounded("refund", self.inner.refund(request)).await
    }
}
