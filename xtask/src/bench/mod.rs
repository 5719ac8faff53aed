//! `cargo xtask bench`: how fast the event store is beside others, how many clients Daybook serves, and how fast the log
//! is replayed.
//!
//! `api`: how many clients Daybook serves, how fast, and in how much memory. It reports what it
//! measured and never judges it: only work that failed makes it fail.

mod assortment;
mod audit;
mod decimal;
mod dice;
mod eventstore;
mod load;
mod machine;
mod offline;
mod replay;
mod report;
mod target;
mod workloads;

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use crate::failure::{During, Failure, Result};
use crate::interrupt::Interrupt;
use crate::progress::Step;
use crate::random;
use crate::workspace::Workspace;

use machine::{Machine, Memory};
use report::{Report, Row};
use target::Target;
use workloads::{ALL, Seat, Stage, Workload};

/// How many orders are bought before histories are read.
const ORDERS: usize = 100;

/// What to measure.
#[derive(Debug, clap::Subcommand)]
pub enum Bench {
    /// Measure the public API, the rebuild of a read model, and an import.
    ///
    /// Measures the Daybook that runs, or starts a private one on free ports and stops it again. Brings in 5,000
    /// variants of its own once. Nothing else should run meanwhile: clients and servers share the machine.
    Api(Options),
    /// Measure the event store beside others, on a private PostgreSQL that flushes every commit.
    ///
    /// Nothing else should run meanwhile. Takes about half an hour with all workloads and three runs.
    Eventstore(eventstore::Options),
    /// Measure projections in SQL, rebuilding, exporting and verifying beside what PostgreSQL needs to copy the log out.
    ///
    /// On a private PostgreSQL with a year of real trade in its log. Nothing else should run meanwhile.
    Replay(replay::Options),
}

/// How to measure the API.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// Write what was found to this file, as JSON.
    #[arg(long)]
    json: Option<PathBuf>,
    /// How long each workload runs with each number of clients, after a second of warming up.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=3_600))]
    seconds: u64,
    /// How many clients there are at once, one number after another.
    #[arg(long, value_delimiter = ',', default_value = "1,16,64", value_parser = number_of_clients)]
    clients: Vec<usize>,
    /// Run only these workloads.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Import this file too (UCI "Online Retail"), into a private Daybook.
    #[arg(long)]
    import: Option<PathBuf>,
    /// Start a private Daybook even where one runs.
    #[arg(long)]
    private: bool,
    /// Measure debug builds of a private Daybook: for work on the benchmark itself.
    #[arg(long)]
    dev: bool,
}

/// Measures.
pub fn run(bench: &Bench) -> Result<()> {
    match bench {
        Bench::Api(options) => api(options),
        Bench::Eventstore(options) => eventstore::run(options),
        Bench::Replay(options) => replay::run(options),
    }
}

fn api(options: &Options) -> Result<()> {
    let chosen = chosen(&options.only)?;
    let workspace = Workspace::find()?;
    let interrupt = Interrupt::listen()?;
    let private = options.private || options.import.is_some();
    let target = Target::find(&workspace, private, options.dev, &interrupt)?;
    let report = measure(options, &chosen, &target, &interrupt)?;
    drop(target);
    print!("{}", report.text());
    if let Some(file) = &options.json {
        let json = serde_json::to_string_pretty(&report).during(|| "cannot write JSON".into())?;
        fs::write(file, json).during(|| format!("cannot write {}", file.display()))?;
    }
    match report.failures() {
        None => Ok(()),
        Some((errors, first)) => Err(Failure::new(format!("{errors} failed, the first because {first}"))),
    }
}

fn measure(options: &Options, chosen: &[Workload], target: &Target, interrupt: &Interrupt) -> Result<Report> {
    let machine = Machine::now(&target.processes());
    let stage = set(target, interrupt)?;
    let mut memory = Memory::of(&target.processes());
    let mut rows = Vec::new();
    for workload in chosen {
        for &clients in &options.clients {
            workloads::settle(&stage, interrupt)?;
            rows.push(apply(*workload, clients, options.seconds, &stage, interrupt)?);
            memory = memory.max(Memory::of(&target.processes()));
        }
    }
    if is_asked(&options.only, "rebuild") {
        rows.push(shown("rebuild orders", || offline::rebuild(target, &stage, interrupt))?);
    }
    if let Some(file) = &options.import {
        rows.push(shown("import", || offline::import(target, &stage, file, interrupt))?);
    }
    Ok(Report { machine, memory, seconds: options.seconds, rows })
}

/// Makes everything that the clients need.
fn set(target: &Target, interrupt: &Interrupt) -> Result<Stage> {
    let shop = target.shop().clone();
    let assortment = assortment::load(&shop, interrupt)?;
    let (cursors, orders) = (Vec::new(), Vec::new());
    let mut stage = Stage { shop, assortment, cursors, orders, run: random::hex::<8>()? };
    let step = Step::begin(format!("Buying {ORDERS} times"));
    stage.orders = workloads::buy(&stage, ORDERS, interrupt)?;
    step.done("");
    workloads::settle(&stage, interrupt)?;
    stage.cursors = workloads::turn_pages(&stage)?;
    Ok(stage)
}

fn apply(
    workload: Workload,
    clients: usize,
    seconds: u64,
    stage: &Stage,
    interrupt: &Interrupt,
) -> Result<Row> {
    shown(&format!("{} with {clients} at once", workload.name), || {
        let make = |client| (workload.make)(stage, Seat { client, clients });
        let measured = load::apply(clients, Duration::from_secs(seconds), interrupt, make)?;
        Ok(Row::of(workload.name, clients, measured))
    })
}

fn shown(what: &str, measure: impl FnOnce() -> Result<Row>) -> Result<Row> {
    let step = Step::begin(what);
    let row = measure()?;
    step.done(&row.spoken());
    Ok(row)
}

fn chosen(only: &[String]) -> Result<Vec<Workload>> {
    let known = |name: &String| name == "rebuild" || ALL.iter().any(|workload| workload.name == name);
    if let Some(unknown) = only.iter().find(|name| !known(name)) {
        let names: Vec<_> = ALL.iter().map(|workload| workload.name).collect();
        return Err(Failure::new(format!(
            "there is no workload {unknown}, only {}, rebuild",
            names.join(", ")
        )));
    }
    Ok(ALL.into_iter().filter(|workload| is_asked(only, workload.name)).collect())
}

fn is_asked(only: &[String], name: &str) -> bool {
    only.is_empty() || only.iter().any(|asked| asked == name)
}

fn number_of_clients(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(clients @ 1..=1_000) => Ok(clients),
        Ok(_) | Err(_) => Err("a number from 1 to 1000".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workloads_are_chosen_by_name() {
        let names = |only: &[&str]| {
            let only: Vec<String> = only.iter().map(|&name| name.to_owned()).collect();
            chosen(&only).map(|chosen| chosen.iter().map(|workload| workload.name).collect::<Vec<_>>())
        };
        assert_eq!(names(&["product", "rebuild"]).expect("a choice"), ["product"]);
        assert_eq!(names(&[]).expect("all").len(), ALL.len());
        assert!(names(&["prodct"]).expect_err("a slip").chain().contains("checkout"));
    }

    #[test]
    fn there_is_at_least_one_client() {
        assert_eq!(number_of_clients("64"), Ok(64));
        assert!(number_of_clients("0").is_err() && number_of_clients("x").is_err());
    }
}
