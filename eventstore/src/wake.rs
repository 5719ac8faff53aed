//! A wake-up when the log grows, by `LISTEN/NOTIFY`, so that nothing polls when idle.

use std::time::Duration;

use sqlx::postgres::PgListener;
use sqlx::{PgPool, Row};
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

    /// Waits until the log has grown since the last call, or a safety interval has passed; says whether it has grown.
    pub async fn wait(&mut self) -> bool {
        match tokio::time::timeout(SAFETY_INTERVAL, self.seen.changed()).await {
            Ok(Ok(())) => true,
            Ok(Err(_gone)) => {
                // The listener is gone: without it, this is the interval's pace.
                tokio::time::sleep(SAFETY_INTERVAL).await;
                false
            }
            Err(_elapsed) => false,
        }
    }
}

async fn follow(pool: PgPool, tell: watch::Sender<Position>) {
    loop {
        let lost = listen_once(&pool, &tell).await.err().map(|error| error.to_string());
        tracing::warn!(error = lost, "lost the log's notifications; listening again");
        tokio::time::sleep(RECONNECT).await;
    }
}

async fn listen_once(pool: &PgPool, tell: &watch::Sender<Position>) -> Result<(), sqlx::Error> {
    let mut listener = PgListener::connect_with(pool).await?;
    listener.listen(CHANNEL).await?;
    // What was appended while nobody listened.
    let head = sqlx::query("SELECT position FROM log_head").fetch_one(&mut listener).await?;
    tell.send_replace(head.try_get(0)?);
    while let Some(told) = listener.try_recv().await? {
        tell.send_replace(told.payload().parse().unwrap_or(0));
    }
    // The connection is gone, and notifications with it.
    Ok(())
}
