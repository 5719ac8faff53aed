//! What every follower of the log reads from: each event once, in order, with none missing, from wherever it can
//! be had soonest. It never skips: what the stream does not deliver comes from the database.
//!
//! Far behind the head it reads the log in large batches. Near the head it takes what the stream delivers. When that
//! has been silent for a while, the database is asked whether the stream owes something; if so, the log's own
//! notifications and the database are the source until the stream delivers again. Who wants only some of the events
//! has the log searched for them while it is far behind, and the others left out near the head.

mod live;
mod log;
mod tail;

use std::time::Duration;

use metrics::{Counter, counter};
use tokio::time::Instant;

pub use self::live::{Live, Route, Watch};
use self::log::Log;
use self::tail::{Next, Tail};
use crate::checkpoint::Checkpoint;
use crate::error::StoreError;
use crate::event::{Position, RecordedEvent};
use crate::reader::{Filter, LogReader};
use crate::stream::EventStream;
use crate::upcast::Upcasters;
use crate::wake::{Wake, Wanted};

/// How near to the head the stream takes over from the database.
const REACH: Position = 4_096;
/// How near behind the feed the stream is when it is trusted to overtake it.
const NEAR: Position = 256;
/// How long the stream may take to deliver what the log has told of.
const PATIENCE: Duration = Duration::from_millis(50);

/// Where a feed reads.
#[derive(Debug, Clone)]
pub struct FeedSource {
    /// The log, on the primary.
    pub reader: LogReader,
    /// What tells that the log has grown.
    pub wake: Wake,
    /// The stream that delivers what is new; without it, the feed follows the log itself.
    pub stream: Option<EventStream>,
    /// What brings events to today's shape for who decodes them. The feed gives them as they are stored, since a
    /// checkpoint is taken of that, and one that no step can read stops nobody but whom it concerns.
    pub upcasters: Upcasters,
}

/// A follower's view of the log, from its checkpoint on.
#[derive(Debug)]
pub struct Feed {
    log: Log,
    wake: Wake,
    stream: Option<EventStream>,
    at: Checkpoint,
    /// Which events are given, and whether near the head all are.
    filter: Filter,
    all_when_near: bool,
    /// The stream's end, while the feed is near the head.
    tail: Option<Tail>,
    /// Wants to be woken by the log; nothing while the stream delivers what is new.
    wanted: Option<Wanted>,
    /// When to read the database, because the stream should have delivered by then.
    overdue: Option<Instant>,
    /// What the log had told of when the database was last read to its end. It is compared and never counted on: a log
    /// that was restored tells of less than before.
    seen: Position,
    /// How many events came from where.
    from_stream: Counter,
    from_log: Counter,
}

impl Feed {
    /// The events after a checkpoint, for the follower of this name.
    ///
    /// # Errors
    /// [`StoreError::LogDiverged`] when the log is not the one the checkpoint was taken of.
    pub async fn open(source: FeedSource, name: &str, after: &Checkpoint) -> Result<Self, StoreError> {
        let count = |from: &'static str| counter!("daybook_feed_events_total", "feed" => name.to_owned(), "source" => from);
        Ok(Self {
            log: Log::open(source.reader, name, after).await?,
            wanted: Some(source.wake.want()),
            wake: source.wake,
            stream: source.stream,
            at: *after,
            filter: Filter::default(),
            all_when_near: false,
            tail: None,
            overdue: None,
            seen: 0,
            from_stream: count("stream"),
            from_log: count("postgres"),
        })
    }

    /// The same feed, which gives only the events that meet this. Its checkpoint passes the others.
    #[must_use]
    pub fn only(mut self, filter: Filter) -> Self {
        self.log.forget_search();
        Self { filter, all_when_near: false, ..self }
    }

    /// The same feed, which gives only the events that meet this while it is [far](Self::is_far) behind the head, and all
    /// of them near it: for who wants to know where the head is all the same, and to catch up soon.
    #[must_use]
    pub fn only_when_far(self, filter: Filter) -> Self {
        Self { all_when_near: true, ..self.only(filter) }
    }

    /// Waits until there is something new, and gives at most `max` events of it. They follow the last ones given
    /// without a hole. After an error the same call may be made again; dropping the future loses nothing.
    ///
    /// A feed of [only](Self::only) some events, for as long, gives nothing when its checkpoint has passed others and none of them.
    ///
    /// # Errors
    /// When the database does not answer, or is not the same log any more.
    pub async fn next(&mut self, max: usize) -> Result<Vec<RecordedEvent>, StoreError> {
        if self.is_searched() { self.search(max).await } else { self.more(max).await }
    }

    /// Waits until there is something new: at most `max` events, or fewer when not all of them are wanted.
    async fn more(&mut self, max: usize) -> Result<Vec<RecordedEvent>, StoreError> {
        loop {
            self.approach();
            let (delivered, hole) = self.delivered(max);
            if !delivered.is_empty() {
                return Ok(self.given(delivered));
            }
            let missing = match hole {
                Some(from) => usize::try_from(from - self.at.position - 1).unwrap_or(max).min(max),
                None if self.tail.is_none() || self.must_read().await => max,
                None => continue,
            };
            let read = self.read(missing).await?;
            if !read.is_empty() {
                // A hole is the stream's past; everything else is what it should have delivered.
                self.trust_stream(hole.is_some() && self.wanted.is_none());
                self.from_log.increment(read.len().try_into().unwrap_or(u64::MAX));
                return Ok(self.given(read));
            }
            if self.tail.is_none() || hole.is_some() {
                self.wake.wait().await;
            }
        }
    }

