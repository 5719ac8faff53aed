//! A bare binary `COPY` into a table of the shape of Daybook's, with its two keys and a dense position for each event: what
//! a bulk load reaches that promises nothing else. It knows no command ids and no versions beyond the key, and nobody
//! else can append meanwhile.

use async_trait::async_trait;
use daybook_domain::IdSource as _;
use daybook_eventstore::process::SystemIds;
use sqlx::PgConnection;
use tokio::sync::Mutex;

use super::{Contestant, Failed};
use crate::basket::Past;

pub(super) const TABLE: &str = r#"CREATE TABLE events (
    aggregate_type text COLLATE "C" NOT NULL, aggregate_id text COLLATE "C" NOT NULL,
    sequence bigint NOT NULL CHECK (sequence >= 1), event_type text COLLATE "C" NOT NULL,
    event_version text COLLATE "C" NOT NULL, payload json NOT NULL, metadata json NOT NULL, position bigint NOT NULL,
    event_id uuid NOT NULL, recorded_at timestamptz NOT NULL, PRIMARY KEY (aggregate_type, aggregate_id, sequence));
    CREATE UNIQUE INDEX ON events (position)"#;

const COPY: &str = "COPY events FROM STDIN (FORMAT binary)";
const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
/// How many rows are copied, and committed, at once.
const ROWS: usize = 100_000;
const SENDING: usize = 64 << 10;

pub(super) struct Copy(Mutex<Log>);

struct Log {
    connection: PgConnection,
    position: i64,
}

impl Copy {
    pub(super) fn start(connection: PgConnection) -> Self {
        Self(Mutex::new(Log { connection, position: 0 }))
    }
}

fn put(row: &mut Vec<u8>, field: &[u8]) {
    row.extend(i32::try_from(field.len()).expect("short").to_be_bytes());
    row.extend(field);
}

#[async_trait]
impl Contestant for Copy {
    async fn import(&self, history: Vec<Past>) -> Result<u64, Failed> {
        let mut log = self.0.lock().await;
        let Log { connection, position } = &mut *log;
        let mut count = 0;
        let per_copy = ROWS / history.first().map_or(1, |past| past.events.len());
        for some in history.chunks(per_copy) {
            let mut copy = connection.copy_in_raw(COPY).await?;
            let mut rows = HEADER.to_vec();
            for past in some {
                let id = past.command.to_string();
                for (sequence, event) in (1_i64..).zip(&past.events) {
                    *position += 1;
                    rows.extend(10_i16.to_be_bytes());
                    put(&mut rows, b"Basket");
                    put(&mut rows, id.as_bytes());
                    put(&mut rows, &sequence.to_be_bytes());
                    put(&mut rows, b"LineAdded");
                    put(&mut rows, b"1");
                    put(&mut rows, event.payload.as_bytes());
                    put(&mut rows, event.metadata.as_bytes());
                    put(&mut rows, &position.to_be_bytes());
                    put(&mut rows, SystemIds.next().as_bytes());
                    put(&mut rows, &0_i64.to_be_bytes());
                    count += 1;
                }
                if rows.len() >= SENDING {
                    copy.send(rows.as_slice()).await?;
                    rows.clear();
                }
            }
            rows.extend((-1_i16).to_be_bytes());
            copy.send(rows.as_slice()).await?;
            copy.finish().await?;
        }
        Ok(count)
    }
}
