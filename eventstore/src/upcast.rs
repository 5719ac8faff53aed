//! Upcasting: events written by older code are brought to today's shape when they are read, never in the log. Who only
//! passes events on, or takes their hashes, has no use for it. Fields that no step knows stay where they are.

use std::collections::HashMap;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use cqrs_es::persist::{EventUpcaster, SerializedEvent};
use daybook_domain::catalogue;
use serde::de::Error as _;
use serde_json::Value;

use crate::error::StoreError;
use crate::event::RecordedEvent;

/// The steps from every older version of an event to today's, in order. A step is a function of the event and of nothing
/// else.
#[derive(Clone, Default)]
pub struct Upcasters {
    steps: Arc<Vec<Box<dyn EventUpcaster>>>,
    /// The version of each type of event that there is today; nothing when that is not known.
    todays: Option<Arc<HashMap<&'static str, &'static str>>>,
}

impl fmt::Debug for Upcasters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Upcasters({})", self.steps.len())
    }
}

impl Upcasters {
    /// These steps, in the order they are to be taken in.
    pub fn new(steps: Vec<Box<dyn EventUpcaster>>) -> Self {
        Self { steps: Arc::new(steps), todays: None }
    }

    /// The same steps, which end at these types of event, each in this version: what is another after all steps was
    /// written by newer code.
    #[must_use]
    pub fn ending_at(self, todays: impl IntoIterator<Item = (&'static str, &'static str)>) -> Self {
        Self { todays: Some(Arc::new(todays.into_iter().collect())), ..self }
    }

    /// The steps of the shop's own events, the same in every process.
    pub fn of_the_shop() -> Self {
        let todays = catalogue::event_types().into_iter().map(|event| (event.name, event.version));
        Self::new(catalogue::upcasters()).ending_at(todays)
    }

    /// How many steps there are. There are only ever more of them, so this tells how old something is that was made
    /// with their help.
    pub(crate) fn count(&self) -> i32 {
        i32::try_from(self.steps.len()).unwrap_or(i32::MAX)
    }

    /// Whether an event of this type and version is in today's shape, without looking at it.
    pub fn is_todays(&self, event_type: &str, event_version: &str) -> bool {
        let known = self.todays.as_ref().is_none_or(|todays| todays.get(event_type) == Some(&event_version));
        known && !self.steps.iter().any(|step| step.can_upcast(event_type, event_version))
    }

    /// The event in today's shape; nothing when it has that already.
    ///
    /// # Errors
    /// [`StoreError::Undecodable`] when a step applies and the payload is not JSON, or the step panics;
    /// [`StoreError::UnknownEvent`] when it is known what there is today, and this is not among it.
    pub fn upcast(&self, event: &RecordedEvent) -> Result<Option<RecordedEvent>, StoreError> {
        let mut upcast: Option<RecordedEvent> = None;
        for step in self.steps.iter() {
            let so_far = upcast.as_ref().unwrap_or(event);
            if step.can_upcast(&so_far.event_type, &so_far.event_version) {
                upcast = Some(take(step.as_ref(), so_far)?);
            }
        }
        let todays = upcast.as_ref().unwrap_or(event);
        let known = |versions: &HashMap<_, _>| versions.get(todays.event_type.as_str()).copied();
        match &self.todays {
            Some(versions) if known(versions) != Some(&todays.event_version) => {
                Err(StoreError::unknown(event))
            }
            _ => Ok(upcast),
        }
    }
}

fn take(step: &dyn EventUpcaster, event: &RecordedEvent) -> Result<RecordedEvent, StoreError> {
    let undecodable = |source| StoreError::Undecodable {
        what: "payload",
        of: format!("{} {} at position {}", event.event_type, event.event_version, event.position),
        source,
    };
    let payload: Value = serde_json::from_str(&event.payload).map_err(undecodable)?;
    let old = SerializedEvent::new(
        event.aggregate_id.clone(),
        usize::try_from(event.sequence).unwrap_or_default(),
        event.aggregate_type.clone(),
        event.event_type.clone(),
        event.event_version.clone(),
        payload,
        Value::Null,
    );
    // A mistake in a step is that event's trouble, and not that of whoever follows the log.
    let upcast = catch_unwind(AssertUnwindSafe(|| step.upcast(old)))
        .map_err(|_panic| undecodable(serde_json::Error::custom("its upcaster panicked")))?;
    Ok(RecordedEvent {
        event_type: upcast.event_type,
        event_version: upcast.event_version,
        payload: upcast.payload.to_string(),
        ..event.clone()
    })
}
