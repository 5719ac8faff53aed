//! Runs a process: follows the log, reacts in lanes, and remembers how far it is.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use daybook_eventstore::{Checkpoint, Checkpoints, Feed, RecordedEvent, StoreError, Trace, Upcasters};
use futures::FutureExt;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::lanes::Lanes;
use super::put_off::{again, once_readable};
use super::watermark::Watermark;
use super::{Process, ProcessError, Progress, Reaction};
use crate::timers::{Timer, Timers};

/// How many events are in hand at once; the log waits for the rest.
const IN_HAND: usize = 1_024;
/// How far the log is read beyond a reaction that does not end: 16 MB of checkpoints, and as much to be read again after a
/// restart.
const SPAN: usize = 262_144;
/// How many events are read at once.
const BATCH: usize = 256;
/// How often the checkpoint is written when it has moved.
const CHECKPOINT_EVERY: Duration = Duration::from_millis(250);
/// The first pause before a failed reaction is run again; it doubles up to [`MAX_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const MAX_PAUSE: Duration = Duration::from_secs(5);
/// How often a refused reaction is run again at once before it is put off.
const REFUSALS: u32 = 3;

/// What running a process needs.
#[derive(Clone)]
pub struct Runner {
    /// Where checkpoints are kept.
    pub checkpoints: Checkpoints,
    /// Where what is put off is kept.
    pub timers: Timers,
    /// What brings events to today's shape.
    pub upcasters: Upcasters,
    /// The time.
    pub clock: Arc<dyn daybook_domain::Clock>,
}

/// Follows the log with `process` from its checkpoint until `shutdown`.
///
/// # Errors
/// When the log cannot be followed; what was done stands, and running again goes on from there.
pub async fn run(
    process: Arc<dyn Process>,
    runner: Runner,
    feed: Feed,
    from: Checkpoint,
    shutdown: CancellationToken,
) -> Result<(), StoreError> {
    let (read, mut events) = mpsc::channel(2);
    let reader = tokio::spawn(follow(feed, read));
    let mut work = Work::new(process, runner, from);
    let mut saved = from.position;
    let mut tick = tokio::time::interval(CHECKPOINT_EVERY);
    let followed = loop {
        tokio::select! {
            () = shutdown.cancelled() => break Ok(()),
            batch = events.recv(), if work.has_room() => match batch {
                Some(Ok(batch)) => work.begin(&batch),
                Some(Err(error)) => break Err(error),
                None => break Err(StoreError::Closed),
            },
            // A reaction never panics through, and is only cancelled with the whole process.
            Some(Ok((key, position))) = work.running.join_next() => work.end(key, position),
            _ = tick.tick() => saved = work.save(saved).await?,
        }
    };
    reader.abort();
    work.drain().await;
    work.save(saved).await?;
    followed
}

async fn follow(mut feed: Feed, read: mpsc::Sender<Result<Vec<(Checkpoint, RecordedEvent)>, StoreError>>) {
    loop {
        let epoch = feed.checkpoint().epoch;
        let with_stand = |event| (Checkpoint::on(epoch, &event), event);
        let batch = feed.next(BATCH).await.map(|events| events.into_iter().map(with_stand).collect());
        let failed = batch.is_err();
        if read.send(batch).await.is_err() || failed {
            return;
        }
    }
}

struct Work {
    process: Arc<dyn Process>,
    runner: Runner,
    lanes: Lanes,
    watermark: Watermark,
    running: JoinSet<(Uuid, i64)>,
    in_hand: usize,
}

impl Work {
    fn new(process: Arc<dyn Process>, runner: Runner, from: Checkpoint) -> Self {
        Self {
            process,
            runner,
            lanes: Lanes::default(),
            watermark: Watermark::new(from),
            running: JoinSet::new(),
            in_hand: 0,
        }
    }

    fn has_room(&self) -> bool {
        self.in_hand < IN_HAND && self.watermark.span() < SPAN
    }

    fn begin(&mut self, batch: &[(Checkpoint, RecordedEvent)]) {
        for (stand, event) in batch {
            self.watermark.begin(*stand);
            self.process.hear(event);
            let reaction = match self.read(event) {
                Ok(reaction) => reaction,
                Err(error) => {
                    self.leave_unread(event, &error);
                    continue;
                }
            };
            let keyed = reaction.and_then(|reaction| Some((self.process.key(&reaction)?, reaction)));
            let Some((key, reaction)) = keyed else {
                self.watermark.end(event.position);
                continue;
            };
            self.in_hand += 1;
            if let Some(reaction) = self.lanes.enter(key, reaction) {
                self.spawn(key, reaction);
            }
        }
    }

