//! Projections in SQL: the same events give the same rows, whatever happens meanwhile; what is wrong is told where; and a
//! file reaches nothing but its own schema.

mod again;
mod confined;
mod examples;
mod live;
mod place;
mod wrong;

use daybook_eventstore::{LogReader, Position, Upcasters};
use daybook_projections::sql::{Projection, Request, Session, SqlError};
use futures::TryStreamExt;
use tokio_util::sync::CancellationToken;

use crate::harness::{Database, Writer};

/// A log of things that happened, and a read database.
struct Setting {
    events: Database,
    read: Database,
    writer: Writer,
}

/// What is known of things: how many happened to each remainder of their number, and which was the last.
const COUNTING: &str = "\
--! projection counting
--! version 1
--! reads ThingHappened

--! tables
CREATE TABLE counting (remainder bigint PRIMARY KEY, things bigint, last bigint);

--! on ThingHappened
INSERT INTO counting
SELECT (payload->>'n')::bigint % 7, count(*), max(position) FROM events GROUP BY 1
ON CONFLICT (remainder) DO UPDATE SET things = counting.things + excluded.things, last = excluded.last;
";

fn parse(source: &str) -> Projection {
    Projection::parse(source, &["ThingHappened"]).expect("a projection")
}

impl Setting {
    async fn new() -> Self {
        let events = Database::events().await;
        let writer = Writer::new(&events);
        Self { events, read: Database::read().await, writer }
    }

    fn log(&self) -> LogReader {
        LogReader::new(self.events.pool.clone())
    }

    async fn head(&self) -> Position {
        self.log().head().await.expect("the log").position
    }

    async fn open(&self, source: &str, request: Request) -> Result<Session, SqlError> {
        Session::open(self.log(), Upcasters::default(), &self.read.pool, parse(source), request).await
    }

    /// Runs it to the end of the log, and leaves what stays.
    async fn run(&self, source: &str, request: Request) -> Result<Vec<(String, String)>, SqlError> {
        let mut session = self.open(source, request).await?;
        let head = self.head().await;
        if let Err(error) = session.build(head, &CancellationToken::new(), |_| {}).await {
            return Err(session.after_failure(error).await);
        }
        session.settle().await?;
        let rows = rows(&mut session).await;
        session.finish().await?;
        Ok(rows)
    }

    /// The schemas and roles there are of projections, of this database.
    async fn left(&self) -> Vec<String> {
        sqlx::query_scalar(
            "SELECT nspname::text FROM pg_namespace WHERE nspname NOT IN ('public', 'live', 'information_schema')
                AND nspname NOT LIKE 'pg\\_%'
             UNION ALL
             SELECT rolname::text FROM pg_roles, pg_database WHERE datname = current_database()
                AND rolname LIKE 'daybook\\_' || pg_database.oid || '\\_%'
             ORDER BY 1",
        )
        .fetch_all(&self.read.pool)
        .await
        .expect("the catalogue")
    }

    /// A table of a schema, as text.
    async fn table(&self, table: &str) -> Vec<String> {
        let statement = format!("SELECT t::text FROM {table} t ORDER BY 1");
        sqlx::query_scalar(&statement).fetch_all(&self.read.pool).await.expect("the table")
    }
}

/// What a session shows, by name.
async fn rows(session: &mut Session) -> Vec<(String, String)> {
    let mut all = Vec::new();
    for shown in session.shown().await.expect("what is shown") {
        let rows = session.rows(&shown).await.expect("its rows");
        let parts: Vec<Vec<u8>> =
            rows.map_ok(|part| part.as_ref().to_vec()).try_collect().await.expect("rows");
        all.push((shown.name, String::from_utf8(parts.concat()).expect("text")));
    }
    all
}
