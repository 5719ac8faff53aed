//! The register of versions: which there are of each read model, how far each is, and which one readers see.

use daybook_eventstore::{Checkpoint, EventHash, Position};
use sqlx::postgres::PgRow;
use sqlx::{Executor, PgConnection, Postgres, Row};
use uuid::Uuid;

use super::table::Statement;

/// What a version is there for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// It is being built beside the live one.
    Building,
    /// Readers see it.
    Live,
    /// It was live, stands still, and can be brought back.
    Retired,
}

impl Status {
    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Building => "building",
            Self::Live => "live",
            Self::Retired => "retired",
        }
    }

    fn from_sql(text: &str) -> Self {
        match text {
            "live" => Self::Live,
            "retired" => Self::Retired,
            _ => Self::Building,
        }
    }
}

/// One version of a read model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// The read model.
    pub name: String,
    /// Its number, from 1.
    pub version: i32,
    /// What it is there for.
    pub status: Status,
    /// Where its rows are kept: `postgres`, `redis` or `meilisearch`.
    pub target: String,
    /// The revision of the code that folds it.
    pub revision: i32,
    /// How far it is.
    pub checkpoint: Checkpoint,
    /// Whether it takes over by itself once it has caught up.
    pub switch_when_ready: bool,
    /// Nothing is built on it any more: the log is no longer the one it was built from, or it is being taken away.
    pub diverged: bool,
    /// How many of its events are parked.
    pub parked: i64,
}

/// Told whenever a version is added, changes its status or goes.
pub(crate) const CHANNEL: &str = "daybook_projections";

const COLUMNS: &str = "name, version, status, target, revision, epoch, position, event_hash, switch_when_ready, diverged, parked";

/// All versions of a read model, oldest first.
pub(crate) async fn list<'c>(
    db: impl Executor<'c, Database = Postgres>,
    name: &str,
) -> Result<Vec<Version>, sqlx::Error> {
    let statement = format!("SELECT {COLUMNS} FROM projections WHERE name = $1 ORDER BY version");
    sqlx::query(&statement).bind(name).fetch_all(db).await?.iter().map(decode).collect()
}

/// One version, when there is one; its row is locked until the transaction ends.
pub(crate) async fn lock(
    tx: &mut PgConnection,
    name: &str,
    version: i32,
) -> Result<Option<Version>, sqlx::Error> {
    let statement = format!("SELECT {COLUMNS} FROM projections WHERE name = $1 AND version = $2 FOR UPDATE");
    let row = sqlx::query(&statement).bind(name).bind(version).fetch_optional(tx).await?;
    row.as_ref().map(decode).transpose()
}

/// Registers a version.
pub(crate) async fn insert(tx: &mut PgConnection, version: &Version) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO projections (name, version, status, revision, epoch, position, event_hash, switch_when_ready,
                                  target)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    )
    .bind(&version.name)
    .bind(version.version)
    .bind(version.status.as_str())
    .bind(version.revision)
    .bind(version.checkpoint.epoch)
    .bind(version.checkpoint.position)
    .bind(version.checkpoint.hash.0)
    .bind(version.switch_when_ready)
    .bind(&version.target)
    .execute(tx)
    .await
    .map(|_| ())
}

/// Moves the checkpoint when it is at `from` and the version is followed. Its arguments are those of [`bind_advance`].
pub(crate) const ADVANCE: &str =
    "UPDATE projections SET epoch = $5, position = $6, event_hash = $7, updated_at = now()
         WHERE name = $1 AND version = $2 AND position = $3 AND event_hash = $4 AND status <> 'retired'";

/// Which transaction wrote a version's row last: as long as it is the same, nobody has touched the register.
pub(crate) const STAMP: &str = "xmin::text::bigint";

/// A checkpoint that was moved.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Advanced {
    /// How many of the version's events are parked.
    pub(crate) parked: i64,
    /// The stamp of having moved it; see [`STAMP`].
    pub(crate) stamp: i64,
}

