//! What stands before every route: where the request comes from, a bound on how much goes on at once, a bound on how
//! long it takes, and the containment of a panic to the request it happened in.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::Response;
use daybook_domain::IdSource;
use futures::FutureExt;
use tokio::sync::Semaphore;

use super::accept::MediaType;
use super::origin::Origin;
use super::respond::{Rejection, correlate};

/// The bounds.
#[derive(Clone)]
pub(super) struct Guard {
    free: Arc<Semaphore>,
    timeout: Duration,
    ids: Arc<dyn IdSource>,
}

impl Guard {
    /// At most as many requests at once as are `free`, each for at most `timeout`; those that are part of nothing yet get
    /// an id from `ids`.
    pub(super) fn new(free: Arc<Semaphore>, timeout: Duration, ids: Arc<dyn IdSource>) -> Self {
        Self { free, timeout, ids }
    }
}

/// Lets a request through within the bounds, with its [`Origin`] in its extensions.
pub(super) async fn guard(State(guard): State<Guard>, mut request: Request, next: Next) -> Response {
    let origin = Origin::of(request.headers(), guard.ids.next());
    request.extensions_mut().insert(origin.clone());
    let mut response = within_bounds(&guard, &origin, next.run(request)).await;
    correlate(&mut response, origin.correlation_id);
    response
}

async fn within_bounds(
    guard: &Guard,
    origin: &Origin,
    answering: impl Future<Output = Response>,
) -> Response {
    let (correlation_id, trace_id) = (origin.correlation_id, origin.trace_id());
    let Ok(_permit) = guard.free.try_acquire() else {
        metrics::counter!("daybook_http_shed_total").increment(1);
        return reject(StatusCode::SERVICE_UNAVAILABLE, "OVERLOADED", "too much is going on, try again");
    };
    let answered = AssertUnwindSafe(answering).catch_unwind();
    match tokio::time::timeout(guard.timeout, answered).await {
        Ok(Ok(response)) => response,
        Ok(Err(_panic)) => {
            metrics::counter!("daybook_http_panics_total").increment(1);
            tracing::error!(%correlation_id, trace_id, "a request panicked");
            let message = "something went wrong on our side";
            reject(StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL_SERVER_ERROR", message)
        }
        Err(_elapsed) => {
            metrics::counter!("daybook_http_timeouts_total").increment(1);
            tracing::warn!(%correlation_id, trace_id, "a request took too long");
            let message = "no answer came in time, send the same request again";
            reject(StatusCode::GATEWAY_TIMEOUT, "TIMED_OUT", message)
        }
    }
}

fn reject(status: StatusCode, code: &'static str, message: &str) -> Response {
    Rejection::new(status, code, message).answer(MediaType::Json)
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::body::Body;
    use axum::middleware::from_fn_with_state;
    use axum::routing::get;
    use daybook_eventstore::process::SystemIds;
    use tower::ServiceExt;

    use super::super::origin::CORRELATION_ID;
    use super::*;

    const ID: &str = "11111111-1111-4111-8111-111111111111";

    /// How a request is answered that names itself, of which so many more may be worked on.
    async fn status(free: usize, path: &str) -> StatusCode {
        let panics = || async {
            assert!(Duration::ZERO > Duration::MAX, "a panic on purpose");
        };
        let free = Arc::new(Semaphore::new(free));
        let guarded = Guard::new(free, Duration::from_millis(20), Arc::new(SystemIds));
        let routes = Router::new()
            .route("/fine", get(|| async {}))
            .route("/slow", get(std::future::pending::<()>))
            .route("/panics", get(panics))
            .layer(from_fn_with_state(guarded, guard));
        let request = Request::get(path).header(CORRELATION_ID, ID).body(Body::empty()).expect("a request");
        let response = routes.oneshot(request).await.expect("an answer");
        assert_eq!(response.headers()[CORRELATION_ID], ID);
        response.status()
    }

    #[tokio::test]
    async fn what_is_too_much_too_slow_or_broken_is_answered() {
        assert_eq!(status(1, "/fine").await, StatusCode::OK);
        assert_eq!(status(0, "/fine").await, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(status(1, "/slow").await, StatusCode::GATEWAY_TIMEOUT);
        assert_eq!(status(1, "/panics").await, StatusCode::INTERNAL_SERVER_ERROR);
    }
}
