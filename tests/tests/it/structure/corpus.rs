//! That everything the log may hold is still read: a file for each form of each version of each event that was ever
//! written, and one for the form of each aggregate's state, which its snapshots have.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use cqrs_es::{Aggregate, DomainEvent as _};
use daybook_commands::snapshots;
use daybook_domain::catalogue::{DomainEvent, event_types};
use daybook_domain::{EventType, Timestamp};
use daybook_domain::{cart, inspection, inventory, order, payment, person, product, shipment};
use daybook_eventstore::{RecordedEvent, SnapshotPolicy, Upcasters};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::workspace::Workspace;

const EVENTS: &str = "domain/corpus/events";
const STATES: &str = "domain/corpus/states";
/// As `sha256sum` writes and checks it.
const SUMS: &str = "SHA256SUMS";

/// An event as it was written: the corpus's file `TYPE_vVERSION.json`, or `TYPE_vVERSION_2.json` and so on.
#[derive(Debug, Clone)]
struct Written {
    event_type: String,
    version: String,
    payload: String,
}

impl Written {
    fn read(path: &Path) -> Self {
        let stem = path.file_stem().and_then(|stem| stem.to_str()).expect("a name");
        let (event_type, version) = stem.split_once("_v").unwrap_or_else(|| panic!("{stem} has no version"));
        let version = version.split('_').next().expect("a version").to_owned();
        let text = fs::read_to_string(path).expect("a file of the corpus");
        let payload = text.strip_suffix('\n').expect("a file ends its line").to_owned();
        Self { event_type: event_type.to_owned(), version, payload }
    }

    fn of<E: cqrs_es::DomainEvent>(event: &E) -> Self {
        let payload = serde_json::to_string(event).expect("an event is JSON");
        Self { event_type: event.event_type(), version: event.event_version(), payload }
    }

    fn known_type(&self) -> EventType {
        let known = event_types().into_iter().find(|known| known.name == self.event_type);
        known.unwrap_or_else(|| panic!("the log may have {}, and no aggregate does", self.event_type))
    }

    /// As the log has it.
    fn recorded(&self) -> RecordedEvent {
        RecordedEvent {
            position: 1,
            event_id: Uuid::nil(),
            aggregate_type: self.known_type().aggregate.to_owned(),
            aggregate_id: "some".to_owned(),
            sequence: 1,
            event_type: self.event_type.clone(),
            event_version: self.version.clone(),
            payload: self.payload.clone(),
            metadata: "{}".to_owned(),
            recorded_at: Timestamp::UNIX_EPOCH,
        }
    }
}

/// What today's code writes for what it has read.
fn rewritten(event: &DomainEvent) -> Written {
    match event {
        DomainEvent::Cart(event) => Written::of(event),
        DomainEvent::Order(event) => Written::of(event),
        DomainEvent::Payment(event) => Written::of(event),
        DomainEvent::Inventory(event) => Written::of(event),
        DomainEvent::Shipment(event) => Written::of(event),
        DomainEvent::Product(event) => Written::of(event),
        DomainEvent::Person(event) => Written::of(event),
        DomainEvent::Inspection(event) => Written::of(event),
    }
}

/// What today's code writes: one or more of each type.
fn samples() -> Vec<Written> {
    fn of<E: cqrs_es::DomainEvent>(samples: &[E]) -> Vec<Written> {
        samples.iter().map(Written::of).collect()
    }
    [
        of(&product::samples()),
        of(&cart::samples()),
        of(&order::samples()),
        of(&inventory::samples()),
        of(&payment::samples()),
        of(&shipment::samples()),
        of(&person::samples()),
        of(&inspection::samples()),
    ]
    .concat()
}

/// The folder of events; with `UPDATE` set, after what is missing was added. Nothing in it is ever changed.
static CORPUS: LazyLock<PathBuf> = LazyLock::new(|| {
    let folder = Workspace::find().workspace_root.join(EVENTS);
    if is_update() {
        fs::create_dir_all(&folder).expect("the folder can be made");
        add_missing(&folder);
    }
    folder
});

fn is_update() -> bool {
    std::env::var_os("UPDATE").is_some()
}

fn add_missing(folder: &Path) {
    for sample in samples() {
        let name = |number: usize| match number {
            1 => format!("{}_v{}.json", sample.event_type, sample.version),
            _ => format!("{}_v{}_{number}.json", sample.event_type, sample.version),
        };
        let mut number = 1;
        while let Ok(text) = fs::read_to_string(folder.join(name(number))) {
            if text.trim_end() == sample.payload {
                break;
            }
            number += 1;
        }
        if !folder.join(name(number)).exists() {
            fs::write(folder.join(name(number)), format!("{}\n", sample.payload)).expect("it can be written");
        }
    }
    let mut sums = fs::read_to_string(folder.join(SUMS)).unwrap_or_default();
    let listed = listed(&sums);
    for (name, sum) in hashed(folder).into_iter().filter(|(name, _)| !listed.contains_key(name)) {
        writeln!(sums, "{sum}  {name}").expect("text");
    }
    fs::write(folder.join(SUMS), sums).expect("it can be written");
}

