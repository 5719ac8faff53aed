//! What is measured without clients: rebuilding a read model, and importing a year of a shop.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use crate::failure::{During, Result};
use crate::interrupt::Interrupt;
use crate::process::Launch;

use super::decimal::Decimal;
use super::report::Row;
use super::target::Target;
use super::workloads::{Stage, settle};

const GLANCE: Duration = Duration::from_millis(20);

/// Rebuilds `orders` from the whole log, beside the live one, until it is live; the two are not compared.
pub(super) fn rebuild(target: &Target, stage: &Stage, interrupt: &Interrupt) -> Result<Row> {
    let events = settle(stage, interrupt)?;
    let took = run(&target.replay().args(["rebuild", "orders", "--switch", "--unchecked"]), interrupt)?;
    Ok(row("rebuild orders", events, took))
}

/// Imports a file, all of it or what an earlier run left.
pub(super) fn import(target: &Target, stage: &Stage, file: &Path, interrupt: &Interrupt) -> Result<Row> {
    let file = file.canonicalize().during(|| format!("cannot find {}", file.display()))?;
    let before = settle(stage, interrupt)?;
    let took = run(&target.replay().args(["import", "online-retail"]).arg(file), interrupt)?;
    Ok(row("import", settle(stage, interrupt)?.saturating_sub(before), took))
}

fn run(command: &Launch, interrupt: &Interrupt) -> Result<Duration> {
    let line = command.line();
    let began = Instant::now();
    let mut running = command.start()?;
    loop {
        if let Some(status) = running.ended() {
            let took = began.elapsed();
            let failed = || std::io::Error::other(status.to_string());
            return if status.success() {
                Ok(took)
            } else {
                Err(failed()).during(|| format!("`{line}` failed"))
            };
        }
        interrupt.check()?;
        thread::sleep(GLANCE);
    }
}

fn row(workload: &str, events: u64, took: Duration) -> Row {
    let per_s = Decimal::rate(events, took);
    let (p50_ms, p99_ms, max_ms, first_error) = (None, None, None, None);
    let workload = workload.to_owned();
    Row { workload, clients: 1, per_s, p50_ms, p99_ms, max_ms, count: events, errors: 0, first_error }
}
