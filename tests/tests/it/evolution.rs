//! What other versions of the code wrote: events of older ones are read as today's, those of newer ones keep what this
//! one does not know, and what it cannot know it never guesses.

use std::sync::Arc;

use cqrs_es::event_sink::EventSink;
use cqrs_es::{Aggregate, DomainEvent};
use daybook_domain::inventory::{Inventory, StockItem};
use daybook_domain::{CommandId, IdSource, VariantId};
use daybook_eventstore::process::SystemIds;
use daybook_eventstore::{
    Append, Appended, EventStore, Fingerprint, NewEvent, Part, Repository, Selection, SnapshotPolicy,
    StoreError, StreamId, Upcasters,
};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::harness::notebook::{Author, Notebook, NotebookEvent, Page, Refused, Write, upcasters};
use crate::harness::shop::{SOON, context};
use crate::harness::{Database, TestStream, eventually};
use crate::relay::holds;
use crate::snapshots::{SNAPSHOTS, Taken};

fn store(database: &Database, upcasters: Upcasters) -> EventStore {
    EventStore::new(database.pool.clone(), Arc::new(SystemIds), upcasters)
}

/// Appends events as other code would have written them: type, version, payload.
async fn written(
    store: &EventStore,
    aggregate: &str,
    id: &str,
    expected: i64,
    events: &[(&str, &str, &str)],
) {
    let context = context();
    let metadata = serde_json::to_string(&context.metadata()).expect("metadata is JSON");
    let event = |(event_type, version, payload): &(&str, &str, &str)| NewEvent {
        event_id: SystemIds.next(),
        event_type: (*event_type).to_owned(),
        event_version: (*version).to_owned(),
        payload: (*payload).to_owned(),
        metadata: metadata.clone(),
    };
    let command_id = CommandId::generate(&SystemIds);
    let append = Append {
        command_id,
        fingerprint: Fingerprint::of(&[command_id.uuid().as_bytes()]),
        parts: vec![Part {
            stream: StreamId { aggregate_type: aggregate.to_owned(), aggregate_id: id.to_owned() },
            expected,
            events: events.iter().map(event).collect(),
            chain: Arc::default(),
        }],
        outcome: Some("null".to_owned()),
    };
    let appended = store.appender().enqueue(append).expect("room").outcome().await.expect("an answer");
    assert!(matches!(appended, Appended::Done { .. }), "{appended:?}");
}

/// The payloads of the log, as they lie there.
async fn payloads(store: &EventStore) -> Vec<String> {
    let mut scan = store
        .reader()
        .scan(Selection::after(0).until(store.reader().head().await.expect("a head").position), 100);
    let mut payloads = Vec::new();
    while let Some(batch) = scan.next().await.expect("the log") {
        payloads.extend(batch.events().map(|event| event.payload().expect("a payload").to_owned()));
    }
    payloads
}

fn page(text: &str, author: &str, paid: i64) -> Page {
    Page { text: text.to_owned(), author: Author { name: author.to_owned() }, paid }
}

const FIRST: &str =
    r#"{ "Written": {"text": "one", "by": "Ada",  "price": "12.50", "mood": ["calm", 1.0]} }"#;
const SECOND: &str = r#"{"Written":{"text":"two","author":{"name":"Bob"},"price":"3.00"}}"#;
const THIRD: &str = r#"{"Written":{"text":"three","author":{"name":"Cy"},"paid":5}}"#;

