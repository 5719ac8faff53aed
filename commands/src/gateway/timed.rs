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

#[cfg(test)]
mod tests {
    use std::future::pending;

    use daybook_domain::{Currency, Money, OrderId, PaymentId};
    use uuid::Uuid;

    use super::*;

    /// Never answers but to a void.
    struct Silent;

    #[async_trait]
    impl PaymentGateway for Silent {
        async fn authorise(&self, _: AuthoriseRequest) -> Result<AuthoriseAnswer, GatewayError> {
            pending().await
        }

        async fn capture(&self, _: CaptureRequest) -> Result<CaptureAnswer, GatewayError> {
            pending().await
        }

        async fn void(&self, _: VoidRequest) -> Result<VoidAnswer, GatewayError> {
            Ok(VoidAnswer::Voided)
        }

        async fn refund(&self, _: RefundRequest) -> Result<RefundAnswer, GatewayError> {
            pending().await
        }
    }

    #[tokio::test]
    async fn a_gateway_that_never_answers_is_given_up_and_one_that_does_is_heard() {
        let gateway = TimedGateway::new(Arc::new(Silent), Duration::from_millis(20));
        let payment_id = PaymentId::new(Uuid::from_u128(1));
        let request = AuthoriseRequest {
            payment_id,
            order_id: OrderId::new(Uuid::from_u128(2)),
            amount: Money::new(1_000, Currency::GBP),
            payment_token: "card_approve".to_owned(),
            correlation_id: Uuid::from_u128(3),
            traceparent: None,
        };
        assert!(matches!(gateway.authorise(request).await, Err(GatewayError::TimedOut)));
        let request = VoidRequest { payment_id, gateway_reference: "sim_1".to_owned(), refused: 0 };
        assert!(matches!(gateway.void(request).await, Ok(VoidAnswer::Voided)));
    }
}
