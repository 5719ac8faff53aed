//! `lag`: how far each version of each read model is behind the log, and each projection in SQL that is kept.

use std::process::ExitCode;

use clap::Args;
use daybook_eventstore::process::config::{Settings, keys};
use daybook_eventstore::process::{Failure, pool};
use daybook_eventstore::{LogReader, Position, StoreError};
use daybook_projections::registry;
use daybook_projections::runtime::{RuntimeError, Status};
use daybook_projections::sql;
use serde::Serialize;

use super::Admin;
use crate::look::say;

/// What the program exits with when something is farther behind than it may be.
const EXIT_BEHIND: u8 = 5;

/// How it is told.
#[derive(Debug, Args)]
pub(crate) struct Lag {
    /// Show them as JSON, an object a line
    #[arg(long)]
    json: bool,
    /// Exit with 5 when something that is live is farther behind than so many events, or has parked events
    #[arg(long, value_name = "EVENTS", value_parser = clap::value_parser!(i64).range(0..))]
    at_most: Option<Position>,
    /// With `--at-most`, let projections in SQL that are kept count too: those that something follows the log with
    #[arg(long, requires = "at_most")]
    kept: bool,
}

/// Where something stands that follows the log.
#[derive(Debug, Serialize)]
struct Line {
    name: String,
    version: Option<i32>,
    status: String,
    position: Position,
    behind: Position,
    parked: i64,
    diverged: bool,
}

impl Line {
    fn is_behind(&self, most: Position, kept: bool) -> bool {
        let counts = self.status == Status::Live.as_str() || (kept && self.version.is_none());
        counts && (self.behind > most || self.parked > 0 || self.diverged)
    }

    fn text(&self) -> String {
        let diverged = match self.diverged {
            true if self.status == Status::Retired.as_str() => ", not to be brought back",
            true => ", built from another log",
            false => "",
        };
        let version = self.version.map_or_else(String::new, |version| format!("@{version}"));
        let of = format!("{}{version} {}", self.name, self.status);
        format!("{of:<24} at {}, {} behind, {} parked{diverged}", self.position, self.behind, self.parked)
    }
}

pub(super) async fn run(settings: &Settings, admin: &Admin, asked: Lag) -> Result<ExitCode, Failure> {
    let head = admin.head().await?;
    if !asked.json {
        say(&format!("the log is at {head}"))?;
    }
    let mut lines = Vec::new();
    for name in registry::names() {
        let versions = match admin.versions(name).await {
            Err(error @ RuntimeError::NotConfigured { .. }) => {
                if !asked.json {
                    say(&error.to_string())?;
                }
                continue;
            }
            versions => versions?,
        };
        lines.extend(versions.into_iter().map(|row| Line {
            name: name.to_owned(),
            version: Some(row.version),
            status: row.status.as_str().to_owned(),
            position: row.checkpoint.position,
            behind: (head - row.checkpoint.position).max(0),
            parked: row.parked,
            diverged: row.diverged,
        }));
    }
    let read = pool(&settings.required(keys::READ_URL)?, 1, "daybook-replay");
    let log = LogReader::new(pool(&settings.required(keys::EVENTS_URL)?, 1, "daybook-replay"));
    let log = log.with_archives(settings.optional(keys::ARCHIVES)?);
    for standing in sql::standing(&read).await? {
        let diverged = match standing.at.verify(&log, &standing.title).await {
            Ok(_) => false,
            Err(StoreError::LogDiverged { .. }) => true,
            Err(error) => return Err(error.into()),
        };
        lines.push(Line {
            name: standing.title,
            version: None,
            status: format!("in {}", standing.schema),
            position: standing.at.position,
            behind: (head - standing.at.position).max(0),
            parked: 0,
            diverged,
        });
    }
    for line in &lines {
        say(&if asked.json { serde_json::to_string(line)? } else { line.text() })?;
    }
    let behind = asked.at_most.is_some_and(|most| lines.iter().any(|line| line.is_behind(most, asked.kept)));
    Ok(if behind { ExitCode::from(EXIT_BEHIND) } else { ExitCode::SUCCESS })
}
