//! Sessions that do to the database what people and programs do to it: transactions that take long, or that take an append
//! back, snapshots that are held open, and the end of others' connections.

use std::str::FromStr as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use daybook_domain::IdSource as _;
use daybook_eventstore::process::SystemIds;
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions as _, Executor as _, PgConnection};

use super::Failed;
use super::dice::Dice;
use super::history::{Asked, Content, Part, Told};
use super::scribe::Scribe;
use super::writer::order::{self, LEDGER};

/// How many sessions there are of each kind.
const EACH: u64 = 2;
/// How long to wait until the database may be back.
const AWAY: Duration = Duration::from_millis(300);
/// What connections may be ended.
const VICTIMS: [&str; 4] = ["oracle writer%", "oracle writer%", "daybook-relay%", "oracle keeper%"];

/// Sessions that disturb until they are stopped.
pub(crate) struct Saboteurs {
    shared: Arc<Shared>,
    sessions: Vec<tokio::task::JoinHandle<Result<(), Failed>>>,
}

struct Shared {
    database: PgConnectOptions,
    scribe: Scribe,
    stop: AtomicBool,
    ended: AtomicU64,
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    /// Appends in a transaction of its own, holds it, and takes it back or not.
    Appends,
    /// Holds a snapshot and a transaction id.
    Lingers,
    /// Ends a connection of somebody else.
    Ends,
}

impl Saboteurs {
    /// Begins to disturb this database; what is appended is noted.
    pub(crate) fn start(database: &str, scribe: Scribe, seed: u64) -> Result<Self, Failed> {
        let database = PgConnectOptions::from_str(database)?.application_name("oracle saboteur");
        let shared = Shared { database, scribe, stop: AtomicBool::new(false), ended: AtomicU64::new(0) };
        let shared = Arc::new(shared);
        let kinds = [Kind::Appends, Kind::Appends, Kind::Lingers, Kind::Ends];
        let sessions =
            (0..EACH).flat_map(|number| kinds.into_iter().zip(0..).map(move |(kind, n)| (kind, n, number)));
        let sessions = sessions.map(|(kind, n, number)| {
            let session = Session { shared: Arc::clone(&shared), dice: Dice::of(seed, &[n, number]) };
            tokio::spawn(session.run(kind))
        });
        Ok(Self { sessions: sessions.collect(), shared })
    }

    /// Ends it, and says how many connections were ended.
    pub(crate) async fn end(self) -> Result<u64, Failed> {
        self.shared.stop.store(true, Ordering::Relaxed);
        for session in self.sessions {
            session.await??;
        }
        Ok(self.shared.ended.load(Ordering::Relaxed))
    }
}

struct Session {
    shared: Arc<Shared>,
    dice: Dice,
}

impl Session {
    async fn run(mut self, kind: Kind) -> Result<(), Failed> {
        while !self.shared.stop.load(Ordering::Relaxed) {
            let Ok(mut connection) = self.shared.database.connect().await else {
                tokio::time::sleep(AWAY).await;
                continue;
            };
            while !self.shared.stop.load(Ordering::Relaxed) {
                let pause = self.dice.between(50, 1_000);
                // Only what cannot be noted is the end.
                let lost = match kind {
                    Kind::Appends => self.append(&mut connection).await?,
                    Kind::Lingers => self.linger(&mut connection).await.is_err(),
                    Kind::Ends => self.end_another(&mut connection).await.is_err(),
                };
                tokio::time::sleep(pause).await;
                if lost {
                    break;
                }
            }
        }
        Ok(())
    }

