//! Looking at the log: one module for each subcommand. Nothing here writes anything, and what personal data is sealed
//! stays so.

mod aggregate;
mod count;
mod diff;
mod moment;
pub(crate) mod seen;
mod select;
mod show;
mod tail;
mod trace;

use std::process::ExitCode;

use clap::Subcommand;
use daybook_eventstore::process::config::{ConfigError, Settings, keys};
use daybook_eventstore::process::{Failure, pool_for_scans};
use daybook_eventstore::{LogReader, Upcasters};
use sqlx::PgPool;

pub(crate) use diff::{Change, changes};

/// What the program exits with when there is nothing of what was asked for.
const EXIT_NOTHING: u8 = 4;
/// How many connections it takes to the database.
const CONNECTIONS: u32 = 2;
/// How many events are read at once.
const READ: usize = 1_000;

/// What can be asked.
#[derive(Debug, Subcommand)]
pub(crate) enum Look {
    /// Show the last events, or those from a position on, and the new ones as they come
    Tail(tail::Tail),
    /// Show the state of one aggregate, and the events that made it
    Show(show::Show),
    /// Show what of an aggregate changed between two moments
    Diff(diff::Diff),
    /// Show all that came of one request: who caused what
    Trace(trace::Trace),
    /// Count events
    Count(count::Count),
}

/// The log that is looked at.
struct Log {
    pool: PgPool,
    reader: LogReader,
    upcasters: Upcasters,
    /// The read database, where one is configured.
    read: Option<PgPool>,
}

/// Does what was asked: 4 when there is nothing of it.
pub(crate) async fn run(settings: &Settings, asked: Look) -> Result<ExitCode, Failure> {
    let log = open(settings)?;
    match asked {
        Look::Tail(what) => tail::run(log, what).await,
        Look::Show(what) => show::run(&log, what).await,
        Look::Diff(what) => diff::run(&log, what).await,
        Look::Trace(what) => trace::run(&log, &what).await,
        Look::Count(what) => count::run(&log, &what).await,
    }
}

fn open(settings: &Settings) -> Result<Log, ConfigError> {
    let pool = pool_for_scans(&settings.required(keys::EVENTS_URL)?, CONNECTIONS, "daybook-replay");
    let archives = settings.optional(keys::ARCHIVES)?;
    let read = settings.optional(keys::READ_URL)?;
    let read = read.map(|url| pool_for_scans(&url, CONNECTIONS, "daybook-replay"));
    let reader = LogReader::new(pool.clone()).with_archives(archives);
    Ok(Log { pool, reader, upcasters: Upcasters::of_the_shop(), read })
}

/// Says that there is nothing of what was asked for.
#[expect(clippy::print_stderr, reason = "it is for whoever asked")]
pub(crate) fn nothing(what: &str) -> ExitCode {
    eprintln!("{what}");
    ExitCode::from(EXIT_NOTHING)
}

/// Shows a line of what was asked for. That nobody reads any further is no failure.
pub(crate) fn say(line: &str) -> Result<(), Failure> {
    use std::io::Write as _;

    Ok(writeln!(std::io::stdout(), "{line}")?)
}

/// Whether somebody who was shown something has stopped reading.
pub(crate) fn is_unread(failure: &Failure) -> bool {
    failure
        .downcast_ref::<std::io::Error>()
        .is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
}
