//! Keeping the directory of events by their types (`migrations/events/0012_event_directory.sql`): whoever fills a block
//! of the log enters it, after those who waited have been answered. When that fails, whoever fills the next one does.

use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions as _, PgConnection, Row};
use tokio::sync::watch;

use crate::bounded::bounded;
use crate::error::StoreError;
use crate::event::Position;
use crate::reader::BLOCK;

/// How many blocks one statement enters.
const AT_ONCE: i32 = 64;
/// How long an entry that failed is left alone.
const PAUSE: Duration = Duration::from_secs(1);

/// Tells the keeper how far this process's appends have come.
#[derive(Debug)]
pub(crate) struct Keeper {
    /// The block that the log has reached; where it stood when this process came is not its doing.
    block: watch::Sender<Option<i64>>,
}

impl Keeper {
    /// Starts keeping the directory of this database; ends when the keeper is dropped.
    pub(crate) fn start(database: PgConnectOptions) -> Self {
        let (block, mut blocks) = watch::channel(None);
        tokio::spawn(async move {
            let mut open = None;
            while blocks.changed().await.is_ok() {
                if let Err(error) = extend(&mut open, &database).await {
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        "the event directory stays behind"
                    );
                    tokio::time::sleep(PAUSE).await;
                }
            }
        });
        Self { block }
    }

    /// Notes that the log has reached this position.
    pub(crate) fn reached(&self, position: Position) {
        let reached = position / BLOCK;
        self.block.send_if_modified(|block| {
            let filled = block.is_some_and(|known| known < reached);
            *block = (*block).max(Some(reached));
            filled
        });
    }
}

/// Enters all full blocks, on a connection that is kept for the next time when nothing is wrong with it.
async fn extend(open: &mut Option<PgConnection>, database: &PgConnectOptions) -> Result<(), StoreError> {
    let connection = open.take();
    let enter = async {
        let mut connection = match connection {
            Some(connection) => connection,
            None => database.connect().await?,
        };
        loop {
            let entered = sqlx::query("SELECT extend_event_directory($1)").bind(AT_ONCE);
            let left: Option<i64> = entered.fetch_one(&mut connection).await?.try_get(0)?;
            // Who else is at it enters them all.
            if left.unwrap_or(0) == 0 {
                return Ok(connection);
            }
        }
    };
    *open = Some(bounded(enter).await?);
    Ok(())
}
