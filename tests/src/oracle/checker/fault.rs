//! What can be wrong, each under its name.

use std::collections::BTreeMap;

use serde::Serialize;

/// How many faults are told in full.
const TOLD: usize = 20;

/// A kind of fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Kind {
    /// The log's positions are not 1, 2, 3, …
    Hole,
    /// A stream's sequence numbers are not 1, 2, 3, … in the order of the log.
    StreamHole,
    /// An event is in the log twice, or a command took effect twice.
    Twice,
    /// Only a part of a command is there, or something comes between its events.
    Torn,
    /// A command that was answered as done is not there.
    Lost,
    /// What was answered as not done is there.
    Undone,
    /// An answer names another position, version or outcome than the log and the store's memory have.
    Misplaced,
    /// A command that had been answered was not known when it was sent again.
    Forgotten,
    /// Something is there that nobody asked for.
    Unasked,
    /// What the store remembers of commands is not what is in the log.
    Memory,
    /// A command took effect where a stream was not as it expected.
    Condition,
    /// What was asked for after another command was answered has an earlier place.
    Late,
    /// A reader did not see an event.
    Missing,
    /// A reader saw an event twice.
    Doubled,
    /// A reader saw an event after a later one.
    Reordered,
    /// A reader saw an event of a stream after a later one of it.
    StreamReordered,
    /// A reader saw an event that is not in the log.
    Foreign,
    /// An event has another content than was asked for, or a reader saw it with another content or place.
    Altered,
    /// A reader was told that the log is not the one it had read.
    Diverged,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Fault {
    pub(crate) kind: Kind,
    pub(crate) what: String,
}

/// All that is wrong: every fault counted, the first ones told.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Faults {
    pub(crate) counts: BTreeMap<Kind, u64>,
    pub(crate) first: Vec<Fault>,
}

impl Faults {
    pub(super) fn add(&mut self, kind: Kind, what: impl FnOnce() -> String) {
        let count = self.counts.entry(kind).or_default();
        *count += 1;
        // Some of each kind, rather than many of one.
        if *count <= 3 && self.first.len() < TOLD {
            self.first.push(Fault { kind, what: what() });
        }
    }

    /// Whether nothing is wrong.
    pub(crate) fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }

    /// Whether there is a fault of this kind.
    pub(crate) fn has(&self, kind: Kind) -> bool {
        self.counts.contains_key(&kind)
    }
}
