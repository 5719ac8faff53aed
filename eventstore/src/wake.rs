//! A wake-up when the log grows, by `LISTEN/NOTIFY`, so that nothing polls when idle.

use std::time::Duration;

use sqlx::PgPool;
use sqlx::postgres::PgListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::event::Position;

/// The channel that the append function notifies.
const CHANNEL: &str = "daybook_events";
/// How often a reader looks without having been woken: a lost notification costs this much, never an event.
const SAFETY_INTERVAL: Duration = Duration::from_secs(1);
/// How long to wait before listening again after the connection failed.
const RECONNECT: Duration = Duration::from_millis(250);

/// Tells followers of the log that there may be something new.
#[derive(Debug, Clone)]
pub struct Wake {
    seen: watch::Receiver<Position>,
}

impl Wake {
    /// Listens on the primary until the returned handle is aborted.
    pub fn listen(pool: PgPool) -> (Self, JoinHandle<()>) {
        let (tell, seen) = watch::channel(0);
        (Self { seen }, tokio::spawn(follow(pool, tell)))
    }

    /// The last position that was told of; the log may be further.
    pub fn position(&self) -> Position {
        *self.seen.borrow()
    }

    /// Waits until the log has grown since the last call, or a safety interval has passed.
    pub async fn wait(&mut self) {
        let woken = tokio::time::timeout(SAFETY_INTERVAL, self.seen.changed()).await;
        if matches!(woken, Ok(Err(_))) {
            // The listener is gone: without it, this is the interval's pace.
            tokio::time::sleep(SAFETY_INTERVAL).await;
        }
    }
}

async fn follow(pool: PgPool, tell: watch::Sender<Position>) {
    loop {
        if let Err(error) = listen_once(&pool, &tell).await {
            tracing::warn!(%error, "lost the log's notifications; listening again");
        }
        tokio::time::sleep(RECONNECT).await;
    }
}

async fn listen_once(pool: &PgPool, tell: &watch::Sender<Position>) -> Result<(), sqlx::Error> {
    let mut listener = PgListener::connect_with(pool).await?;
    listener.listen(CHANNEL).await?;
    // What was appended while nobody listened.
    tell.send_modify(|_| {});
    loop {
        let position = listener.recv().await?.payload().parse().unwrap_or(0);
        tell.send_replace(position);
    }
}
