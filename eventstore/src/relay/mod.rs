//! From the log to the stream: one leader publishes every event once, in the order of positions. The stream itself
//! says how far it got. It reads only what is committed, and never writes to the database.

mod progress;
mod publish;
mod resume;

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use daybook_domain::Clock;
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;

use self::progress::Progress;
use self::resume::Place;
use crate::bounded::bounded;
use crate::error::StoreError;
use crate::partition::Archives;
use crate::process::Flag;
use crate::process::Leadership;
use crate::process::config::PgUrl;
use crate::reader::LogReader;
use crate::stream::{EventStream, StreamError, StreamLimits};
use crate::wake::Wake;

/// How many events are read, and then on their way, at once.
const BATCH: usize = 512;
/// The pauses after failures.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// How soon the leadership is had that nobody else has.
const AT_ONCE: Duration = Duration::from_secs(1);

/// What a relay is told.
#[derive(Debug, Clone)]
pub struct RelayConfig {
    /// The log's primary.
    pub events: PgUrl,
    /// Where events are read that have left the database.
    pub archives: Option<Archives>,
    /// How much the stream keeps.
    pub limits: StreamLimits,
    /// How many events before the head a new stream begins.
    pub republish: u32,
}

/// Publishes the log to the stream while it is the leader, and stands by while another one is.
pub struct Relay {
    config: RelayConfig,
    reader: LogReader,
    wake: Wake,
    stream: EventStream,
    clock: Arc<dyn Clock>,
    flag: Flag,
    progress: Progress,
}

impl std::fmt::Debug for Relay {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Relay").field("config", &self.config).finish_non_exhaustive()
    }
}

/// Why publishing stopped.
#[derive(Debug, thiserror::Error)]
enum RelayError {
    #[error("the log cannot be read")]
    Log(#[from] StoreError),
    #[error("the stream cannot be written")]
    Stream(#[from] StreamError),
    #[error("the log is not the one that was published")]
    OtherLog,
}

impl Relay {
    /// A relay; `flag` is told whether the stream can be written.
    pub fn new(
        config: RelayConfig,
        pool: PgPool,
        wake: Wake,
        stream: EventStream,
        clock: Arc<dyn Clock>,
        flag: Flag,
    ) -> Self {
        Self {
            reader: LogReader::new(pool).with_archives(config.archives.clone()),
            config,
            wake,
            stream,
            clock,
            flag,
            progress: Progress::default(),
        }
    }

    /// Publishes until the token is cancelled.
    pub async fn run(mut self, shutdown: CancellationToken) {
        let _woken = self.wake.want();
        let serve = async {
            loop {
                let mut leadership = self.stand_by().await;
                progress::leading(true);
                tokio::select! {
                    () = leadership.lost() => tracing::warn!("lost the leadership: standing by"),
                    () = self.publish_on() => tracing::warn!("giving the leadership up"),
                }
                progress::leading(false);
            }
        };
        tokio::select! {
            () = serve => {}
            () = shutdown.cancelled() => {}
        }
    }

    /// Waits for the leadership, ready to take over. Whoever has it at once is not: it may have given it up a moment ago,
    /// and nobody else wanted it.
    async fn stand_by(&self) -> Leadership {
        let work = format!("relay {}", self.stream.name());
        let mut acquiring = pin!(Leadership::acquire(&self.config.events, &work));
        tokio::select! {
            leadership = &mut acquiring => return leadership,
            () = tokio::time::sleep(AT_ONCE) => self.flag.standby(),
        }
        acquiring.await
    }

    /// Publishes, beginning anew from what the stream says after each failure, until nothing helps: then another
    /// relay may reach what this one does not.
    async fn publish_on(&mut self) {
        let mut pause = FIRST_PAUSE;
        loop {
            let published = self.progress.published();
            let Err(error) = self.forward().await;
            if self.progress.published() > published {
                pause = FIRST_PAUSE;
            }
            tracing::warn!(error = &error as &dyn std::error::Error, "publishing stopped; trying again");
            self.flag.down(&error.to_string());
            self.progress.report(self.wake.position(), self.clock.now());
            tokio::time::sleep(pause).await;
            pause = pause.saturating_mul(2);
            if pause > LONGEST_PAUSE {
                return;
            }
        }
    }

    async fn forward(&mut self) -> Result<Infallible, RelayError> {
        let mut at = self.resume().await?;
        self.progress.resumed(at.position);
        self.flag.up();
        tracing::info!(position = at.position, sequence = at.sequence, "publishing");
        loop {
            let events = bounded(self.reader.read(at.position, BATCH)).await?;
            if events.is_empty() {
                self.check(at).await?;
            } else {
                at = self.publish(at, &events).await?;
            }
            self.progress.report(self.wake.position(), self.clock.now());
            // What was told of is published; a notification that was lost costs the safety interval.
            if self.wake.position() <= at.position {
                self.wake.wait().await;
            }
        }
    }

    /// Whether the stream is there, and the log is still the one that was published.
    async fn check(&self, at: Place) -> Result<(), RelayError> {
        self.stream.connected().await?;
        let head = bounded(self.reader.head()).await?;
        let same = head.epoch == at.epoch && head.position >= at.position;
        if same { Ok(()) } else { Err(RelayError::OtherLog) }
    }
}
