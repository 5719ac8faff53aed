//! That the simulated gateway moves money once for each key, never more than it holds, and tells of it as its
//! cards say.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use daybook_commands::gateway::simulated::{
    ActionResult, Charge, ChargeStatus, SimulatedBooks, SimulatedGateway, SimulatedSettings,
};
use daybook_commands::gateway::webhook::{SIGNATURE_HEADER, SIGNATURE_TOLERANCE, parse, verify};
use daybook_commands::gateway::{
    AuthoriseAnswer, AuthoriseRequest, CaptureAnswer, CaptureRequest, GatewayError, GatewayNotice,
    GatewayOutcome, PaymentGateway, RefundAnswer, RefundRequest, VoidAnswer, VoidRequest,
};
use daybook_domain::{Clock, Currency, IdSource, Money, OrderId, PaymentId, RefundId};
use daybook_eventstore::process::{SystemClock, SystemIds};
use futures::future::join_all;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::harness::{Database, eventually};

const SOON: Duration = Duration::from_secs(20);
const SECRET: &str = "whsec_test";

/// The shop's end: takes webhooks, after refusing the first few.
#[derive(Clone, Default)]
struct Inbox {
    taken: Arc<Mutex<Vec<GatewayNotice>>>,
    refusals: Arc<AtomicU32>,
}

impl Inbox {
    fn taken(&self) -> Vec<GatewayNotice> {
        self.taken.lock().expect("not poisoned").clone()
    }

    fn take(&self, headers: &HeaderMap, body: &[u8]) -> StatusCode {
        let refuse = |left: u32| left.checked_sub(1);
        if self.refusals.fetch_update(Ordering::SeqCst, Ordering::SeqCst, refuse).is_ok() {
            return StatusCode::SERVICE_UNAVAILABLE;
        }
        let signature =
            headers.get(SIGNATURE_HEADER).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let verified = verify(SECRET, signature, body, SystemClock.now(), SIGNATURE_TOLERANCE);
        let Ok(notice) = verified.and_then(|()| parse(body)) else { return StatusCode::BAD_REQUEST };
        self.taken.lock().expect("not poisoned").push(notice);
        StatusCode::OK
    }
}

/// A gateway with its books, and a shop that takes its webhooks.
struct Bench {
    gateway: SimulatedGateway,
    books: SimulatedBooks,
    inbox: Inbox,
    stop: CancellationToken,
    _database: Database,
}

impl Drop for Bench {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

async fn bench() -> Bench {
    let database = Database::events().await;
    let inbox = Inbox::default();
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let webhook_url = format!("http://{}/webhooks/payment", listener.local_addr().expect("an address"));
    let taker = inbox.clone();
    let take = async move |headers: HeaderMap, body: Bytes| taker.take(&headers, &body);
    let routes = Router::new().route("/webhooks/payment", post(take));
    tokio::spawn(async move { axum::serve(listener, routes).await });

    let books = SimulatedBooks::new(database.pool.clone(), Arc::new(SystemClock));
    let settings = SimulatedSettings::new(webhook_url, SECRET.to_owned());
    let gateway = SimulatedGateway::try_new(books.clone(), settings).expect("the settings are right");
    let stop = CancellationToken::new();
    tokio::spawn({
        let (gateway, stop) = (gateway.clone(), stop.clone());
        async move { gateway.deliver(stop).await }
    });
    Bench { gateway, books, inbox, stop, _database: database }
}

impl Bench {
    async fn charge(&self) -> Charge {
        let mut charges = self.books.charges().await.expect("the books are readable");
        assert_eq!(charges.len(), 1, "{charges:?}");
        charges.remove(0)
    }

    async fn notices(&self, count: usize) -> Vec<GatewayNotice> {
        eventually(SOON, "the webhooks are taken", || async {
            let all_told = self.books.webhooks_waiting().await.is_ok_and(|waiting| waiting == 0);
            Some(self.inbox.taken()).filter(|taken| all_told && taken.len() >= count)
        })
        .await
    }

