//! How far a run is: one row in the projection's own schema, moved with what was made of the events.

use daybook_domain::Timestamp;
use daybook_eventstore::{Checkpoint, EventHash, Position};
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row};

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

/// What there is in the place of a schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// Nothing.
    Free,
    /// A schema of this role, with or without a run in it.
    Ours { begun: bool },
    /// A schema of another version of the projection.
    OtherVersion,
    /// A schema of somebody else.
    Taken,
}

/// What there is in the place of a schema, seen from outside.
pub(super) async fn place(
    connection: &mut PgConnection,
    schema: &str,
    role: &str,
) -> Result<Place, sqlx::Error> {
    let there = sqlx::query(
        "SELECT r.rolname = $2, r.rolname ~ ('^' || $4 || '[0-9]+$'), EXISTS (
            SELECT FROM pg_class c WHERE c.relnamespace = n.oid AND c.relname = $3 AND c.relkind = 'r')
         FROM pg_namespace n JOIN pg_roles r ON r.oid = n.nspowner WHERE n.nspname = $1",
    );
    let any_version = role.trim_end_matches(|c: char| c.is_ascii_digit());
    let there = there.bind(schema).bind(role).bind(NAME).bind(any_version).fetch_optional(connection).await?;
    Ok(match there {
        None => Place::Free,
        Some(row) if row.try_get(0)? => Place::Ours { begun: row.try_get(2)? },
        Some(row) if row.try_get(1)? => Place::OtherVersion,
        Some(_) => Place::Taken,
    })
}

/// What the run in a schema was asked for, and how far it is. It is to be called with the account of the projection, whose
/// table it is, and the schema first in its path.
pub(super) async fn find(connection: &mut PgConnection) -> Result<Option<(Asked, Checkpoint)>, sqlx::Error> {
    let statement = "SELECT digest, after, as_of, epoch, position, event_hash FROM daybook_run";
    let row = sqlx::query(statement).fetch_optional(connection).await?;
    row.as_ref().map(decode).transpose()
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
