//! A statement with many rows, of whatever waits, by hand: what batches reach that promise nothing else. It knows no
//! positions, no versions beyond the key, no command ids, and fails as a whole.

use std::iter;

use async_trait::async_trait;
use daybook_domain::IdSource as _;
use daybook_eventstore::process::SystemIds;
use sqlx::PgConnection;
use tokio::sync::{mpsc, oneshot};

use super::{Contestant, Failed};
use crate::basket::Text;

const INSERT: &str = "INSERT INTO events SELECT 'Basket', id, sequence, 'LineAdded', '1', payload::json, metadata::json \
     FROM unnest($1::text[], $2::bigint[], $3::text[], $4::text[]) AS e (id, sequence, payload, metadata)";
const BATCH: usize = 512;

struct Waiting {
    stream: String,
    events: Vec<Text>,
    reply: oneshot::Sender<bool>,
}

pub(super) struct Unnest(mpsc::Sender<Waiting>);

impl Unnest {
    pub(super) fn start(connection: PgConnection) -> Self {
        let (queue, waiting) = mpsc::channel(4_096);
        tokio::spawn(write(connection, waiting));
        Self(queue)
    }
}

async fn write(mut connection: PgConnection, mut waiting: mpsc::Receiver<Waiting>) {
    let mut batch = Vec::with_capacity(BATCH);
    while waiting.recv_many(&mut batch, BATCH).await > 0 {
        let (mut ids, mut sequences, mut payloads, mut metadata) = (vec![], vec![], vec![], vec![]);
        for one in &batch {
            for (sequence, event) in (1_i64..).zip(&one.events) {
                ids.push(one.stream.as_str());
                sequences.push(sequence);
                payloads.push(event.payload.as_str());
                metadata.push(event.metadata.as_str());
            }
        }
        let insert = sqlx::query(INSERT).bind(ids).bind(sequences).bind(payloads).bind(metadata);
        let done = insert.execute(&mut connection).await.is_ok();
        for one in batch.drain(..) {
            let _ = one.reply.send(done);
        }
    }
}

#[async_trait]
impl Contestant for Unnest {
    async fn append_new(&self, stream: &str, events: usize) -> Result<(), Failed> {
        let command = SystemIds.next();
        let events = iter::repeat_with(|| Text::some(command)).take(events).collect();
        let (reply, answer) = oneshot::channel();
        self.0.send(Waiting { stream: stream.to_owned(), events, reply }).await?;
        if answer.await? { Ok(()) } else { Err("the batch failed".into()) }
    }
}