    /// Has 10.00 held on a card and returns the gateway's name for it.
    async fn held(&self, card: &str) -> (PaymentId, String) {
        let request = authorisation(card);
        let answer = self.gateway.authorise(request.clone()).await.expect("an answer");
        let AuthoriseAnswer::Authorised { gateway_reference, .. } = answer else { panic!("{answer:?}") };
        (request.payment_id, gateway_reference)
    }
}

fn gbp(minor: i64) -> Money {
    Money::new(minor, Currency::GBP)
}

fn authorisation(card: &str) -> AuthoriseRequest {
    AuthoriseRequest {
        payment_id: PaymentId::generate(&SystemIds),
        order_id: OrderId::generate(&SystemIds),
        amount: gbp(1_000),
        payment_token: card.to_owned(),
        correlation_id: SystemIds.next(),
        traceparent: None,
    }
}

fn capture(held: &(PaymentId, String), minor: i64) -> CaptureRequest {
    let (payment_id, gateway_reference) = held.clone();
    CaptureRequest { payment_id, gateway_reference, capture_id: SystemIds.next(), amount: gbp(minor) }
}

fn refund(held: &(PaymentId, String), minor: i64) -> RefundRequest {
    let (payment_id, gateway_reference) = held.clone();
    RefundRequest {
        payment_id,
        gateway_reference,
        refund_id: RefundId::generate(&SystemIds),
        amount: gbp(minor),
    }
}

fn code<A: std::fmt::Debug>(answer: Result<A, GatewayError>) -> String {
    answer.expect_err("a rejection").rejection().expect("a rejection").to_owned()
}

#[tokio::test]
async fn one_authorisation_asked_for_many_times_at_once_is_one_charge() {
    let bench = bench().await;
    let request = authorisation("card_approve");
    let answers = join_all((0..32).map(|_| bench.gateway.authorise(request.clone()))).await;
    let charge = bench.charge().await;
    let held =
        AuthoriseAnswer::Authorised { amount: gbp(1_000), gateway_reference: charge.reference.clone() };
    assert!(answers.into_iter().all(|answer| answer.expect("an answer") == held));
    assert_eq!((charge.payment_id, charge.order_id), (request.payment_id, request.order_id));
    assert_eq!((charge.status, charge.amount), (ChargeStatus::Authorised, gbp(1_000)));
    assert_eq!(bench.books.charges_of(request.order_id).await.expect("the books"), [charge]);
}

#[tokio::test]
async fn a_key_with_another_input_is_rejected_and_changes_nothing() {
    let bench = bench().await;
    let request = authorisation("card_approve");
    bench.gateway.authorise(request.clone()).await.expect("an answer");
    let before = bench.charge().await;
    let dearer = AuthoriseRequest { amount: gbp(2_000), ..request.clone() };
    assert_eq!(code(bench.gateway.authorise(dearer).await), "idempotency_key_reused");
    let traceparent = Some("of another attempt".to_owned());
    let traced = AuthoriseRequest { correlation_id: SystemIds.next(), traceparent, ..request };
    bench.gateway.authorise(traced).await.expect("what only traces a request is not its input");
    assert_eq!(bench.charge().await, before);
}

#[tokio::test]
async fn an_authorisation_that_timed_out_was_made_and_the_retry_finds_it() {
    let bench = bench().await;
    let request = authorisation("card_timeout_once");
    let first = bench.gateway.authorise(request.clone()).await;
    assert!(matches!(first, Err(GatewayError::TimedOut)));
    assert_eq!(bench.charge().await.status, ChargeStatus::Authorised);
    let again = bench.gateway.authorise(request).await.expect("an answer");
    assert!(matches!(again, AuthoriseAnswer::Authorised { .. }));
    assert_eq!(bench.charge().await.amount, gbp(1_000));
}

#[tokio::test]
async fn a_capture_that_timed_out_is_taken_once() {
    let bench = bench().await;
    let held = bench.held("card_timeout_capture").await;
    let request = capture(&held, 400);
    assert!(matches!(bench.gateway.capture(request.clone()).await, Err(GatewayError::TimedOut)));
    let again = bench.gateway.capture(request).await.expect("an answer");
    assert_eq!(again, CaptureAnswer::Captured { amount: gbp(400) });
    assert_eq!(bench.charge().await.captured, 400);
}

#[tokio::test]
async fn captures_at_once_never_take_more_than_is_held() {
    let bench = bench().await;
    let held = bench.held("card_approve").await;
    let answers = join_all((0..20).map(|_| bench.gateway.capture(capture(&held, 100)))).await;
    let taken = answers.into_iter().map(|answer| answer.expect("an answer"));
    let taken = taken.filter(|answer| matches!(answer, CaptureAnswer::Captured { .. })).count();
    assert_eq!((taken, bench.charge().await.captured), (10, 1_000));
}

#[tokio::test]
async fn what_was_taken_goes_back_once_and_the_rest_is_let_go() {
    let bench = bench().await;
    let held = bench.held("card_approve").await;
    bench.gateway.capture(capture(&held, 600)).await.expect("an answer");
    let (payment_id, gateway_reference) = held.clone();
    for _ in 0..2 {
        let request = VoidRequest { payment_id, gateway_reference: gateway_reference.clone(), refused: 0 };
        assert_eq!(bench.gateway.void(request).await.expect("an answer"), VoidAnswer::Voided);
    }
    let request = refund(&held, 500);
    for _ in 0..2 {
        assert_eq!(bench.gateway.refund(request.clone()).await.expect("an answer"), RefundAnswer::Refunded);
    }
    let too_much = bench.gateway.refund(refund(&held, 101)).await.expect("an answer");
    assert_eq!(too_much, RefundAnswer::Failed { code: "amount_exceeds_captured".to_owned() });
    let charge = bench.charge().await;
    assert_eq!((charge.captured, charge.voided, charge.refunded), (600, 400, 500));
}

#[tokio::test]
async fn a_refund_that_failed_stays_failed_and_another_one_succeeds() {
    let bench = bench().await;
    let held = bench.held("card_refund_fails").await;
    bench.gateway.capture(capture(&held, 600)).await.expect("an answer");
    let first = refund(&held, 600);
    let failed = RefundAnswer::Failed { code: "refund_refused".to_owned() };
    for _ in 0..2 {
        assert_eq!(bench.gateway.refund(first.clone()).await.expect("an answer"), failed);
    }
    assert_eq!(bench.gateway.refund(refund(&held, 600)).await.expect("an answer"), RefundAnswer::Refunded);
    assert_eq!(bench.charge().await.refunded, 600);
}

#[tokio::test]
async fn a_rejected_request_does_not_use_up_its_key() {
    let bench = bench().await;
    let held = bench.held("card_approve").await;
    let request = capture(&held, 100);
    let astray = CaptureRequest { gateway_reference: "sim_nobody".to_owned(), ..request.clone() };
    assert_eq!(code(bench.gateway.capture(astray).await), "no_such_charge");
    let wrong = CaptureRequest { amount: Money::new(100, Currency::EUR), ..request.clone() };
    assert_eq!(code(bench.gateway.capture(wrong).await), "currency_mismatch");
    let taken = bench.gateway.capture(request).await.expect("an answer");
    assert_eq!(taken, CaptureAnswer::Captured { amount: gbp(100) });
}

#[tokio::test]
async fn a_late_result_comes_by_webhook() {
    let bench = bench().await;
    let request = authorisation("card_late");
    assert_eq!(bench.gateway.authorise(request.clone()).await.expect("an answer"), AuthoriseAnswer::Pending);
    let notices = bench.notices(1).await;
    let reference = bench.charge().await.reference;
    assert_eq!(notices.len(), 1);
    let outcome = GatewayOutcome::Authorised { amount: gbp(1_000), gateway_reference: reference };
    assert_eq!(notices[0].outcome, outcome);
    assert_eq!(
        (notices[0].payment_id, notices[0].correlation_id),
        (request.payment_id, request.correlation_id)
    );
}

#[tokio::test]
async fn a_result_told_five_times_is_the_same_notice_each_time() {
    for card in ["card_twice", "card_late_twice"] {
        let bench = bench().await;
        bench.gateway.authorise(authorisation(card)).await.expect("an answer");
        let notices = bench.notices(5).await;
        assert_eq!(notices.len(), 5);
        assert!(
            notices
                .iter()
                .all(|notice| *notice == notices[0] && notice.command_id() == notices[0].command_id())
        );
    }
}

#[tokio::test]
async fn a_webhook_can_be_there_before_the_answer() {
    let bench = bench().await;
    let held = bench.held("card_webhook_first").await;
    let taken = bench.inbox.taken();
    assert_eq!(taken.len(), 1);
    assert!(
        matches!(&taken[0].outcome, GatewayOutcome::Authorised { gateway_reference, .. } if *gateway_reference == held.1)
    );
    assert_eq!(bench.books.webhooks_waiting().await.expect("the books"), 0);
}

#[tokio::test]
async fn a_webhook_is_sent_until_the_shop_takes_it() {
    let bench = bench().await;
    bench.inbox.refusals.store(3, Ordering::SeqCst);
    bench.gateway.authorise(authorisation("card_late")).await.expect("an answer");
    assert_eq!(bench.notices(1).await.len(), 1);
    assert_eq!(bench.inbox.refusals.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_second_step_is_taken_once_and_told() {
    let bench = bench().await;
    let answer = bench.gateway.authorise(authorisation("card_action")).await.expect("an answer");
    let charge = bench.charge().await;
    let AuthoriseAnswer::ActionRequired { url } = answer else { panic!("{answer:?}") };
    assert!(url.ends_with(&format!("/simulated-gateway/actions/{}", charge.reference)), "{url}");
    let complete =
        async |result| bench.books.complete_action(&charge.reference, result).await.expect("the books");
    assert_eq!(complete(ActionResult::Confirmed).await, Some(ChargeStatus::Authorised));
    assert_eq!(complete(ActionResult::Failed).await, Some(ChargeStatus::Authorised));
    let notices = bench.notices(1).await;
    assert_eq!(notices.len(), 1);
    assert!(matches!(notices[0].outcome, GatewayOutcome::Authorised { .. }));
    let unknown = bench.books.complete_action("sim_nobody", ActionResult::Confirmed).await;
    assert_eq!(unknown.expect("the books"), None);
}
