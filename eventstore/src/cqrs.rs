//! `cqrs_es::EventStore` on this store: an application written for `cqrs-es` and `postgres-es` runs on it as it is.

use std::collections::HashMap;
use std::marker::PhantomData;
use std::sync::Arc;

use cqrs_es::{Aggregate, AggregateContext, AggregateError, DomainEvent, EventEnvelope};
use daybook_domain::{Clock, CommandId};

use crate::append::{Append, Appended, Fingerprint, Part};
use crate::error::StoreError;
use crate::event::{NewEvent, RecordedEvent, StreamId};
use crate::store::EventStore;

/// The aggregates of type `A`, as `cqrs_es` sees them.
pub struct CqrsStore<A> {
    store: EventStore,
    clock: Arc<dyn Clock>,
    aggregate: PhantomData<fn() -> A>,
}

impl<A> std::fmt::Debug for CqrsStore<A> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CqrsStore").field("store", &self.store).finish_non_exhaustive()
    }
}

impl<A> CqrsStore<A> {
    /// This store, for `cqrs_es`; `clock` gives the time of what happens through it.
    pub fn new(store: EventStore, clock: Arc<dyn Clock>) -> Self {
        Self { store, clock, aggregate: PhantomData }
    }
}

/// An aggregate that was loaded to be decided on.
#[derive(Debug)]
pub struct LoadedAggregate<A> {
    id: String,
    version: i64,
    aggregate: A,
}

impl<A: Aggregate> AggregateContext<A> for LoadedAggregate<A> {
    fn aggregate(&mut self) -> &mut A {
        &mut self.aggregate
    }
}

impl<A: Aggregate> cqrs_es::EventStore<A> for CqrsStore<A> {
    type AC = LoadedAggregate<A>;

    async fn load_events(
        &self,
        aggregate_id: &str,
    ) -> Result<Vec<EventEnvelope<A>>, AggregateError<A::Error>> {
        let stream = StreamId { aggregate_type: A::TYPE.to_owned(), aggregate_id: aggregate_id.to_owned() };
        let events = self.store.stream(&stream, 0).await.map_err(failed)?;
        events.into_iter().map(envelope).collect()
    }

    async fn load_aggregate(&self, aggregate_id: &str) -> Result<Self::AC, AggregateError<A::Error>> {
        let (mut aggregate, mut version) = (A::default(), 0);
        for event in self.load_events(aggregate_id).await? {
            aggregate.apply(event.payload);
            version += 1;
        }
        Ok(LoadedAggregate { id: aggregate_id.to_owned(), version, aggregate })
    }

    async fn commit(
        &self,
        events: Vec<A::Event>,
        context: Self::AC,
        metadata: HashMap<String, String>,
    ) -> Result<Vec<EventEnvelope<A>>, AggregateError<A::Error>> {
        let command_id = CommandId::generate(self.store.ids());
        let metadata = self.complete(metadata, command_id);
        let append = Append {
            command_id,
            fingerprint: Fingerprint::of(&[command_id.uuid().as_bytes()]),
            parts: vec![Part {
                stream: StreamId { aggregate_type: A::TYPE.to_owned(), aggregate_id: context.id.clone() },
                expected: context.version,
                events: self.encode::<A>(&events, &metadata)?,
                chain: Arc::default(),
            }],
            outcome: Some("null".to_owned()),
        };
        let pending = self.store.appender().enqueue(append).map_err(failed)?;
        match pending.outcome().await.map_err(failed)? {
            Appended::Done { .. } | Appended::Replayed { .. } => Ok((1..)
                .zip(events)
                .map(|(n, payload)| EventEnvelope {
                    aggregate_id: context.id.clone(),
                    sequence: usize::try_from(context.version).unwrap_or_default() + n,
                    payload,
                    metadata: metadata.clone(),
                })
                .collect()),
            Appended::Conflict { .. } | Appended::Unfounded | Appended::Mismatch => {
                Err(AggregateError::AggregateConflict)
            }
        }
    }
}

impl<A> CqrsStore<A> {
    /// Adds the causes that Daybook writes with every event, where the caller gave none.
    fn complete(&self, mut metadata: HashMap<String, String>, command: CommandId) -> HashMap<String, String> {
        let defaults = [
            ("actor", "unknown".to_owned()),
            ("command_id", command.to_string()),
            ("correlation_id", command.to_string()),
            ("occurred_at", self.clock.now().to_rfc3339()),
        ];
        for (key, value) in defaults {
            metadata.entry(key.to_owned()).or_insert(value);
        }
        metadata
    }

    fn encode<G: Aggregate>(
        &self,
        events: &[G::Event],
        metadata: &HashMap<String, String>,
    ) -> Result<Vec<NewEvent>, AggregateError<G::Error>> {
        let unexpected = |error| AggregateError::UnexpectedError(Box::new(error));
        let metadata = serde_json::to_string(metadata).map_err(unexpected)?;
        events
            .iter()
            .map(|event| {
                Ok(NewEvent {
                    event_id: self.store.ids().next(),
                    event_type: event.event_type(),
                    event_version: event.event_version(),
                    payload: serde_json::to_string(event).map_err(unexpected)?,
                    metadata: metadata.clone(),
                })
            })
            .collect()
    }
}

fn envelope<A: Aggregate>(event: RecordedEvent) -> Result<EventEnvelope<A>, AggregateError<A::Error>> {
    let undecodable = |error| AggregateError::DeserializationError(Box::new(error));
    Ok(EventEnvelope {
        aggregate_id: event.aggregate_id,
        sequence: usize::try_from(event.sequence).unwrap_or_default(),
        payload: serde_json::from_str(&event.payload).map_err(undecodable)?,
        metadata: serde_json::from_str(&event.metadata).map_err(undecodable)?,
    })
}

fn failed<E: std::error::Error>(error: StoreError) -> AggregateError<E> {
    AggregateError::DatabaseConnectionError(Box::new(error))
}
