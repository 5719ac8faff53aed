//! Upcasting: events written by older code are brought to today's shape when they are read, never in the log.

use std::fmt;
use std::sync::Arc;

use cqrs_es::persist::{EventUpcaster, SerializedEvent};
use serde_json::Value;

use crate::error::StoreError;
use crate::event::RecordedEvent;

/// The steps from every older version of an event to today's, in order.
#[derive(Clone, Default)]
pub struct Upcasters(Arc<Vec<Box<dyn EventUpcaster>>>);

impl fmt::Debug for Upcasters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Upcasters({})", self.0.len())
    }
}

impl Upcasters {
    /// These steps, in the order they are to be taken in.
    pub fn new(steps: Vec<Box<dyn EventUpcaster>>) -> Self {
        Self(Arc::new(steps))
    }

    /// The event in today's shape; the payload's bytes are untouched when no step applies.
    ///
    /// # Errors
    /// [`StoreError::Undecodable`] when a step applies and the payload is not JSON.
    pub fn upcast(&self, mut event: RecordedEvent) -> Result<RecordedEvent, StoreError> {
        for step in self.0.iter() {
            if step.can_upcast(&event.event_type, &event.event_version) {
                event = apply(step.as_ref(), event)?;
            }
        }
        Ok(event)
    }
}

fn apply(step: &dyn EventUpcaster, event: RecordedEvent) -> Result<RecordedEvent, StoreError> {
    let payload: Value = serde_json::from_str(&event.payload).map_err(|source| StoreError::Undecodable {
        what: "payload",
        of: format!("{} at position {}", event.event_type, event.position),
        source,
    })?;
    let upcast = step.upcast(SerializedEvent::new(
        event.aggregate_id.clone(),
        usize::try_from(event.sequence).unwrap_or_default(),
        event.aggregate_type.clone(),
        event.event_type.clone(),
        event.event_version.clone(),
        payload,
        Value::Null,
    ));
    Ok(RecordedEvent {
        event_type: upcast.event_type,
        event_version: upcast.event_version,
        payload: upcast.payload.to_string(),
        ..event
    })
}
