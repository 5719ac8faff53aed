//! How far the relay is, as its metrics show it.

use daybook_domain::Timestamp;
use metrics::{counter, gauge, histogram};

use crate::event::{Position, RecordedEvent};

/// How far the relay is.
#[derive(Debug, Default)]
pub(super) struct Progress {
    published: Position,
    /// When the oldest event that is known to wait was recorded, or was found to be waiting.
    waiting_since: Option<Timestamp>,
}

impl Progress {
    /// The last position that was published.
    pub(super) const fn published(&self) -> Position {
        self.published
    }

    /// The stream has everything up to this position.
    pub(super) const fn resumed(&mut self, position: Position) {
        self.published = position;
    }

    /// These events wait to be published.
    pub(super) fn taken(&mut self, events: &[RecordedEvent]) {
        self.waiting_since = events.first().map(|event| event.recorded_at);
    }

    /// This event was acknowledged at this moment.
    pub(super) fn published_one(&mut self, event: &RecordedEvent, now: Timestamp) {
        self.published = event.position;
        self.waiting_since = None;
        counter!("daybook_relay_published_total").increment(1);
        histogram!("daybook_relay_delay_seconds").record(seconds(event.recorded_at, now));
    }

    /// Shows how far behind the log the stream is.
    pub(super) fn report(&mut self, head: Position, now: Timestamp) {
        if head > self.published {
            // A relay that never reached the stream has looked at no event.
            self.waiting_since.get_or_insert(now);
        } else {
            self.waiting_since = None;
        }
        // Larger numbers than a gauge can tell apart would not be told apart by a person either.
        let behind = u32::try_from((head - self.published).max(0)).unwrap_or(u32::MAX);
        gauge!("daybook_relay_lag_positions").set(f64::from(behind));
        gauge!("daybook_relay_lag_seconds").set(self.waiting_since.map_or(0.0, |since| seconds(since, now)));
    }
}

/// Shows whether this relay is the leader.
pub(super) fn leading(leads: bool) {
    gauge!("daybook_relay_leader").set(if leads { 1.0 } else { 0.0 });
}

fn seconds(from: Timestamp, until: Timestamp) -> f64 {
    (until - from).to_std().unwrap_or_default().as_secs_f64()
}
