//! What stands before every route: a bound on how much goes on at once, a bound on how long it takes, and the
//! containment of a panic to the request it happened in.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::Response;
use futures::FutureExt;
use tokio::sync::Semaphore;

use super::accept::MediaType;
use super::respond::Rejection;

/// The bounds.
#[derive(Debug, Clone)]
pub(super) struct Guard {
    free: Arc<Semaphore>,
    timeout: Duration,
}

impl Guard {
    /// At most as many requests at once as are `free`, each for at most `timeout`.
    pub(super) const fn new(free: Arc<Semaphore>, timeout: Duration) -> Self {
        Self { free, timeout }
    }
}

/// Lets a request through within the bounds.
pub(super) async fn guard(State(guard): State<Guard>, request: Request, next: Next) -> Response {
    let Ok(_permit) = guard.free.try_acquire() else {
        metrics::counter!("daybook_http_shed_total").increment(1);
        return reject(StatusCode::SERVICE_UNAVAILABLE, "OVERLOADED", "too much is going on, try again");
    };
    let answered = AssertUnwindSafe(next.run(request)).catch_unwind();
    match tokio::time::timeout(guard.timeout, answered).await {
        Ok(Ok(response)) => response,
        Ok(Err(_panic)) => {
            metrics::counter!("daybook_http_panics_total").increment(1);
            tracing::error!("a request panicked");
            let message = "something went wrong on our side";
            reject(StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL_SERVER_ERROR", message)
        }
        Err(_elapsed) => {
            metrics::counter!("daybook_http_timeouts_total").increment(1);
            tracing::warn!("a request took too long");
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
    use tower::ServiceExt;

    use super::*;

    async fn status(concurrent: usize, path: &str) -> StatusCode {
        let panics = || async {
            assert!(Duration::ZERO > Duration::MAX, "a panic on purpose");
        };
        let free = Arc::new(Semaphore::new(concurrent));
        let routes = Router::new()
            .route("/fine", get(|| async {}))
            .route("/slow", get(std::future::pending::<()>))
            .route("/panics", get(panics))
            .layer(from_fn_with_state(Guard::new(free, Duration::from_millis(20)), guard));
        let request = Request::get(path).body(Body::empty()).expect("a request");
        routes.oneshot(request).await.expect("an answer").status()
    }

    #[tokio::test]
    async fn what_is_too_much_too_slow_or_broken_is_answered() {
        assert_eq!(status(1, "/fine").await, StatusCode::OK);
        assert_eq!(status(0, "/fine").await, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(status(1, "/slow").await, StatusCode::GATEWAY_TIMEOUT);
        assert_eq!(status(1, "/panics").await, StatusCode::INTERNAL_SERVER_ERROR);
    }
}
