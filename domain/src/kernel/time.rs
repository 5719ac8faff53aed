//! Time is passed in: the domain never reads a clock.

use chrono::{DateTime, Utc};

/// A moment, in UTC.
pub type Timestamp = DateTime<Utc>;

/// Where the processes get the time from; tests pass one they control.
pub trait Clock: Send + Sync {
    /// The present moment.
    fn now(&self) -> Timestamp;
}
