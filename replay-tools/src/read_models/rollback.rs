//! `rollback`: the version that was live before takes over again, once it has caught up with what it missed.

use clap::Args;
use daybook_eventstore::process::Failure;

use super::{Admin, say, with_bar};

/// Which.
#[derive(Debug, Args)]
pub(crate) struct Rollback {
    /// The read model
    name: String,
}

pub(super) async fn run(admin: &Admin, Rollback { name }: Rollback) -> Result<(), Failure> {
    let version = with_bar(async |tell| admin.rollback(&name, tell).await).await?;
    say(&format!("version {version} of {name} is live again"));
    Ok(())
}
