//! Answers: the status and body of a GraphQL response, and of a request that never became one.

use async_graphql::{ErrorExtensionValues, Response as Executed, ServerError, Value};
use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use serde::Serialize;
use uuid::Uuid;

use super::accept::MediaType;
use super::origin::CORRELATION_ID;

/// A request that was refused before there was an operation to execute.
#[derive(Debug)]
pub(super) struct Rejection {
    /// The status.
    pub(super) status: StatusCode,
    /// The stable code.
    pub(super) code: &'static str,
    /// What is wrong, for people.
    pub(super) message: String,
}

impl Rejection {
    /// A rejection with this status and code.
    pub(super) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into() }
    }

    /// The answer.
    pub(super) fn answer(self, media_type: MediaType) -> Response {
        let mut response = json(self.status, media_type, &Errors::one(&self.message, self.code));
        let headers = response.headers_mut();
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if self.status == StatusCode::METHOD_NOT_ALLOWED {
            headers.insert(header::ALLOW, HeaderValue::from_static("POST"));
        }
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}

#[derive(Serialize)]
struct Errors<'a> {
    errors: [Error<'a>; 1],
}

#[derive(Serialize)]
struct Error<'a> {
    message: &'a str,
    extensions: Extensions<'a>,
}

#[derive(Serialize)]
struct Extensions<'a> {
    code: &'a str,
}

impl<'a> Errors<'a> {
    fn one(message: &'a str, code: &'a str) -> Self {
        Self { errors: [Error { message, extensions: Extensions { code } }] }
    }
}

/// What became of an operation, for logs and metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Executed without an error.
    Done,
    /// Executed, with errors.
    Failed,
    /// Not executed: it does not fit the schema.
    Invalid,
}

impl Outcome {
    /// What an execution came to.
    pub(super) fn of(executed: &Executed) -> Self {
        if executed.errors.is_empty() {
            return Self::Done;
        }
        // An error of the execution says where in the answer it belongs; one of the request cannot.
        let of_request = executed.errors.iter().all(|error| error.path.is_empty());
        if executed.data == Value::Null && of_request { Self::Invalid } else { Self::Failed }
    }

    /// Its name in logs and metrics.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Invalid => "invalid",
        }
    }
}

/// Gives every error that has none a code.
pub(super) fn code_errors(executed: &mut Executed) {
    for error in &mut executed.errors {
        let code = if error.path.is_empty() { "GRAPHQL_VALIDATION_FAILED" } else { "BAD_USER_INPUT" };
        let extensions = error.extensions.get_or_insert_with(ErrorExtensionValues::default);
        if extensions.get("code").is_none() {
            extensions.set("code", code);
        }
    }
}

#[derive(Serialize)]
struct ExecutedBody<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'a Value>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    errors: &'a [ServerError],
}

/// The answer to an operation.
pub(super) fn executed(media_type: MediaType, executed: &Executed, outcome: Outcome) -> Response {
    let invalid = outcome == Outcome::Invalid;
    let status = match media_type {
        MediaType::GraphQl if invalid => StatusCode::BAD_REQUEST,
        MediaType::GraphQl | MediaType::Json => StatusCode::OK,
    };
    let data = (!invalid).then_some(&executed.data);
    json(status, media_type, &ExecutedBody { data, errors: &executed.errors })
}

fn json(status: StatusCode, media_type: MediaType, body: &impl Serialize) -> Response {
    let (status, bytes) = match serde_json::to_vec(body) {
        Ok(bytes) => (status, bytes),
        Err(error) => {
            tracing::error!(%error, "an answer could not be written");
            (StatusCode::INTERNAL_SERVER_ERROR, Vec::new())
        }
    };
    let mut response = Response::new(Body::from(bytes));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type.content_type()));
    headers.insert(header::VARY, HeaderValue::from_static("Accept"));
    response
}

/// Tells the client what to name when it asks about this request.
pub(super) fn correlate(response: &mut Response, correlation_id: Uuid) {
    let mut text = [0; uuid::fmt::Hyphenated::LENGTH];
    let text = correlation_id.hyphenated().encode_lower(&mut text);
    if let Ok(value) = HeaderValue::from_str(text) {
        response.headers_mut().insert(CORRELATION_ID, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_of_the_request_leaves_no_data() {
        let invalid = Executed::from_errors(vec![ServerError::new("no such field", None)]);
        assert_eq!(Outcome::of(&invalid), Outcome::Invalid);
        assert_eq!(
            executed(MediaType::GraphQl, &invalid, Outcome::Invalid).status(),
            StatusCode::BAD_REQUEST
        );
        assert_eq!(executed(MediaType::Json, &invalid, Outcome::Invalid).status(), StatusCode::OK);
    }

    #[test]
    fn an_error_of_the_execution_does() {
        let path = vec![async_graphql::PathSegment::Field("cart".to_owned())];
        let mut failed = Executed::from_errors(vec![ServerError::new("no", None).with_path(path)]);
        code_errors(&mut failed);
        assert_eq!(Outcome::of(&failed), Outcome::Failed);
        assert_eq!(executed(MediaType::GraphQl, &failed, Outcome::Failed).status(), StatusCode::OK);
        let code =
            failed.errors[0].extensions.as_ref().and_then(|extensions| extensions.get("code").cloned());
        assert_eq!(code, Some(Value::from("BAD_USER_INPUT")));
    }
}
