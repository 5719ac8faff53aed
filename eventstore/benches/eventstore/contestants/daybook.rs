//! Daybook's event store, through the front door that commands take.

use std::num::NonZeroU16;
use std::str::FromStr as _;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use daybook_domain::{CommandId, IdSource as _, Timestamp};
use daybook_eventstore::process::SystemIds;
use daybook_eventstore::{
    Append, Appended, CommandContext, EventStore, Fingerprint, NewEvent, Part, Repository, Selection, Slice,
    SnapshotPolicy, StreamId, Upcasters,
};
use futures::stream;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

use super::{Contestant, Failed};
use crate::basket::{Add, Basket, BasketEvent, Line, Past, RARE, Text};

/// How many events are decoded at a time.
const BATCH: usize = 256;
const SNAPSHOTS: SnapshotPolicy = SnapshotPolicy { state_version: 1, every: 100, older_than: Duration::MAX };
/// Room for all streams of a workload.
const MEMORY: u64 = 256 * 1_024 * 1_024;

pub(super) struct Daybook {
    baskets: Repository<Basket>,
    store: EventStore,
}

pub(super) async fn prepare(database: &str) -> Result<(), Failed> {
    let pool = PgPoolOptions::new().max_connections(1).connect(database).await?;
    daybook_eventstore::migrate(&pool).await?;
    pool.close().await;
    Ok(())
}

impl Daybook {
    pub(super) async fn start(database: &str) -> Result<Self, Failed> {
        // As the processes have it (`eventstore/src/process/pool.rs`).
        let planning = [("plan_cache_mode", "force_generic_plan"), ("max_parallel_workers_per_gather", "0")];
        let options = PgConnectOptions::from_str(database)?.options(planning);
        let pool =
            PgPoolOptions::new().max_connections(8).test_before_acquire(false).connect_with(options).await?;
        let store = EventStore::new(pool, Arc::new(SystemIds), Upcasters::default()).remembering(MEMORY);
        Ok(Self { baskets: Repository::new(store.clone(), SNAPSHOTS), store })
    }
}

/// Decodes what is selected.
fn decode(store: &EventStore, selection: Selection) -> impl Future<Output = Result<u64, Failed>> + use<> {
    let mut scan = store.reader().scan(selection, BATCH);
    async move {
        let mut decoded = 0;
        while let Some(batch) = scan.next().await? {
            for event in batch.events() {
                let _event: BasketEvent = event.payload_as()?;
                decoded += 1;
            }
        }
        Ok(decoded)
    }
}

fn context() -> CommandContext {
    let command_id = CommandId::generate(&SystemIds);
    CommandContext {
        command_id,
        fingerprint: Fingerprint([7; 32]),
        actor: format!("customer:{command_id}"),
        correlation_id: command_id.uuid(),
        causation_id: None,
        traceparent: None,
        occurred_at: Timestamp::MIN_UTC,
    }
}

fn of_the_past(past: Past) -> Append {
    let event = |text: Text| NewEvent {
        event_id: SystemIds.next(),
        event_type: "LineAdded".to_owned(),
        event_version: "1".to_owned(),
        payload: text.payload,
        metadata: text.metadata,
    };
    let stream = StreamId { aggregate_type: "Basket".to_owned(), aggregate_id: past.command.to_string() };
    let events = past.events.into_iter().map(event).collect();
    Append {
        command_id: CommandId::new(past.command),
        fingerprint: Fingerprint([7; 32]),
        parts: vec![Part { stream, expected: 0, events, chain: Arc::default() }],
        outcome: Some("null".to_owned()),
    }
}

#[async_trait]
impl Contestant for Daybook {
    async fn append_new(&self, stream: &str, events: usize) -> Result<(), Failed> {
        let lines = (0..events).map(|_| Line::some()).collect();
        self.baskets.create(stream, Add(lines), &context(), "null").await?;
        Ok(())
    }

    async fn decide(&self, stream: &str) -> Result<(), Failed> {
        self.baskets.execute(stream, Add(vec![Line::some()]), &context(), "null").await?;
        Ok(())
    }

    async fn warm(&self, streams: &[String]) -> Result<(), Failed> {
        for some in streams.chunks(500) {
            self.baskets.load_many(&some.iter().map(String::as_str).collect::<Vec<_>>()).await?;
        }
        Ok(())
    }

    async fn import(&self, history: Vec<Past>) -> Result<u64, Failed> {
        let mut import = self.store.import(stream::iter(history.into_iter().map(of_the_past)));
        let mut count = 0;
        while let Some(outcomes) = import.next().await? {
            for outcome in outcomes {
                let Appended::Done { version, .. } = outcome? else { return Err("not done".into()) };
                count += u64::try_from(version)?;
            }
        }
        Ok(count)
    }

    async fn replay(&self, slices: NonZeroU16) -> Result<u64, Failed> {
        let all = Selection::after(0).only_what_happened();
        if slices == NonZeroU16::MIN {
            return decode(&self.store, all).await;
        }
        let slices: Vec<_> = Slice::all(slices)
            .map(|slice| tokio::spawn(decode(&self.store, all.clone().in_slice(slice))))
            .collect();
        let mut decoded = 0;
        for slice in slices {
            decoded += slice.await??;
        }
        Ok(decoded)
    }

    async fn replay_rare(&self) -> Result<u64, Failed> {
        decode(&self.store, Selection::after(0).of_types([RARE]).only_what_happened()).await
    }

    async fn conflict(&self, stream: &str) -> Result<(), Failed> {
        let context = context();
        let text = Text::some(context.command_id.uuid());
        let event = NewEvent {
            event_id: SystemIds.next(),
            event_type: "LineAdded".to_owned(),
            event_version: "1".to_owned(),
            payload: text.payload,
            metadata: text.metadata,
        };
        let stream = StreamId { aggregate_type: "Basket".to_owned(), aggregate_id: stream.to_owned() };
        let append = Append {
            command_id: context.command_id,
            fingerprint: context.fingerprint,
            parts: vec![Part { stream, expected: 0, events: vec![event], chain: Arc::default() }],
            outcome: Some("null".to_owned()),
        };
        let outcome = self.store.appender().enqueue(append)?.outcome().await?;
        if matches!(outcome, Appended::Conflict { .. }) {
            Ok(())
        } else {
            Err(format!("not a conflict: {outcome:?}").into())
        }
    }
}
