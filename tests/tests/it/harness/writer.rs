//! Events for tests that care about the log and not about what happened.

use daybook_domain::CommandId;
use daybook_domain::{Clock, IdSource};
use daybook_eventstore::process::{SystemClock, SystemIds};
use daybook_eventstore::{
    Append, Appended, Appender, Fingerprint, Metadata, NewEvent, Part, Position, StreamId,
};
use sqlx::PgPool;

use super::Database;

/// Appends events of no meaning.
#[derive(Debug)]
pub(crate) struct Writer {
    appender: Appender,
}

impl Writer {
    /// A writer to this log.
    pub(crate) fn new(database: &Database) -> Self {
        Self::on(&database.pool)
    }

    /// A writer to the log in this database.
    pub(crate) fn on(pool: &PgPool) -> Self {
        Self { appender: Appender::start(&pool.connect_options()) }
    }

    /// Appends `count` events to a stream of their own and says where the log stands then.
    pub(crate) async fn append(&self, count: usize) -> Position {
        let payloads = (0..count).map(|n| format!("{{ \"n\": {n},  \"name\": \"Zoë\" }}")).collect();
        self.append_payloads(payloads).await
    }

    /// Appends one event for each payload to a stream of their own.
    pub(crate) async fn append_payloads(&self, payloads: Vec<String>) -> Position {
        self.append_to(&SystemIds.next().to_string(), 0, payloads).await
    }

    /// Appends one event for each payload to the `Thing` of this id, which is at this version.
    pub(crate) async fn append_to(&self, id: &str, expected: i64, payloads: Vec<String>) -> Position {
        self.append_of("Thing", id, expected, payloads).await
    }

    /// The same to an aggregate of another type.
    pub(crate) async fn append_of(
        &self,
        aggregate_type: &str,
        id: &str,
        expected: i64,
        payloads: Vec<String>,
    ) -> Position {
        let command_id = CommandId::generate(&SystemIds);
        let metadata = Metadata {
            actor: "staff:tester".to_owned(),
            command_id,
            correlation_id: command_id.uuid(),
            causation_id: None,
            traceparent: None,
            occurred_at: SystemClock.now(),
        };
        let metadata = serde_json::to_string(&metadata).expect("metadata is JSON");
        let event = |payload| NewEvent {
            event_id: SystemIds.next(),
            event_type: "ThingHappened".to_owned(),
            event_version: "1".to_owned(),
            payload,
            metadata: metadata.clone(),
        };
        let append = Append {
            command_id,
            fingerprint: Fingerprint::of(&[command_id.uuid().as_bytes()]),
            parts: vec![Part {
                stream: StreamId { aggregate_type: aggregate_type.to_owned(), aggregate_id: id.to_owned() },
                expected,
                events: payloads.into_iter().map(event).collect(),
                chain: std::sync::Arc::default(),
            }],
            outcome: Some("null".to_owned()),
        };
        let pending = self.appender.enqueue(append).expect("the queue has room");
        let appended = pending.outcome().await.expect("the append is answered");
        let Appended::Done { position, .. } = appended else { panic!("not appended: {appended:?}") };
        position
    }
}
