//! The directory of events by their types: kept by whoever appends, and never more than a shorter way to the same events.

use std::num::NonZeroU16;
use std::sync::Arc;
use std::time::Duration;

use daybook_domain::{CommandId, IdSource as _};
use daybook_eventstore::process::SystemIds;
use daybook_eventstore::{
    Append, Appended, EventStore, Fingerprint, LogReader, NewEvent, Part, Position, RecordedEvent, Selection,
    Slice, StoreError, StreamId, Upcasters,
};
use futures::future::join_all;
use sqlx::Executor as _;

use crate::harness::{Database, eventually};

const SOON: Duration = Duration::from_secs(30);

/// How many events a test's log has: two full blocks and more.
const EVENTS: i64 = 9_500;

/// One event in 500 is rare, and most of the second block are of a type that has it nearly to itself.
pub(super) async fn a_log(directory: bool) -> (Database, LogReader) {
    let database = Database::events().await;
    let insert = format!(
        "INSERT INTO events (aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata, \
         position, event_id, recorded_at) \
         SELECT CASE WHEN p % 10 < 3 THEN 'Cart' ELSE 'Order' END, 'stream-' || p % 10, p / 10 + 1, \
         CASE WHEN p % 500 = 0 THEN 'Rare' WHEN p BETWEEN 4200 AND 8100 THEN 'Busy' ELSE 'Usual' END, '1', \
         '{{}}', '{{}}', p, gen_random_uuid(), now() FROM generate_series(1, {EVENTS}) p; \
         UPDATE log_head SET position = {EVENTS};"
    );
    database.pool.execute(sqlx::raw_sql(&insert)).await.expect("a log");
    if directory {
        database.pool.execute("SELECT extend_event_directory(1000)").await.expect("a directory");
    }
    let reader = LogReader::new(database.pool.clone());
    (database, reader)
}

async fn positions(reader: &LogReader, selection: Selection) -> Result<Vec<Position>, StoreError> {
    let (mut scan, mut positions) = (reader.scan(selection, 64), Vec::new());
    while let Some(batch) = scan.next().await? {
        for event in batch.events() {
            positions.push(event.position()?);
        }
    }
    Ok(positions)
}

/// What a selection must give, by its own words.
struct Wanted {
    types: Vec<&'static str>,
    aggregates: Option<&'static str>,
    after: Position,
    until: Option<Position>,
}

impl Wanted {
    fn includes(&self, event: &RecordedEvent) -> bool {
        self.types.contains(&event.event_type.as_str())
            && self.aggregates.is_none_or(|only| only == event.aggregate_type)
            && event.position > self.after
            && self.until.is_none_or(|until| event.position <= until)
    }

    fn selection(&self) -> Selection {
        let mut selection = Selection::after(self.after).of_types(self.types.clone());
        if let Some(only) = self.aggregates {
            selection = selection.of_aggregates([only]);
        }
        if let Some(until) = self.until {
            selection = selection.until(until);
        }
        selection
    }
}

/// Every range and all conditions that make a difference.
fn everything_wanted() -> Vec<Wanted> {
    let mut all = Vec::new();
    for types in [vec!["Rare"], vec!["Busy"], vec!["Rare", "Busy"], vec!["Unheard"], vec!["Rare", "Usual"]] {
        for aggregates in [None, Some("Cart"), Some("Nobody")] {
            for after in [0, 499, 500, 4_095, 4_096, 5_000, 8_191, 8_192, 9_000, 10_000] {
                for until in [None, Some(4_096), Some(5_000), Some(9_000)] {
                    all.push(Wanted { types: types.clone(), aggregates, after, until });
                }
            }
        }
    }
    all
}

