//! `run`: a projection in SQL over the log, or over a part of it; what it makes is shown, written to files, or kept.
//! `docs/sql-projections.md` is the manual. Nothing here knows what a statement does.

mod check;
mod csv;
mod into;
#[cfg(feature = "parquet")]
mod parquet;
mod table;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Args;
use daybook_domain::{Timestamp, catalogue};
use daybook_eventstore::process::config::{Settings, keys};
use daybook_eventstore::process::{Failure, pool, pool_for_scans};
use daybook_eventstore::{LogReader, Position, Upcasters};
use daybook_projections::sql::{self, Limits, Progress, Projection, Request, Session, Shown};

use crate::bar::Bar;
use crate::stop::{interrupted, stop_on_signal};

use into::Into;

/// How many connections it takes to each database.
const CONNECTIONS: u32 = 2;
/// What the servers see this program as.
const NAME: &str = "daybook-replay";

/// What is run, over which events, and what becomes of it.
#[derive(Debug, Args)]
pub(crate) struct Run {
    /// The file
    file: PathBuf,
    /// Only events from this position on
    #[arg(long, value_parser = clap::value_parser!(i64).range(1..))]
    from: Option<Position>,
    /// Only events up to this position; up to the end of the log, when it is not given
    #[arg(long, value_parser = clap::value_parser!(i64).range(1..), conflicts_with = "live")]
    to: Option<Position>,
    /// Only what had happened by then, such as 2011-06-30T23:59:59Z
    #[arg(long, value_name = "TIME", conflicts_with = "live")]
    as_of: Option<Timestamp>,
    /// Where the rows go: `table` (the terminal), `csv:FOLDER`, `parquet:FOLDER` or `schema:NAME` (in the read database)
    #[arg(long, default_value = "table")]
    into: Into,
    /// Replace what another file, or a run over other events, left in the schema
    #[arg(long)]
    replace: bool,
    /// Keep the schema up to date as the log grows, until told to stop
    #[arg(long, conflicts_with = "check")]
    live: bool,
    /// Only explain what would be done
    #[arg(long)]
    check: bool,
    /// How many rows of each table are shown on the terminal
    #[arg(long, default_value_t = 20)]
    rows: usize,
    /// How many seconds one statement may take
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    statement_timeout: u64,
    /// How many megabytes of memory a sort or a hash table may take
    #[arg(long, value_name = "MB", default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=65_536))]
    memory: u32,
}

impl Run {
    /// Whether it follows the log until it is told to stop.
    pub(crate) const fn is_live(&self) -> bool {
        self.live
    }

    fn request(&self, projection: &Projection) -> Request {
        let of_name = || format!("{}_v{}", projection.name, projection.version);
        let schema = match &self.into {
            Into::Schema(name) => Some(name.clone().unwrap_or_else(of_name)),
            // What is followed has to be kept.
            Into::Table | Into::Csv(_) | Into::Parquet(_) => self.live.then(of_name),
        };
        let statement = Duration::from_secs(self.statement_timeout);
        let limits = Limits { statement, memory_mb: self.memory, ..Limits::default() };
        let after = self.from.map_or(0, |from| from - 1);
        Request { after, until: self.to, as_of: self.as_of, schema, replace: self.replace, limits }
    }
}

/// Follows the log with a projection until the process is told to stop.
pub(crate) fn live(what: &Run) -> ExitCode {
    match read(&what.file) {
        Ok(projection) => {
            let request = what.request(&projection);
            sql::run(projection, request)
        }
        Err(failure) => {
            say(&format!("daybook-replay: {failure}"));
            ExitCode::FAILURE
        }
    }
}

