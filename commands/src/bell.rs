//! Wakes a task of this process when another task, or another process through the database, has work for it.

use std::time::Duration;

use daybook_eventstore::Listener;
use sqlx::PgPool;
use tokio::sync::Notify;

/// How long to wait before listening again after the connection failed.
const RECONNECT: Duration = Duration::from_millis(250);

/// Rings are never lost between two waits, but many may be heard as one.
#[derive(Debug, Default)]
pub(crate) struct Bell {
    rung: Notify,
}

impl Bell {
    /// Rings it.
    pub(crate) fn ring(&self) {
        self.rung.notify_one();
    }

    /// Waits until it rings, or for `at_most`.
    pub(crate) async fn wait(&self, at_most: Duration) {
        // Both ends mean the same: go and look.
        let _ = tokio::time::timeout(at_most, self.rung.notified()).await;
    }

    /// Rings it at every notification on the database's `channel`, for ever.
    pub(crate) async fn follow(&self, pool: &PgPool, channel: &str) {
        loop {
            if let Err(error) = self.follow_once(pool, channel).await {
                tracing::warn!(%error, channel, "lost the database's notifications; listening again");
            }
            tokio::time::sleep(RECONNECT).await;
        }
    }

    async fn follow_once(&self, pool: &PgPool, channel: &str) -> Result<(), sqlx::Error> {
        let mut listener = Listener::listen(&pool.connect_options(), channel).await?;
        // What was notified while nobody listened.
        self.ring();
        loop {
            listener.heard().await?;
            self.ring();
        }
    }
}
