//! `drop`: a version that is not live goes, with everything it keeps.

use clap::Args;
use daybook_eventstore::process::Failure;

use super::{Admin, say};

/// Which.
#[derive(Debug, Args)]
pub(crate) struct Drop {
    /// The read model
    name: String,
    /// Its version
    version: i32,
}

pub(super) async fn run(admin: &Admin, Drop { name, version }: Drop) -> Result<(), Failure> {
    admin.drop_version(&name, version).await?;
    say(&format!("version {version} of {name} is gone"));
    Ok(())
}
