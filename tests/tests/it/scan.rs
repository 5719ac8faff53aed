//! Reading the log in selections: what is asked for, all of it and in order, however it is asked for.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU16;
use std::time::Duration;

use daybook_eventstore::{LogReader, Position, RecordedEvent, Selection, Slice, StoreError, StreamId};
use sqlx::Executor as _;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

use crate::harness::{Database, Writer, eventually};

const SOON: Duration = Duration::from_secs(30);

/// How many events a test's log has, and how many streams they are spread over.
const EVENTS: i64 = 1_000;
const STREAMS: i64 = 37;

/// A log of two types of events of two types of aggregates: every hundredth event is rare.
async fn a_log() -> (Database, LogReader) {
    let database = Database::events().await;
    let insert = format!(
        "INSERT INTO events (aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata, \
         position, event_id, recorded_at) \
         SELECT CASE WHEN p % {STREAMS} < 10 THEN 'Cart' ELSE 'Order' END, 'stream-' || p % {STREAMS}, \
         (p - 1) / {STREAMS} + 1, CASE WHEN p % 100 = 0 THEN 'Rare' ELSE 'Usual' END, '1', \
         json_build_object('n', p), '{{}}', p, gen_random_uuid(), now() FROM generate_series(1, {EVENTS}) p"
    );
    database.pool.execute(insert.as_str()).await.expect("a log");
    let head = format!("UPDATE log_head SET position = {EVENTS}");
    database.pool.execute(head.as_str()).await.expect("a head");
    let reader = LogReader::new(database.pool.clone());
    (database, reader)
}

async fn read(
    reader: &LogReader,
    selection: Selection,
    batch: usize,
) -> Result<Vec<RecordedEvent>, StoreError> {
    let (mut scan, mut events) = (reader.scan(selection, batch), Vec::new());
    while let Some(batch) = scan.next().await? {
        for event in batch.events() {
            events.push(event.to_recorded()?);
        }
    }
    Ok(events)
}

async fn positions(reader: &LogReader, selection: Selection) -> Vec<Position> {
    let events = read(reader, selection, 64).await.expect("the log");
    events.iter().map(|event| event.position).collect()
}

#[tokio::test]
async fn a_range_is_read_whole_and_in_order_whatever_the_batches() {
    let (_database, reader) = a_log().await;
    let single = reader.read(0, 5_000).await.expect("the log");
    for batch in [1, 64, 1_000, 5_000] {
        assert_eq!(read(&reader, Selection::after(0), batch).await.expect("the log"), single);
    }
    let range = positions(&reader, Selection::after(100).until(130)).await;
    assert_eq!(range, (101..=130).collect::<Vec<_>>());
    assert!(positions(&reader, Selection::after(EVENTS)).await.is_empty());
}

#[tokio::test]
async fn conditions_are_met_all_at_once() {
    let (_database, reader) = a_log().await;
    let rare = positions(&reader, Selection::after(150).of_types(["Rare", "Unheard"])).await;
    assert_eq!(rare, [200, 300, 400, 500, 600, 700, 800, 900, 1_000]);
    let of_carts = positions(&reader, Selection::after(0).of_types(["Rare"]).of_aggregates(["Cart"])).await;
    assert_eq!(of_carts, (1..=10).map(|n| n * 100).filter(|p| p % STREAMS < 10).collect::<Vec<_>>());
    let streams = [3, 20].map(|n| StreamId {
        aggregate_type: if n < 10 { "Cart" } else { "Order" }.to_owned(),
        aggregate_id: format!("stream-{n}"),
    });
    let two = positions(&reader, Selection::after(500).until(900).of_streams(streams)).await;
    assert_eq!(two, (501..=900).filter(|p| [3, 20].contains(&(p % STREAMS))).collect::<Vec<_>>());
}

#[tokio::test]
async fn who_asks_only_what_happened_is_told_all_of_it() {
    let (_database, reader) = a_log().await;
    let mut scan = reader.scan(Selection::after(0).only_what_happened(), 5_000);
    let batch = scan.next().await.expect("the log").expect("a batch");
    assert_eq!(batch.len(), 1_000);
    for (event, n) in batch.events().zip(1_i64..) {
        assert_eq!(
            (event.position().expect("a position"), event.sequence().expect("a sequence")),
            (n, (n - 1) / STREAMS + 1)
        );
        assert_eq!(event.payload().expect("a payload"), format!("{{\"n\" : {n}}}"));
        event.metadata().expect_err("no metadata");
        event.event_id().expect_err("no id");
    }
}

