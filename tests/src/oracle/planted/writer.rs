//! A caller of a design: one transaction after another, some of them slow, some rolled back, some repeated.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use daybook_domain::{Clock as _, IdSource as _};
use daybook_eventstore::process::{SystemClock, SystemIds};
use sqlx::{Executor as _, PgConnection, PgPool};
use uuid::Uuid;

use super::super::Failed;
use super::super::dice::Dice;
use super::super::history::{Asked, Attempt, Content, Seen, Told};
use super::{Design, Mistake, tables};

/// How many streams there are.
const STREAMS: u64 = 4;
/// How often a command is sent again, and how often a transaction is rolled back, in percent.
const AGAIN: u64 = 5;
const TAKEN_BACK: u64 = 4;
/// How often a transaction takes long, in percent, and how long at most, in milliseconds.
const SLOW: u64 = 20;
const LONG: u64 = 8;

/// A caller.
pub(super) struct Caller {
    pool: PgPool,
    design: Design,
    dice: Dice,
    published: Arc<Mutex<Vec<Seen>>>,
}

/// What one transaction came to.
enum Came {
    Appended { event: Uuid, position: i64, version: i64 },
    Else(Told),
}

impl Caller {
    pub(super) fn new(pool: PgPool, design: Design, dice: Dice, published: Arc<Mutex<Vec<Seen>>>) -> Self {
        Self { pool, design, dice, published }
    }

    pub(super) async fn run(mut self, time: Duration) -> Result<Vec<Attempt>, Failed> {
        let mut connection = self.pool.acquire().await?.detach();
        let began = Instant::now();
        let mut attempts: Vec<Attempt> = Vec::new();
        while began.elapsed() < time {
            let again = attempts.last().filter(|_| self.dice.percent(AGAIN)).map(|last| last.asked.clone());
            let stream = format!("stream-{}", self.dice.below(STREAMS));
            let asked = again.unwrap_or_else(|| Asked {
                command: SystemIds.next(),
                input: self.dice.below(1 << 40),
                recorded: true,
                content: Content::Decided(vec![(stream, 1)]),
            });
            let from = SystemClock.now().timestamp_micros();
            let told = self.append(&mut connection, &asked).await?;
            attempts.push(Attempt { asked, from, to: SystemClock.now().timestamp_micros(), told });
        }
        Ok(attempts)
    }

    async fn append(&mut self, connection: &mut PgConnection, asked: &Asked) -> Result<Told, Failed> {
        let Content::Decided(parts) = &asked.content else { return Ok(Told::NotDone) };
        let Some((stream, _)) = parts.first() else { return Ok(Told::NotDone) };
        let looked_at = format!("stream-{}", self.dice.below(STREAMS));
        let mut looked = None;
        if self.design.has(Mistake::Skew) {
            looked = Some(self.version(connection, &looked_at).await?);
            self.dawdle().await;
        }
        connection.execute("BEGIN").await?;
        let came = self.write(connection, asked, stream, (&looked_at, looked)).await?;
        let Came::Appended { event, position, version } = came else {
            connection.execute("ROLLBACK").await?;
            let Came::Else(told) = came else { return Ok(Told::NotDone) };
            return Ok(told);
        };
        if self.design.has(Mistake::Early) {
            let seen = Seen { position, event: Some(event), digest: tables::digest(event) };
            self.published.lock().unwrap_or_else(PoisonError::into_inner).push(seen);
        }
        self.dawdle().await;
        if self.dice.percent(TAKEN_BACK) {
            connection.execute("ROLLBACK").await?;
            return Ok(Told::NotDone);
        }
        connection.execute("COMMIT").await?;
        Ok(Told::Done { position, version: Some(version) })
    }

    /// All that is between the beginning of the transaction and its end.
    async fn write(
        &mut self,
        connection: &mut PgConnection,
        asked: &Asked,
        stream: &str,
        (looked_at, looked): (&str, Option<i64>),
    ) -> Result<Came, Failed> {
        let (name, event) = (self.design.schema(), SystemIds.next());
        if self.design.has(Mistake::Xid) {
            let other = format!("INSERT INTO {name}.other VALUES ($1)");
            sqlx::query(&other).bind(event).execute(&mut *connection).await?;
            self.dawdle().await;
        }
        let mut place = None;
        if self.design.locks_head() {
            let head = format!("UPDATE {name}.head SET position = position + 1 RETURNING position");
            place = Some(sqlx::query_scalar::<_, i64>(&head).fetch_one(&mut *connection).await?);
        }
        let input = i64::try_from(asked.input)?;
        if !self.design.has(Mistake::Unremembered)
            && let Some(told) = self.earlier(connection, asked.command, input).await?
        {
            return Ok(Came::Else(told));
        }
        let looked = match looked {
            Some(looked) => looked,
            None => self.version(connection, looked_at).await?,
        };
        let version = self.version(connection, stream).await? + 1;
        let Some(position) = self
            .insert(connection, (stream, version, event, asked.command), (looked_at, looked), place)
            .await?
        else {
            return Ok(Came::Else(Told::Conflict));
        };
        if !self.design.has(Mistake::Unremembered) {
            let remember = format!("INSERT INTO {name}.commands VALUES ($1, $2, $3, $4)");
            let row = sqlx::query(&remember).bind(asked.command).bind(input).bind(version).bind(position);
            row.execute(&mut *connection).await?;
        }
        Ok(Came::Appended { event, position, version })
    }

    /// Inserts an event and says where; nothing when the stream has that version already.
    async fn insert(
        &self,
        connection: &mut PgConnection,
        (stream, version, event, command): (&str, i64, Uuid, Uuid),
        (looked_at, looked): (&str, i64),
        place: Option<i64>,
    ) -> Result<Option<i64>, Failed> {
        let (column, value) = place.map_or(("", ""), |_| (", position", ", $7"));
        let insert = format!(
            "INSERT INTO {}.log (stream, sequence, event, command, saw, version{column}) \
             VALUES ($1, $2, $3, $4, $5, $6{value}) ON CONFLICT DO NOTHING RETURNING position",
            self.design.schema()
        );
        let mut row = sqlx::query_scalar::<_, i64>(&insert).bind(stream).bind(version).bind(event);
        row = row.bind(command).bind(looked_at).bind(looked);
        if let Some(place) = place {
            row = row.bind(place);
        }
        Ok(row.fetch_optional(connection).await?)
    }

    /// What a command came to that took effect before.
    async fn earlier(
        &self,
        connection: &mut PgConnection,
        command: Uuid,
        input: i64,
    ) -> Result<Option<Told>, Failed> {
        let known = format!(
            "SELECT input, version, position FROM {}.commands WHERE command = $1",
            self.design.schema()
        );
        let known: Option<(i64, i64, i64)> =
            sqlx::query_as(&known).bind(command).fetch_optional(connection).await?;
        Ok(known.map(|(there, version, position)| {
            if there == input {
                Told::Replayed { position, version: Some(version), input: u64::try_from(there).ok() }
            } else {
                Told::Mismatch
            }
        }))
    }

    async fn version(&self, connection: &mut PgConnection, stream: &str) -> Result<i64, Failed> {
        let version =
            format!("SELECT coalesce(max(sequence), 0) FROM {}.log WHERE stream = $1", self.design.schema());
        Ok(sqlx::query_scalar(&version).bind(stream).fetch_one(connection).await?)
    }

    /// Sometimes it takes long.
    async fn dawdle(&mut self) {
        if self.dice.percent(SLOW) {
            tokio::time::sleep(self.dice.between(1, LONG)).await;
        }
    }
}
