//! Three ways to give events one dense order, with as little else as possible: to compare them with each other. Each
//! writes what waits in batches, as [`super::unnest`] does, over two connections.
//!
//! - `order-head`: the head row is locked until the batch is flushed. This is what Daybook does.
//! - `order-flush`: the head row is locked only until the batch is committed, which does not wait for the disk. It is
//!   answered after a flush, which another connection does for all that was committed before.
//! - `order-sequencer`: batches are committed side by side, and a task gives positions to what is committed.

use std::time::Duration;

use async_trait::async_trait;
use daybook_domain::IdSource as _;
use daybook_eventstore::process::SystemIds;
use sqlx::{Executor as _, PgConnection};
use tokio::sync::{Mutex, mpsc, oneshot};

use super::{Contestant, Failed};
use crate::basket::Text;

/// The table, the head row, and what the sequencer keeps.
pub(super) const TABLES: &str = r#"
    CREATE TABLE events (
        aggregate_type text COLLATE "C" NOT NULL, aggregate_id text COLLATE "C" NOT NULL, sequence bigint NOT NULL,
        event_type text NOT NULL, event_version text NOT NULL, payload json NOT NULL, metadata json NOT NULL,
        position bigint NOT NULL, PRIMARY KEY (aggregate_type, aggregate_id, sequence));
    CREATE UNIQUE INDEX ON events (position);
    CREATE TABLE head (position bigint NOT NULL);
    INSERT INTO head VALUES (0);
    CREATE SEQUENCE arrivals;
    CREATE TABLE places (position bigint PRIMARY KEY, arrival bigint NOT NULL UNIQUE);
    CREATE FUNCTION append(p_async boolean, p_ids text[], p_payloads text[], p_metadata text[]) RETURNS bigint
    LANGUAGE plpgsql AS $$
    DECLARE before bigint;
    BEGIN
        IF p_async THEN
            PERFORM set_config('synchronous_commit', 'off', true);
        END IF;
        UPDATE head SET position = position + cardinality(p_ids)
        RETURNING position - cardinality(p_ids) INTO STRICT before;
        INSERT INTO events
        SELECT 'Basket', e.id, 1, 'LineAdded', '1', e.payload::json, e.metadata::json, before + e.i
        FROM (SELECT unnest(p_ids) AS id, unnest(p_payloads) AS payload, unnest(p_metadata) AS metadata,
                     generate_series(1, cardinality(p_ids)) AS i) e;
        RETURN before + cardinality(p_ids);
    END $$;
    CREATE FUNCTION place() RETURNS void LANGUAGE plpgsql AS $$
    BEGIN
        PERFORM pg_advisory_xact_lock(1);
        INSERT INTO places
        SELECT (SELECT position FROM head) + row_number() OVER (ORDER BY e.position), e.position
        FROM events e
        WHERE e.position > coalesce((SELECT max(arrival) FROM places), 0) - 4096
          AND NOT EXISTS (SELECT FROM places p WHERE p.arrival = e.position);
        UPDATE head SET position = (SELECT coalesce(max(position), 0) FROM places);
    END $$;
"#;

const APPEND: &str = "SELECT append($1, $2, $3, $4)";
const ARRIVE: &str = "INSERT INTO events SELECT 'Basket', e.id, 1, 'LineAdded', '1', e.payload::json, e.metadata::json, \
     nextval('arrivals') FROM (SELECT unnest($1) AS id, unnest($2) AS payload, unnest($3) AS metadata) e";
/// Writes something and commits it, which flushes all that was committed before.
const FLUSH: &str = "SELECT pg_logical_emit_message(true, 'flush', '')";
const BATCH: usize = 512;
/// How often the sequencer looks.
const PLACING: Duration = Duration::from_millis(2);

/// How the order comes about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    Head,
    Flush,
    Sequencer,
}

struct Waiting {
    stream: String,
    event: Text,
    reply: oneshot::Sender<()>,
}

pub(super) struct Ordering(mpsc::Sender<Waiting>);

impl Ordering {
    /// Writes over the first connections, and flushes or places over the last one.
    pub(super) fn start(order: Order, [one, two, three]: [PgConnection; 3]) -> Self {
        let (queue, waiting) = mpsc::channel(4_096);
        let waiting = std::sync::Arc::new(Mutex::new(waiting));
        let (landed, to_flush) = mpsc::channel(4_096);
        for connection in [one, two] {
            tokio::spawn(write(order, connection, std::sync::Arc::clone(&waiting), landed.clone()));
        }
        match order {
            Order::Head => {}
            Order::Flush => drop(tokio::spawn(flush(three, to_flush))),
            Order::Sequencer => drop(tokio::spawn(place(three))),
        }
        Self(queue)
    }
}

async fn write(
    order: Order,
    mut connection: PgConnection,
    queue: std::sync::Arc<Mutex<mpsc::Receiver<Waiting>>>,
    landed: mpsc::Sender<oneshot::Sender<()>>,
) {
    let mut batch = Vec::with_capacity(BATCH);
    while queue.lock().await.recv_many(&mut batch, BATCH).await > 0 {
        let ids: Vec<&str> = batch.iter().map(|one: &Waiting| one.stream.as_str()).collect();
        let payloads: Vec<&str> = batch.iter().map(|one| one.event.payload.as_str()).collect();
        let metadata: Vec<&str> = batch.iter().map(|one| one.event.metadata.as_str()).collect();
        let statement = match order {
            Order::Sequencer => sqlx::query(ARRIVE),
            Order::Head | Order::Flush => sqlx::query(APPEND).bind(order == Order::Flush),
        };
        let statement = statement.bind(ids).bind(payloads).bind(metadata);
        statement.execute(&mut connection).await.expect("it is appended");
        for one in batch.drain(..) {
            if order == Order::Flush {
                landed.send(one.reply).await.expect("it is flushed");
            } else {
                let _ = one.reply.send(());
            }
        }
    }
}

async fn flush(mut connection: PgConnection, mut landed: mpsc::Receiver<oneshot::Sender<()>>) {
    let mut batch = Vec::with_capacity(BATCH);
    while landed.recv_many(&mut batch, 4 * BATCH).await > 0 {
        connection.execute(FLUSH).await.expect("it is flushed");
        for reply in batch.drain(..) {
            let _ = reply.send(());
        }
    }
}

async fn place(mut connection: PgConnection) {
    loop {
        connection.execute("SELECT place()").await.expect("they are placed");
        tokio::time::sleep(PLACING).await;
    }
}

#[async_trait]
impl Contestant for Ordering {
    async fn append_new(&self, stream: &str, _events: usize) -> Result<(), Failed> {
        let (reply, answer) = oneshot::channel();
        self.0
            .send(Waiting { stream: stream.to_owned(), event: Text::some(SystemIds.next()), reply })
            .await?;
        Ok(answer.await?)
    }
}
