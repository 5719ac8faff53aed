//! One of an import's connections: opened when first used, and given up as soon as anything fails on it.

use std::time::{Duration, Instant};

use daybook_domain::CommandId;
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions as _, Executor as _, PgConnection, Row as _};
use uuid::Uuid;

use super::failure::Failure;
use super::judge::{Before, Known, Seen, Verdict, judge, streams};
use crate::append::{Append, Appended, CONNECT, Fingerprint, PLANNING};
use crate::bounded::bounded;
use crate::copy::CopyRows;
use crate::error::StoreError;
use crate::event::{NewEvent, Position};

const SESSION: [(&str, &str); 2] = [("statement_timeout", "30s"), ("temp_buffers", "16MB")];

/// Where the events of a chunk wait for the log. No transaction is open meanwhile: each statement is its own, so that
/// the server never waits for the client with anything locked.
const STAGED: &str = r#"CREATE TEMP TABLE import_staged (
    number integer, aggregate_type text COLLATE "C", aggregate_id text COLLATE "C", sequence bigint, event_id uuid,
    event_type text COLLATE "C", event_version text COLLATE "C", payload json, metadata json
)"#;
const CLEAR: &str = "TRUNCATE pg_temp.import_staged";
const FIELDS: i16 = 9;
const STAGE: &str = "COPY pg_temp.import_staged (number, aggregate_type, aggregate_id, sequence, event_id, event_type, \
     event_version, payload, metadata) FROM STDIN (FORMAT binary)";
/// How many bytes are sent at once.
const SENDING: usize = 64 << 10;

/// Where the log stands, the versions of those streams that there are, and the commands that are known.
const LOOK: &str = "SELECT NULL::integer, position, NULL::bigint, NULL::uuid, NULL::bytea, NULL::text FROM log_head
    UNION ALL
    SELECT s.i, NULL, stream.version, NULL, NULL, NULL
    FROM (SELECT unnest($1::text[]) AS type, unnest($2::text[]) AS id, generate_series(1, cardinality($1)) AS i) s
    CROSS JOIN LATERAL (
        SELECT coalesce((
            SELECT e.sequence FROM ONLY events e
            WHERE e.aggregate_type = s.type AND e.aggregate_id = s.id
            ORDER BY e.sequence DESC LIMIT 1
        ), (
            SELECT p.version FROM partitioned_streams p
            WHERE p.aggregate_type = s.type AND p.aggregate_id = s.id
        )) AS version
    ) stream
    WHERE stream.version IS NOT NULL
    UNION ALL
    SELECT NULL, c.position, c.version, c.command_id, c.fingerprint, c.outcome::text
    FROM (SELECT unnest($3::uuid[]) AS id) w JOIN commands c ON c.command_id = w.id";
const MOVE: &str = "SELECT head, waited_us FROM import_chunk($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";

/// The line to the primary.
#[derive(Debug)]
pub(super) struct Line {
    database: PgConnectOptions,
    open: Option<PgConnection>,
}

/// A chunk whose events wait for the log.
pub(super) struct Ready {
    connection: PgConnection,
    seen: Seen,
}

/// What a chunk came to.
pub(super) struct Written {
    pub(super) outcomes: Vec<Appended>,
    /// Where the log stood before and after it; the same when it appended nothing.
    pub(super) head: (Position, Position),
}

impl Line {
    pub(super) fn to(database: &PgConnectOptions) -> Self {
        Self { database: database.clone().options(PLANNING).options(SESSION), open: None }
    }

    /// Looks up what the chunk touches, and sends the events of the commands that are not known.
    ///
    /// # Errors
    /// When the database does not answer in time or refuses. Then nothing was done.
    pub(super) async fn make_ready(&mut self, chunk: &[Append]) -> Result<Ready, Failure> {
        let (mut connection, used) = match self.open.take() {
            Some(connection) => (connection, true),
            None => (self.connect().await.map_err(Failure::to_connect)?, false),
        };
        let making_ready = bounded(async {
            if used {
                connection.execute(CLEAR).await?;
            }
            let seen = look_up(&mut connection, chunk).await?;
            stage(&mut connection, chunk, &seen).await?;
            Ok(Ready { connection, seen })
        });
        making_ready.await.map_err(Failure::with_chunk)
    }