    /// Whether the connection is lost.
    async fn append(&mut self, connection: &mut PgConnection) -> Result<bool, Failed> {
        let (stream, expected) = if self.dice.percent(50) {
            (SystemIds.next().to_string(), 0)
        } else {
            let id = format!("hot-{}", self.dice.below(2));
            let version = "SELECT coalesce(greatest( \
                     (SELECT max(sequence) FROM events WHERE aggregate_type = $1 AND aggregate_id = $2), \
                     (SELECT version FROM partitioned_streams WHERE aggregate_type = $1 AND aggregate_id = $2)), 0)";
            let version =
                sqlx::query_scalar(version).bind(LEDGER).bind(&id).fetch_one(&mut *connection).await;
            let Ok(version) = version else { return Ok(true) };
            (id, version)
        };
        let part = Part { stream: order::name(LEDGER, &stream), expected, events: vec![SystemIds.next()] };
        let (command, input) = (SystemIds.next(), self.dice.roll());
        let asked = Asked { command, input, recorded: true, content: Content::Exact(vec![part.clone()]) };
        let number = self.shared.scribe.ask(&asked)?;
        let told = self.transact(connection, &asked, &stream, &part).await;
        let lost = told.is_err();
        self.shared.scribe.tell(number, told.unwrap_or_else(|told| told))?;
        Ok(lost)
    }

    /// Appends in a transaction that may take long; an error when the connection is lost.
    async fn transact(
        &mut self,
        connection: &mut PgConnection,
        asked: &Asked,
        stream: &str,
        part: &Part,
    ) -> Result<Told, Told> {
        // Nothing is committed before it is asked to be.
        let lost = |_error| Told::NotDone;
        let event = part.events.first().copied().unwrap_or_default();
        let metadata = order::metadata(asked.command).map_err(|_error| Told::NotDone)?;
        connection.execute("BEGIN").await.map_err(lost)?;
        let append = sqlx::query_scalar(
            "SELECT head FROM append_command($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        )
        .bind(asked.command)
        .bind(order::fingerprint(asked.input).0)
        .bind(asked.input.to_string())
        .bind(LEDGER)
        .bind(stream)
        .bind(part.expected)
        .bind(event)
        .bind("LedgerNoted")
        .bind("1")
        .bind(order::payload(event))
        .bind(metadata);
        let head: Option<i64> = append.fetch_one(&mut *connection).await.map_err(lost)?;
        let hold = if self.dice.percent(10) { self.dice.between(100, 400) } else { self.dice.between(0, 30) };
        tokio::time::sleep(hold).await;
        if self.dice.percent(50) {
            connection.execute("ROLLBACK").await.map_err(lost)?;
            return Ok(Told::NotDone);
        }
        connection.execute("COMMIT").await.map_err(|_error| Told::Unknown)?;
        Ok(head.map_or(Told::Conflict, |head| Told::Done {
            position: head + 1,
            version: Some(part.expected + 1),
        }))
    }

    async fn linger(&mut self, connection: &mut PgConnection) -> Result<(), sqlx::Error> {
        connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ").await?;
        connection.execute("SELECT pg_current_xact_id(), (SELECT position FROM log_head)").await?;
        tokio::time::sleep(self.dice.between(300, 3_000)).await;
        let end = if self.dice.percent(50) { "COMMIT" } else { "ROLLBACK" };
        connection.execute(end).await.map(drop)
    }

    async fn end_another(&mut self, connection: &mut PgConnection) -> Result<(), sqlx::Error> {
        tokio::time::sleep(self.dice.between(300, 1_500)).await;
        let victims = self.dice.one_of(&VICTIMS).copied().unwrap_or_default();
        let end = "SELECT count(pg_terminate_backend(pid)) FROM (SELECT pid FROM pg_stat_activity \
             WHERE datname = current_database() AND application_name LIKE $1 ORDER BY md5($2 || pid) LIMIT 1) AS victim";
        let chance = self.dice.roll().to_string();
        let ended: i64 = sqlx::query_scalar(end).bind(victims).bind(chance).fetch_one(connection).await?;
        self.shared.ended.fetch_add(u64::try_from(ended).unwrap_or(0), Ordering::Relaxed);
        Ok(())
    }
}
