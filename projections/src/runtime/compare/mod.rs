//! Comparing two versions of a read model, each at the same position of the log, while both go on following it. Whichever
//! is behind is brought to where the other is by folding what is between them, in memory or in tables that go again: nobody
//! is held back, and nothing of either version is written.

mod forward;
mod meili;
mod paged;
mod postgres;
mod redis;

use std::time::Duration;

use daybook_eventstore::{FeedSource, Position};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use sqlx::PgPool;

use super::error::RuntimeError;
use super::versions::Version;

pub(crate) use paged::compare as compare_paged;
pub(crate) use postgres::compare as compare_in_postgres;

/// How long it may take until two versions can be brought to one position.
const PATIENCE: Duration = Duration::from_mins(1);
/// How often that is tried.
const LOOK: Duration = Duration::from_millis(50);

/// How thoroughly versions are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Depth {
    /// Whether each row is looked at where checksums would do.
    pub rows: bool,
    /// How many differences are shown with what differs; all are counted.
    pub show: usize,
}

/// What a comparison needs beside the two versions.
pub(crate) struct Comparing<'a> {
    pub(crate) log: &'a FeedSource,
    pub(crate) register: &'a PgPool,
    pub(crate) depth: Depth,
}

/// One of the two versions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Side {
    /// Its number.
    pub version: i32,
    /// The revision of the code that folds it.
    pub revision: i32,
    /// How many events it could not take: their keys are not whole.
    pub parked: i64,
}

/// What there is of one table, on the live side and on the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tally {
    /// The table, or the read model where there are no tables.
    pub table: String,
    /// How many rows each side has.
    pub rows: [u64; 2],
    /// The sum of a hash of each row, whatever their order.
    pub checksums: [u64; 2],
    /// How many rows differ, or are on one side only.
    pub different: u64,
    /// Columns that are on one side only.
    pub columns: Vec<String>,
}

/// A row that differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The table, or the read model where there are no tables.
    pub table: String,
    /// The row's key.
    pub key: String,
    /// Where the row's event is, in a table with a row per event.
    pub position: Option<Position>,
    /// The row on the live side and on the other; nothing where it is not.
    pub rows: [Option<Value>; 2],
}

/// What came of comparing two versions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comparison {
    /// The live one and the other one.
    pub sides: [Side; 2],
    /// Up to where both were compared.
    pub position: Position,
    /// What there is of each table.
    pub tables: Vec<Tally>,
    /// The first rows that differ.
    pub differences: Vec<Difference>,
}

impl Comparison {
    /// Nothing looked at yet.
    fn new(versions: [&Version; 2]) -> Self {
        let sides =
            versions.map(|row| Side { version: row.version, revision: row.revision, parked: row.parked });
        Self { sides, position: 0, tables: Vec::new(), differences: Vec::new() }
    }

    /// Whether both have the same rows, and stand still for as many events.
    pub fn is_equal(&self) -> bool {
        let [live, other] = &self.sides;
        let whole = self.tables.iter().all(|table| table.different == 0 && table.columns.is_empty());
        whole && live.parked == other.parked
    }

    /// Whether the same code has folded both: otherwise they may well differ.
    pub fn is_of_one_revision(&self) -> bool {
        let [live, other] = &self.sides;
        live.revision == other.revision
    }

    /// Whether older code has folded the live one, so that the other one is the better one.
    pub fn is_upgrade(&self) -> bool {
        let [live, other] = &self.sides;
        live.revision < other.revision
    }

    /// How many rows differ.
    pub fn different(&self) -> u64 {
        self.tables.iter().map(|table| table.different).sum()
    }
}

impl Tally {
    fn new(table: &str) -> Self {
        let table = table.to_owned();
        Self { table, rows: [0; 2], checksums: [0; 2], different: 0, columns: Vec::new() }
    }

    /// Counts so many rows of one side, whose hashes add up to this.
    fn add(&mut self, side: usize, rows: u64, sum: u64) {
        self.rows[side] += rows;
        self.checksums[side] = self.checksums[side].wrapping_add(sum);
    }
}

/// The hash of a row that is kept as text.
fn hash(parts: &[&str]) -> u64 {
    let digest = parts.iter().fold(Sha256::new(), |hasher, part| hasher.chain_update(part).chain_update([0]));
    let mut first = [0; 8];
    first.copy_from_slice(&digest.finalize()[..8]);
    u64::from_be_bytes(first)
}

/// They cannot be compared, for this reason.
fn incomparable(name: &str, [live, other]: [&Version; 2], why: &str) -> RuntimeError {
    let (name, why) = (name.to_owned(), why.to_owned());
    RuntimeError::Incomparable { name, live: live.version, other: other.version, why }
}
