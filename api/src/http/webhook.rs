//! Webhooks in: what a payment gateway says unasked. Nothing is believed that is not signed, and every delivery of
//! what was understood is answered 200, so that the gateway stops sending it.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use daybook_commands::Shop;
use daybook_commands::gateway::GatewayNotice;
use daybook_commands::gateway::webhook::{
    SIGNATURE_HEADER, SIGNATURE_TOLERANCE, WebhookError, parse, verify,
};
use daybook_commands::use_cases::{UseCaseError, take_notice};
use daybook_eventstore::process::config::Secret;

use super::body::{self, BodyError};

/// What takes webhooks. Cloning shares it.
#[derive(Debug, Clone)]
pub struct Webhooks {
    shop: Shop,
    secret: Arc<Secret<String>>,
}

impl Webhooks {
    /// Takes webhooks that are signed with this secret.
    pub fn new(shop: Shop, secret: Secret<String>) -> Self {
        Self { shop, secret: Arc::new(secret) }
    }

    /// The routes.
    pub(super) fn routes(self) -> Router {
        Router::new().route("/webhooks/payment", post(payment)).with_state(self)
    }

    fn read(&self, headers: &HeaderMap, body: &[u8]) -> Result<GatewayNotice, WebhookError> {
        let header = headers.get(SIGNATURE_HEADER).and_then(|value| value.to_str().ok());
        let header = header.ok_or(WebhookError::Malformed)?;
        verify(self.secret.expose(), header, body, self.shop.clock.now(), SIGNATURE_TOLERANCE)?;
        parse(body)
    }
}

async fn payment(State(webhooks): State<Webhooks>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = match body::read(body).await {
        Ok(body) => body,
        Err(BodyError::TooLarge) => return answer(StatusCode::PAYLOAD_TOO_LARGE, "too_large"),
        Err(BodyError::Broken) => return answer(StatusCode::BAD_REQUEST, "broken"),
    };
    match webhooks.read(&parts.headers, &body) {
        Ok(notice) => take(&webhooks.shop, notice).await,
        Err(WebhookError::NotANotice) => answer(StatusCode::BAD_REQUEST, "not_a_notice"),
        Err(error @ (WebhookError::Malformed | WebhookError::Stale | WebhookError::Mismatch)) => {
            tracing::warn!(%error, "a webhook is not the gateway's");
            answer(StatusCode::UNAUTHORIZED, "unsigned")
        }
    }
}

async fn take(shop: &Shop, notice: GatewayNotice) -> Response {
    let (event_id, payment_id, correlation_id) = (notice.event_id, notice.payment_id, notice.correlation_id);
    match take_notice(shop, "simulated", notice).await {
        Ok(()) => answer(StatusCode::OK, "taken"),
        // The gateway may be quicker than we are: it asks again.
        Err(UseCaseError::Refused(refused)) if refused.code == "NOT_FOUND" => {
            answer(StatusCode::NOT_FOUND, "unknown_payment")
        }
        Err(UseCaseError::Refused(refused)) => {
            let code = refused.code;
            tracing::warn!(%event_id, %payment_id, %correlation_id, code, "a payment refused a gateway's notice");
            answer(StatusCode::OK, "refused")
        }
        Err(UseCaseError::KeyReused) => {
            tracing::error!(%event_id, %payment_id, %correlation_id, "a gateway said two things under one id");
            answer(StatusCode::CONFLICT, "conflicting")
        }
        Err(error) => {
            let cause = &error as &dyn std::error::Error;
            tracing::error!(
                %event_id, %payment_id, %correlation_id, error = cause,
                "a gateway's notice could not be taken"
            );
            answer(StatusCode::SERVICE_UNAVAILABLE, "failed")
        }
    }
}

fn answer(status: StatusCode, outcome: &'static str) -> Response {
    metrics::counter!("daybook_webhooks_total", "outcome" => outcome).increment(1);
    (status, outcome).into_response()
}
