//! What a projector measures of itself.

use daybook_domain::Timestamp;
use daybook_eventstore::Position;

use super::target::Applied;

/// Lag is a gauge of the metrics crate, which only knows floats.
#[expect(clippy::cast_precision_loss, reason = "a gauge; exact below 2^53")]
const fn gauge(value: i64) -> f64 {
    value as f64
}

/// The gauges and counters of one version.
#[derive(Debug, Clone)]
pub(crate) struct Meter {
    name: String,
    version: String,
}

impl Meter {
    pub(crate) fn new(name: &str, version: i32) -> Self {
        Self { name: name.to_owned(), version: version.to_string() }
    }

    fn labels(&self) -> [(&'static str, String); 2] {
        [("projection", self.name.clone()), ("version", self.version.clone())]
    }

    /// A batch of this many events was applied.
    pub(crate) fn applied(&self, events: usize, took: std::time::Duration, result: Applied) {
        let labels = self.labels();
        let count = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
        metrics::counter!("daybook_projection_events_total", &labels).increment(count(events));
        metrics::counter!("daybook_projection_rows_total", &labels).increment(count(result.keys));
        metrics::counter!("daybook_projection_parked_total", &labels).increment(count(result.parked));
        metrics::histogram!("daybook_projection_batch_events", &labels)
            .record(f64::from(u32::try_from(events).unwrap_or(u32::MAX)));
        metrics::histogram!("daybook_projection_batch_seconds", &labels).record(took);
    }

    /// How far behind the head of the log it is, in positions and in seconds.
    pub(crate) fn lag(&self, position: Position, head: Position, recorded: Timestamp, now: Timestamp) {
        let labels = self.labels();
        let behind = (head - position).max(0);
        let seconds = if behind == 0 { 0 } else { (now - recorded).num_seconds().max(0) };
        metrics::gauge!("daybook_projection_position", &labels).set(gauge(position));
        metrics::gauge!("daybook_projection_lag_positions", &labels).set(gauge(behind));
        metrics::gauge!("daybook_projection_lag_seconds", &labels).set(gauge(seconds));
    }
}
