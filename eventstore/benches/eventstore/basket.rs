//! What everybody stores: lines put into a basket, about 400 bytes an event with its metadata.

use std::collections::HashMap;
use std::convert::Infallible;

use cqrs_es::event_sink::EventSink;
use cqrs_es::{Aggregate, DomainEvent};
use daybook_domain::IdSource as _;
use daybook_eventstore::process::SystemIds;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The lines of one customer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Basket {
    lines: u64,
    units: u64,
    total: i64,
}

/// Puts lines in.
#[derive(Debug, Clone)]
pub(crate) struct Add(pub(crate) Vec<Line>);

/// One line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Line {
    id: Uuid,
    variant_id: Uuid,
    quantity: u32,
    unit_price: i64,
    currency: String,
    title: String,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum BasketEvent {
    /// A line was put in.
    LineAdded(Line),
}

impl DomainEvent for BasketEvent {
    fn event_type(&self) -> String {
        "LineAdded".to_owned()
    }

    fn event_version(&self) -> String {
        "1".to_owned()
    }
}

impl Aggregate for Basket {
    const TYPE: &'static str = "Basket";
    type Command = Add;
    type Event = BasketEvent;
    type Error = Infallible;
    type Services = ();

    async fn handle(&mut self, command: Add, (): &(), sink: &EventSink<Self>) -> Result<(), Infallible> {
        for line in command.0 {
            sink.write(BasketEvent::LineAdded(line), self).await;
        }
        Ok(())
    }

    fn apply(&mut self, event: BasketEvent) {
        let BasketEvent::LineAdded(line) = event;
        self.lines += 1;
        self.units += u64::from(line.quantity);
        self.total += line.unit_price * i64::from(line.quantity);
    }
}

impl Line {
    /// Some line.
    pub(crate) fn some() -> Self {
        Self {
            id: SystemIds.next(),
            variant_id: SystemIds.next(),
            quantity: 3,
            unit_price: 1_299,
            currency: "GBP".to_owned(),
            title: "WHITE HANGING HEART T-LIGHT HOLDER".to_owned(),
        }
    }
}

/// A type that one event in ten thousand has, where there is a log beforehand.
pub(crate) const RARE: &str = "LineAddedAtNight";

/// An event as text, for who has no domain.
#[derive(Debug, Clone)]
pub(crate) struct Text {
    pub(crate) payload: String,
    pub(crate) metadata: String,
}

/// A command of long ago, which made a stream.
#[derive(Debug, Clone)]
pub(crate) struct Past {
    pub(crate) command: Uuid,
    pub(crate) events: Vec<Text>,
}

impl Text {
    /// Some event of the given command.
    pub(crate) fn some(command: Uuid) -> Self {
        let payload = serde_json::to_string(&BasketEvent::LineAdded(Line::some())).expect("JSON");
        Self { payload, metadata: serde_json::to_string(&metadata(command)).expect("JSON") }
    }
}

/// The metadata that everybody stores.
pub(crate) fn metadata(command: Uuid) -> HashMap<String, String> {
    HashMap::from([
        ("actor".to_owned(), format!("customer:{command}")),
        ("command_id".to_owned(), command.to_string()),
        ("correlation_id".to_owned(), command.to_string()),
        ("occurred_at".to_owned(), "2026-11-27T12:00:00.123456Z".to_owned()),
    ])
}
