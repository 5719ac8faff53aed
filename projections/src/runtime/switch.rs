//! Making versions, and which of them readers see: each change is one transaction of the read database.

use std::time::Duration;

use sqlx::error::DatabaseError;
use sqlx::{Acquire, PgConnection, PgPool};
use tokio::time::Instant;
use uuid::Uuid;

use daybook_eventstore::{Checkpoint, begin_tx};

use super::error::{RuntimeError, TargetError};
use super::target::Target;
use super::versions::{self, Status, Version};

/// How long the live version may be held back for the new one to reach it; as long as a batch of the new one may take, or
/// as [`BATCHES`] like its last one take, where that is longer.
const HOLD: Duration = Duration::from_secs(3);
/// The batch that is under way, the one with what came meanwhile, and one to spare.
const BATCHES: u32 = 3;
/// What the server answers when a lock was not to be had in time.
const LOCK_NOT_AVAILABLE: &str = "55P03";
/// How often to look whether it has.
const LOOK: Duration = Duration::from_millis(2);

/// Registers the next version and makes room for it, unless those there are do; the first of a read model is
/// live at once.
pub(crate) async fn begin(
    pool: &PgPool,
    (name, target): (&str, &dyn Target),
    epoch: Uuid,
    switch_when_ready: bool,
    needed: impl Fn(&[Version]) -> bool + Send,
) -> Result<Option<i32>, RuntimeError> {
    let mut tx = begin_tx(pool).await?;
    alone(&mut tx, name).await?;
    let known = versions::list(&mut *tx, name).await?;
    if !needed(&known) {
        return Ok(None);
    }
    let first = !known.iter().any(|row| row.status == Status::Live);
    let version = Version {
        name: name.to_owned(),
        version: known.last().map_or(1, |row| row.version + 1),
        status: if first { Status::Live } else { Status::Building },
        target: target.kind().to_owned(),
        revision: target.revision(),
        checkpoint: Checkpoint::start(epoch),
        switch_when_ready,
        diverged: false,
        parked: 0,
    };
    versions::insert(&mut tx, &version).await?;
    target.create(&mut tx, version.version).await?;
    if first {
        target.expose(&mut tx, version.version).await?;
    }
    versions::announce(&mut tx, name).await?;
    tx.commit().await?;
    tracing::info!(
        projection = name,
        version = version.version,
        status = version.status.as_str(),
        "version made"
    );
    Ok(Some(version.version))
}

/// Makes `version` the one that readers see: holds the live one back until the new one, which somebody builds meanwhile,
/// has reached it; `took` is how long its last batch took.
pub(crate) async fn switch(
    pool: &PgPool,
    target: &dyn Target,
    (name, version): (&str, i32),
    took: Duration,
) -> Result<(), RuntimeError> {
    replace(pool, target, (name, version), took, |_| Ok(())).await
}

/// The same, only when the live version is still the one that it was compared with.
pub(crate) async fn switch_from(
    pool: &PgPool,
    target: &dyn Target,
    (name, version): (&str, i32),
    compared: i32,
) -> Result<(), RuntimeError> {
    let is_compared = |live: Option<&Version>| {
        let live = live.map_or(0, |live| live.version);
        if live == compared {
            return Ok(());
        }
        let why = format!("it was compared with version {compared}, which was live then");
        Err(RuntimeError::Incomparable { name: name.to_owned(), live, other: version, why })
    };
    replace(pool, target, (name, version), Duration::ZERO, is_compared).await
}

/// The same, when the live version may be replaced.
async fn replace(
    pool: &PgPool,
    target: &dyn Target,
    (name, version): (&str, i32),
    took: Duration,
    may_go: impl Fn(Option<&Version>) -> Result<(), RuntimeError> + Send,
) -> Result<(), RuntimeError> {
    let mut tx = begin_tx(pool).await?;
    alone(&mut tx, name).await?;
    let live = lock_live(&mut tx, name).await?;
    may_go(live.as_ref())?;
    let deadline = Instant::now() + HOLD.max(target.slow()).max(took * BATCHES);
    loop {
        let rows = versions::list(&mut *tx, name).await?;
        let new = rows.into_iter().find(|row| row.version == version && row.status == Status::Building);
        let new =
            new.ok_or_else(|| RuntimeError::NoVersion { name: name.to_owned(), what: "such building" })?;
        let reached = live.as_ref().is_none_or(|live| has_reached(&new, live));
        if reached && try_flip(&mut tx, target, live.as_ref(), (&new, deadline)).await? {
            break;
        }
        if Instant::now() > deadline {
            let (position, live) = (new.checkpoint.position, live.map_or(0, |live| live.checkpoint.position));
            return Err(RuntimeError::Behind { name: name.to_owned(), version, position, live });
        }
        tokio::time::sleep(LOOK).await;
    }
    tx.commit().await?;
    tracing::info!(projection = name, version, "readers see another version");
    Ok(())
}

