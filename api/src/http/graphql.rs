//! GraphQL over HTTP, as the specification has it (<https://graphql.github.io/graphql-over-http/draft/>): what is
//! accepted, what is executed and how it is answered. A mutation only ever comes by POST with a JSON body, which no
//! other site's page can send unasked.

use std::sync::Arc;
use std::time::Instant;

use async_graphql::parser::types::OperationType;
use async_graphql::{Response as Executed, ServerError};
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::{Extension, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;

use super::accept::MediaType;
use super::body::{self, BodyError, MAX_BODY};
use super::operation::{Account, Caller, kind_name, plan};
use super::origin::Origin;
use super::params::Params;
use super::respond::{self, Outcome, Rejection};
use super::router::Api;
use super::websocket;

/// The header that makes a mutation take effect once.
const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// Answers a POST.
pub(super) async fn post(
    State(api): State<Api>,
    Extension(origin): Extension<Origin>,
    request: Request,
) -> Response {
    let (parts, body) = request.into_parts();
    let media_type = match negotiate(&parts.headers) {
        Ok(media_type) => media_type,
        Err(rejection) => return rejection.answer(MediaType::Json),
    };
    if !is_json(&parts.headers) {
        let message = "send the request as application/json";
        return Rejection::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "UNSUPPORTED_MEDIA_TYPE", message)
            .answer(media_type);
    }
    let params = match body::read(body).await {
        Ok(bytes) => Params::from_json(&bytes).map_err(bad_request),
        Err(BodyError::TooLarge) => {
            let message = format!("a body has at most {MAX_BODY} bytes");
            Err(Rejection::new(StatusCode::PAYLOAD_TOO_LARGE, "BODY_TOO_LARGE", message))
        }
        Err(BodyError::Broken) => Err(bad_request("the body broke off".to_owned())),
    };
    answer(&api, &parts.headers, media_type, params, (origin, true)).await
}

/// Answers a GET, which only ever reads, or is the beginning of a WebSocket.
pub(super) async fn get(
    State(api): State<Api>,
    Extension(origin): Extension<Origin>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
    request: Request,
) -> Response {
    let headers = request.headers();
    if let Ok(upgrade) = upgrade {
        return websocket::connect(&api, upgrade, headers, origin);
    }
    match negotiate(headers) {
        Ok(media_type) => {
            let params = Params::from_uri(request.uri()).map_err(bad_request);
            answer(&api, headers, media_type, params, (origin, false)).await
        }
        Err(rejection) => rejection.answer(MediaType::Json),
    }
}

fn negotiate(headers: &HeaderMap) -> Result<MediaType, Rejection> {
    MediaType::negotiate(headers).ok_or_else(|| {
        let message = "accept application/graphql-response+json or application/json";
        Rejection::new(StatusCode::NOT_ACCEPTABLE, "NOT_ACCEPTABLE", message)
    })
}

fn bad_request(message: String) -> Rejection {
    Rejection::new(StatusCode::BAD_REQUEST, "BAD_REQUEST", message)
}

/// Whether the body is JSON in UTF-8. Anything else, and above all what a form can send, is refused.
fn is_json(headers: &HeaderMap) -> bool {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let mut parts = content_type.unwrap_or_default().split(';').map(str::trim);
    let json = parts.next().is_some_and(|essence| essence.eq_ignore_ascii_case("application/json"));
    let utf8 = |charset: &str| charset.trim_matches('"').eq_ignore_ascii_case("utf-8");
    json && parts
        .filter_map(|part| part.split_once('='))
        .all(|(name, value)| !name.eq_ignore_ascii_case("charset") || utf8(value))
}

async fn answer(
    api: &Api,
    headers: &HeaderMap,
    media_type: MediaType,
    params: Result<Params, Rejection>,
    (origin, may_write): (Origin, bool),
) -> Response {
    let (correlation_id, trace_id) = (origin.correlation_id, origin.trace_id().to_owned());
    match run(api, headers, media_type, params, origin, may_write).await {
        Ok(response) => response,
        Err(rejection) => {
            tracing::info!(
                %correlation_id,
                trace_id,
                code = rejection.code,
                message = rejection.message,
                "request rejected"
            );
            metrics::counter!("daybook_http_rejected_total", "code" => rejection.code).increment(1);
            rejection.answer(media_type)
        }
    }
}

async fn run(
    api: &Api,
    headers: &HeaderMap,
    media_type: MediaType,
    params: Result<Params, Rejection>,
    origin: Origin,
    may_write: bool,
) -> Result<Response, Rejection> {
    let started = Instant::now();
    let identity = api.identify(headers)?;
    let mut params = params?;
    let query = params.query.take().ok_or_else(|| bad_request("the query is missing".to_owned()))?;
    let (role, correlation_id) = (identity.role().name(), origin.correlation_id);
    let trace_id = origin.trace_id().to_owned();
    let caller = Caller { identity, origin, idempotency_key: idempotency_key(headers)? };
    let (mut executed, field, kind) = match plan(api, query, params, caller) {
        Err(error) => (Executed::from_errors(vec![*error]), Arc::from("unknown"), OperationType::Query),
        Ok(planned) => {
            if planned.kind != OperationType::Query && !may_write {
                let message = "only a query can be asked for by GET";
                return Err(Rejection::new(StatusCode::METHOD_NOT_ALLOWED, "METHOD_NOT_ALLOWED", message));
            }
            let executed = if planned.kind == OperationType::Subscription {
                let message = "subscribe over a WebSocket (graphql-transport-ws)";
                Executed::from_errors(vec![ServerError::new(message, None)])
            } else {
                api.schema().execute(planned.request).await
            };
            (executed, planned.field, planned.kind)
        }
    };
    let outcome = Outcome::of(&executed);
    respond::code_errors(&mut executed);
    let account = Account { field, kind: kind_name(kind), role, correlation_id, trace_id, started };
    account.close(&executed, outcome);
    Ok(respond::executed(media_type, &executed, outcome))
}

fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, Rejection> {
    let key =
        headers.get(IDEMPOTENCY_KEY).map(|value| value.to_str().map(|key| key.trim_matches('"').to_owned()));
    key.transpose().map_err(|_| bad_request("the Idempotency-Key is not visible ASCII".to_owned()))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn accepts(content_type: &'static str) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        is_json(&headers)
    }

    #[test]
    fn a_body_is_json_or_refused() {
        assert!(accepts("application/json"));
        assert!(accepts("Application/JSON; charset=UTF-8"));
        for other in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""] {
            assert!(!accepts(other), "{other}");
        }
        assert!(!accepts("application/json; charset=utf-16"));
        assert!(!is_json(&HeaderMap::new()));
    }
}
