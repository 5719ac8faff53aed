//! An aggregate for the store's own repositories. Each event says which versions its command was decided on.

use cqrs_es::event_sink::EventSink;
use cqrs_es::{Aggregate, DomainEvent};
use daybook_eventstore::StoreError;
use serde::{Deserialize, Serialize};

use super::order::name;

/// Counts its own events.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Tally {
    pub(crate) version: i64,
}

/// Notes something, so many times.
#[derive(Debug, Clone)]
pub(crate) struct Note {
    pub(crate) id: String,
    pub(crate) times: usize,
    /// What else it was decided on.
    pub(crate) saw: Vec<(String, i64)>,
    /// It is refused when the version is a multiple of this.
    pub(crate) unless: Option<i64>,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum TallyEvent {
    /// Something was noted.
    Noted {
        /// Streams and the versions they were at.
        saw: Vec<(String, i64)>,
    },
}

impl DomainEvent for TallyEvent {
    fn event_type(&self) -> String {
        "TallyNoted".to_owned()
    }

    fn event_version(&self) -> String {
        "1".to_owned()
    }
}

/// Why nothing is noted.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    /// It was asked for only unless.
    #[error("not at this version")]
    NotNow,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Aggregate for Tally {
    const TYPE: &'static str = "Tally";
    type Command = Note;
    type Event = TallyEvent;
    type Error = Refusal;
    type Services = ();

    async fn handle(&mut self, command: Note, (): &(), sink: &EventSink<Self>) -> Result<(), Refusal> {
        if command.unless.is_some_and(|unless| self.version % unless == 0) {
            return Err(Refusal::NotNow);
        }
        let mut saw = command.saw;
        saw.push((name(Self::TYPE, &command.id), self.version));
        for _ in 0..command.times {
            sink.write(TallyEvent::Noted { saw: saw.clone() }, self).await;
        }
        Ok(())
    }

    fn apply(&mut self, event: TallyEvent) {
        let TallyEvent::Noted { .. } = event;
        self.version += 1;
    }
}
