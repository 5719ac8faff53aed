//! `export`: the log as Parquet, for any engine that reads it. One dataset has every event as it was written, and one for
//! each type of event has its fields as columns. A second run adds what is new. `docs/export.md` says what is where.

mod chunk;
mod dataset;
mod manifest;
mod raw;
mod schema;
mod typed;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use clap::Args;
use daybook_eventstore::process::config::{Settings, keys};
use daybook_eventstore::process::{Failure, pool_for_scans};
use daybook_eventstore::{LogReader, Position};
use tokio_util::sync::CancellationToken;

use crate::bar::Bar;
use crate::stop::{interrupted, stop_on_signal};

use chunk::Chunk;
use manifest::{Manifest, Ours};

/// How many connections it takes to the database.
const CONNECTIONS: u32 = 2;

/// Where to.
#[derive(Debug, Args)]
pub(crate) struct Export {
    /// The folder; what an earlier export of the same log left there is added to
    folder: PathBuf,
    /// Write a file for so many events at most, of each type and month
    #[arg(long, value_name = "EVENTS", default_value_t = 524_288, value_parser = clap::value_parser!(i64).range(4_096..=67_108_864))]
    chunk: Position,
}

/// Adds what the folder does not have yet.
pub(crate) async fn run(settings: &Settings, asked: Export) -> Result<ExitCode, Failure> {
    let events = settings.required(keys::EVENTS_URL)?;
    let archives = settings.optional(keys::ARCHIVES)?;
    let log = LogReader::new(pool_for_scans(&events, CONNECTIONS, "daybook-replay")).with_archives(archives);
    let stop = stop_on_signal()?;
    let (mut manifest, ours) = Manifest::open(&asked.folder, &log).await?;
    let ours = Arc::new(ours);
    let head = log.head().await?.position;
    let (before, began) = (manifest.last(), Instant::now());
    let count = |position: Position| u64::try_from(position).unwrap_or(0);
    let mut bar = Bar::new("events", count(before), count(head));
    let ended = add(&log, (&asked, &ours), &mut manifest, head, &stop, |position| {
        bar.reach(count(position), count(head));
    });
    let ended = ended.await;
    bar.clear();
    if !ended? {
        return Ok(interrupted());
    }
    let took = i64::try_from(began.elapsed().as_millis()).unwrap_or(i64::MAX).max(1);
    let added = manifest.last() - before;
    let rate = added.saturating_mul(1_000) / took;
    say(&format!("{added} events added, up to position {}, {rate} a second", manifest.last()));
    say(&manifest.summary());
    Ok(ExitCode::SUCCESS)
}

/// Adds chunk after chunk; whether it came to the end before it was told to stop.
async fn add(
    log: &LogReader,
    (asked, ours): (&Export, &Arc<Ours>),
    manifest: &mut Manifest,
    head: Position,
    stop: &CancellationToken,
    mut tell: impl FnMut(Position),
) -> Result<bool, Failure> {
    while manifest.last() < head {
        let end = ((manifest.last() / asked.chunk + 1) * asked.chunk).min(head);
        let chunk = Chunk { ours, folder: &asked.folder, after: manifest.last(), end };
        let writing = chunk.write(log, manifest.frontier()?, &mut tell);
        let written = tokio::select! {
            written = writing => written?,
            () = stop.cancelled() => return Ok(false),
        };
        manifest.add(written)?;
    }
    Ok(true)
}

/// An error with the path that it is about.
fn at(path: &Path) -> impl Fn(std::io::Error) -> Failure {
    move |error| Failure::from(format!("{}: {error}", path.display()))
}

#[expect(clippy::print_stdout, reason = "it is for whoever asked for it")]
fn say(done: &str) {
    println!("{done}");
}
