//! `lag`: how far each version of each read model is behind the log.

use daybook_eventstore::process::Failure;
use daybook_projections::registry;
use daybook_projections::runtime::RuntimeError;

use super::{Admin, say};

pub(super) async fn run(admin: &Admin) -> Result<(), Failure> {
    let head = admin.head().await?;
    say(&format!("the log is at {head}"));
    for name in registry::names() {
        let versions = match admin.versions(name).await {
            Err(error @ RuntimeError::NotConfigured { .. }) => {
                say(&error.to_string());
                continue;
            }
            versions => versions?,
        };
        for row in versions {
            let (version, status) = (row.version, row.status.as_str());
            let (position, parked) = (row.checkpoint.position, row.parked);
            let behind = (head - position).max(0);
            let diverged = if row.diverged { ", built from another log" } else { "" };
            let of = format!("{name}@{version} {status}");
            say(&format!("{of:<24} at {position}, {behind} behind, {parked} parked{diverged}"));
        }
    }
    Ok(())
}
