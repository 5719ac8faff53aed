//! Events as the store keeps them: the payload's bytes exactly as written, and the cause in the metadata.

use daybook_domain::{CommandId, Timestamp};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// An event's place in the log: 1, 2, 3, … with no hole. 0 is before the first.
pub type Position = i64;

/// The stream of one aggregate.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StreamId {
    /// The aggregate's type, such as `Order`.
    pub aggregate_type: String,
    /// The aggregate's id.
    pub aggregate_id: String,
}

/// Why an event is there: written with every event, as a flat object of strings (as `cqrs_es` has it).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Metadata {
    /// Who caused it: `customer:…`, `staff:…`, `process:checkout`, `gateway:simulated`.
    pub actor: String,
    /// The command that caused it.
    pub command_id: CommandId,
    /// What all that follows from one request has in common.
    pub correlation_id: Uuid,
    /// The event that the command was an answer to; nothing when a person asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub causation_id: Option<Uuid>,
    /// The W3C trace context of the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
    /// When it happened in the world; the store knows when it was recorded.
    pub occurred_at: Timestamp,
}

/// An event to be appended.
#[derive(Debug, Clone)]
pub struct NewEvent {
    /// Its id, a `UUIDv7`.
    pub event_id: Uuid,
    /// Its type, such as `OrderPlaced`.
    pub event_type: String,
    /// The version of its payload's fields.
    pub event_version: String,
    /// Its payload, as JSON text.
    pub payload: String,
    /// Its metadata, as JSON text.
    pub metadata: String,
}

/// An event in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedEvent {
    /// Its place in the log.
    pub position: Position,
    /// Its id.
    pub event_id: Uuid,
    /// The aggregate's type.
    pub aggregate_type: String,
    /// The aggregate's id.
    pub aggregate_id: String,
    /// Its place in the aggregate's stream, from 1.
    pub sequence: i64,
    /// Its type.
    pub event_type: String,
    /// The version of its payload's fields.
    pub event_version: String,
    /// Its payload, as the bytes that were written.
    pub payload: String,
    /// Its metadata, as the bytes that were written.
    pub metadata: String,
    /// When the store recorded it.
    pub recorded_at: Timestamp,
}

/// The identity of an event's content: SHA-256 over its position, id, stream, type, payload and metadata, each
/// preceded by its length.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct EventHash(pub [u8; 32]);

impl EventHash {
    /// What stands for "before the first event".
    pub const GENESIS: Self = Self([0; 32]);
}

/// What a log line says of an event, so that it can be followed from the request to all that came of it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Trace {
    /// Its place in the log.
    pub position: Position,
    /// Its type.
    pub event_type: String,
    /// What all that follows from one request has in common; nothing when the metadata cannot be read.
    pub correlation_id: Option<Uuid>,
    /// The trace that the request is part of.
    pub trace_id: Option<String>,
}

/// The trace id in a W3C trace context.
pub fn trace_id(traceparent: &str) -> Option<&str> {
    traceparent.split('-').nth(1)
}

impl RecordedEvent {
    /// What a log line says of it.
    pub fn trace(&self) -> Trace {
        let metadata = self.metadata().ok();
        let traceparent = metadata.as_ref().and_then(|metadata| metadata.traceparent.as_deref());
        Trace {
            position: self.position,
            event_type: self.event_type.clone(),
            correlation_id: metadata.as_ref().map(|metadata| metadata.correlation_id),
            trace_id: traceparent.and_then(trace_id).map(str::to_owned),
        }
    }

    /// The metadata, parsed.
    ///
    /// # Errors
    /// When the stored text is not this crate's metadata.
    pub fn metadata(&self) -> Result<Metadata, serde_json::Error> {
        serde_json::from_str(&self.metadata)
    }

    /// The identity of this event's content.
    pub fn hash(&self) -> EventHash {
        let mut hasher = Sha256::new();
        hasher.update(self.position.to_be_bytes());
        hasher.update(self.event_id.as_bytes());
        hasher.update(self.sequence.to_be_bytes());
        for part in [
            &self.aggregate_type,
            &self.aggregate_id,
            &self.event_type,
            &self.event_version,
            &self.payload,
            &self.metadata,
        ] {
            hasher.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            hasher.update(part.as_bytes());
        }
        EventHash(hasher.finalize().into())
    }
}