fn files(folder: &Path) -> BTreeSet<PathBuf> {
    let entries = fs::read_dir(folder).expect("the corpus").map(|entry| entry.expect("an entry").path());
    entries.filter(|path| path.extension().is_some_and(|extension| extension == "json")).collect()
}

/// The hash of each file.
fn hashed(folder: &Path) -> BTreeMap<String, String> {
    let hash = |path: PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str()).expect("a name").to_owned();
        let hash = Sha256::digest(fs::read(path).expect("a file of the corpus"));
        (name, hash.iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}")))
    };
    files(folder).into_iter().map(hash).collect()
}

/// The hash of each file as it is listed.
fn listed(sums: &str) -> BTreeMap<String, String> {
    let lines = sums.lines().map(|line| line.split_once("  ").expect("a hash and a name"));
    lines.map(|(sum, name)| (name.to_owned(), sum.to_owned())).collect()
}

fn written() -> Vec<Written> {
    files(&CORPUS).iter().map(|path| Written::read(path)).collect()
}

#[test]
fn every_event_that_was_ever_written_is_read_as_todays() {
    let upcasters = Upcasters::of_the_shop();
    for old in written() {
        let (recorded, known) = (old.recorded(), old.known_type());
        let upcast = upcasters.upcast(&recorded).expect("it is brought to today's shape");
        assert_eq!(upcasters.upcast(&recorded).expect("again"), upcast, "a step is a function of the event");
        let todays = upcast.as_ref().unwrap_or(&recorded);
        assert_eq!((todays.event_type.as_str(), todays.event_version.as_str()), (known.name, known.version));
        let event = DomainEvent::decode(known.aggregate, &todays.payload)
            .unwrap_or_else(|error| panic!("{}_v{}: {error:?}", old.event_type, old.version));
        let again = rewritten(&event);
        assert_eq!((again.event_type.as_str(), again.version.as_str()), (known.name, known.version));
        if upcast.is_none() {
            assert_eq!(again.payload, old.payload, "{}: what is written today changed its form", known.name);
        }
    }
}

#[test]
fn the_corpus_has_every_version_of_every_event_since_the_first() {
    let written = written();
    let mut missing = Vec::new();
    for known in event_types() {
        let versions: u32 = known.version.parse().expect("versions are counted");
        for version in 1..=versions {
            let is_one = |old: &&Written| old.event_type == known.name && old.version == version.to_string();
            if !written.iter().any(|old| is_one(&old)) {
                missing.push(format!("{}_v{version}", known.name));
            }
        }
    }
    for sample in samples() {
        if !written.iter().any(|old| old.payload == sample.payload && old.event_type == sample.event_type) {
            missing.push(format!("a sample of {}", sample.event_type));
        }
    }
    assert_eq!(missing, Vec::<String>::new(), "run this test with UPDATE=1 to add what is written today");
}

#[test]
fn nothing_in_the_corpus_was_changed_or_taken_away() {
    let sums = fs::read_to_string(CORPUS.join(SUMS)).expect("the list of hashes");
    assert_eq!(hashed(&CORPUS), listed(&sums), "files are only ever added; UPDATE=1 lists new ones");
}

/// What an aggregate's snapshots are like: its state after each of its samples.
fn states<A: Aggregate>(samples: Vec<A::Event>) -> String {
    let mut state = A::default();
    let mut states = String::new();
    for event in samples {
        let name = event.event_type();
        state.apply(event);
        writeln!(states, "{name} {}", serde_json::to_string(&state).expect("a state is JSON")).expect("text");
    }
    states
}

#[test]
fn a_state_has_the_form_that_its_version_stands_for() {
    let folder = Workspace::find().workspace_root.join(STATES);
    let forms: [(&str, SnapshotPolicy, String); 8] = [
        ("Cart", snapshots::CARTS, states::<cart::Cart>(cart::samples())),
        ("Order", snapshots::ORDERS, states::<order::Order>(order::samples())),
        ("Payment", snapshots::PAYMENTS, states::<payment::Payment>(payment::samples())),
        ("Inventory", snapshots::INVENTORY, states::<inventory::Inventory>(inventory::samples())),
        ("Shipment", snapshots::SHIPMENTS, states::<shipment::Shipment>(shipment::samples())),
        ("Product", snapshots::PRODUCTS, states::<product::Product>(product::samples())),
        ("Person", snapshots::PEOPLE, states::<person::Person>(person::samples())),
        ("Inspection", snapshots::INSPECTIONS, states::<inspection::Inspection>(inspection::samples())),
    ];
    for (aggregate, SnapshotPolicy { state_version, .. }, form) in forms {
        let path = folder.join(format!("{aggregate}_v{state_version}.txt"));
        if is_update() && !path.exists() {
            fs::create_dir_all(&folder).expect("the folder can be made");
            fs::write(&path, &form).expect("it can be written");
        }
        let kept = fs::read_to_string(&path).unwrap_or_default();
        assert!(
            kept == form,
            "the state of {aggregate} is another than that of version {state_version}: raise the version in \
             commands/src/snapshots.rs, and run this test with UPDATE=1"
        );
    }
}
