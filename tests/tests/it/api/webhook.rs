//! Nothing is believed that is not signed.

use daybook_commands::gateway::webhook::{SIGNATURE_HEADER, sign};
use daybook_commands::gateway::{GatewayNotice, GatewayOutcome};
use daybook_domain::{Clock, PaymentId};
use daybook_eventstore::process::SystemClock;
use reqwest::StatusCode;
use uuid::Uuid;

use super::front::{Front, WEBHOOK_SECRET};

async fn deliver(front: &Front, signature: Option<String>, body: Vec<u8>) -> StatusCode {
    let mut request = front.http.post(front.url("/webhooks/payment")).body(body);
    if let Some(signature) = signature {
        request = request.header(SIGNATURE_HEADER, signature);
    }
    request.send().await.expect("an answer").status()
}

#[tokio::test]
async fn a_webhook_counts_only_with_the_gateways_signature() {
    let front = Front::open().await;
    let notice = GatewayNotice {
        event_id: Uuid::from_u128(1),
        payment_id: PaymentId::new(Uuid::from_u128(2)),
        correlation_id: Uuid::from_u128(3),
        outcome: GatewayOutcome::Voided,
    };
    let body = serde_json::to_vec(&notice).expect("JSON");
    let now = SystemClock.now();
    let old = now - chrono::Duration::hours(1);
    assert_eq!(deliver(&front, None, body.clone()).await, StatusCode::UNAUTHORIZED);
    for signature in [sign("guess", now, &body), sign(WEBHOOK_SECRET, old, &body), "nonsense".to_owned()] {
        assert_eq!(deliver(&front, Some(signature), body.clone()).await, StatusCode::UNAUTHORIZED);
    }
    let signature = sign(WEBHOOK_SECRET, now, b"{}");
    assert_eq!(deliver(&front, Some(signature), b"{}".to_vec()).await, StatusCode::BAD_REQUEST);
    // It is the gateway's, but nobody knows the payment: it asks again.
    let signature = sign(WEBHOOK_SECRET, now, &body);
    assert_eq!(deliver(&front, Some(signature), body).await, StatusCode::NOT_FOUND);
}
