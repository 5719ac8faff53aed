//! The appender's metrics, looked up once: that costs more than to count.

use metrics::{Counter, Histogram, counter, histogram};

use super::{Appended, Queued};
use crate::error::StoreError;

#[derive(Debug)]
pub(crate) struct Meters {
    done: Counter,
    replayed: Counter,
    mismatch: Counter,
    conflict: Counter,
    unfounded: Counter,
    failed: Counter,
    seconds: Histogram,
}

impl Meters {
    pub(crate) fn new() -> Self {
        let appends = |outcome: &'static str| counter!("daybook_appends_total", "outcome" => outcome);
        Self {
            done: appends("done"),
            replayed: appends("replayed"),
            mismatch: appends("mismatch"),
            conflict: appends("conflict"),
            unfounded: appends("unfounded"),
            failed: appends("failed"),
            seconds: histogram!("daybook_append_seconds"),
        }
    }

    /// Counts an append that is about to be answered.
    pub(super) fn count(&self, queued: &Queued, outcome: &Result<Appended, StoreError>) {
        self.note(outcome);
        self.seconds.record(queued.since.elapsed());
    }

    /// Counts an outcome.
    pub(crate) fn note(&self, outcome: &Result<Appended, StoreError>) {
        let counter = match outcome {
            Ok(Appended::Done { .. }) => &self.done,
            Ok(Appended::Replayed { .. }) => &self.replayed,
            Ok(Appended::Mismatch) => &self.mismatch,
            Ok(Appended::Conflict { .. }) => &self.conflict,
            Ok(Appended::Unfounded) => &self.unfounded,
            Err(_) => &self.failed,
        };
        counter.increment(1);
    }
}
