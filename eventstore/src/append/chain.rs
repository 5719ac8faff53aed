//! Commands decided one on top of the other, before the first is committed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The in-memory state of one aggregate that a run of commands is decided on. When one of them does not take
/// effect, what was decided on top of it must not either, even if the version numbers happen to fit again
/// because another process wrote in between.
#[derive(Debug, Default)]
pub struct Chain {
    broken: AtomicBool,
}

impl Chain {
    /// Whether a command of the chain did not take effect.
    pub fn is_broken(&self) -> bool {
        self.broken.load(Ordering::Acquire)
    }

    /// What tells it from every other chain that is in use.
    pub(crate) fn address(self: &Arc<Self>) -> usize {
        Arc::as_ptr(self).addr()
    }

    /// Notes that a command of the chain did not take effect.
    pub(crate) fn break_off(&self) {
        self.broken.store(true, Ordering::Release);
    }
}
