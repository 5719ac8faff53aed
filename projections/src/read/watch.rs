//! Read your writes: waiting until the replica has a read model at a position. One task per process asks the
//! replica on behalf of all who wait, and asks nothing while nobody does.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use daybook_eventstore::Position;
use sqlx::{PgPool, Row};
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// How often the replica is asked while somebody waits.
const INTERVAL: Duration = Duration::from_millis(2);
/// How long an answer of the replica is good enough to be used without asking again.
const FRESH: Duration = Duration::from_millis(500);
/// How long one question may take.
const LIMIT: Duration = Duration::from_secs(1);

/// The replica does not have it yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the read model is at position {position}, {distance} behind")]
pub struct Behind {
    /// Where the read model is on the replica; 0 when it was never built or cannot be asked.
    pub position: Position,
    /// How many positions are missing.
    pub distance: i64,
}

/// The positions of the live read models on the replica.
#[derive(Debug, Clone)]
pub struct ReplicaWatch {
    shared: Arc<Shared>,
    seen: watch::Receiver<Seen>,
}

#[derive(Debug, Default)]
struct Shared {
    waiting: AtomicUsize,
    arrived: Notify,
}

#[derive(Debug, Clone, Default)]
struct Seen {
    positions: HashMap<String, Position>,
    at: Option<Instant>,
}

impl Seen {
    fn position(&self, name: &str) -> Position {
        self.positions.get(name).copied().unwrap_or(0)
    }

    fn is_fresh(&self) -> bool {
        self.at.is_some_and(|at| at.elapsed() < FRESH)
    }
}

/// Counts one who waits, for as long as it lives.
struct Waiting<'a>(&'a Shared);

impl<'a> Waiting<'a> {
    fn new(shared: &'a Shared) -> Self {
        shared.waiting.fetch_add(1, Ordering::AcqRel);
        shared.arrived.notify_one();
        Self(shared)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::AcqRel);
    }
}

impl ReplicaWatch {
    /// Watches this replica until the returned handle is aborted.
    pub fn start(replica: PgPool) -> (Self, JoinHandle<()>) {
        let (tell, seen) = watch::channel(Seen::default());
        let shared = Arc::new(Shared::default());
        let task = tokio::spawn(follow(replica, Arc::clone(&shared), tell));
        (Self { shared, seen }, task)
    }

    /// Waits until the live version of read model `name` has `after` on the replica, at most for `limit`.
    ///
    /// # Errors
    /// [`Behind`] when it does not have it by then, with the distance.
    pub async fn wait_for(&self, name: &str, after: Position, limit: Duration) -> Result<(), Behind> {
        let known = {
            let seen = self.seen.borrow();
            seen.is_fresh() && seen.position(name) >= after
        };
        if known || after <= 0 {
            return Ok(());
        }
        let _waiting = Waiting::new(&self.shared);
        let mut seen = self.seen.clone();
        seen.mark_unchanged();
        let reached = seen.wait_for(|seen| seen.is_fresh() && seen.position(name) >= after);
        if let Ok(Ok(_)) = tokio::time::timeout(limit, reached).await {
            return Ok(());
        }
        let position = self.seen.borrow().position(name);
        Err(Behind { position, distance: (after - position).max(0) })
    }
}

async fn follow(replica: PgPool, shared: Arc<Shared>, tell: watch::Sender<Seen>) {
    loop {
        if shared.waiting.load(Ordering::Acquire) == 0 {
            shared.arrived.notified().await;
        }
        match tokio::time::timeout(LIMIT, ask(&replica)).await {
            Ok(Ok(positions)) => drop(tell.send_replace(Seen { positions, at: Some(Instant::now()) })),
            Ok(Err(error)) => tracing::warn!(%error, "cannot ask the replica how far it is"),
            Err(_) => tracing::warn!("the replica does not say in time how far it is"),
        }
        tokio::time::sleep(INTERVAL).await;
    }
}

async fn ask(replica: &PgPool) -> Result<HashMap<String, Position>, sqlx::Error> {
    // A version of another log says nothing about this one's positions.
    let statement = "SELECT name, position FROM projections WHERE status = 'live' AND NOT diverged";
    let rows = sqlx::query(statement).fetch_all(replica).await?;
    rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
}
