//! Following the log with one version: batch after batch, until told to stop, fenced, or the log diverges.

use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use daybook_domain::{Clock, Timestamp};
use daybook_eventstore::{Checkpoint, Feed, FeedSource, Filter, Position, RecordedEvent, StoreError, Trace};
use sqlx::PgPool;
use tokio::task::JoinHandle;

use super::envelope::chain;
use super::error::{RuntimeError, TargetError};
use super::lock::VersionLock;
use super::metrics::{Lags, Meter};
use super::switch;
use super::target::{Batch, Purpose, Target};
use super::versions::{self, Status};

/// The largest batch, of the log's events, whether they are anything to the read model or not. A row that changes several
/// times in a batch is written once, so orders get cheaper up to here.
const MOST: usize = 16_384;
/// The first batch.
const FIRST: usize = 256;
/// How long a batch may take at all.
const LONGEST: Duration = Duration::from_mins(1);
/// How far apart live batches begin at least. A batch costs a commit however small it is, so under load events wait for
/// each other this long: too short for anybody who waits for what they wrote, and after a pause nobody waits at all.
const PACE: Duration = Duration::from_millis(8);
/// How long events that are nothing to the read model wait for one that is, since moving the checkpoint alone costs a
/// commit too. So long does a reader wait more who demands a position that the read model has nothing of.
const UNREAD: Duration = Duration::from_millis(25);
/// How often a version far behind looks where the head is.
const HEAD_INTERVAL: Duration = Duration::from_secs(1);
/// How often a busy version tells the register where it is, when its target keeps the checkpoint elsewhere.
const NOTE_INTERVAL: Duration = Duration::from_millis(200);
/// How often an idle version looks whether what it built is still there.
const IDLE_INTERVAL: Duration = Duration::from_secs(2);

/// What a projector needs to follow the log with any read model.
#[derive(Clone)]
pub struct Context {
    /// The log.
    pub log: FeedSource,
    /// The read primary.
    pub read: PgPool,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

/// Why following ended without an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    /// Another projector took over, or the version is no longer followed.
    Fenced,
    /// The log is no longer the one it was built from.
    Diverged,
    /// Its tables are gone, and its checkpoint is not.
    Gone,
}

/// One version of one read model, being followed.
pub(crate) struct Follower {
    pub(crate) context: Context,
    pub(crate) target: Arc<dyn Target>,
    pub(crate) name: &'static str,
    pub(crate) version: i32,
    pub(crate) lags: Lags,
}

/// What a target remembers on behalf of a follower; it goes with it.
struct Memory<'a>(&'a Follower);

impl Drop for Memory<'_> {
    fn drop(&mut self) {
        self.0.target.forget(self.0.version);
    }
}

/// What the log has for the read model up to a checkpoint.
struct Fetched {
    events: Vec<RecordedEvent>,
    to: Checkpoint,
}

struct Progress {
    at: Checkpoint,
    /// When the last event that was seen was recorded.
    recorded: Timestamp,
    size: usize,
    /// How long the last batch took.
    took: Duration,
    /// The head as last seen, and when.
    head: (Position, Instant),
    /// Whether it has been at the head since it was opened.
    caught_up: bool,
    /// Where the register was last told that it is, and when.
    noted: Option<(Position, Instant)>,
    /// What makes it the one that readers see; it comes to its own end.
    switching: Option<JoinHandle<()>>,
}

impl Progress {
    fn is_noted(&self) -> bool {
        self.noted.is_some_and(|(position, _)| position == self.at.position)
    }
}

impl Follower {
    /// Follows the log from the checkpoint on, alone: waits while another projector follows this version.
    pub(crate) async fn run(&self) -> Result<Ended, RuntimeError> {
        // Whoever follows it meanwhile tells how far behind it is.
        let held = || self.lags.forget(self.version);
        let _alone = VersionLock::acquire(&self.context.read, self.name, self.version, held).await;
        loop {
            let result = self.resume().await;
            match result {
                Err(RuntimeError::Target(TargetError::Gone)) => return Ok(Ended::Gone),
                Err(RuntimeError::Target(TargetError::Lost)) => {
                    tracing::warn!(
                        projection = self.name,
                        version = self.version,
                        "what was built is gone; building again"
                    );
                }
                Err(RuntimeError::Target(TargetError::Fenced)) => return Ok(Ended::Fenced),
                Err(RuntimeError::Log(StoreError::LogDiverged { .. })) => return Ok(Ended::Diverged),
                Err(error) => return Err(error),
                Ok(never) => match never {},
            }
        }
    }