    fn read(&self, event: &RecordedEvent) -> Result<Option<Reaction>, StoreError> {
        if !self.process.follows(&event.aggregate_type) {
            return Ok(None);
        }
        Reaction::to(event, self.process.name(), &self.runner.upcasters)
    }

    /// Puts off what this program cannot read: it costs this event a delay, and the others nothing.
    fn leave_unread(&mut self, event: &RecordedEvent, error: &StoreError) {
        let (process, runner, position) = (Arc::clone(&self.process), self.runner.clone(), event.position);
        metrics::counter!("daybook_process_put_off_total", "process" => process.name()).increment(1);
        let Trace { event_type, correlation_id, trace_id, .. } = event.trace();
        tracing::error!(
            process = process.name(),
            position,
            event_type,
            correlation_id = correlation_id.map(tracing::field::display),
            trace_id,
            error = error as &dyn std::error::Error,
            "an event that cannot be read is put off; somebody should look"
        );
        let (timer, event_id) = (once_readable(process.as_ref(), event, runner.clock.now()), event.event_id);
        self.in_hand += 1;
        self.running.spawn(async move {
            put_off(process.as_ref(), &runner, timer).await;
            // No lane has this key.
            (event_id, position)
        });
    }

    fn spawn(&mut self, key: Uuid, reaction: Reaction) {
        let (process, runner) = (Arc::clone(&self.process), self.runner.clone());
        self.running.spawn(async move {
            let run = AssertUnwindSafe(react(process.as_ref(), &runner, &reaction)).catch_unwind();
            if run.await.is_err() {
                // A bug: it costs this reaction a delay and nobody else anything.
                metrics::counter!("daybook_process_panics_total", "process" => process.name()).increment(1);
                put_off(process.as_ref(), &runner, again(process.as_ref(), &reaction, runner.clock.now()))
                    .await;
            }
            (key, reaction.position)
        });
    }

    fn end(&mut self, key: Uuid, position: i64) {
        self.in_hand -= 1;
        self.watermark.end(position);
        if let Some(next) = self.lanes.leave(key) {
            self.spawn(key, next);
        }
    }

    async fn save(&self, saved: i64) -> Result<i64, StoreError> {
        let done = self.watermark.done();
        if done.position > saved {
            self.runner.checkpoints.save(self.process.name(), &done).await?;
            metrics::gauge!("daybook_process_position", "process" => self.process.name())
                .set(u32::try_from(done.position).unwrap_or(u32::MAX));
        }
        Ok(done.position)
    }

    /// Lets the running reactions end, within a bound.
    async fn drain(&mut self) {
        let ended = async {
            while let Some(Ok((key, position))) = self.running.join_next().await {
                self.end(key, position);
            }
        };
        if tokio::time::timeout(MAX_PAUSE, ended).await.is_err() {
            tracing::warn!("stopped with reactions still running; they are run again");
        }
    }
}

/// Runs a reaction until it need not be kept in memory: it came to its end, or it is put off durably because it
/// waits for the outside or was refused. While the store is away it is run again and again.
async fn react(process: &dyn Process, runner: &Runner, reaction: &Reaction) {
    let later = async || put_off(process, runner, again(process, reaction, runner.clock.now())).await;
    let mut pause = FIRST_PAUSE;
    let mut refusals = 0;
    loop {
        match process.react(reaction).await {
            Ok(Progress::Done) => return,
            Ok(Progress::Waiting) => return later().await,
            Err(error) => {
                refusals += u32::from(!error.is_transient());
                note_failure(process, reaction, &error, refusals);
                if refusals >= REFUSALS {
                    return later().await;
                }
            }
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(MAX_PAUSE);
    }
}

/// Leaves it to a timer, however long it takes to set one.
async fn put_off(process: &dyn Process, runner: &Runner, timer: Timer) {
    let mut pause = FIRST_PAUSE;
    while let Err(error) = runner.timers.schedule(std::slice::from_ref(&timer)).await {
        tracing::warn!(process = process.name(), %error, "a timer could not be set; trying again");
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(MAX_PAUSE);
    }
}

fn note_failure(process: &dyn Process, reaction: &Reaction, error: &ProcessError, refusals: u32) {
    let (process, position) = (process.name(), reaction.position);
    let (correlation_id, trace_id) = (reaction.correlation_id(), reaction.trace_id());
    let error = error as &dyn std::error::Error;
    if refusals >= REFUSALS {
        metrics::counter!("daybook_process_put_off_total", "process" => process).increment(1);
        tracing::error!(
            process, position, %correlation_id, trace_id, error,
            "a reaction is put off; somebody should look"
        );
    } else {
        metrics::counter!("daybook_process_retries_total", "process" => process).increment(1);
        tracing::warn!(
            process, position, %correlation_id, trace_id, error,
            "a reaction failed and will be run again"
        );
    }
}