/// Has a version that readers do not see followed no more. It is not brought back either, also when nobody comes to take
/// it away: it may never have been live, or whole.
pub(crate) async fn retire(pool: &PgPool, name: &str, version: i32) -> Result<(), RuntimeError> {
    let mut tx = begin_tx(pool).await?;
    alone(&mut tx, name).await?;
    let found = versions::lock(&mut tx, name, version).await?;
    if found.is_none_or(|row| row.status == Status::Live) {
        return Err(RuntimeError::NoVersion { name: name.to_owned(), what: "such retired or building" });
    }
    versions::set_status(&mut tx, (name, version), Status::Retired, false).await?;
    versions::set_diverged(&mut *tx, (name, version)).await?;
    versions::announce(&mut tx, name).await?;
    tx.commit().await?;
    Ok(())
}

/// Takes a version away that readers do not see.
pub(crate) async fn discard(
    pool: &PgPool,
    target: &dyn Target,
    name: &str,
    version: i32,
) -> Result<(), RuntimeError> {
    let mut tx = begin_tx(pool).await?;
    alone(&mut tx, name).await?;
    let found = versions::lock(&mut tx, name, version).await?;
    if found.is_none_or(|row| row.status == Status::Live) {
        return Err(RuntimeError::NoVersion { name: name.to_owned(), what: "such retired or building" });
    }
    target.discard(&mut tx, version).await?;
    versions::delete(&mut tx, (name, version)).await?;
    versions::announce(&mut tx, name).await?;
    tx.commit().await?;
    Ok(())
}

/// Lets a retired version catch up, to take over when it has.
pub(crate) async fn revive(pool: &PgPool, name: &str, version: i32) -> Result<(), RuntimeError> {
    let mut tx = begin_tx(pool).await?;
    alone(&mut tx, name).await?;
    versions::set_status(&mut tx, (name, version), Status::Building, true).await?;
    versions::announce(&mut tx, name).await?;
    tx.commit().await?;
    Ok(())
}

/// Changes to one read model's versions happen one after another.
async fn alone(tx: &mut PgConnection, name: &str) -> Result<(), sqlx::Error> {
    sqlx::query("SELECT pg_advisory_xact_lock(hashtextextended($1, 1))")
        .bind(name)
        .execute(tx)
        .await
        .map(|_| ())
}

async fn lock_live(tx: &mut PgConnection, name: &str) -> Result<Option<Version>, sqlx::Error> {
    let rows = versions::list(&mut *tx, name).await?;
    match rows.into_iter().find(|row| row.status == Status::Live) {
        Some(live) => versions::lock(tx, name, live.version).await,
        None => Ok(None),
    }
}

/// Positions of different logs say nothing about each other: then the live version is the outdated one.
fn has_reached(new: &Version, live: &Version) -> bool {
    let same_log = new.checkpoint.epoch == live.checkpoint.epoch && !live.diverged;
    !same_log || new.checkpoint.position >= live.checkpoint.position
}

/// Makes the new version live instead of the old one.
async fn flip(
    tx: &mut PgConnection,
    target: &dyn Target,
    live: Option<&Version>,
    new: &Version,
) -> Result<(), RuntimeError> {
    if let Some(live) = live {
        versions::set_status(tx, (&live.name, live.version), Status::Retired, false).await?;
    }
    versions::set_status(tx, (&new.name, new.version), Status::Live, false).await?;
    target.expose(tx, new.version).await?;
    versions::announce(tx, &new.name).await?;
    Ok(())
}

/// The same, unless the target knows the new version to be behind: the register may not have heard of the live one's
/// last batches. Then the new one is let go, to move on. A batch that it is at, and readers, are waited for, but not beyond
/// the deadline.
async fn try_flip(
    tx: &mut PgConnection,
    target: &dyn Target,
    live: Option<&Version>,
    (new, deadline): (&Version, Instant),
) -> Result<bool, RuntimeError> {
    let mut attempt = tx.begin().await?;
    let left = deadline.saturating_duration_since(Instant::now()).as_millis().max(1);
    sqlx::query(&format!("SET LOCAL lock_timeout = {left}")).execute(&mut *attempt).await?;
    let flipping = async {
        versions::lock(&mut attempt, &new.name, new.version).await?;
        flip(&mut attempt, target, live, new).await
    };
    match flipping.await {
        Err(error) if is_for_later(&error) => {
            attempt.rollback().await?;
            Ok(false)
        }
        done => {
            done?;
            attempt.commit().await?;
            Ok(true)
        }
    }
}

/// Whether it says that the new version is behind, or that a lock was not to be had in time.
fn is_for_later(error: &RuntimeError) -> bool {
    let RuntimeError::Target(error) = error else { return false };
    let TargetError::Postgres(error) = error else { return matches!(error, TargetError::Behind) };
    error.as_database_error().and_then(DatabaseError::code).is_some_and(|code| code == LOCK_NOT_AVAILABLE)
}
