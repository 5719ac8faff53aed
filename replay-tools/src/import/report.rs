//! What an import came to, for people and as JSON.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use serde::Serialize;

use super::error::ImportError;
use super::plan::{Side, Tally};
use super::verify::Booked;

/// What an import came to.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    /// SHA-256 of the file's content.
    pub(super) sha256: String,
    pub(super) lines: u64,
    pub(super) imported: u64,
    pub(super) rejected: u64,
    /// How many lines were rejected for each reason.
    pub(super) reasons: BTreeMap<&'static str, u64>,
    pub(super) sales: Sums,
    pub(super) refunds: Sums,
    /// What the events say was captured and refunded for these orders.
    pub(super) events_say: BookedSums,
    /// What the read model says; nothing when it has not caught up.
    pub(super) read_model_says: Option<BookedSums>,
    /// How many of the lines had taken effect before this run.
    pub(super) lines_before: u64,
    /// How many events this run appended.
    pub(super) events: u64,
    pub(super) milliseconds: u64,
    pub(super) events_per_second: u64,
    #[serde(skip)]
    meanings: Vec<(u64, &'static str)>,
}

/// One kind of document.
#[derive(Debug, Serialize)]
pub(super) struct Sums {
    documents: u64,
    lines: u64,
    money: String,
    currency: &'static str,
}

/// What was paid and paid back.
#[derive(Debug, Serialize)]
pub(super) struct BookedSums {
    captured: String,
    refunded: String,
}

impl From<Booked> for BookedSums {
    fn from(booked: Booked) -> Self {
        Self { captured: booked.captured.to_string(), refunded: booked.refunded.to_string() }
    }
}

impl From<&Side> for Sums {
    fn from(side: &Side) -> Self {
        Self {
            documents: side.documents,
            lines: side.lines,
            money: side.money.to_string(),
            currency: side.money.currency().code(),
        }
    }
}

impl Report {
    pub(super) fn new(
        sha256: &[u8; 32],
        tally: &Tally,
        (events, read_model): (Booked, Option<Booked>),
        (lines_before, appended, took): (u64, u64, Duration),
    ) -> Self {
        let milliseconds = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        Self {
            sha256: hex(sha256),
            lines: tally.lines,
            imported: tally.imported,
            rejected: tally.all_rejected(),
            reasons: tally.rejected.iter().map(|(reason, count)| (reason.code(), *count)).collect(),
            sales: (&tally.sales).into(),
            refunds: (&tally.refunds).into(),
            events_say: events.into(),
            read_model_says: read_model.map(BookedSums::from),
            lines_before,
            events: appended,
            milliseconds,
            events_per_second: appended.saturating_mul(1_000) / milliseconds.max(1),
            meanings: tally.rejected.iter().map(|(reason, count)| (*count, reason.meaning())).collect(),
        }
    }

    /// Shows it to whoever started the import.
    #[expect(clippy::print_stdout, reason = "this is what the program was asked for")]
    pub(super) fn show(&self) {
        let Self { sales, refunds, .. } = self;
        println!("{:>9} lines imported", self.imported);
        for (count, meaning) in &self.meanings {
            println!("{count:>9} rejected: {meaning}");
        }
        println!("{:>9} lines in all, {} rejected", self.lines, self.rejected);
        println!(
            "{:>9} orders of {} lines: {} {}",
            sales.documents, sales.lines, sales.currency, sales.money
        );
        println!(
            "{:>9} returns of {} lines: {} {}",
            refunds.documents, refunds.lines, refunds.currency, refunds.money
        );
        let BookedSums { captured, refunded } = &self.events_say;
        println!("the events say {captured} captured and {refunded} refunded for them");
        match &self.read_model_says {
            Some(BookedSums { captured, refunded }) => {
                println!("the read model says {captured} captured and {refunded} refunded for them");
            }
            None => println!("the read model of orders has not caught up, and was not compared"),
        }
        if self.lines_before > 0 {
            println!("{} of the lines had taken effect before", self.lines_before);
        }
        let seconds = self.milliseconds / 1_000;
        println!("{} events in {seconds} s, {} a second", self.events, self.events_per_second);
    }

    /// Writes it as JSON.
    pub(super) fn write(&self, path: &Path) -> Result<(), ImportError> {
        let unwritable = |source| ImportError::Unwritable { path: path.to_owned(), source };
        let json = serde_json::to_string_pretty(self).map_err(|error| unwritable(error.into()))?;
        std::fs::write(path, json + "\n").map_err(unwritable)
    }
}

fn hex(bytes: &[u8]) -> String {
    let digit = |value: u8| char::from_digit(u32::from(value), 16).unwrap_or('0');
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}
