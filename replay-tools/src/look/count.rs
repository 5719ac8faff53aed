//! `count`: how many events there are, of what.

use std::collections::BTreeMap;
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use daybook_eventstore::process::Failure;
use daybook_eventstore::{Position, Selection};
use serde_json::json;

use super::seen::Seen;
use super::select::Wanted;
use super::{Log, READ, nothing, say};
use crate::bar::Bar;

/// Which, and by what.
#[derive(Debug, Args)]
pub(crate) struct Count {
    #[command(flatten)]
    wanted: Wanted,
    /// Only events from this position on
    #[arg(long, value_parser = clap::value_parser!(i64).range(1..))]
    from: Option<Position>,
    /// Only events up to this position
    #[arg(long, value_parser = clap::value_parser!(i64).range(1..))]
    to: Option<Position>,
    /// What they are counted by
    #[arg(long, value_enum, default_value_t = By::Type)]
    by: By,
    /// Show the counts as JSON, an object a line
    #[arg(long)]
    json: bool,
}

/// What events are counted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum By {
    /// Their type
    Type,
    /// The type of their aggregate
    Aggregate,
    /// Who caused them
    Actor,
    /// The day they happened on, in UTC
    Day,
    /// The month they happened in, in UTC
    Month,
}

impl By {
    fn key(self, event: &Seen) -> String {
        match self {
            Self::Type => event.event_type.clone(),
            Self::Aggregate => event.aggregate_type.clone(),
            Self::Actor => event.actor().to_owned(),
            Self::Day => event.at().format("%Y-%m-%d").to_string(),
            Self::Month => event.at().format("%Y-%m").to_string(),
        }
    }
}

pub(super) async fn run(log: &Log, asked: &Count) -> Result<ExitCode, Failure> {
    let head = log.reader.head().await?.position;
    let (after, until) = (asked.from.map_or(0, |from| from - 1), asked.to.map_or(head, |to| to.min(head)));
    let mut scan = log.reader.scan(Selection::after(after).until(until).only(asked.wanted.filter()?), READ);
    let count = |position: Position| u64::try_from(position).unwrap_or(0);
    let (mut counts, mut bar): (BTreeMap<String, u64>, _) =
        (BTreeMap::new(), Bar::new("events", count(after), count(until)));
    while let Some(batch) = scan.next().await? {
        let mut last = after;
        for event in batch.events() {
            let event = Seen::of(event, &log.upcasters)?;
            last = event.position;
            if asked.wanted.includes(&event) {
                *counts.entry(asked.by.key(&event)).or_default() += 1;
            }
        }
        bar.reach(count(last), count(until));
    }
    bar.clear();
    if counts.is_empty() {
        return Ok(nothing("there is no such event"));
    }
    let all: u64 = counts.values().sum();
    for (key, count) in &counts {
        say(&if asked.json {
            json!({ "key": key, "count": count }).to_string()
        } else {
            format!("{count:>12}  {key}")
        })?;
    }
    if !asked.json {
        say(&format!("{all:>12}  in all"))?;
    }
    Ok(ExitCode::SUCCESS)
}