#[tokio::test]
async fn the_directory_leads_to_the_events_that_are_found_without_it() {
    for directory in [false, true] {
        let (_database, reader) = a_log(directory).await;
        let log = reader.read(0, 10_000).await.expect("the log");
        for wanted in everything_wanted() {
            let expected: Vec<_> =
                log.iter().filter(|event| wanted.includes(event)).map(|event| event.position).collect();
            let found = positions(&reader, wanted.selection()).await.expect("the log");
            assert_eq!(found, expected, "{:?}, with a directory: {directory}", wanted.selection());
        }
        let of_orders =
            positions(&reader, Selection::after(0).of_aggregates(["Order"])).await.expect("the log");
        assert_eq!(of_orders, (1..=EVENTS).filter(|p| p % 10 >= 3).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn slices_share_out_what_the_directory_leads_to() {
    let (_database, reader) = a_log(true).await;
    let usual = Selection::after(0).of_types(["Rare"]).of_aggregates(["Cart"]);
    let mut shared_out = Vec::new();
    for slice in Slice::all(NonZeroU16::new(2).expect("two")) {
        shared_out.extend(positions(&reader, usual.clone().in_slice(slice)).await.expect("a slice"));
    }
    shared_out.sort_unstable();
    assert_eq!(shared_out, positions(&reader, usual).await.expect("all of them"));
    assert_eq!(shared_out.len(), 19);
}

#[tokio::test]
async fn a_reader_of_rare_events_looks_at_no_others() {
    let (database, reader) = a_log(true).await;
    // Whoever looked at all of them would find these.
    let forget = "DELETE FROM event_directory WHERE event_type = 'Rare' AND block = 1";
    database.pool.execute(forget).await.expect("they are out of the directory");
    let found = positions(&reader, Selection::after(0).of_types(["Rare"])).await.expect("the log");
    assert_eq!(found, (1..=19).map(|n| n * 500).filter(|p| !(4_097..=8_192).contains(p)).collect::<Vec<_>>());
}

#[tokio::test]
async fn an_event_that_is_in_the_directory_and_not_in_the_log_is_missed() {
    let (database, reader) = a_log(true).await;
    let remove = "ALTER TABLE events DISABLE TRIGGER ALL; DELETE FROM events WHERE position = 3000";
    database.pool.execute(sqlx::raw_sql(remove)).await.expect("it is gone");
    let failed = positions(&reader, Selection::after(0).of_types(["Rare"])).await.expect_err("a hole");
    assert!(matches!(failed, StoreError::LogDiverged { .. }), "{failed:?}");
}

/// Appends many events to a stream of its own.
async fn append(store: &EventStore, event_type: &str, events: usize) {
    let event = || NewEvent {
        event_id: SystemIds.next(),
        event_type: event_type.to_owned(),
        event_version: "1".to_owned(),
        payload: "{}".to_owned(),
        metadata: "{}".to_owned(),
    };
    let command_id = CommandId::generate(&SystemIds);
    let stream = StreamId { aggregate_type: "Thing".to_owned(), aggregate_id: command_id.to_string() };
    let append = Append {
        command_id,
        fingerprint: Fingerprint([0; 32]),
        parts: vec![Part {
            stream,
            expected: 0,
            events: (0..events).map(|_| event()).collect(),
            chain: Arc::default(),
        }],
        outcome: Some("null".to_owned()),
    };
    let outcome = store.appender().enqueue(append).expect("room").outcome().await.expect("an outcome");
    assert!(matches!(outcome, Appended::Done { .. }), "{outcome:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_that_append_side_by_side_keep_the_directory() {
    let database = Database::events().await;
    let processes =
        [(); 3].map(|()| EventStore::new(database.pool.clone(), Arc::new(SystemIds), Upcasters::default()));
    for _ in 0..10 {
        join_all(
            processes.iter().zip(["One", "Two", "Three"]).map(|(process, kind)| append(process, kind, 500)),
        )
        .await;
    }
    // What was full when another filled it is entered with the next.
    let kept = async || {
        let reached: Position = sqlx::query_scalar("SELECT position FROM event_directory_head")
            .fetch_one(&database.pool)
            .await
            .ok()?;
        (reached >= 8_192).then_some(reached)
    };
    let reached = eventually(SOON, "the full blocks are in the directory", kept).await;
    let astray: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM (SELECT event_type, aggregate_type, block * 4096 + unnest(offsets) + 1 AS position \
         FROM event_directory) d FULL JOIN (SELECT event_type, aggregate_type, position FROM events WHERE position <= $1) e \
         USING (event_type, aggregate_type, position) WHERE d IS NULL OR e IS NULL",
    )
    .bind(reached)
    .fetch_one(&database.pool)
    .await
    .expect("an answer");
    assert_eq!(astray, 0);
}
