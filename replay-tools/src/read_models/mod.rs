//! What operators ask of the read models while readers use them: one module for each subcommand. Nothing here writes a
//! read model; its runtime does.

mod compare;
mod drop;
mod lag;
mod parked;
mod rebuild;
mod rollback;
mod switch;
mod verdict;

use std::process::ExitCode;
use std::sync::Arc;

use clap::Subcommand;
use daybook_eventstore::process::config::Settings;
use daybook_eventstore::process::{Failure, SystemClock};
use daybook_projections::operator;
use daybook_projections::runtime::admin::{Admin, Progress};

use crate::bar::Bar;

/// What can be asked.
#[derive(Debug, Subcommand)]
pub(crate) enum ReadModels {
    /// Compare a read model with its own rebuild from the first event
    Compare(compare::Compare),
    /// Build the next version of a read model beside the live one, and compare the two
    Rebuild(rebuild::Rebuild),
    /// Make a version of a read model the live one
    Switch(switch::Switch),
    /// Go back to the version of a read model that was live before
    Rollback(rollback::Rollback),
    /// Take a version of a read model away that is not live
    Drop(drop::Drop),
    /// Events that a read model could not take
    #[command(subcommand)]
    Parked(parked::Parked),
    /// How far each version of each read model is, and each projection in SQL that is kept
    Lag(lag::Lag),
}

/// Does what was asked.
pub(crate) async fn run(settings: &Settings, asked: ReadModels) -> Result<ExitCode, Failure> {
    let admin = operator::open(settings, "daybook-replay", Arc::new(SystemClock))?;
    let done = match asked {
        ReadModels::Lag(asked) => return lag::run(settings, &admin, asked).await,
        ReadModels::Compare(asked) => return compare::run(&admin, asked).await,
        ReadModels::Rebuild(asked) => return rebuild::run(&admin, asked).await,
        ReadModels::Switch(switch) => switch::run(&admin, switch).await,
        ReadModels::Rollback(rollback) => rollback::run(&admin, rollback).await,
        ReadModels::Drop(drop) => drop::run(&admin, drop).await,
        ReadModels::Parked(parked) => parked::run(&admin, parked).await,
    };
    done.map(|()| ExitCode::SUCCESS)
}

/// Does what takes long with a bar; the work tells how far it is.
async fn with_bar<T, E>(work: impl AsyncFnOnce(&mut dyn FnMut(Progress)) -> Result<T, E>) -> Result<T, E> {
    let mut bar: Option<Bar> = None;
    let done = work(&mut |progress: Progress| {
        let position = |position: i64| u64::try_from(position).unwrap_or(0);
        let (at, of) = (position(progress.position), position(progress.head));
        bar.get_or_insert_with(|| Bar::new("events", at, of)).reach(at, of);
    })
    .await;
    if let Some(bar) = bar {
        bar.clear();
    }
    done
}

/// Says what was done.
#[expect(clippy::print_stdout, reason = "it is for whoever asked for it")]
fn say(done: &str) {
    println!("{done}");
}