    /// What is wanted of the next part of the log, which may be nothing.
    async fn search(&mut self, max: usize) -> Result<Vec<RecordedEvent>, StoreError> {
        let (events, reached) = self.log.search(&self.at, &self.filter, max).await?;
        self.from_log.increment(events.len().try_into().unwrap_or(u64::MAX));
        self.at = reached;
        Ok(events)
    }

    /// Whether the log is to be searched for what is wanted, rather than read whole.
    fn is_searched(&mut self) -> bool {
        if self.log.is_searched() {
            return true;
        }
        let searched = !self.is_near() && !self.filter.is_everything();
        if searched {
            // It would fill up meanwhile.
            self.tail = None;
            self.trust_stream(false);
        }
        searched
    }

    /// At most `max` events that are new and need not be waited for, as far as the stream has delivered them.
    pub fn at_hand(&mut self, max: usize) -> Vec<RecordedEvent> {
        if self.log.is_searched() {
            return Vec::new();
        }
        let (delivered, _hole) = self.delivered(max);
        self.given(delivered)
    }

    /// Where the follower stands when it has dealt with all events that were given.
    pub const fn checkpoint(&self) -> Checkpoint {
        self.at
    }

    /// How many events the log is known to have after the last one that was given.
    pub fn behind(&self) -> Position {
        (self.wake.position().max(self.log.head()) - self.at.position).max(0)
    }

    /// Whether it is so far behind the head that the stream is of no use, and the log is read in large batches.
    pub fn is_far(&self) -> bool {
        self.log.is_searched() || !self.is_near()
    }

    fn is_near(&self) -> bool {
        self.told().max(self.log.head()) - self.at.position <= REACH
    }

    /// At most `max` events that the stream has delivered, and the position after a hole that stops it.
    fn delivered(&mut self, max: usize) -> (Vec<RecordedEvent>, Option<Position>) {
        let (mut events, mut after) = (Vec::new(), self.at.position);
        let Some(tail) = &mut self.tail else { return (events, None) };
        while events.len() < max {
            match tail.next(after) {
                Next::Event(event) => {
                    after = event.position;
                    events.push(*event);
                }
                Next::From(position) => return (self.counted(events), Some(position)),
                Next::Nothing => break,
            }
        }
        (self.counted(events), None)
    }

    fn counted(&self, delivered: Vec<RecordedEvent>) -> Vec<RecordedEvent> {
        self.from_stream.increment(delivered.len().try_into().unwrap_or(u64::MAX));
        delivered
    }

    /// Waits for the stream; true when it is time to read the database instead.
    async fn must_read(&mut self) -> bool {
        if let Some(position) = self.tail.as_mut().and_then(Tail::take_repeated) {
            // What it repeats still shows that it is near the head.
            self.trust_stream(position > self.at.position - NEAR);
        }
        let owed = self.told() > self.at.position;
        if owed && self.wanted.is_some() {
            return true;
        }
        let Some(tail) = &mut self.tail else { return true };
        let overdue = *self.overdue.get_or_insert_with(|| Instant::now() + PATIENCE);
        if !owed {
            self.overdue = None;
        }
        tokio::select! {
            biased;
            position = tail.arrived() => {
                let near = position > self.at.position - NEAR;
                self.trust_stream(near);
                false
            }
            () = tokio::time::sleep_until(overdue), if owed => {
                self.trust_stream(false);
                true
            }
            // Silent for so long: look whether something was lost.
            told = self.wake.wait() => !told,
        }
    }

    async fn read(&mut self, max: usize) -> Result<Vec<RecordedEvent>, StoreError> {
        let told = self.wake.position();
        let events = self.log.read(&self.at, max).await?;
        if events.len() < max {
            self.seen = told;
        }
        Ok(events)
    }

    /// Opens the stream when the head is within reach, and leaves it while the head is not.
    fn approach(&mut self) {
        let within_reach = self.is_near();
        match (&self.tail, &self.stream) {
            (None, Some(stream)) if within_reach => {
                self.tail = Some(Tail::start(stream.clone(), self.at.epoch, self.at.position));
            }
            (Some(_), _) if !within_reach => {
                self.tail = None;
                self.trust_stream(false);
            }
            (None | Some(_), _) => {}
        }
    }

    /// While the stream is trusted to deliver, nobody has to be woken by the log itself.
    fn trust_stream(&mut self, trusted: bool) {
        match (trusted, &self.wanted) {
            (true, Some(_)) => self.wanted = None,
            (false, None) => self.wanted = Some(self.wake.want()),
            (true, None) | (false, Some(_)) => {}
        }
    }

    /// The position that the log has told of, unless the database had nothing more when it was asked then.
    fn told(&self) -> Position {
        Some(self.wake.position().max(self.log.head()))
            .filter(|told| *told != self.seen)
            .unwrap_or(self.at.position)
    }

    /// Moves on to the last of these events, and gives those that are wanted.
    fn given(&mut self, mut events: Vec<RecordedEvent>) -> Vec<RecordedEvent> {
        self.overdue = None;
        if let Some(last) = events.last() {
            self.at = Checkpoint::on(self.at.epoch, last);
        }
        if !self.all_when_near && !self.filter.is_everything() {
            events.retain(|event| self.filter.includes(event));
        }
        events
    }
}
