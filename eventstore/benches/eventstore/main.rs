//! How Daybook's event store compares with what a Rust team would otherwise pick, everything in one run, on one
//! server that flushes every commit. `cargo xtask bench eventstore` starts the server and runs this.

#![expect(clippy::float_arithmetic, reason = "rates and ratios are for people to read")]

mod basket;
mod child;
mod contestants;
mod measure;
#[cfg(feature = "peers")]
mod own;
mod report;
mod system;
mod workload;

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;

use contestants::{Failed, PEERS};
use measure::Server;
use workload::{ALL, Plan};

/// That of Daybook's processes, for everybody.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Measures event stores.
#[derive(Debug, Parser)]
struct Arguments {
    #[command(subcommand)]
    part: Option<Part>,
    /// A PostgreSQL server where databases may be made and dropped.
    #[arg(long, env = "DAYBOOK_BENCH_POSTGRES_URL")]
    database: Option<String>,
    /// Only these workloads.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Only these contestants.
    #[arg(long, value_delimiter = ',')]
    contestants: Vec<String>,
    /// Only these numbers of callers.
    #[arg(long, value_delimiter = ',')]
    callers: Vec<usize>,
    /// How long each measurement takes, after a quarter of that for warming up.
    #[arg(long, default_value_t = 3.0)]
    seconds: f64,
    /// How often each is repeated; the medians are reported.
    #[arg(long, default_value_t = 3)]
    runs: usize,
    /// Write the rows to this file.
    #[arg(long)]
    json: Option<PathBuf>,
    /// What cargo tells every benchmark.
    #[arg(long, hide = true)]
    bench: bool,
}

#[derive(Debug, clap::Subcommand)]
enum Part {
    /// A process of callers.
    #[command(hide = true)]
    Child(child::Orders),
    /// The server of a contestant that has its own.
    #[cfg(feature = "peers")]
    #[command(hide = true)]
    Serve(own::Serving),
}

#[tokio::main]
async fn main() -> Result<(), Failed> {
    let arguments = Arguments::parse();
    match arguments.part {
        Some(Part::Child(orders)) => child::run(orders).await,
        #[cfg(feature = "peers")]
        Some(Part::Serve(serving)) => own::serve(serving).await,
        None => compare(arguments).await,
    }
}

async fn compare(arguments: Arguments) -> Result<(), Failed> {
    let url = arguments.database.as_deref().ok_or("no --database to measure on")?;
    if let Some(peer) = arguments.contestants.iter().find(|name| !takes_part(name)) {
        return Err(format!("{peer} takes part only with the feature `peers`").into());
    }
    let mut server = Server::connect(url).await?;
    let cells = cells(&arguments);
    let mut found: Vec<Vec<measure::Row>> = vec![Vec::new(); cells.len()];
    // Run after run, so that what changes about the machine meanwhile changes for everybody.
    for run in 1..=arguments.runs {
        for (cell, rows) in cells.iter().zip(&mut found) {
            let (plan, contestant, callers) = *cell;
            let time = Duration::from_secs_f64(arguments.seconds);
            let row = server.measure(plan, contestant, callers, time).await?;
            eprintln!(
                "run {run}: {} {callers} {contestant}: {:.0}/s, p99 {:.2} ms, {:.1} µs an event",
                plan.name, row.per_s, row.p99_ms, row.cpu_us_per_event
            );
            rows.push(row);
        }
    }
    let medians: Vec<_> = found.iter().map(|rows| report::median(rows)).collect();
    println!("{}", report::table(&medians));
    println!("{}; medians of {} runs of {} s", server.version().await?, arguments.runs, arguments.seconds);
    if let Some(file) = arguments.json {
        fs::write(file, serde_json::to_string_pretty(&medians)?)?;
    }
    Ok(())
}

/// Whether this build has a contestant, of those that there are.
fn takes_part(contestant: &str) -> bool {
    cfg!(feature = "peers") || !PEERS.contains(&contestant)
}

/// What is to be measured.
fn cells(arguments: &Arguments) -> Vec<(&'static Plan, &'static str, usize)> {
    fn among<T: PartialEq<U>, U>(asked: &[T], one: &U) -> bool {
        asked.is_empty() || asked.iter().any(|asked| asked == one)
    }
    let plans = ALL.iter().filter(|plan| among(&arguments.only, &plan.name));
    let mut cells = Vec::new();
    for plan in plans {
        for &callers in plan.callers.iter().filter(|callers| among(&arguments.callers, *callers)) {
            let asked = plan.contestants.iter().filter(|name| among(&arguments.contestants, *name));
            cells.extend(asked.filter(|name| takes_part(name)).map(|name| (plan, *name, callers)));
        }
    }
    cells
}
