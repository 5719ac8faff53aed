//! Event stores that are wrong in one way each, on tables of their own, and one that is right. All of them are the same
//! code, so that what is found in one and not in the right one is its one mistake.

mod reader;
mod tables;
mod writer;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::future::try_join_all;
use serde::Serialize;
use sqlx::PgPool;

use self::writer::Caller;
use super::Failed;
use super::checker::{Faults, Kind, check};
use super::dice::Dice;
use super::history::{History, Seen};

/// How long each is written to.
const WHILE: Duration = Duration::from_secs(3);
/// How often a mistake is given the chance to show.
const CHANCES: u64 = 5;
/// How many callers write to each.
const CALLERS: u64 = 6;

/// A design: the right one, but for its one mistake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Design(Option<Mistake>);

/// What can be wrong with one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mistake {
    /// A sequence gives positions, and nothing is locked; readers ask for what is after the last that they saw.
    Sequence,
    /// The same, but readers follow the order of transactions, below the oldest that runs; and in each of them something
    /// else is written first.
    Xid,
    /// Events are published before the transaction is committed.
    Early,
    /// The reader keeps its place after it has dealt with what it read, and dies now and then in between.
    Repeat,
    /// Command ids are not kept.
    Unremembered,
    /// What is only looked at is looked at before the lock.
    Skew,
}

const DESIGNS: [Design; 7] = [
    Design(None),
    Design(Some(Mistake::Sequence)),
    Design(Some(Mistake::Xid)),
    Design(Some(Mistake::Early)),
    Design(Some(Mistake::Repeat)),
    Design(Some(Mistake::Unremembered)),
    Design(Some(Mistake::Skew)),
];

impl Mistake {
    /// What is wrong, and what must be found.
    const fn told(self) -> (&'static str, Kind) {
        match self {
            Self::Sequence => ("position from a sequence, read without a lock", Kind::Missing),
            Self::Xid => ("ordered by transaction below xmin", Kind::StreamReordered),
            Self::Early => ("published before the commit", Kind::Foreign),
            Self::Repeat => ("delivered at least once, not checked", Kind::Doubled),
            Self::Unremembered => ("command ids are not remembered", Kind::Twice),
            Self::Skew => ("a condition is checked before the lock", Kind::Condition),
        }
    }
}

impl Design {
    /// The name of its tables' schema.
    const fn schema(self) -> &'static str {
        match self.0 {
            None => "planted_none",
            Some(Mistake::Sequence) => "planted_sequence",
            Some(Mistake::Xid) => "planted_xid",
            Some(Mistake::Early) => "planted_early",
            Some(Mistake::Repeat) => "planted_repeat",
            Some(Mistake::Unremembered) => "planted_unremembered",
            Some(Mistake::Skew) => "planted_skew",
        }
    }

    fn has(self, mistake: Mistake) -> bool {
        self.0 == Some(mistake)
    }

    /// Whether appends lock the head row and count on from it.
    fn locks_head(self) -> bool {
        !self.has(Mistake::Sequence) && !self.has(Mistake::Xid)
    }
}

/// What came of one.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Planted {
    /// What is wrong with it.
    pub(crate) mistake: Option<&'static str>,
    /// What must be found.
    pub(crate) must_find: Option<Kind>,
    /// How many events it had.
    pub(crate) events: usize,
    /// Whether that was found; for the right one, whether nothing was.
    pub(crate) as_it_must: bool,
    pub(crate) found: Faults,
}

/// Writes to all of them at once and reads them, until each mistake was found or had its chances.
pub(crate) async fn judge(pool: &PgPool, seed: u64) -> Result<Vec<Planted>, Failed> {
    try_join_all(DESIGNS.iter().zip(0..).map(|(design, number)| judge_one(pool, *design, seed, number))).await
}

async fn judge_one(pool: &PgPool, design: Design, seed: u64, number: u64) -> Result<Planted, Failed> {
    let mistake = design.0.map(Mistake::told);
    let mut chance = 0;
    loop {
        let history = live(pool, design, seed, &[number, chance]).await?;
        let found = check(&history);
        let as_it_must = mistake.map_or(found.is_empty(), |(_, kind)| found.has(kind));
        chance += 1;
        if as_it_must || mistake.is_none() || chance == CHANCES {
            return Ok(Planted {
                mistake: mistake.map(|(what, _)| what),
                must_find: mistake.map(|(_, kind)| kind),
                events: history.log.len(),
                as_it_must,
                found,
            });
        }
    }
}

/// Its history.
async fn live(pool: &PgPool, design: Design, seed: u64, who: &[u64]) -> Result<History, Failed> {
    tables::make(pool, design).await?;
    let published = Arc::new(Mutex::new(Vec::<Seen>::new()));
    let dice = |one: u64| Dice::of(seed, &[who, &[one]].concat());
    let callers = (0..CALLERS).map(|one| {
        let caller = Caller::new(pool.clone(), design, dice(one), Arc::clone(&published));
        tokio::spawn(caller.run(WHILE))
    });
    let callers: Vec<_> = callers.collect();
    let written = Arc::new(AtomicBool::new(false));
    let reading = tokio::spawn(reader::follow(pool.clone(), design, dice(CALLERS), Arc::clone(&written)));
    let mut attempts = Vec::new();
    for caller in callers {
        attempts.extend(caller.await??);
    }
    written.store(true, Ordering::Release);
    let mut events = reading.await??;
    if design.has(Mistake::Early) {
        events = std::mem::take(&mut *published.lock().unwrap_or_else(PoisonError::into_inner));
    }
    tables::history(pool, design, attempts, events).await
}