    async fn resume(&self) -> Result<std::convert::Infallible, RuntimeError> {
        let _memory = Memory(self);
        let head = self.context.log.reader.head().await?;
        let start = Checkpoint::start(head.epoch);
        let at = self.target.checkpoint(self.version).await?.unwrap_or(start);
        let sources = Filter::default().of_aggregates(self.target.sources().iter().copied());
        let feed = Feed::open(self.context.log.clone(), self.name, &at).await?;
        let mut feed = feed.only_when_far(sources);
        let (stand, now) = ((at.position, head.position), self.context.clock.now());
        self.lags.resumed((self.name, self.version), stand, now);
        let head = (head.position, Instant::now());
        let mut progress = Progress {
            at,
            recorded: now,
            size: FIRST.max(self.target.least()),
            took: Duration::ZERO,
            head,
            caught_up: false,
            noted: None,
            switching: None,
        };
        self.settle(&mut progress, head.0).await?;
        let mut batch = self.next(&mut feed, &mut progress).await?;
        loop {
            let size = progress.size;
            batch = if batch.events.len() >= size || feed.is_far() {
                // Far behind: the next batch is read while this one is written.
                let applying = self.apply(batch, &mut progress, Purpose::CatchUp);
                match with_the_next(applying, feed.next(size)).await? {
                    Some(mut events) => {
                        // With what came while the other one was written.
                        events.extend(feed.at_hand(size.saturating_sub(events.len())));
                        Fetched { events, to: feed.checkpoint() }
                    }
                    None => self.next(&mut feed, &mut progress).await?,
                }
            } else {
                let began = Instant::now();
                self.apply(batch, &mut progress, Purpose::Live).await?;
                tokio::time::sleep(PACE.saturating_sub(began.elapsed())).await;
                self.next(&mut feed, &mut progress).await?
            };
        }
    }

    /// The next events; while there are none, makes sure that what was built is still there.
    async fn next(&self, feed: &mut Feed, progress: &mut Progress) -> Result<Fetched, RuntimeError> {
        loop {
            let patience = match progress.is_noted() {
                // There is something, whether it is anything to the read model or not.
                _ if feed.is_far() => LONGEST,
                true => IDLE_INTERVAL,
                false => NOTE_INTERVAL,
            };
            if let Ok(events) = tokio::time::timeout(patience, feed.next(progress.size)).await {
                return self.gather(events?, feed, progress).await;
            }
            if !progress.is_noted() {
                self.note(progress).await?;
                continue;
            }
            let there = self.target.checkpoint(self.version).await?;
            if progress.at.position > 0 && there.as_ref() != Some(&progress.at) {
                return Err(if there.is_none() { TargetError::Lost } else { TargetError::Fenced }.into());
            }
            progress.caught_up = false;
            self.settle(progress, progress.head.0).await?;
        }
    }

    /// The events, and more of them as long as none is anything to the read model.
    async fn gather(
        &self,
        mut events: Vec<RecordedEvent>,
        feed: &mut Feed,
        progress: &Progress,
    ) -> Result<Fetched, RuntimeError> {
        let until = tokio::time::Instant::now() + UNREAD;
        let mut looked_at = 0;
        while progress.caught_up
            && events.len() < progress.size
            && !events[looked_at..].iter().any(|event| self.reads(event))
        {
            looked_at = events.len();
            match tokio::time::timeout_at(until, feed.next(progress.size - looked_at)).await {
                Ok(more) => events.extend(more?),
                Err(_elapsed) => break,
            }
        }
        Ok(Fetched { events, to: feed.checkpoint() })
    }

    fn reads(&self, event: &RecordedEvent) -> bool {
        self.target.sources().contains(&event.aggregate_type.as_str())
    }

    async fn apply(
        &self,
        Fetched { events, to }: Fetched,
        progress: &mut Progress,
        purpose: Purpose,
    ) -> Result<(), RuntimeError> {
        if to == progress.at {
            return Ok(());
        }
        if let Some(last) = events.last() {
            progress.recorded = last.recorded_at;
        }
        let (count, started) = (events.len(), Instant::now());
        let upcasters = self.context.log.upcasters.clone();
        let batch = Batch { events, upcasters, from: progress.at, to, purpose };
        let traces = self.traces(&batch.events);
        let applying = tokio::time::timeout(LONGEST, self.target.apply(self.version, batch));
        let applied = applying.await.map_err(|_| TargetError::TimedOut)??;
        progress.at = to;
        self.note_applied(traces);
        progress.took = started.elapsed();
        let slow = progress.took > self.target.slow();
        progress.size = next_size(progress.size, count, slow).max(self.target.least());
        Meter::new(self.name, self.version).applied(count, progress.took, applied);
        // While events pour in there are more by now; those that there were before are what it had to have.
        let known = progress.head.0;
        self.look_ahead(progress, purpose).await?;
        let stand = (progress.at.position, progress.head.0);
        self.lags.moved(self.version, stand, progress.recorded, self.context.clock.now());
        if progress.noted.is_none_or(|(_, when)| when.elapsed() >= NOTE_INTERVAL) {
            self.note(progress).await?;
        }
        self.settle(progress, known).await
    }

