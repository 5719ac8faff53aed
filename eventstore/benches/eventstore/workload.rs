//! What is done, and by how many at once.

use std::num::NonZeroU16;

use daybook_domain::IdSource as _;
use daybook_eventstore::process::SystemIds;

use crate::contestants::{Contestant, Failed};

/// How many streams are there beforehand, where a workload needs any, and how many events each of them has.
pub(crate) const SEEDED: u32 = 10_000;
pub(crate) const PRIOR: i64 = 20;
/// One in how many appends conflicts.
const CONFLICTS: u64 = 100;

/// A workload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Workload {
    /// One event to a new stream.
    Append(usize),
    /// Load a stream of [`PRIOR`] events, decide, append one.
    Prior,
    /// The same, all callers on one stream.
    OneStream,
    /// One event to a new stream, but one in a hundred to a stream that somebody else has moved on.
    Conflicts,
    /// A history of commands with so many events each, every one of a stream that is new.
    Import(usize),
    /// The whole log through a typed decoder, over so many connections.
    Replay(NonZeroU16),
    /// The events of a type that is one in ten thousand.
    Sparse,
}

/// What is there beforehand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Nothing.
    Empty,
    /// [`SEEDED`] streams of [`PRIOR`] events.
    Streams,
    /// Ten times as many streams, and a rare event among them.
    Log,
}

impl Stage {
    /// Its name, and how many streams there are.
    pub(crate) const fn streams(self) -> (&'static str, u32) {
        match self {
            Self::Empty => ("empty", 0),
            Self::Streams => ("streams", SEEDED),
            Self::Log => ("log", 10 * SEEDED),
        }
    }
}

/// A workload with the numbers of callers it is measured with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    /// What the report calls it.
    pub(crate) name: &'static str,
    pub(crate) workload: Workload,
    pub(crate) callers: &'static [usize],
    /// How many processes there are, each with so many callers.
    pub(crate) processes: usize,
    /// Who is measured with it.
    pub(crate) contestants: &'static [&'static str],
}

const EVERY: &[usize] = &[1, 8, 64, 256, 1_024];
const APPENDERS: &[&str] = &["daybook", "postgres-es", "disintegrate", "umadb", "insert", "unnest"];
const ORDERS: &[&str] = &["order-head", "order-flush", "order-sequencer"];
const READERS: &[&str] = &["daybook", "postgres-es", "rows"];
const IMPORTERS: &[&str] = &["daybook", "unnest", "copy"];
const DECIDERS: &[&str] = &["daybook", "postgres-es", "disintegrate", "umadb"];

