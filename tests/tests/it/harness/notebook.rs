//! An aggregate whose state is what its events say, and whose events have changed their form twice.

use cqrs_es::event_sink::EventSink;
use cqrs_es::persist::{EventUpcaster, SerializedEvent};
use cqrs_es::{Aggregate, DomainEvent};
use daybook_eventstore::Upcasters;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Pages, in the order they were written in.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Notebook {
    pub(crate) pages: Vec<Page>,
}

/// A page as it is today: version 3.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Page {
    pub(crate) text: String,
    pub(crate) author: Author,
    /// What it was paid, in pence.
    pub(crate) paid: i64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Author {
    pub(crate) name: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum NotebookEvent {
    Written(Page),
}

/// Writes a page.
#[derive(Debug, Clone)]
pub(crate) struct Write(pub(crate) String);

/// Nothing is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("refused")]
pub(crate) struct Refused;

impl DomainEvent for NotebookEvent {
    fn event_type(&self) -> String {
        "NotebookWritten".to_owned()
    }

    fn event_version(&self) -> String {
        "3".to_owned()
    }
}

impl Aggregate for Notebook {
    const TYPE: &'static str = "Notebook";
    type Command = Write;
    type Event = NotebookEvent;
    type Error = Refused;
    type Services = ();

    async fn handle(&mut self, Write(text): Write, (): &(), sink: &EventSink<Self>) -> Result<(), Refused> {
        let author = Author { name: "Ada".to_owned() };
        sink.write(NotebookEvent::Written(Page { text, author, paid: 0 }), self).await;
        Ok(())
    }

    fn apply(&mut self, NotebookEvent::Written(page): NotebookEvent) {
        self.pages.push(page);
    }
}

/// A step between two versions that changes nothing but what it knows.
struct Step {
    from: &'static str,
    to: &'static str,
    change: fn(&mut Value),
}

impl EventUpcaster for Step {
    fn can_upcast(&self, event_type: &str, event_version: &str) -> bool {
        (event_type, event_version) == ("NotebookWritten", self.from)
    }

    fn upcast(&self, mut event: SerializedEvent) -> SerializedEvent {
        (self.change)(&mut event.payload["Written"]);
        self.to.clone_into(&mut event.event_version);
        event
    }
}

/// At first an author was a name: `by`.
fn name_the_author(page: &mut Value) {
    page["author"] = json!({ "name": page["by"] });
}

/// Then it was paid in pounds, such as `"12.50"`.
fn pay_in_pence(page: &mut Value) {
    let pounds = page["price"].as_str().unwrap_or_default();
    page["paid"] = pounds.replace('.', "").parse::<i64>().map_or(Value::Null, Value::from);
}

/// From every older version to today's, and what there is today.
pub(crate) fn upcasters() -> Upcasters {
    let first = Step { from: "1", to: "2", change: name_the_author };
    let second = Step { from: "2", to: "3", change: pay_in_pence };
    Upcasters::new(vec![Box::new(first), Box::new(second)]).ending_at([("NotebookWritten", "3")])
}