/// The arguments of [`ADVANCE`], `$1` to `$7`.
pub(crate) fn bind_advance<'q>(
    query: Statement<'q>,
    (name, version): (&'q str, i32),
    from: &Checkpoint,
    to: &Checkpoint,
) -> Statement<'q> {
    query
        .bind(name)
        .bind(version)
        .bind(from.position)
        .bind(from.hash.0)
        .bind(to.epoch)
        .bind(to.position)
        .bind(to.hash.0)
}

/// Moves the checkpoint from `from` to `to`; nothing when it is not there, or the version is not followed.
pub(crate) async fn advance<'c>(
    db: impl Executor<'c, Database = Postgres>,
    id: (&str, i32),
    from: &Checkpoint,
    to: &Checkpoint,
) -> Result<Option<Advanced>, sqlx::Error> {
    let statement = format!("{ADVANCE} RETURNING parked, {STAMP}");
    let row = bind_advance(sqlx::query(&statement), id, from, to).fetch_optional(db).await?;
    row.map(|row| Ok(Advanced { parked: row.try_get(0)?, stamp: row.try_get(1)? })).transpose()
}

/// Notes where a target that keeps its own checkpoint has it, and tells how many events are parked.
pub(crate) async fn record<'c>(
    db: impl Executor<'c, Database = Postgres>,
    (name, version): (&str, i32),
    at: &Checkpoint,
) -> Result<Option<i64>, sqlx::Error> {
    sqlx::query_scalar(
        "UPDATE projections SET epoch = $3, position = $4, event_hash = $5, updated_at = now()
         WHERE name = $1 AND version = $2 RETURNING parked",
    )
    .bind(name)
    .bind(version)
    .bind(at.epoch)
    .bind(at.position)
    .bind(at.hash.0)
    .fetch_optional(db)
    .await
}

/// Gives a version another status.
pub(crate) async fn set_status(
    tx: &mut PgConnection,
    (name, version): (&str, i32),
    status: Status,
    switch_when_ready: bool,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE projections SET status = $3, switch_when_ready = $4, updated_at = now()
         WHERE name = $1 AND version = $2",
    )
    .bind(name)
    .bind(version)
    .bind(status.as_str())
    .bind(switch_when_ready)
    .execute(tx)
    .await
    .map(|_| ())
}

/// Notes that nothing is to be built on the version any more.
pub(crate) async fn set_diverged<'c>(
    db: impl Executor<'c, Database = Postgres>,
    (name, version): (&str, i32),
) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE projections SET diverged = true, updated_at = now() WHERE name = $1 AND version = $2")
        .bind(name)
        .bind(version)
        .execute(db)
        .await
        .map(|_| ())
}

/// Strikes a version off; its parked events go with it.
pub(crate) async fn delete(tx: &mut PgConnection, (name, version): (&str, i32)) -> Result<(), sqlx::Error> {
    sqlx::query("DELETE FROM projections WHERE name = $1 AND version = $2")
        .bind(name)
        .bind(version)
        .execute(tx)
        .await
        .map(|_| ())
}

/// Wakes the projectors once the transaction commits.
pub(crate) async fn announce(tx: &mut PgConnection, name: &str) -> Result<(), sqlx::Error> {
    sqlx::query("SELECT pg_notify($1, $2)").bind(CHANNEL).bind(name).execute(tx).await.map(|_| ())
}

fn decode(row: &PgRow) -> Result<Version, sqlx::Error> {
    let (epoch, position): (Uuid, Position) = (row.try_get("epoch")?, row.try_get("position")?);
    let hash = row.try_get::<[u8; 32], _>("event_hash")?;
    Ok(Version {
        name: row.try_get("name")?,
        version: row.try_get("version")?,
        status: Status::from_sql(row.try_get("status")?),
        target: row.try_get("target")?,
        revision: row.try_get("revision")?,
        checkpoint: Checkpoint { epoch, position, hash: EventHash(hash) },
        switch_when_ready: row.try_get("switch_when_ready")?,
        diverged: row.try_get("diverged")?,
        parked: row.try_get("parked")?,
    })
}