/// Runs it once.
pub(crate) async fn run(settings: &Settings, what: Run) -> Result<ExitCode, Failure> {
    let projection = read(&what.file)?;
    what.into.check()?;
    let events = settings.required(keys::EVENTS_URL)?;
    let read = pool(&settings.required(keys::READ_URL)?, CONNECTIONS, NAME);
    let archives = settings.optional(keys::ARCHIVES)?;
    let log = LogReader::new(pool_for_scans(&events, CONNECTIONS, NAME)).with_archives(archives);
    let head = log.head().await?.position;
    let until = what.to.map_or(head, |to| to.min(head));
    let request = what.request(&projection);
    if what.check {
        return check::run(&log, &read, &projection, &request, until)
            .await
            .map_err(|error| named(&what.file, error));
    }
    let stop = stop_on_signal()?;
    let session = tokio::select! {
        session = Session::open(log, Upcasters::of_the_shop(), &read, projection, request) => session,
        () = stop.cancelled() => return Ok(interrupted()),
    };
    let mut session = session.map_err(|error| named(&what.file, error))?;
    let (from, started) = (session.at(), Instant::now());
    let mut last = Progress { position: from, events: 0 };
    let mut bar = Bar::new("events", position(from), position(until));
    let built = session.build(until, &stop, |progress| {
        last = progress;
        bar.reach(position(progress.position), position(until));
    });
    let built = built.await;
    bar.clear();
    match built {
        Ok(true) => {}
        Ok(false) => return Ok(interrupted()),
        Err(error) => return Err(named(&what.file, session.after_failure(error).await)),
    }
    tokio::select! {
        given = conclude(session, (from, last, started.elapsed()), &what) => given?,
        () = stop.cancelled() => return Ok(interrupted()),
    }
    Ok(ExitCode::SUCCESS)
}

/// Puts what was built where it was asked for.
async fn conclude(
    mut session: Session,
    (from, last, took): (Position, Progress, Duration),
    what: &Run,
) -> Result<(), Failure> {
    session.settle().await?;
    tell(&session, from, last, took);
    for shown in session.shown().await? {
        give(&mut session, &shown, what).await?;
    }
    session.finish().await?;
    Ok(())
}

/// Gives one table where it was asked for.
async fn give(session: &mut Session, shown: &Shown, what: &Run) -> Result<(), Failure> {
    #[cfg(feature = "parquet")]
    if let Into::Parquet(folder) = &what.into {
        let file = folder.join(format!("{}.parquet", shown.name));
        parquet::write(&file, shown, session.json_rows(shown).await?).await?;
    }
    let rows = session.rows(shown).await?;
    let summed = match &what.into {
        Into::Table => table::show(shown, rows, what.rows).await?,
        Into::Csv(folder) => csv::write(&folder.join(format!("{}.csv", shown.name)), rows).await?,
        // What tells two runs apart is the same wherever the rows go.
        Into::Parquet(_) | Into::Schema(_) => csv::sum(rows).await?,
    };
    say(&format!("{}: {} rows, SHA-256 {}", shown.name, summed.rows, summed.sha256));
    Ok(())
}

/// Says what was run, how much that was and how long it took.
fn tell(session: &Session, from: Position, last: Progress, took: Duration) {
    let milliseconds = i64::try_from(took.as_millis()).unwrap_or(i64::MAX).max(1);
    let (passed, read) = (last.position - from, last.events);
    let rate = passed.saturating_mul(1_000) / milliseconds;
    let title = session.projection().title();
    let again = if session.is_resumed() { ", gone on with" } else { "" };
    let seconds = Duration::from_millis(took.as_millis().try_into().unwrap_or(u64::MAX));
    say(&format!(
        "{title}{again}: {read} events of {passed} up to position {}, in {seconds:?}, {rate} a second",
        last.position
    ));
}

/// Reads the file.
fn read(file: &Path) -> Result<Projection, Failure> {
    let source = std::fs::read_to_string(file)
        .map_err(|error| Failure::from(format!("cannot read {}: {error}", file.display())))?;
    let known = catalogue::event_types();
    let known: Vec<&str> = known.iter().map(|event| event.name).collect();
    Projection::parse(&source, &known).map_err(|error| named(file, error.into()))
}

/// An error with the name of the file that it is about.
fn named(file: &Path, error: sql::SqlError) -> Failure {
    if error.is_of_the_file() { Failure::from(format!("{}, {error}", file.display())) } else { error.into() }
}

fn position(position: Position) -> u64 {
    u64::try_from(position).unwrap_or(0)
}

/// Says what was done, beside the rows.
#[expect(clippy::print_stderr, reason = "it is for whoever runs it")]
fn say(done: &str) {
    eprintln!("{done}");
}