    /// What the log lines of these events are to say, as far as anybody wants them and they are the read model's.
    fn traces(&self, events: &[RecordedEvent]) -> Vec<Trace> {
        let wanted = if tracing::enabled!(tracing::Level::DEBUG) { events } else { &[] };
        wanted.iter().filter(|event| self.reads(event)).map(RecordedEvent::trace).collect()
    }

    /// Leaves a line for each, for who follows one request through the processes.
    fn note_applied(&self, traces: Vec<Trace>) {
        let (projection, version) = (self.name, self.version);
        for Trace { position, event_type, correlation_id, trace_id } in traces {
            let correlation_id = correlation_id.map(tracing::field::display);
            tracing::debug!(projection, version, position, event_type, correlation_id, trace_id, "applied");
        }
    }

    /// Tells the register where the version is.
    async fn note(&self, progress: &mut Progress) -> Result<(), RuntimeError> {
        self.target.note(self.version, &progress.at).await?;
        progress.noted = Some((progress.at.position, Instant::now()));
        Ok(())
    }

    /// Keeps the known head of the log fresh enough, without asking for each small batch.
    async fn look_ahead(&self, progress: &mut Progress, purpose: Purpose) -> Result<(), RuntimeError> {
        let unsure = purpose == Purpose::Live && !progress.caught_up;
        if unsure || progress.head.1.elapsed() > HEAD_INTERVAL {
            progress.head = (self.context.log.reader.head().await?.position, Instant::now());
        }
        progress.head.0 = progress.head.0.max(progress.at.position);
        Ok(())
    }

    /// Once at what was the head a moment ago: lets readers see what they may see now.
    async fn settle(&self, progress: &mut Progress, head: Position) -> Result<(), RuntimeError> {
        if progress.caught_up || progress.at.position < head {
            return Ok(());
        }
        progress.caught_up = true;
        let versions = versions::list(&self.context.read, self.name).await?;
        let Some(this) = versions.into_iter().find(|row| row.version == self.version) else {
            return Err(TargetError::Fenced.into());
        };
        if this.checkpoint != progress.at {
            // It is compared with others by what the register says. This also heals what a zombie has noted.
            self.note(progress).await?;
        }
        if this.status == Status::Live {
            self.target.caught_up(self.version).await?;
            // Of an empty log nothing was built that readers could see: they are to see the first thing that is.
            progress.caught_up = progress.at.position > 0;
        } else if this.switch_when_ready {
            self.take_over(progress);
            // Until it is live.
            progress.caught_up = false;
        }
        Ok(())
    }

    /// Has the live version held back, and follows on meanwhile, to take over from it. When that was not to be, the live
    /// one is let go for as long before it is held back again.
    fn take_over(&self, progress: &mut Progress) {
        if progress.switching.as_ref().is_some_and(|switching| !switching.is_finished()) {
            return;
        }
        let (read, target) = (self.context.read.clone(), Arc::clone(&self.target));
        let (name, version, took) = (self.name, self.version, progress.took);
        progress.switching = Some(tokio::spawn(async move {
            let began = Instant::now();
            let Err(error) = switch::switch(&read, target.as_ref(), (name, version), took).await else {
                return;
            };
            tracing::info!(projection = name, version, error = chain(&error), "not taken over yet");
            tokio::time::sleep(began.elapsed()).await;
        }));
    }
}

/// The next batch, read while the one before it is applied; nothing when it does not come soon after, since the one
/// before it may have ended at the head.
async fn with_the_next(
    applying: impl Future<Output = Result<(), RuntimeError>>,
    reading: impl Future<Output = Result<Vec<RecordedEvent>, StoreError>>,
) -> Result<Option<Vec<RecordedEvent>>, RuntimeError> {
    let (mut applying, mut reading) = (pin!(applying), pin!(reading));
    tokio::select! {
        applied = &mut applying => {
            applied?;
            Ok(tokio::time::timeout(IDLE_INTERVAL, reading).await.ok().transpose()?)
        }
        next = &mut reading => {
            let next = next?;
            applying.await?;
            Ok(Some(next))
        }
    }
}

/// Doubles while batches are full and quick, halves when one was slow.
fn next_size(size: usize, count: usize, slow: bool) -> usize {
    if slow {
        (size / 2).max(1)
    } else if count >= size {
        (size * 2).min(MOST)
    } else {
        size
    }
}
