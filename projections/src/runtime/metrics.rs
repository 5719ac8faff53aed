//! What a projector measures of itself.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

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
    fn lag(&self, position: Position, head: Position, since: Timestamp, now: Timestamp) {
        let labels = self.labels();
        let behind = (head - position).max(0);
        let seconds = if behind == 0 { 0 } else { (now - since).num_seconds().max(0) };
        metrics::gauge!("daybook_projection_position", &labels).set(gauge(position));
        metrics::gauge!("daybook_projection_lag_positions", &labels).set(gauge(behind));
        metrics::gauge!("daybook_projection_lag_seconds", &labels).set(gauge(seconds));
    }

    fn no_lag(&self) {
        let labels = self.labels();
        metrics::gauge!("daybook_projection_lag_positions", &labels).set(0.0);
        metrics::gauge!("daybook_projection_lag_seconds", &labels).set(0.0);
    }
}

/// How far behind the versions of one read model are, while they move and while they cannot. Cloning shares it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Lags(Arc<Mutex<BTreeMap<i32, Standing>>>);

/// Where a version stands.
#[derive(Debug)]
struct Standing {
    meter: Meter,
    position: Position,
    /// When it was first found to be behind and unable to go on.
    stuck_since: Option<Timestamp>,
}

impl Lags {
    fn standings(&self) -> MutexGuard<'_, BTreeMap<i32, Standing>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A version goes on from this position, where the head is at that one.
    pub(crate) fn resumed(
        &self,
        (name, version): (&str, i32),
        (position, head): (Position, Position),
        now: Timestamp,
    ) {
        let mut standings = self.standings();
        let new = || Standing { meter: Meter::new(name, version), position, stuck_since: None };
        let standing = standings.entry(version).or_insert_with(new);
        standing.position = position;
        standing.meter.lag(position, head, standing.stuck_since.unwrap_or(now), now);
    }

    /// A version has come to this position, whose event was recorded then.
    pub(crate) fn moved(
        &self,
        version: i32,
        (position, head): (Position, Position),
        recorded: Timestamp,
        now: Timestamp,
    ) {
        if let Some(standing) = self.standings().get_mut(&version) {
            (standing.position, standing.stuck_since) = (position, None);
            standing.meter.lag(position, head, recorded, now);
        }
    }

    /// Something keeps these versions from going on: those that are behind say so, and since when.
    pub(crate) fn stuck(&self, these: impl Fn(i32) -> bool, head: Position, now: Timestamp) {
        for (version, standing) in self.standings().iter_mut() {
            if these(*version) && standing.position < head {
                let since = *standing.stuck_since.get_or_insert(now);
                standing.meter.lag(standing.position, head, since, now);
            }
        }
    }

    /// Nobody here follows a version any more: it is not behind.
    pub(crate) fn forget(&self, version: i32) {
        self.keep(|known| known != version);
    }

    /// Forgets all others.
    pub(crate) fn keep(&self, these: impl Fn(i32) -> bool) {
        self.standings().retain(|version, standing| {
            let kept = these(*version);
            if !kept {
                standing.meter.no_lag();
            }
            kept
        });
    }
}
