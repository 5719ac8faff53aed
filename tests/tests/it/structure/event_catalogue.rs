//! That `docs/events.md` lists every event as the code has it. `UPDATE=1` writes it anew.

use std::fmt::Write as _;
use std::fs;

use cqrs_es::{Aggregate, DomainEvent};
use daybook_domain::EventType;
use daybook_domain::catalogue::event_types;
use daybook_domain::{cart, inspection, inventory, order, payment, person, product, shipment};

use super::workspace::Workspace;

const PREFACE: &str = "\
# The events

<!-- Made from the code by the test that checks it: run it with UPDATE=1 to write this file anew. -->

Every fact that Daybook can record, with one example each. The example is the payload as it is stored: an object
whose one key is the event's name without its aggregate. What every event has besides (its id, position, stream,
actor, cause and times) stands beside the payload and is not repeated here; `eventstore/src/event.rs` has it.

A stream's id is the UUID of its aggregate, which for `Person` is the customer's or the guest's cart's, except for
`Inventory`: a variant's UUID, `_` and the code of the location. `Money` is whole minor units and a currency. `data` in an address or a contact is sealed with the key of
the person that `subject` names.
";

/// An event's name and its stored form.
struct Example {
    name: String,
    json: String,
}

fn examples<A: Aggregate>(samples: Vec<A::Event>) -> Vec<Example> {
    let example = |event: A::Event| Example {
        name: event.event_type(),
        json: serde_json::to_string_pretty(&event).expect("an event is JSON"),
    };
    samples.into_iter().map(example).collect()
}

fn all_examples() -> Vec<Example> {
    [
        examples::<product::Product>(product::samples()),
        examples::<cart::Cart>(cart::samples()),
        examples::<order::Order>(order::samples()),
        examples::<inventory::Inventory>(inventory::samples()),
        examples::<payment::Payment>(payment::samples()),
        examples::<shipment::Shipment>(shipment::samples()),
        examples::<person::Person>(person::samples()),
        examples::<inspection::Inspection>(inspection::samples()),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn catalogue(types: &[EventType], examples: &[Example]) -> String {
    let mut text = PREFACE.to_owned();
    let mut aggregate = "";
    for event in types {
        if event.aggregate != aggregate {
            aggregate = event.aggregate;
            let _ = write!(text, "\n## {aggregate}\n");
        }
        let example = examples.iter().find(|example| example.name == event.name);
        let json = &example.unwrap_or_else(|| panic!("{} has no sample", event.name)).json;
        let EventType { name, version, meaning, .. } = event;
        let _ = write!(text, "\n### {name}\n\nVersion {version}: {meaning}.\n\n```json\n{json}\n```\n");
    }
    text
}

#[test]
fn the_event_catalogue_is_the_codes() {
    let path = Workspace::find().workspace_root.join("docs/events.md");
    let now = catalogue(&event_types(), &all_examples());
    if std::env::var_os("UPDATE").is_some() {
        fs::create_dir_all(path.parent().expect("docs")).expect("docs can be made");
        fs::write(&path, &now).expect("the catalogue can be written");
    }
    let kept = fs::read_to_string(&path).unwrap_or_default();
    assert!(kept == now, "docs/events.md is stale: run this test with UPDATE=1 and read what changed");
}
