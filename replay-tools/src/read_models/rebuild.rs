//! `rebuild`: readers see the old version until the new one has caught up, and then the new one.

use clap::Args;
use daybook_eventstore::process::Failure;

use super::{Admin, say, with_bar};

/// Which.
#[derive(Debug, Args)]
pub(crate) struct Rebuild {
    /// The read model
    name: String,
    /// Only begin: a projector of that name builds the version, and `switch` makes it live
    #[arg(long)]
    beside: bool,
}

pub(super) async fn run(admin: &Admin, Rebuild { name, beside }: Rebuild) -> Result<(), Failure> {
    if beside {
        let version = admin.build(&name, false).await?;
        say(&format!("version {version} of {name} is to be built"));
        return Ok(());
    }
    let version = with_bar(async |tell| admin.rebuild(&name, tell).await).await?;
    say(&format!("version {version} of {name} is live"));
    Ok(())
}
