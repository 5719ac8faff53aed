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
    /// Make it live when it equals the live one, or older code folded that one
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
    if !asked.unchecked {
        admin.is_to_be_replaced(name).await?;
    }
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
    let version = admin.build(name, false).await?;
    let is_first = admin.live(name).await?.is_some_and(|live| live.version == version);
    with_bar(async |tell| admin.catch_up(name, version, tell).await).await?;
    if is_first {
        say(&format!("version {version} of {name} is live; there was none to compare it with"));
        return Ok(ExitCode::SUCCESS);
    }
    let replaced = if asked.unchecked { None } else { compare(admin, &asked, version).await? };
    if let (Some(live), true) = (replaced, asked.switch) {
        admin.take_over(name, version, live).await?;
        say(&format!("version {version} of {name} is live"));
        return Ok(ExitCode::SUCCESS);
    }
    let is_good = asked.unchecked || replaced.is_some();
    say(&format!(
        "version {version} of {name} stays beside the live one, and a projector keeps it up: \
         `switch {name} {version}` makes it live, `drop {name} {version}` takes it away{}",
        if is_good { String::new() } else { format!(", `compare {name} --version {version}` shows more") }
    ));
    Ok(if is_good { ExitCode::SUCCESS } else { ExitCode::from(EXIT_DIFFERENT) })
}

/// Compares the version with the live one, and tells; which one it may take over from, when it may.
async fn compare(admin: &Admin, asked: &Rebuild, version: i32) -> Result<Option<i32>, Failure> {
    let name = asked.name.as_str();
    match admin.compare(name, version, asked.thoroughness.depth()).await {
        Ok(compared) => {
            verdict::say(name, &compared, false)?;
            let is_good = compared.is_equal() || compared.is_upgrade();
            Ok(is_good.then_some(compared.sides[0].version))
        }
        // It takes the place of one that would be no more use.
        Err(error @ RuntimeError::Incomparable { live, .. }) if admin.is_outdated(name, version).await? => {
            say(&error.to_string());
            Ok(Some(live))
        }
        Err(error) => Err(error.into()),
    }
}
