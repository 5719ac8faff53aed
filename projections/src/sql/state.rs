//! How far a run is: one row in the projection's own schema, moved with what was made of the events.

use daybook_domain::Timestamp;
use daybook_eventstore::{Checkpoint, EventHash, Position};
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row};

use super::error::SqlError;
use super::file::Projection;

/// The name of its table: no other of the projection may have it.
pub(super) const NAME: &str = "daybook_run";
const CREATE: &str = "CREATE TABLE daybook_run (
    only_row      boolean     PRIMARY KEY DEFAULT true CHECK (only_row),
    -- Of which file, and of which events.
    projection    text        NOT NULL,
    digest        bytea       NOT NULL,
    after         bigint      NOT NULL,
    as_of         timestamptz,
    -- Where it stands in the log, with the log's epoch and the hash of the event there.
    epoch         uuid        NOT NULL,
    position      bigint      NOT NULL,
    event_hash    bytea       NOT NULL
)";

/// What a run is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) digest: [u8; 32],
    pub(super) after: Position,
    pub(super) as_of: Option<Timestamp>,
}

impl Asked {
    pub(super) const fn of(projection: &Projection, after: Position, as_of: Option<Timestamp>) -> Self {
        Self { digest: projection.digest, after, as_of }
    }

    /// In what it differs from what is asked for now.
    pub(super) fn differs(&self, now: &Self) -> Option<&'static str> {
        match () {
            () if self.digest != now.digest => Some("by another file of this name and version"),
            () if self.after != now.after => Some("from another position on"),
            () if self.as_of != now.as_of => Some("as of another time"),
            () => None,
        }
    }
}

/// Begins a run. It is to be called with the account of the projection, and the schema first in its path.
pub(super) async fn begin(
    connection: &mut PgConnection,
    title: &str,
    asked: &Asked,
    at: &Checkpoint,
) -> Result<(), sqlx::Error> {
    sqlx::query(CREATE).execute(&mut *connection).await?;
    sqlx::query(
        "INSERT INTO daybook_run (projection, digest, after, as_of, epoch, position, event_hash)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(title)
    .bind(asked.digest)
    .bind(asked.after)
    .bind(asked.as_of)
    .bind(at.epoch)
    .bind(at.position)
    .bind(at.hash.0)
    .execute(connection)
    .await
    .map(drop)
}

/// What the run in this schema was asked for, and how far it is; nothing when there is no such schema.
///
/// # Errors
/// [`SqlError::NotOurs`] when the schema is there and no run is in it.
pub(super) async fn find(
    connection: &mut PgConnection,
    schema: &str,
) -> Result<Option<(Asked, Checkpoint)>, SqlError> {
    let there = sqlx::query("SELECT to_regclass($1) IS NOT NULL FROM pg_namespace WHERE nspname = $2")
        .bind(format!("{schema}.{NAME}"))
        .bind(schema);
    let Some(row) = there.fetch_optional(&mut *connection).await? else { return Ok(None) };
    if !row.try_get::<bool, _>(0)? {
        return Err(SqlError::NotOurs(schema.to_owned()));
    }
    let statement = format!("SELECT digest, after, as_of, epoch, position, event_hash FROM {schema}.{NAME}");
    let row = sqlx::query(&statement).fetch_optional(connection).await?;
    Ok(row.as_ref().map(decode).transpose()?)
}

fn decode(row: &PgRow) -> Result<(Asked, Checkpoint), sqlx::Error> {
    let asked = Asked { digest: row.try_get(0)?, after: row.try_get(1)?, as_of: row.try_get(2)? };
    let hash = EventHash(row.try_get(5)?);
    Ok((asked, Checkpoint { epoch: row.try_get(3)?, position: row.try_get(4)?, hash }))
}

/// Moves it from one checkpoint to another; whether it was there.
pub(super) async fn advance(
    connection: &mut PgConnection,
    from: &Checkpoint,
    to: &Checkpoint,
) -> Result<bool, sqlx::Error> {
    let moved = sqlx::query(
        "UPDATE daybook_run SET position = $1, event_hash = $2 WHERE position = $3 AND event_hash = $4",
    )
    .bind(to.position)
    .bind(to.hash.0)
    .bind(from.position)
    .bind(from.hash.0);
    Ok(moved.execute(connection).await?.rows_affected() == 1)
}
