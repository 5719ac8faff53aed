//! Many lookups, few statements: what is asked for while earlier statements run goes out together in the next one.
//! Lookups of all requests share them, so the busier it is, the more each statement answers. Nothing is kept, and
//! what is wrong with one key is not held against those that happened to go out with it.

use std::collections::HashMap;
use std::hash::Hash;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};

use futures::FutureExt;
use tokio::sync::oneshot;

use crate::graphql::error::{ApiError, Fault};

/// How many statements of one kind run at once.
const RUNNING: usize = 4;
/// How many keys go out in one statement.
const BATCH: usize = 500;

/// What can be looked up many at a time.
pub(crate) trait Batch: Send + Sync + 'static {
    /// What is looked up.
    type Key: Clone + Eq + Hash + Send + 'static;
    /// What is found.
    type Value: Clone + Send + 'static;

    /// Looks up all keys in one statement; what is not there is left out.
    fn find(
        &self,
        keys: Vec<Self::Key>,
    ) -> impl Future<Output = Result<HashMap<Self::Key, Self::Value>, ApiError>> + Send;
}

/// A lookup panicked.
#[derive(Debug, thiserror::Error)]
#[error("a lookup panicked")]
struct Panicked;

type Answer<B> = Result<Option<<B as Batch>::Value>, ApiError>;
type Waiting<B> = HashMap<<B as Batch>::Key, Vec<oneshot::Sender<Answer<B>>>>;

struct Queue<B: Batch> {
    waiting: Waiting<B>,
    running: usize,
}

/// Lookups of one kind. Cloning shares the queue.
pub(crate) struct Loader<B: Batch> {
    batch: Arc<B>,
    queue: Arc<Mutex<Queue<B>>>,
}

impl<B: Batch> Clone for Loader<B> {
    fn clone(&self) -> Self {
        Self { batch: Arc::clone(&self.batch), queue: Arc::clone(&self.queue) }
    }
}

impl<B: Batch> Loader<B> {
    /// Lookups in this.
    pub(crate) fn new(batch: B) -> Self {
        let queue = Queue { waiting: HashMap::new(), running: 0 };
        Self { batch: Arc::new(batch), queue: Arc::new(Mutex::new(queue)) }
    }

    /// What is there under this key, as it is now or later, never as it was before.
    pub(crate) async fn get(&self, key: B::Key) -> Answer<B> {
        let (reply, answer) = oneshot::channel();
        let begin = {
            let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
            queue.waiting.entry(key).or_default().push(reply);
            let begin = queue.running < RUNNING;
            queue.running += usize::from(begin);
            begin
        };
        if begin {
            // Nothing goes out before this is polled again, or dropped: what the same request asks for at once goes together,
            // however quickly another thread is at hand.
            let (asked, all_asked) = oneshot::channel::<()>();
            tokio::spawn(self.clone().run(all_asked));
            tokio::task::yield_now().await;
            drop(asked);
        }
        answer.await.unwrap_or(Err(ApiError::Overloaded))
    }

    async fn run(self, all_asked: oneshot::Receiver<()>) {
        // Only its end is waited for.
        drop(all_asked.await);
        while let Some(waiting) = self.take() {
            self.answer(waiting).await;
        }
    }

    /// Looks up all keys together; when one of them cannot be read, halves of them, until it is alone.
    async fn answer(&self, waiting: Waiting<B>) {
        let mut parts = vec![waiting];
        while let Some(mut part) = parts.pop() {
            let keys = part.keys().cloned().collect();
            let found = match AssertUnwindSafe(self.batch.find(keys)).catch_unwind().await {
                Ok(found) => found,
                Err(_panic) => Err(ApiError::Unreadable(Fault::of(Panicked))),
            };
            if matches!(found, Err(ApiError::Unreadable(_))) && part.len() > 1 {
                let half = part.keys().take(part.len() / 2).cloned().collect::<Vec<_>>();
                parts.push(half.into_iter().filter_map(|key| part.remove_entry(&key)).collect());
                parts.push(part);
                continue;
            }
            for (key, replies) in part {
                let answer = match &found {
                    Ok(found) => Ok(found.get(&key).cloned()),
                    Err(error) => Err(error.clone()),
                };
                for reply in replies {
                    // Who asked may be gone.
                    drop(reply.send(answer.clone()));
                }
            }
        }
    }