#[tokio::test(flavor = "multi_thread")]
async fn events_of_three_versions_are_one_stream_and_stay_as_they_were_written() {
    let database = Database::events().await;
    let store = store(&database, upcasters());
    let events = [FIRST, SECOND, THIRD].into_iter().zip(["1", "2", "3"]);
    let events: Vec<_> = events.map(|(payload, version)| ("NotebookWritten", version, payload)).collect();
    written(&store, Notebook::TYPE, "old", 0, &events).await;

    let notebooks = Repository::<Notebook>::new(store.clone(), SNAPSHOTS);
    let loaded = notebooks.load("old").await.expect("it loads");
    let pages = [page("one", "Ada", 1_250), page("two", "Bob", 300), page("three", "Cy", 5)];
    assert_eq!((loaded.version, loaded.state.pages.as_slice()), (3, pages.as_slice()));
    let more = notebooks.execute("old", Write("four".to_owned()), &context(), "null").await;
    assert_eq!(more.expect("it is written").version, 4);
    assert_eq!(payloads(&store).await[..3], [FIRST, SECOND, THIRD]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_is_a_function_of_the_event_and_leaves_fields_that_it_does_not_know() {
    let database = Database::events().await;
    let store = store(&database, upcasters());
    written(&store, Notebook::TYPE, "old", 0, &[("NotebookWritten", "1", FIRST)]).await;
    let recorded = store.reader().find(1).await.expect("the log").expect("an event");
    let [once, again] =
        [(); 2].map(|()| upcasters().upcast(&recorded).expect("it can be read").expect("it is old"));
    assert_eq!(once, again);
    assert_eq!((once.event_version.as_str(), once.event_id), ("3", recorded.event_id));
    let payload: serde_json::Value = serde_json::from_str(&once.payload).expect("JSON");
    assert_eq!(payload["Written"]["mood"], json!(["calm", 1.0]));
    assert_eq!(upcasters().upcast(&once).expect("it can be read"), None, "todays is left alone");
}

/// A notebook of newer code: a page has a colour, where it was given one.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Coloured {
    colours: Vec<Option<String>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
enum ColouredEvent {
    Written {
        #[serde(flatten)]
        page: Page,
        colour: Option<String>,
    },
}

impl DomainEvent for ColouredEvent {
    fn event_type(&self) -> String {
        "NotebookWritten".to_owned()
    }

    fn event_version(&self) -> String {
        "3".to_owned()
    }
}

impl Aggregate for Coloured {
    const TYPE: &'static str = Notebook::TYPE;
    type Command = Write;
    type Event = ColouredEvent;
    type Error = Refused;
    type Services = ();

    async fn handle(&mut self, Write(text): Write, (): &(), sink: &EventSink<Self>) -> Result<(), Refused> {
        let page = page(&text, "Dee", 0);
        sink.write(ColouredEvent::Written { page, colour: Some("red".to_owned()) }, self).await;
        Ok(())
    }

    fn apply(&mut self, ColouredEvent::Written { colour, .. }: ColouredEvent) {
        self.colours.push(colour);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_field_that_older_code_does_not_know_outlives_its_loads_decisions_and_snapshots() {
    let database = Database::events().await;
    let taken = Taken::of(&database).await;
    let newer_version = SnapshotPolicy { state_version: SNAPSHOTS.state_version + 1, ..SNAPSHOTS };
    let newer = || Repository::<Coloured>::new(store(&database, upcasters()), newer_version);
    let older = Repository::<Notebook>::new(store(&database, upcasters()), SNAPSHOTS);
    newer().execute("one", Write("coloured".to_owned()), &context(), "null").await.expect("it is written");
    let before = payloads(&store(&database, upcasters())).await;
    assert!(before[0].contains(r#""colour":"red""#), "{before:?}");

    // Older code loads it, decides on it often enough to keep what it made of it, and does not change what is there.
    assert_eq!(older.load("one").await.expect("it loads").state.pages, [page("coloured", "Dee", 0)]);
    for _ in 0..25 {
        older.execute("one", Write("plain".to_owned()), &context(), "null").await.expect("it is written");
    }
    eventually(SOON, "older code keeps a snapshot", || async { taken.all().await.first().copied() }).await;
    assert_eq!(payloads(&store(&database, upcasters())).await[..1], before);
    let colours = &newer().load("one").await.expect("it loads").state.colours;
    assert_eq!((colours.len(), colours[0].as_deref()), (26, Some("red")));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_newer_code_wrote_is_replayed_and_published_to_the_byte() {
    const RECEIVED: &str = r#"{ "Received":{"item":ITEM,"quantity":5, "reference":"PO-1","lot":{"id":1.50,"by":"Zoë"}} ,"v":[1e3] }"#;
    let (database, stream) = (Database::events().await, TestStream::new().await);
    let store = store(&database, Upcasters::of_the_shop());
    let location = "LON".parse().expect("a location");
    let item = StockItem { variant_id: VariantId::generate(&SystemIds), location };
    let json = serde_json::to_string(&item).expect("an item is JSON");
    let received = RECEIVED.replace(r#" ,"v":[1e3] "#, "").replace("ITEM", &json);
    written(&store, "Inventory", &item.to_string(), 0, &[("InventoryReceived", "1", &received)]).await;
    let unknown = r#"{"Blessed":{"by":"a newer program",  "times":1.0}}"#;
    written(&store, "Shrine", "one", 0, &[("ShrineBlessed", "7", unknown)]).await;

    let stock = Repository::<Inventory>::new(store.clone(), SNAPSHOTS);
    assert_eq!(stock.load(&item.to_string()).await.expect("it loads").state.on_hand(), 5);
    assert_eq!(payloads(&store).await, [received.as_str(), unknown]);
    let _relay = stream.relay(&database);
    holds(&stream, 1, 2).await;
    let published: Vec<Vec<u8>> = stream.messages().await.into_iter().map(|message| message.body).collect();
    assert_eq!(published, [received.as_bytes(), unknown.as_bytes()]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_of_newer_code_is_told_to_be_unknown_and_never_guessed() {
    let database = Database::events().await;
    let (plain, stepped) = (store(&database, Upcasters::default()), store(&database, upcasters()));
    let torn = r#"{"Torn":{"page":1}}"#;
    written(
        &plain,
        Notebook::TYPE,
        "torn",
        0,
        &[("NotebookWritten", "3", THIRD), ("NotebookTorn", "1", torn)],
    )
    .await;
    // It can be read as today's, and means pounds.
    written(&plain, Notebook::TYPE, "pounds", 0, &[("NotebookWritten", "4", THIRD)]).await;
    written(&plain, Notebook::TYPE, "fine", 0, &[("NotebookWritten", "3", THIRD)]).await;

    for (store, knows_all) in [(plain, false), (stepped, true)] {
        let notebooks = Repository::<Notebook>::new(store, SNAPSHOTS);
        let refused = async |id: &str| {
            let executed = notebooks.execute(id, Write("more".to_owned()), &context(), "null").await;
            executed.expect_err("nothing is decided on what is not known");
            notebooks.load(id).await.expect_err("it is not guessed")
        };
        let torn = refused("torn").await;
        let is_told = if knows_all {
            matches!(&torn, StoreError::UnknownEvent { event_type, position: 2, .. } if event_type == "NotebookTorn")
        } else {
            matches!(&torn, StoreError::Undecodable { what: "event", of, .. } if of == "Notebook torn")
        };
        assert!(is_told, "{torn:?}");
        let pounds = refused("pounds").await.to_string();
        let told = "the event at position 3 is a NotebookWritten of version 4, which is not known here";
        assert_eq!(pounds, told);
        assert_eq!(notebooks.load("fine").await.expect("it loads").version, 1);
    }
    let NotebookEvent::Written(_) = serde_json::from_str(THIRD).expect("it would be read");
}
