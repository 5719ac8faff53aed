//! Nothing is believed that is not signed.

use daybook_commands::gateway::webhook::{SIGNATURE_HEADER, sign};
use daybook_commands::gateway::{GatewayNotice, GatewayOutcome};
use daybook_commands::related::payment_of;
use daybook_domain::payment::PaymentCommand;
use daybook_domain::{Clock, Currency, Money, OrderId, PaymentId, Timestamp};
use daybook_eventstore::process::{SystemClock, SystemIds};
use futures::future::join_all;
use reqwest::StatusCode;
use sqlx::Executor;
use uuid::Uuid;

use super::front::{Front, WEBHOOK_SECRET};
use crate::harness::shop::context;

async fn deliver(front: &Front, signature: Option<String>, body: Vec<u8>) -> StatusCode {
    let mut request = front.http.post(front.url("/webhooks/payment")).body(body);
    if let Some(signature) = signature {
        request = request.header(SIGNATURE_HEADER, signature);
    }
    request.send().await.expect("an answer").status()
}

/// Has a payment asked for; says which, and how much.
async fn asked_for(front: &Front, order_id: OrderId) -> (PaymentId, Money) {
    let (payment_id, amount) = (payment_of(order_id), Money::new(1_000, Currency::GBP));
    let request = PaymentCommand::RequestAuthorisation {
        payment_id,
        order_id,
        amount,
        payment_token: "card_action".to_owned(),
        deadline: Timestamp::MAX_UTC,
    };
    let id = payment_id.to_string();
    front.shop.shop.payments.execute(&id, request, &context(), "null").await.expect("it is asked for");
    (payment_id, amount)
}

#[tokio::test]
async fn a_webhook_counts_only_with_the_gateways_signature() {
    let front = Front::open().await;
    let notice = GatewayNotice {
        event_id: Uuid::from_u128(1),
        payment_id: PaymentId::new(Uuid::from_u128(2)),
        correlation_id: Uuid::from_u128(3),
        traceparent: None,
        outcome: GatewayOutcome::Voided { gateway_reference: String::new() },
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

#[tokio::test]
async fn a_webhook_is_taken_only_when_it_is_written_down() {
    let front = Front::open().await;
    let order_id = OrderId::generate(&SystemIds);
    let (payment_id, amount) = asked_for(&front, order_id).await;
    let notice = GatewayNotice {
        event_id: Uuid::from_u128(1),
        payment_id,
        correlation_id: Uuid::from_u128(3),
        traceparent: None,
        outcome: GatewayOutcome::Authorised { amount, gateway_reference: "sim_1".to_owned() },
    };
    let body = serde_json::to_vec(&notice).expect("JSON");
    let told =
        async || deliver(&front, Some(sign(WEBHOOK_SECRET, SystemClock.now(), &body)), body.clone()).await;
    let store = async |statement: &str| front.shop.events.pool.execute(statement).await.expect("a table");
    store("ALTER TABLE commands RENAME TO commands_away").await;
    assert_eq!(told().await, StatusCode::SERVICE_UNAVAILABLE, "the gateway is to say it again");
    store("ALTER TABLE commands_away RENAME TO commands").await;
    for _ in 0..2 {
        assert_eq!(told().await, StatusCode::OK);
    }
    let payment = front.shop.payment(order_id).await;
    assert_eq!((payment.authorised(), payment.conflicts().len()), (amount, 0));
}

#[tokio::test]
async fn of_five_deliveries_of_a_webhook_each_is_taken_and_one_has_an_effect() {
    let front = Front::open().await;
    for at_once in [false, true] {
        let order_id = OrderId::generate(&SystemIds);
        let (payment_id, amount) = asked_for(&front, order_id).await;
        let notice = GatewayNotice {
            event_id: order_id.uuid(),
            payment_id,
            correlation_id: Uuid::from_u128(3),
            traceparent: None,
            outcome: GatewayOutcome::Authorised { amount, gateway_reference: "sim_1".to_owned() },
        };
        let body = serde_json::to_vec(&notice).expect("JSON");
        // Each delivery is signed anew, as a gateway does.
        let told = async || {
            let signature = sign(WEBHOOK_SECRET, SystemClock.now(), &body);
            deliver(&front, Some(signature), body.clone()).await
        };
        let answers = if at_once {
            join_all((0..5).map(|_| told())).await
        } else {
            let mut answers = Vec::new();
            for _ in 0..5 {
                answers.push(told().await);
            }
            answers
        };
        assert_eq!(answers, [StatusCode::OK; 5]);
        let events: Vec<String> =
            sqlx::query_scalar("SELECT event_type FROM events WHERE aggregate_id = $1 ORDER BY position")
                .bind(payment_id.to_string())
                .fetch_all(&front.shop.events.pool)
                .await
                .expect("the events");
        assert_eq!(events, ["PaymentAuthorisationRequested", "PaymentAuthorised"]);
    }
}
