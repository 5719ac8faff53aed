//! `parked`: events that a read model could not take, and everything after them of the same key.

use clap::Subcommand;
use daybook_eventstore::process::Failure;

use super::{Admin, say};

/// What to do with them.
#[derive(Debug, Subcommand)]
pub(crate) enum Parked {
    /// Apply them, in order; what still cannot be applied stays parked
    Retry {
        /// The read model
        name: String,
    },
}

pub(super) async fn run(admin: &Admin, Parked::Retry { name }: Parked) -> Result<(), Failure> {
    let applied = admin.retry_parked(&name).await?;
    let versions = admin.versions(&name).await?;
    let left: i64 = versions.iter().map(|version| version.parked).sum();
    say(&format!("{applied} events of {name} applied, {left} still parked"));
    Ok(())
}
