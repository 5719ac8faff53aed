//! `compare`: a read model beside its own rebuild from the first event, which goes again. Readers notice nothing, and
//! nothing is switched.

use std::process::ExitCode;

use clap::Args;
use daybook_eventstore::process::Failure;
use daybook_projections::runtime::RuntimeError;

use super::verdict::{self, EXIT_DIFFERENT, Thoroughness};
use super::{Admin, with_bar};
use crate::stop::{interrupted, stop_on_signal};

/// What, and how.
#[derive(Debug, Args)]
pub(crate) struct Compare {
    /// The read model
    name: String,
    #[command(flatten)]
    thoroughness: Thoroughness,
    /// Compare with this version, which is being built beside the live one, instead of a new one
    #[arg(long)]
    version: Option<i32>,
    /// Let the version stay that was built for it
    #[arg(long, conflicts_with = "version")]
    keep: bool,
    /// Tell it as JSON: one object
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(admin: &Admin, asked: Compare) -> Result<ExitCode, Failure> {
    let Compare { name, thoroughness, version, keep, json } = asked;
    let stop = stop_on_signal()?;
    if admin.live(&name).await?.is_none() {
        return Err(RuntimeError::NoVersion { name, what: "live" }.into());
    }
    let other = match version {
        Some(version) => version,
        None => admin.build(&name, false).await?,
    };
    let comparing = with_bar(async |tell| {
        admin.catch_up(&name, other, tell).await?;
        admin.compare(&name, other, thoroughness.depth()).await
    });
    let compared = tokio::select! {
        compared = comparing => Some(compared),
        () = stop.cancelled() => None,
    };
    if version.is_none() && !keep {
        take_away(admin, &name, other).await;
    }
    let Some(compared) = compared.transpose()? else { return Ok(interrupted()) };
    verdict::say(&name, &compared, json)?;
    Ok(if compared.is_equal() { ExitCode::SUCCESS } else { ExitCode::from(EXIT_DIFFERENT) })
}

/// Takes the version away that was built to be compared, or tells how to.
#[expect(clippy::print_stderr, reason = "it is for whoever asked")]
async fn take_away(admin: &Admin, name: &str, version: i32) {
    if let Err(failed) = admin.drop_version(name, version).await {
        eprintln!(
            "version {version} of {name} is still there ({failed}); `drop {name} {version}` takes it away"
        );
    }
}
