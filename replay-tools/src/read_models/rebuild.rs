//! `rebuild`: the next version beside the live one, compared with it; readers see the old one until they are switched.

use std::process::ExitCode;

use clap::Args;
use daybook_eventstore::process::Failure;
use daybook_projections::runtime::RuntimeError;

use super::verdict::{self, EXIT_DIFFERENT, Thoroughness};
use super::{Admin, say, with_bar};

/// Which, and what then.
#[derive(Debug, Args)]
pub(crate) struct Rebuild {
    /// The read model
    name: String,
    /// Only begin: a projector of that name builds the version
    #[arg(long, conflicts_with_all = ["switch", "unchecked", "rows"])]
    beside: bool,
    /// Make it live when it equals the live one, or other code folded that one
    #[arg(long)]
    switch: bool,
    /// Do not compare it with the live one
    #[arg(long, conflicts_with = "rows")]
    unchecked: bool,
    #[command(flatten)]
    thoroughness: Thoroughness,
}

pub(super) async fn run(admin: &Admin, asked: Rebuild) -> Result<ExitCode, Failure> {
    let name = asked.name.as_str();
    if asked.beside {
        let version = admin.build(name, false).await?;
        say(&format!("version {version} of {name} is to be built"));
        return Ok(ExitCode::SUCCESS);
    }
    if asked.switch && asked.unchecked {
        let version = with_bar(async |tell| admin.rebuild(name, tell).await).await?;
        say(&format!("version {version} of {name} is live"));
        return Ok(ExitCode::SUCCESS);
    }
    let is_first = admin.live(name).await?.is_none();
    let version = admin.build(name, false).await?;
    with_bar(async |tell| admin.catch_up(name, version, tell).await).await?;
    if is_first {
        say(&format!("version {version} of {name} is live; there was none to compare it with"));
        return Ok(ExitCode::SUCCESS);
    }
    let is_good = asked.unchecked || compare(admin, &asked, version).await?;
    if is_good && asked.switch {
        admin.take_over(name, version).await?;
        say(&format!("version {version} of {name} is live"));
        return Ok(ExitCode::SUCCESS);
    }
    say(&format!(
        "version {version} of {name} stays beside the live one, and a projector keeps it up: \
         `switch {name} {version}` makes it live, `drop {name} {version}` takes it away{}",
        if is_good { String::new() } else { format!(", `compare {name} --version {version}` shows more") }
    ));
    Ok(if is_good { ExitCode::SUCCESS } else { ExitCode::from(EXIT_DIFFERENT) })
}

/// Compares the version with the live one, and tells; whether it may take over.
async fn compare(admin: &Admin, asked: &Rebuild, version: i32) -> Result<bool, Failure> {
    let name = asked.name.as_str();
    match admin.compare(name, version, asked.thoroughness.depth()).await {
        Ok(compared) => {
            verdict::say(name, &compared, false)?;
            Ok(compared.is_equal() || !compared.is_of_one_revision())
        }
        // It takes the place of one that would be no more use.
        Err(error @ RuntimeError::Incomparable { .. }) if admin.is_outdated(name, version).await? => {
            say(&error.to_string());
            Ok(true)
        }
        Err(error) => Err(error.into()),
    }
}
