//! A statement with many rows, of whatever waits, by hand: what batches reach that promise nothing else. It knows no
//! positions, no versions beyond the key, no command ids, and fails as a whole.

use std::iter;

use async_trait::async_trait;
use daybook_domain::IdSource as _;
use daybook_eventstore::process::SystemIds;
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions as _, PgConnection};
use tokio::sync::{mpsc, oneshot};

use super::{Contestant, Failed};
use crate::basket::{Past, Text};

const INSERT: &str = "INSERT INTO events SELECT 'Basket', id, sequence, 'LineAdded', '1', payload::json, metadata::json \
     FROM unnest($1::text[], $2::bigint[], $3::text[], $4::text[]) AS e (id, sequence, payload, metadata)";
const BATCH: usize = 512;
/// How many rows a statement of an import has.
const IMPORT_ROWS: usize = 4_096;

struct Waiting {
    stream: String,
    events: Vec<Text>,
    reply: oneshot::Sender<bool>,
}

pub(super) struct Unnest {
    queue: mpsc::Sender<Waiting>,
    database: PgConnectOptions,
}

impl Unnest {
    pub(super) async fn start(database: PgConnectOptions) -> Result<Self, Failed> {
        let (queue, waiting) = mpsc::channel(4_096);
        tokio::spawn(write(database.connect().await?, waiting));
        Ok(Self { queue, database })
    }
}

async fn write(mut connection: PgConnection, mut waiting: mpsc::Receiver<Waiting>) {
    let mut batch = Vec::with_capacity(BATCH);
    while waiting.recv_many(&mut batch, BATCH).await > 0 {
        let rows = batch.iter().map(|one: &Waiting| (one.stream.as_str(), one.events.as_slice()));
        let done = insert(&mut connection, rows).await.is_ok();
        for one in batch.drain(..) {
            let _ = one.reply.send(done);
        }
    }
}

async fn insert<'a>(
    connection: &mut PgConnection,
    streams: impl Iterator<Item = (&'a str, &'a [Text])>,
) -> Result<u64, sqlx::Error> {
    let (mut ids, mut sequences, mut payloads, mut metadata) = (vec![], vec![], vec![], vec![]);
    for (stream, events) in streams {
        for (sequence, event) in (1_i64..).zip(events) {
            ids.push(stream);
            sequences.push(sequence);
            payloads.push(event.payload.as_str());
            metadata.push(event.metadata.as_str());
        }
    }
    let insert = sqlx::query(INSERT).bind(ids).bind(sequences).bind(payloads).bind(metadata);
    Ok(insert.execute(connection).await?.rows_affected())
}

#[async_trait]
impl Contestant for Unnest {
    async fn import(&self, history: Vec<Past>) -> Result<u64, Failed> {
        let mut connection = self.database.connect().await?;
        let mut count = 0;
        let per_statement = IMPORT_ROWS / history.first().map_or(1, |past| past.events.len());
        for some in history.chunks(per_statement) {
            let ids: Vec<String> = some.iter().map(|past| past.command.to_string()).collect();
            let rows = ids.iter().zip(some).map(|(id, past)| (id.as_str(), past.events.as_slice()));
            count += insert(&mut connection, rows).await?;
        }
        Ok(count)
    }

    async fn append_new(&self, stream: &str, events: usize) -> Result<(), Failed> {
        let command = SystemIds.next();
        let events = iter::repeat_with(|| Text::some(command)).take(events).collect();
        let (reply, answer) = oneshot::channel();
        self.queue.send(Waiting { stream: stream.to_owned(), events, reply }).await?;
        if answer.await? { Ok(()) } else { Err("the batch failed".into()) }
    }
}