    /// Has the chunk take effect, when it was made ready after the one before was done.
    ///
    /// # Errors
    /// When the database does not answer in time, refuses, or is not as it was seen. It may be that all was done only
    /// when there was no answer.
    pub(super) async fn write(&mut self, chunk: &[Append], ready: Ready) -> Result<Written, Failure> {
        let Ready { connection, seen } = ready;
        let verdict = judge(chunk, &seen, None);
        self.carry_out(connection, chunk, &seen, verdict).await
    }

    /// Has the chunk take effect, when it was made ready before the one before was done. Returns nothing, and does nothing,
    /// when there is a conflict that may be there only because it was looked too early: the one before may rest on what
    /// others did, and says nothing of that.
    ///
    /// # Errors
    /// Those of [`Line::write`].
    pub(super) async fn write_after(
        &mut self,
        chunk: &[Append],
        ready: Ready,
        before: Option<&Before>,
    ) -> Result<Option<Written>, Failure> {
        let Ready { connection, seen } = ready;
        let verdict = judge(chunk, &seen, before);
        if verdict.has_conflict() {
            self.open = Some(connection);
            return Ok(None);
        }
        self.carry_out(connection, chunk, &seen, verdict).await.map(Some)
    }

    async fn carry_out(
        &mut self,
        mut connection: PgConnection,
        chunk: &[Append],
        seen: &Seen,
        verdict: Verdict<'_>,
    ) -> Result<Written, Failure> {
        let mut head = seen.head;
        if !verdict.done.is_empty() {
            let began = Instant::now();
            let moving = bounded(move_in(&mut connection, chunk, seen, &verdict));
            let (stood, waited) = moving.await.map_err(Failure::with_chunk)?;
            head = stood;
            metrics::histogram!("daybook_append_head_wait_seconds").record(waited);
            metrics::histogram!("daybook_import_hold_seconds").record(began.elapsed().saturating_sub(waited));
        }
        self.open = Some(connection);
        Ok(Written { head: (head, head + verdict.grown), outcomes: verdict.placed(head) })
    }

    async fn connect(&self) -> Result<PgConnection, StoreError> {
        let connecting = async {
            let mut connection = self.database.connect().await?;
            connection.execute(STAGED).await?;
            Ok(connection)
        };
        tokio::time::timeout(CONNECT, connecting).await.map_err(|_elapsed| StoreError::TimedOut)?
    }
}

/// Looks at all of it at one moment: a command that is known and a stream that it has not yet moved would not fit together.
async fn look_up(connection: &mut PgConnection, chunk: &[Append]) -> Result<Seen, StoreError> {
    let streams = streams(chunk);
    let types: Vec<&str> = streams.iter().map(|stream| stream.aggregate_type.as_str()).collect();
    let ids: Vec<&str> = streams.iter().map(|stream| stream.aggregate_id.as_str()).collect();
    let commands: Vec<Uuid> = chunk.iter().map(|command| command.command_id.uuid()).collect();
    let mut seen = Seen { versions: vec![0; streams.len()], ..Seen::default() };
    for row in sqlx::query(LOOK).bind(types).bind(ids).bind(commands).fetch_all(connection).await? {
        if let Some(id) = row.try_get(3)? {
            // A fingerprint of another length is no command's input.
            let fingerprint = Fingerprint(row.try_get::<Vec<u8>, _>(4)?.try_into().unwrap_or_default());
            let (position, version, outcome) = (row.try_get(1)?, row.try_get(2)?, row.try_get(5)?);
            seen.known.insert(CommandId::new(id), Known { fingerprint, position, version, outcome });
        } else if let Some(number) = row.try_get::<Option<i32>, _>(0)? {
            let number = usize::try_from(number).unwrap_or(0);
            if let Some(version) = seen.versions.get_mut(number.wrapping_sub(1)) {
                *version = row.try_get(2)?;
            }
        } else {
            seen.head = row.try_get(1)?;
        }
    }
    Ok(seen)
}

