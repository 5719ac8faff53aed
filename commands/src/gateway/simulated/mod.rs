//! The simulated gateway: what a shop without an account pays with, and what the tests break. It behaves as a real
//! one does at its worst, deterministically by the card that is charged; it keeps durable books of its own, and
//! nothing of the shop looks into them.

mod books;
mod card;
mod charge;
mod delivery;
mod tale;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use reqwest::Url;
use serde::Serialize;
use serde::de::DeserializeOwned;

use self::books::{Known, Request, lock};
use self::card::{Operation, Telling};
use self::delivery::Courier;
use self::tale::{Answer, Tale};
use super::{
    AuthoriseAnswer, AuthoriseRequest, CaptureAnswer, CaptureRequest, GatewayError, GatewayOutcome,
    PaymentGateway, RefundAnswer, RefundRequest, VoidAnswer, VoidRequest,
};
use crate::bell::Bell;

pub use books::SimulatedBooks;
pub use charge::{ActionResult, Charge, ChargeStatus};

/// The path, at the shop's own address, under which second steps are taken: `PATH/REFERENCE`, a page for people that
/// posts `result=succeed` or `result=fail` to itself.
pub const ACTIONS_PATH: &str = "/simulated-gateway/actions";

/// How the simulated gateway is set up.
#[derive(Debug, Clone)]
pub struct SimulatedSettings {
    /// Where the shop takes webhooks.
    pub webhook_url: String,
    /// What signs them.
    pub webhook_secret: String,
    /// How long every call takes.
    pub latency: Duration,
    /// How long a late result takes.
    pub late_by: Duration,
}

impl SimulatedSettings {
    /// A gateway that answers at once, and late results after a moment.
    pub const fn new(webhook_url: String, webhook_secret: String) -> Self {
        let (latency, late_by) = (Duration::ZERO, Duration::from_millis(300));
        Self { webhook_url, webhook_secret, latency, late_by }
    }
}

/// The simulated gateway.
#[derive(Clone)]
pub struct SimulatedGateway {
    books: SimulatedBooks,
    courier: Courier,
    bell: Arc<Bell>,
    actions: String,
    latency: Duration,
    late_by: Duration,
}

/// Why the simulated gateway cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// Webhooks cannot be sent there.
    #[error("the webhook address is not a URL")]
    NotAUrl,
    /// There is nothing to send webhooks with.
    #[error("there is no HTTP client")]
    NoClient(#[source] reqwest::Error),
}

impl SimulatedGateway {
    /// The gateway with these books.
    ///
    /// # Errors
    /// When the webhook address is not one.
    pub fn try_new(books: SimulatedBooks, settings: SimulatedSettings) -> Result<Self, SetupError> {
        let url: Url = settings.webhook_url.parse().map_err(|_| SetupError::NotAUrl)?;
        let actions = url.join(ACTIONS_PATH).map_err(|_| SetupError::NotAUrl)?.to_string();
        let courier = Courier::try_new(url, settings.webhook_secret)?;
        let SimulatedSettings { latency, late_by, .. } = settings;
        Ok(Self { books, courier, bell: Arc::default(), actions, latency, late_by })
    }

    /// Does what is asked of an existing charge, once for its key, and answers.
    async fn act<A: Answer>(
        &self,
        operation: Operation,
        reference: &str,
        request: Request,
        act: impl FnOnce(&mut Charge) -> Result<(A, GatewayOutcome), GatewayError> + Send,
    ) -> Result<A, GatewayError> {
        tokio::time::sleep(self.latency).await;
        let mut tx = match self.books.begin(&request).await.map_err(unavailable)? {
            Known::New(tx) => tx,
            Known::Answered(answer) => return read(&answer),
            Known::KeyReused => return Err(rejected("idempotency_key_reused")),
        };
        let found = lock(&mut tx, reference).await.map_err(unavailable)?;
        let mut charge = found.ok_or_else(|| rejected("no_such_charge"))?;
        let (answer, outcome) = act(&mut charge)?;
        let tale = Tale::new(&charge, operation, &request.key, Some(outcome));
        let answer = tale.answer(answer);
        let told = tale.told(self.books.now(), self.late_by);
        self.books
            .end(tx, &request.key, &charge, &write(&answer)?, told.as_ref())
            .await
            .map_err(unavailable)?;
        self.tell(&tale).await?;
        tale.unless_lost(answer)
    }

    /// Tells what is to be told now.
    async fn tell(&self, tale: &Tale) -> Result<(), GatewayError> {
        match (&tale.notice, tale.telling) {
            (None, _) | (Some(_), Telling::Answer) => Ok(()),
            (Some(notice), Telling::NoticeFirst) => self.tell_first(notice).await.map_err(unavailable),
            (Some(_), Telling::AnswerAndNotices(_) | Telling::NoticesLater(_)) => {
                self.bell.ring();
                Ok(())
            }
        }
    }
}

#[async_trait]
impl PaymentGateway for SimulatedGateway {
    async fn authorise(&self, request: AuthoriseRequest) -> Result<AuthoriseAnswer, GatewayError> {
        tokio::time::sleep(self.latency).await;
        let charge = Charge::open(&request);
        let (answer, outcome) = charge.opened(&self.actions);
        let key = request.key();
        // What the request is for, without what only traces it.
        let input = (request.order_id, request.amount, request.payment_token);
        let request = Request { key, input: write(&(Operation::Authorise, charge.payment_id, input))? };
        let tale = Tale::new(&charge, Operation::Authorise, &request.key, outcome);
        let answer = tale.answer(answer);
        let told = tale.told(self.books.now(), self.late_by);
        let known = self.books.open(&request, &charge, &write(&answer)?, told.as_ref()).await;
        match known.map_err(unavailable)? {
            Known::New(()) => {}
            Known::Answered(answer) => return read(&answer),
            Known::KeyReused => return Err(rejected("idempotency_key_reused")),
        }
        self.tell(&tale).await?;
        tale.unless_lost(answer)
    }

    async fn capture(&self, request: CaptureRequest) -> Result<CaptureAnswer, GatewayError> {
        let asked = Request { key: request.key(), input: write(&(Operation::Capture, &request))? };
        let reference = &request.gateway_reference;
        self.act(Operation::Capture, reference, asked, |charge| charge.capture(&request)).await
    }

    async fn void(&self, request: VoidRequest) -> Result<VoidAnswer, GatewayError> {
        let asked = Request { key: request.key(), input: write(&(Operation::Void, &request))? };
        self.act(Operation::Void, &request.gateway_reference, asked, |charge| Ok(charge.void(&request))).await
    }

    async fn refund(&self, request: RefundRequest) -> Result<RefundAnswer, GatewayError> {
        let asked = Request { key: request.key(), input: write(&(Operation::Refund, &request))? };
        let reference = &request.gateway_reference;
        self.act(Operation::Refund, reference, asked, |charge| charge.refund(&request)).await
    }
}

fn write(value: &impl Serialize) -> Result<String, GatewayError> {
    serde_json::to_string(value).map_err(|error| GatewayError::Unavailable(error.into()))
}

fn read<A: DeserializeOwned>(answer: &str) -> Result<A, GatewayError> {
    serde_json::from_str(answer).map_err(|error| GatewayError::Unavailable(error.into()))
}

fn unavailable(error: sqlx::Error) -> GatewayError {
    GatewayError::Unavailable(error.into())
}

fn rejected(code: &str) -> GatewayError {
    GatewayError::Rejected { code: code.to_owned() }
}
