//! `vault`: the keys by which people's keys are wrapped. Nothing here reads or changes an event, or opens what was sealed.

use std::process::ExitCode;
use std::sync::Arc;

use clap::Subcommand;
use daybook_commands::ShopConfig;
use daybook_eventstore::process::config::{Settings, keys};
use daybook_eventstore::process::{Failure, SystemClock, SystemIds};
use daybook_eventstore::{Census, ConfiguredKeys, KeyId, Vault};
use tokio_util::sync::CancellationToken;

use crate::bar::Bar;
use crate::look::say;
use crate::stop::{interrupted, stop_on_signal};

/// What the servers see this program as.
const NAME: &str = "daybook-replay";
/// How often the keys are gone through at most: some may be made behind it by a process that still wraps by an earlier key.
const PASSES: u32 = 3;

/// What can be asked.
#[derive(Debug, Subcommand)]
pub(crate) enum VaultTask {
    /// Which keys there are, and how much is wrapped by each
    Keys,
    /// Wrap everything by the key that wraps now, so that the others can be taken away; the shop goes on
    Rewrap,
}

/// Does what was asked.
pub(crate) async fn run(settings: &Settings, asked: VaultTask) -> Result<ExitCode, Failure> {
    let (keys, config) = (ConfiguredKeys::load(settings)?, ShopConfig::load(settings)?);
    let opened = config.connect(NAME, Arc::new(SystemClock), Arc::new(SystemIds));
    let vault = opened.shop.vault.clone();
    match asked {
        VaultTask::Keys => show(&keys, &vault.census().await?)?,
        VaultTask::Rewrap => {
            opened.check_vault().await?;
            let stop = stop_on_signal()?;
            let Some(damaged) = rewrap(&vault, &stop).await? else { return Ok(interrupted()) };
            let census = vault.census().await?;
            show(&keys, &census)?;
            complete(&keys, &census, damaged)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Wraps all there is, and says how many keys do not open; nothing when it was stopped.
async fn rewrap(vault: &Vault, stop: &CancellationToken) -> Result<Option<u64>, Failure> {
    // It is only for the bar.
    let of = vault.to_rewrap().await.map_or(0, |count| u64::try_from(count).unwrap_or(0));
    let (mut bar, mut damaged, mut all) = (Bar::new("keys", 0, of), 0, 0);
    for _ in 0..PASSES {
        let (mut after, mut done) = (None, 0);
        damaged = 0;
        while let Some(some) = vault.rewrap(after).await? {
            if stop.is_cancelled() {
                bar.clear();
                return Ok(None);
            }
            after = Some(some.last);
            done += some.done;
            damaged += some.damaged;
            all += some.done;
            bar.reach(all, of.max(all));
        }
        if done == 0 {
            break;
        }
    }
    bar.clear();
    Ok(Some(damaged))
}

/// How much is wrapped by each key.
fn show(keys: &ConfiguredKeys, census: &Census) -> Result<(), Failure> {
    let (current, others) = (keys::VAULT_KEY.name(), keys::VAULT_OTHER_KEYS.name());
    let line = |count: i64, name: &str, what: &str| say(&format!("{count:>12}  {name:<24}{what}"));
    for (n, id) in keys.ids().enumerate() {
        let place = if n == 0 { current } else { others };
        let secret = if census.secret.as_ref() == Some(id) { ", and the vault's own secret" } else { "" };
        line(count(census, Some(id)), id.as_str(), &format!("DAYBOOK_{place}{secret}"))?;
    }
    for (id, count) in &census.wrapped {
        match id {
            Some(id) if keys.ids().any(|known| known == id) => {}
            Some(id) => line(*count, id.as_str(), "not configured")?,
            None => line(*count, "without a name", "as programs before keys had names wrapped them")?,
        }
    }
    line(census.forgotten, "destroyed", "people who were forgotten")
}

/// Whether nothing is wrapped by another key any more, the vault's own secret least of all.
fn complete(keys: &ConfiguredKeys, census: &Census, damaged: u64) -> Result<(), Failure> {
    let sum = |of: &dyn Fn(&KeyId) -> bool| -> i64 {
        let named = |(id, count): &(Option<KeyId>, i64)| id.as_ref().filter(|id| of(id)).map(|_| *count);
        census.wrapped.iter().filter_map(named).sum()
    };
    let current = keys.ids().next();
    let unknown = sum(&|id| keys.ids().all(|known| known != id));
    let left = sum(&|id| Some(id) != current) + count(census, None);
    if damaged > 0 {
        let what = "stay as they are: the log names whose they are, and forgetting them takes them away";
        return Err(format!("{damaged} keys are damaged and {what}").into());
    }
    if unknown > 0 {
        let what = "that are not configured: a process has one as DAYBOOK_VAULT_KEY, or had";
        return Err(format!("{unknown} keys are wrapped by keys {what}").into());
    }
    if left > 0 {
        let what = "were wrapped by another key meanwhile: a process still has it as DAYBOOK_VAULT_KEY";
        return Err(format!("{left} keys {what}").into());
    }
    if census.secret.as_ref() != current {
        return Err("the vault's own secret is not wrapped by DAYBOOK_VAULT_KEY yet: run it again".into());
    }
    say("everything is wrapped by DAYBOOK_VAULT_KEY: DAYBOOK_VAULT_OTHER_KEYS can be taken away")
}

fn count(census: &Census, id: Option<&KeyId>) -> i64 {
    census.wrapped.iter().find(|(key, _)| key.as_ref() == id).map_or(0, |(_, count)| *count)
}
