//! The rows that were written last, in memory and bounded. It knows nothing of when they are outdated: who keeps it
//! does.

use std::collections::HashMap;
use std::mem;

use super::fold::Kept;

/// How many rows make a generation. Orders and carts are written within seconds of each other, so two generations
/// cover hundreds of checkouts a second, in a few megabytes.
const GENERATION: usize = 1_024;

/// Two generations of rows by key: when the young one is full it becomes the old one, and the old one goes.
#[derive(Debug)]
pub(crate) struct Recent<R> {
    young: HashMap<String, Kept<R>>,
    old: HashMap<String, Kept<R>>,
}

impl<R> Recent<R> {
    pub(crate) fn new() -> Self {
        Self { young: HashMap::new(), old: HashMap::new() }
    }

    /// Gives a row away, to be folded on.
    pub(crate) fn take(&mut self, key: &str) -> Option<Kept<R>> {
        self.young.remove(key).or_else(|| self.old.remove(key))
    }

    /// Remembers a row that was not there, or was taken.
    pub(crate) fn put(&mut self, key: String, kept: Kept<R>) {
        if self.young.len() >= GENERATION {
            self.old = mem::take(&mut self.young);
        }
        self.young.insert(key, kept);
    }
}
