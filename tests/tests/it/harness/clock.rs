//! A clock that a test moves.

use std::sync::{Mutex, PoisonError};

use chrono::TimeDelta;
use daybook_domain::{Clock, Timestamp};

/// Stands still until it is moved.
#[derive(Debug)]
pub(crate) struct TestClock(Mutex<Timestamp>);

impl TestClock {
    /// A clock at a fixed moment.
    pub(crate) fn new() -> Self {
        Self(Mutex::new(Timestamp::from_timestamp(1_767_323_045, 0).expect("a moment")))
    }

    /// Moves it ahead.
    pub(crate) fn advance(&self, by: TimeDelta) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) += by;
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