    /// The next keys to look up; nothing ends this runner.
    fn take(&self) -> Option<Waiting<B>> {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        if queue.waiting.is_empty() {
            queue.running -= 1;
            return None;
        }
        if queue.waiting.len() <= BATCH {
            return Some(std::mem::take(&mut queue.waiting));
        }
        let keys: Vec<B::Key> = queue.waiting.keys().take(BATCH).cloned().collect();
        Some(keys.into_iter().filter_map(|key| queue.waiting.remove_entry(&key)).collect())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures::future::join_all;

    use super::*;

    #[derive(Default)]
    struct Doubles {
        statements: Arc<AtomicUsize>,
    }

    impl Batch for Doubles {
        type Key = u32;
        type Value = u32;

        async fn find(&self, keys: Vec<u32>) -> Result<HashMap<u32, u32>, ApiError> {
            self.statements.fetch_add(1, Ordering::Relaxed);
            tokio::task::yield_now().await;
            if keys.contains(&13) {
                return Err(ApiError::TimedOut);
            }
            if keys.contains(&66) {
                return Err(ApiError::Unreadable(Fault::of(Panicked)));
            }
            assert!(!keys.contains(&77), "a panic on purpose");
            Ok(keys.into_iter().filter(|key| key % 2 == 0).map(|key| (key, key * 2)).collect())
        }
    }

    #[tokio::test]
    async fn what_is_asked_for_together_goes_out_together() {
        let statements = Arc::new(AtomicUsize::new(0));
        let loader = Loader::new(Doubles { statements: Arc::clone(&statements) });
        let found = join_all((0..12).map(|key| loader.get(key))).await;
        let found: Vec<_> = found.into_iter().map(|answer| answer.expect("an answer")).collect();
        assert_eq!(found[..4], [Some(0), None, Some(4), None]);
        assert_eq!(statements.load(Ordering::Relaxed), 1);
        assert!(loader.get(13).await.is_err());
        assert_eq!(loader.get(14).await.expect("an answer"), Some(28));
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn what_is_asked_for_together_goes_out_together_though_other_threads_wait_for_work() {
        for round in 0..200 {
            let statements = Arc::new(AtomicUsize::new(0));
            let loader = Loader::new(Doubles { statements: Arc::clone(&statements) });
            // As a request does: on a thread that others take work from.
            let asked = tokio::spawn(async move { join_all((100..130).map(|key| loader.get(key))).await });
            assert!(asked.await.expect("no panic").iter().all(Result::is_ok));
            assert_eq!(statements.load(Ordering::Relaxed), 1, "in round {round}");
        }
    }

    #[tokio::test]
    async fn whoever_is_gone_before_its_lookup_began_holds_nobody_up() {
        let loader = Loader::new(Doubles::default());
        for _ in 0..2 * RUNNING {
            let mut asked = Box::pin(loader.get(2));
            assert!(futures::poll!(&mut asked).is_pending());
            drop(asked);
        }
        assert_eq!(loader.get(4).await.expect("an answer"), Some(8));
    }

    #[tokio::test]
    async fn what_cannot_be_read_fails_alone_and_stops_nothing() {
        let loader = Loader::new(Doubles::default());
        for broken in [66, 77] {
            for _ in 0..2 * RUNNING {
                let keys = (20..30).chain([broken]);
                let ask = async |key| (key, loader.get(key).await);
                for (key, answer) in join_all(keys.map(ask)).await {
                    assert_eq!(answer.is_err(), key == broken, "{key}");
                }
            }
        }
    }
}
