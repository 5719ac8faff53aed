//! `switch`: a version that has caught up takes over from the live one.

use clap::Args;
use daybook_eventstore::process::Failure;

use super::{Admin, say};

/// Which.
#[derive(Debug, Args)]
pub(crate) struct Switch {
    /// The read model
    name: String,
    /// Its version
    version: i32,
}

pub(super) async fn run(admin: &Admin, Switch { name, version }: Switch) -> Result<(), Failure> {
    admin.switch(&name, version).await?;
    say(&format!("version {version} of {name} is live"));
    Ok(())
}
