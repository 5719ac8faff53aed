//! Waiting for something to become so.

use std::future::Future;
use std::time::{Duration, Instant};

/// How often to look.
const GLANCE: Duration = Duration::from_millis(10);

/// What `ask` gives, once it gives something.
///
/// # Panics
/// When it gave nothing until the deadline; `what` says what was waited for.
pub(crate) async fn eventually<T, F>(within: Duration, what: &str, mut ask: impl FnMut() -> F) -> T
where
    F: Future<Output = Option<T>>,
{
    let deadline = Instant::now() + within;
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(Instant::now() < deadline, "not within {within:?}: {what}");
        tokio::time::sleep(GLANCE).await;
    }
}