#[tokio::test]
async fn slices_share_the_log_out_and_keep_each_stream_together() {
    let (_database, reader) = a_log().await;
    let (mut all, mut at) = (BTreeSet::new(), BTreeMap::new());
    let three = NonZeroU16::new(3).expect("three");
    for (number, slice) in Slice::all(three).enumerate() {
        let slice = read(&reader, Selection::after(0).in_slice(slice), 10).await;
        let slice = slice.expect("a slice");
        assert!(!slice.is_empty() && slice.is_sorted_by_key(|event| event.position));
        for event in slice {
            assert!(all.insert(event.position), "{} is in two slices", event.position);
            assert_eq!(*at.entry(event.aggregate_id).or_insert(number), number);
        }
    }
    assert_eq!(all, (1..=EVENTS).collect());
}

#[tokio::test]
async fn a_missing_position_is_noticed_and_never_passed_over() {
    let (database, reader) = a_log().await;
    let remove = "ALTER TABLE events DISABLE TRIGGER ALL; DELETE FROM events WHERE position = 500";
    database.pool.execute(sqlx::raw_sql(remove)).await.expect("it is gone");
    let failed = read(&reader, Selection::after(0), 64).await.expect_err("a hole");
    assert!(matches!(failed, StoreError::LogDiverged { position: 448, .. }), "{failed:?}");
    let failed = read(&reader, Selection::after(490).until(500), 64).await.expect_err("a hole at the end");
    assert!(matches!(failed, StoreError::LogDiverged { position: 499, .. }), "{failed:?}");
}

#[tokio::test]
async fn a_stream_that_is_asked_for_twice_is_read_once() {
    let (_database, reader) = a_log().await;
    let stream = || StreamId { aggregate_type: "Cart".to_owned(), aggregate_id: "stream-3".to_owned() };
    let once = positions(&reader, Selection::after(0).of_streams([stream()])).await;
    assert_eq!(positions(&reader, Selection::after(0).of_streams([stream(), stream()])).await, once);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_range_that_ends_beyond_the_log_is_read_as_far_as_the_log_goes_and_grows() {
    let database = Database::events().await;
    let (reader, writer) = (LogReader::new(database.pool.clone()), Writer::new(&database));
    let appending = tokio::spawn(async move {
        for _ in 0..300 {
            writer.append(3).await;
        }
    });
    while !appending.is_finished() {
        let events =
            read(&reader, Selection::after(0).until(1_000_000), 50).await.expect("nothing is missing");
        assert!(events.iter().zip(1..).all(|(event, position)| event.position == position));
    }
    appending.await.expect("the appends were done");
    assert_eq!(positions(&reader, Selection::after(0).until(1_000_000)).await.len(), 900);
}

/// More than the sockets' buffers hold.
async fn a_large_log() -> Database {
    let database = Database::events().await;
    let insert = "INSERT INTO events (aggregate_type, aggregate_id, sequence, event_type, event_version, payload, \
         metadata, position, event_id, recorded_at) \
         SELECT 'Thing', 'thing', p, 'Happened', '1', json_build_object('text', repeat('x', 4000)), '{}', p, \
         gen_random_uuid(), now() FROM generate_series(1, 20000) p";
    database.pool.execute(insert).await.expect("a log");
    database
}

/// How many of the server's processes wait for us.
async fn held_up(database: &Database) -> i64 {
    let waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
         AND wait_event = 'ClientWrite'";
    sqlx::query_scalar(waiting).fetch_one(&database.pool).await.expect("an answer")
}

#[tokio::test]
async fn who_does_not_ask_for_more_holds_the_server_up() {
    let database = a_large_log().await;
    let reader = LogReader::new(database.pool.clone());
    let mut scan = reader.scan(Selection::after(0), 10);
    scan.next().await.expect("the log").expect("a batch");
    eventually(SOON, "the server waits", async || (held_up(&database).await > 0).then_some(())).await;
    drop(scan);
    eventually(SOON, "it is let go", async || (held_up(&database).await == 0).then_some(())).await;
}

#[tokio::test]
async fn who_takes_longer_than_a_statement_may_misses_nothing() {
    let database = a_large_log().await;
    let short =
        PgConnectOptions::clone(&database.pool.connect_options()).options([("statement_timeout", "200ms")]);
    let reader = LogReader::new(PgPoolOptions::new().connect_lazy_with(short));
    let mut scan = reader.scan(Selection::after(0), 10);
    let mut read = scan.next().await.expect("the log").expect("a batch").len();
    // On a busy machine it is cut off before it has sent so much that it is held up.
    let young = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() \
         AND state = 'active' AND clock_timestamp() - query_start <= interval '300 ms'";
    eventually(SOON, "the statement has had its time", async || {
        let young: i64 = sqlx::query_scalar(young).fetch_one(&database.pool).await.expect("an answer");
        (young == 0).then_some(())
    })
    .await;
    while let Some(batch) = scan.next().await.expect("the log") {
        read += batch.len();
    }
    assert_eq!(read, 20_000);
    assert!(scan.next().await.expect("the end").is_none(), "the end stays the end");
}