/// All of them, in the order of the table.
pub(crate) const ALL: &[Plan] = &[
    Plan {
        name: "append-1",
        workload: Workload::Append(1),
        callers: EVERY,
        processes: 1,
        contestants: APPENDERS,
    },
    Plan {
        name: "append-3",
        workload: Workload::Append(3),
        callers: EVERY,
        processes: 1,
        contestants: &["daybook", "postgres-es", "disintegrate", "umadb", "unnest"],
    },
    Plan {
        name: "append-20-prior",
        workload: Workload::Prior,
        callers: EVERY,
        processes: 1,
        contestants: DECIDERS,
    },
    Plan {
        name: "one-stream",
        workload: Workload::OneStream,
        callers: &[1_000],
        processes: 1,
        contestants: &["daybook"],
    },
    Plan {
        name: "processes-2",
        workload: Workload::Append(1),
        callers: &[64],
        processes: 2,
        contestants: DECIDERS,
    },
    Plan {
        name: "processes-4",
        workload: Workload::Append(1),
        callers: &[64],
        processes: 4,
        contestants: DECIDERS,
    },
    Plan {
        name: "conflicts-1pct",
        workload: Workload::Conflicts,
        callers: &[256],
        processes: 1,
        contestants: &["daybook"],
    },
    Plan {
        name: "ordering-1",
        workload: Workload::Append(1),
        callers: &[64, 256],
        processes: 1,
        contestants: ORDERS,
    },
    Plan {
        name: "ordering-2",
        workload: Workload::Append(1),
        callers: &[64, 256],
        processes: 2,
        contestants: ORDERS,
    },
    Plan {
        name: "ordering-4",
        workload: Workload::Append(1),
        callers: &[64, 256],
        processes: 4,
        contestants: ORDERS,
    },
    Plan {
        name: "ordering-8",
        workload: Workload::Append(1),
        callers: &[64, 256],
        processes: 8,
        contestants: ORDERS,
    },
    Plan {
        name: "import",
        workload: Workload::Import(1),
        callers: &[1],
        processes: 1,
        contestants: IMPORTERS,
    },
    Plan {
        name: "import-5",
        workload: Workload::Import(5),
        callers: &[1],
        processes: 1,
        contestants: IMPORTERS,
    },
    Plan {
        name: "replay-1",
        workload: Workload::Replay(NonZeroU16::MIN),
        callers: &[1],
        processes: 1,
        contestants: READERS,
    },
    Plan {
        name: "replay-2",
        workload: Workload::Replay(NonZeroU16::MIN.saturating_add(1)),
        callers: &[1],
        processes: 1,
        contestants: &["daybook"],
    },
    Plan {
        name: "sparse",
        workload: Workload::Sparse,
        callers: &[1],
        processes: 1,
        contestants: &["daybook", "rows"],
    },
];

impl Plan {
    /// The workload of this name.
    pub(crate) fn find(name: &str) -> Option<&'static Self> {
        ALL.iter().find(|plan| plan.name == name)
    }

    /// What must be there beforehand.
    pub(crate) const fn stage(&self) -> Stage {
        match self.workload {
            Workload::Append(_) | Workload::Import(_) => Stage::Empty,
            Workload::Prior | Workload::OneStream | Workload::Conflicts => Stage::Streams,
            Workload::Replay(_) | Workload::Sparse => Stage::Log,
        }
    }

    /// Whether it is something to be done once, and not again and again for a time.
    pub(crate) const fn is_once(&self) -> bool {
        matches!(self.workload, Workload::Import(_) | Workload::Replay(_) | Workload::Sparse)
    }
}

/// The id of one of the streams that were there beforehand.
pub(crate) fn stream(number: u32) -> String {
    format!("{number:08x}-0000-7000-8000-{number:012x}")
}

/// One caller, who asks again as soon as it was answered.
#[derive(Debug)]
pub(crate) struct Caller {
    workload: Workload,
    /// The next stream to turn to, and how many callers share them out.
    next: u32,
    callers: u32,
    done: u64,
}

impl Caller {
    pub(crate) fn new(workload: Workload, number: usize, callers: usize) -> Self {
        let narrow = |n: usize| u32::try_from(n).expect("few callers");
        Self { workload, next: narrow(number), callers: narrow(callers), done: 0 }
    }

    /// Asks once.
    pub(crate) async fn ask(&mut self, contestant: &dyn Contestant) -> Result<(), Failed> {
        self.done += 1;
        match self.workload {
            Workload::Conflicts if self.done.is_multiple_of(CONFLICTS) => {
                contestant.conflict(&self.turn()).await
            }
            Workload::Append(events) => contestant.append_new(&SystemIds.next().to_string(), events).await,
            Workload::Conflicts => contestant.append_new(&SystemIds.next().to_string(), 1).await,
            Workload::Prior => contestant.decide(&self.turn()).await,
            Workload::OneStream => contestant.decide(&stream(0)).await,
            Workload::Import(_) | Workload::Replay(_) | Workload::Sparse => {
                Err("nobody asks for that again and again".into())
            }
        }
    }

    fn turn(&mut self) -> String {
        let turn = stream(self.next % SEEDED);
        self.next += self.callers;
        turn
    }
}
