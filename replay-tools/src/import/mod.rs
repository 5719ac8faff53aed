//! `import online-retail`: a year of a British wholesaler, as it would have happened here.
//!
//! The import is a process of its own: it answers its own events, at the file's dates, and calls no gateway and no
//! carrier. Everything goes through commands whose ids follow from the invoice, so it can be stopped anywhere and run
//! again. It never writes an event, and never decides what the domain decides.

mod checkpoint;
mod country;
mod drive;
mod error;
mod line;
mod list;
mod patience;
mod plan;
mod read;
mod reject;
mod report;
mod sell;
mod ship;
mod source;
mod stock;
mod story;
mod take_back;
mod verify;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use clap::{Args, Subcommand};
use daybook_commands::{Shop, ShopConfig};
use daybook_domain::{CustomerId, LocationCode};
use daybook_eventstore::EventStore;
use daybook_eventstore::process::config::{ConfigError, PgUrl, Settings, keys};
use daybook_eventstore::process::{self, Failure, SystemClock, SystemIds};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::bar::Bar;
use crate::stop::{interrupted, stop_on_signal};

use checkpoint::Checkpoint;
use drive::Driver;
use error::ImportError;
use patience::Patience;
use plan::{Outcome, Unit};
use read::Reading;
use report::Report;
use source::Identity;
use story::Desk;
use verify::{Booked, Books};

/// What the servers see this program as.
const NAME: &str = "daybook-replay";
/// How many plans are made ahead.
const AHEAD: usize = 64;

/// What is imported.
#[derive(Debug, Args)]
pub(crate) struct Import {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// The "Online Retail" data set of the UCI Machine Learning Repository, as CSV, plain or compressed with xz
    OnlineRetail(OnlineRetail),
}

#[derive(Debug, Args)]
struct OnlineRetail {
    /// The file
    file: PathBuf,
    /// Import this many lines from the beginning, and the rest of the invoice that is open then
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    lines: Option<u64>,
    /// Write the rejected lines, each with its number and the reason, to this file
    #[arg(long)]
    rejects: Option<PathBuf>,
    /// Write the report as JSON to this file
    #[arg(long)]
    json: Option<PathBuf>,
    /// How many invoices are on their way at once
    #[arg(long, default_value_t = 256, value_parser = clap::value_parser!(u16).range(1..=1_000))]
    in_flight: u16,
}

/// Imports a file, or goes on where an earlier run of the same file was.
pub(crate) async fn run(settings: &Settings, import: Import) -> Result<ExitCode, Failure> {
    let What::OnlineRetail(options) = import.what;
    let (config, read) = (ShopConfig::load(settings)?, settings.optional(keys::READ_URL)?);
    let opened = config.connect(NAME, Arc::new(SystemClock), Arc::new(SystemIds));
    opened.check_vault().await?;
    let file = options.file.clone();
    let identity = tokio::task::spawn_blocking(move || Identity::of(&file)).await??;
    let (checkpoint, done) = Checkpoint::take(opened.pool, identity.sha256).await?;

    let location = location(&opened.shop)?;
    let store = opened.store;
    let desk = Arc::new(Desk::new(opened.shop, store.clone(), location));
    let started = Instant::now();
    let of = options.lines.map_or(identity.lines, |limit| limit.min(identity.lines));
    let stop = stop_on_signal()?;
    let mut driver = Driver {
        desk: Arc::clone(&desk),
        checkpoint,
        bar: Bar::new("lines", done.min(of), of),
        in_flight: usize::from(options.in_flight),
        stop: stop.clone(),
    };
    let reading = Reading { file: options.file, limit: options.lines, done, rejects: options.rejects };
    let outcome = take_effect(&mut driver, reading).await?;
    let Some(outcome) = outcome.filter(|_| !stop.is_cancelled()) else {
        return Ok(interrupted());
    };
    driver.checkpoint.advance(outcome.tally.lines, &stop).await?;
    let took = started.elapsed();
    let said = tokio::select! {
        said = verify(read.as_ref(), &desk.shop, &store, (&outcome, &stop)) => said?,
        () = stop.cancelled() => return Ok(interrupted()),
    };
    let before = done.min(outcome.tally.lines);
    let report = Report::new(&identity.sha256, &outcome.tally, said, (before, desk.appended(), took));
    report.show();
    if let Some(path) = &options.json {
        report.write(path)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Reads the file on a thread of its own while its plans take effect.
async fn take_effect(driver: &mut Driver, reading: Reading) -> Result<Option<Outcome>, ImportError> {
    let (plans, units) = mpsc::channel::<Unit>(AHEAD);
    let reading = tokio::task::spawn_blocking(move || reading.run(&plans));
    let ended = driver.run(units).await;
    driver.bar.clear();
    ended?;
    reading.await?
}

/// What the events and, when there is one that has caught up, the read model say of the money.
async fn verify(
    read: Option<&PgUrl>,
    shop: &Shop,
    store: &EventStore,
    (outcome, interrupt): (&Outcome, &CancellationToken),
) -> Result<(Booked, Option<Booked>), ImportError> {
    let (books, mut patience) = (Books::new(&outcome.accounts), Patience::new(interrupt));
    loop {
        match compare(read, shop, store, &books).await {
            Ok(said) => return Ok(said),
            Err(failure) => patience.outlast(failure).await?,
        }
    }
}

async fn compare(
    read: Option<&PgUrl>,
    shop: &Shop,
    store: &EventStore,
    books: &Books,
) -> Result<(Booked, Option<Booked>), ImportError> {
    let events = books.against_events(shop).await?;
    let Some(read) = read else { return Ok((events, None)) };
    let head = store.reader().head().await?.position;
    let read_model = books.against_read_model(process::pool(read, 2, NAME), head).await?;
    Ok((events, read_model.ok()))
}

/// Where the import's stock is: the shop's first location.
fn location(shop: &Shop) -> Result<LocationCode, ConfigError> {
    let missing = ConfigError::Missing { name: keys::LOCATIONS.name() };
    shop.locations.first().map(|first| first.code.clone()).ok_or(missing)
}

/// What every id of the import follows from.
fn source_id() -> Uuid {
    Uuid::new_v5(&Uuid::NAMESPACE_URL, b"https://archive.ics.uci.edu/dataset/352/online+retail")
}

/// What the ids of everything in an invoice, or of a product, follow from.
fn document_id(name: &str) -> Uuid {
    Uuid::new_v5(&source_id(), name.as_bytes())
}

/// The customer with this number in the file.
fn customer_id(number: u32) -> CustomerId {
    CustomerId::derived(source_id(), &format!("customer {number}"))
}
