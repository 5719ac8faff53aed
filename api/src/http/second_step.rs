//! Where shoppers take the simulated gateway's second step, which with a real gateway is at their bank. It knows the
//! gateway's books and nothing of the shop, which hears what came of it as it hears everything: by a webhook.

use axum::Router;
use axum::extract::{Path, Query, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use daybook_commands::gateway::simulated::{ACTIONS_PATH, ActionResult, ChargeStatus, SimulatedBooks};
use serde::Deserialize;

use super::body::{self, BodyError};

/// What a person who follows the link is asked.
const PAGE: &str = include_str!("../../assets/second-step.html");
/// The page loads nothing, and posts to this server only.
const POLICY: &str = "default-src 'none'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// What takes second steps. Cloning shares it.
#[derive(Clone)]
pub struct SecondSteps {
    books: SimulatedBooks,
}

impl std::fmt::Debug for SecondSteps {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SecondSteps").finish_non_exhaustive()
    }
}

/// What the shopper made of it; in the query, or in the body as JSON.
#[derive(Deserialize)]
struct Taken {
    result: Outcome,
}

#[derive(Deserialize)]
struct Asked {
    result: Option<Outcome>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Outcome {
    Succeed,
    Fail,
}

impl SecondSteps {
    /// Takes the second steps of the charges in these books.
    pub const fn new(books: SimulatedBooks) -> Self {
        Self { books }
    }

    /// The routes.
    pub(super) fn routes(self) -> Router {
        Router::new().route(&format!("{ACTIONS_PATH}/{{reference}}"), get(page).post(take)).with_state(self)
    }
}

async fn page(State(steps): State<SecondSteps>, Path(reference): Path<String>) -> Response {
    if !may_be_one(&reference) {
        return unknown();
    }
    match steps.books.status_of(&reference).await {
        Ok(Some(ChargeStatus::ActionRequired)) => {
            let policy = (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
            ([policy], Html(PAGE)).into_response()
        }
        found => standing(found),
    }
}

async fn take(
    State(steps): State<SecondSteps>,
    Path(reference): Path<String>,
    Query(asked): Query<Asked>,
    request: Request,
) -> Response {
    let outcome = match asked.result {
        Some(outcome) => outcome,
        None => match posted(request).await {
            Ok(outcome) => outcome,
            Err(refused) => return refused.into_response(),
        },
    };
    if !may_be_one(&reference) {
        return unknown();
    }
    let result = match outcome {
        Outcome::Succeed => ActionResult::Confirmed,
        Outcome::Fail => ActionResult::Failed,
    };
    standing(steps.books.complete_action(&reference, result).await)
}

async fn posted(request: Request) -> Result<Outcome, (StatusCode, &'static str)> {
    let body = body::read(request.into_body()).await.map_err(|error| match error {
        BodyError::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "too_large"),
        BodyError::Broken => (StatusCode::BAD_REQUEST, "broken"),
    })?;
    let taken: Result<Taken, _> = serde_json::from_slice(&body);
    taken.map(|taken| taken.result).map_err(|_| (StatusCode::BAD_REQUEST, "not_a_result"))
}

/// Whether this can be a reference at all: the database takes no text with a zero in it.
fn may_be_one(reference: &str) -> bool {
    reference.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// Where the charge stands: what was decided first stays, however often it is asked.
fn standing(found: Result<Option<ChargeStatus>, impl std::error::Error + 'static>) -> Response {
    match found {
        Ok(Some(status)) => status.as_str().into_response(),
        Ok(None) => unknown(),
        Err(error) => {
            let error = &error as &dyn std::error::Error;
            tracing::error!(error, "the simulated gateway's books do not answer");
            (StatusCode::SERVICE_UNAVAILABLE, "failed").into_response()
        }
    }
}

fn unknown() -> Response {
    (StatusCode::NOT_FOUND, "unknown_charge").into_response()
}