/// The commands that may take effect, with their indices: only their events are sent.
fn unknown<'a>(chunk: &'a [Append], seen: &'a Seen) -> impl Iterator<Item = (usize, &'a Append)> {
    chunk.iter().enumerate().filter(|(_, command)| !seen.known.contains_key(&command.command_id))
}

async fn stage(connection: &mut PgConnection, chunk: &[Append], seen: &Seen) -> Result<(), StoreError> {
    let mut copy = connection.copy_in_raw(STAGE).await?;
    let mut rows = CopyRows::of(FIELDS);
    let mut number = 0;
    for (_, command) in unknown(chunk, seen) {
        for part in &command.parts {
            for (sequence, event) in (part.expected + 1..).zip(&part.events) {
                number += 1;
                rows.begin();
                rows.int4(number);
                rows.text(&part.stream.aggregate_type);
                rows.text(&part.stream.aggregate_id);
                rows.int8(sequence);
                put(&mut rows, event);
            }
        }
        if rows.unsent().len() >= SENDING {
            copy.send(rows.unsent()).await?;
            rows.sent();
        }
    }
    rows.end();
    copy.send(rows.unsent()).await?;
    copy.finish().await?;
    Ok(())
}

fn put(rows: &mut CopyRows, event: &NewEvent) {
    rows.uuid(event.event_id);
    rows.text(&event.event_type);
    rows.text(&event.event_version);
    rows.text(&event.payload);
    rows.text(&event.metadata);
}

/// Moves the events of what takes effect into the log; says where that stood before, and how long the head row was waited
/// for.
async fn move_in(
    connection: &mut PgConnection,
    chunk: &[Append],
    seen: &Seen,
    verdict: &Verdict<'_>,
) -> Result<(Position, Duration), StoreError> {
    let commands: Vec<&Append> = verdict.done.iter().filter_map(|index| chunk.get(*index)).collect();
    let column = |of: fn(&Append) -> i64| commands.iter().map(|command| of(command)).collect::<Vec<i64>>();
    let mut reach = column(Append::events);
    let mut reached = 0;
    for events in &mut reach {
        reached += *events;
        *events = reached;
    }
    let rests_on = || verdict.rests_on.iter();
    let statement = sqlx::query(MOVE)
        .bind(verdict.head)
        .bind(verdict.grown)
        .bind(rests_on().map(|(stream, _)| stream.aggregate_type.as_str()).collect::<Vec<_>>())
        .bind(rests_on().map(|(stream, _)| stream.aggregate_id.as_str()).collect::<Vec<_>>())
        .bind(rests_on().map(|(_, version)| *version).collect::<Vec<_>>())
        .bind(commands.iter().map(|command| command.command_id.uuid()).collect::<Vec<_>>())
        .bind(commands.iter().map(|command| command.fingerprint.0.as_slice()).collect::<Vec<_>>())
        .bind(reach)
        .bind(column(Append::version))
        .bind(commands.iter().map(|command| command.outcome.as_deref()).collect::<Vec<_>>())
        .bind(places(chunk, seen, verdict));
    let row = statement.fetch_one(connection).await?;
    let waited = u64::try_from(row.try_get::<i64, _>(1)?).unwrap_or(0);
    Ok((row.try_get(0)?, Duration::from_micros(waited)))
}

/// For each event that was sent, which of the appended ones it is, or 0; nothing when all are, in their order.
fn places(chunk: &[Append], seen: &Seen, verdict: &Verdict<'_>) -> Option<Vec<i32>> {
    let mut places = Vec::new();
    let mut place = 0;
    let mut done = verdict.done.iter().peekable();
    for (index, command) in unknown(chunk, seen) {
        let takes_effect = done.next_if_eq(&&index).is_some();
        for _ in command.parts.iter().flat_map(|part| &part.events) {
            place += i32::from(takes_effect);
            places.push(if takes_effect { place } else { 0 });
        }
    }
    places.contains(&0).then_some(places)
}
