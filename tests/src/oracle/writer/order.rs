//! An append whose every event is known before it is sent. All of it follows from what the history has of it, so that a
//! later process can send the same again.

use std::sync::Arc;

use chrono::DateTime;
use daybook_domain::CommandId;
use daybook_eventstore::{
    Append, Appended, Chain, Fingerprint, Metadata, NewEvent, Part, StoreError, StreamId,
};
use uuid::Uuid;

use super::super::Failed;
use super::super::history::{Asked, Content, Told};

/// The type of the streams that are written so.
pub(crate) const LEDGER: &str = "Ledger";
/// An event of this size is too large for a message of the stream.
const TOO_LARGE: usize = 1_200_000;

/// The append that was asked for; nothing when its events are not known. Each part has its own chain, or all of them
/// this one.
pub(crate) fn append(asked: &Asked, chain: Option<&Arc<Chain>>) -> Result<Option<Append>, Failed> {
    let Content::Exact(parts) = &asked.content else { return Ok(None) };
    let mut appended = Vec::with_capacity(parts.len());
    for part in parts {
        let events: Result<_, Failed> = part.events.iter().map(|id| event(asked.command, *id)).collect();
        let (stream, chain) = (stream(&part.stream), chain.cloned().unwrap_or_default());
        appended.push(Part { stream, expected: part.expected, events: events?, chain });
    }
    Ok(Some(Append {
        command_id: CommandId::new(asked.command),
        fingerprint: fingerprint(asked.input),
        parts: appended,
        outcome: asked.recorded.then(|| asked.input.to_string()),
    }))
}

/// What the answer says.
pub(crate) fn told(answer: Result<Appended, StoreError>) -> Told {
    match answer {
        Ok(Appended::Done { position, version }) => Told::Done { position, version: Some(version) },
        Ok(Appended::Replayed { position, version, outcome }) => {
            Told::Replayed { position, version: Some(version), input: outcome.parse().ok() }
        }
        Ok(Appended::Mismatch) => Told::Mismatch,
        Ok(Appended::Conflict { .. }) => Told::Conflict,
        // A refusal of the database is the end of the transaction.
        Ok(Appended::Unfounded) | Err(StoreError::Overloaded | StoreError::Database(_)) => Told::NotDone,
        Err(_) => Told::Unknown,
    }
}

/// The fingerprint of an input.
pub(crate) fn fingerprint(input: u64) -> Fingerprint {
    Fingerprint::of(&[&input.to_be_bytes()])
}

/// What comes with an event of a command, always the same.
pub(crate) fn metadata(command: Uuid) -> Result<String, serde_json::Error> {
    serde_json::to_string(&Metadata {
        actor: "process:oracle".to_owned(),
        command_id: CommandId::new(command),
        correlation_id: command,
        causation_id: None,
        traceparent: None,
        occurred_at: DateTime::UNIX_EPOCH,
    })
}

/// The payload of an event: bytes that must come back as they are, some of them many.
pub(crate) fn payload(event: Uuid) -> String {
    let [.., a, b] = *event.as_bytes();
    let filler = match (a, b) {
        (7, 0..=7) => TOO_LARGE,
        (_, 0..=3) => 9_000,
        (_, size) => usize::from(size),
    };
    format!("{{ \"note\":  \"{event}\", \"ë\": 1.0,\n \"filler\": \"{}\" }}", "x".repeat(filler))
}

/// The name of a stream in the history.
pub(crate) fn name(aggregate_type: &str, id: &str) -> String {
    format!("{aggregate_type}/{id}")
}

/// The stream of this name.
pub(crate) fn stream(name: &str) -> StreamId {
    let (aggregate_type, id) = name.split_once('/').unwrap_or((LEDGER, name));
    StreamId { aggregate_type: aggregate_type.to_owned(), aggregate_id: id.to_owned() }
}

fn event(command: Uuid, event_id: Uuid) -> Result<NewEvent, Failed> {
    Ok(NewEvent {
        event_id,
        event_type: "LedgerNoted".to_owned(),
        event_version: "1".to_owned(),
        payload: payload(event_id),
        metadata: metadata(command)?,
    })
}
