//! That a feed gives each event once, in order, with none missing, whatever becomes of the stream.

use std::time::Duration;

use daybook_domain::IdSource;
use daybook_eventstore::process::SystemIds;
use daybook_eventstore::process::config::{ServiceUrl, Value};
use daybook_eventstore::{
    Checkpoint, EventHash, EventStream, Feed, FeedSource, Live, LogReader, RecordedEvent, StoreError,
    Upcasters, Wake,
};
use futures::{FutureExt, StreamExt};
use sqlx::Executor;
use tokio::time::timeout;
use xtask::servers::Scratch;

use crate::harness::{Database, TestStream, Writer, eventually, metric, signal, unique};

const SOON: Duration = Duration::from_secs(20);

/// The log alone.
pub(super) fn source(database: &Database) -> FeedSource {
    let (wake, _listening) = Wake::listen(database.pool.clone());
    let upcasters = Upcasters::default();
    FeedSource { reader: LogReader::new(database.pool.clone()), wake, stream: None, upcasters }
}

pub(super) async fn from_the_start(source: FeedSource, name: &str) -> Feed {
    let origin = Checkpoint::origin(&source.reader).await.expect("the log has a head");
    Feed::open(source, name, &origin).await.expect("a feed opens at the origin")
}

/// Takes events until position `until`, and checks that they come without a hole.
async fn follow(feed: &mut Feed, until: i64, max: usize) {
    while feed.checkpoint().position < until {
        let before = feed.checkpoint().position;
        let events = timeout(SOON, feed.next(max)).await.expect("events come").expect("the log is readable");
        assert!(!events.is_empty() && events.len() <= max);
        let positions: Vec<i64> = events.iter().map(|event| event.position).collect();
        let expected: Vec<i64> = (before + 1..).take(events.len()).collect();
        assert_eq!(positions, expected);
    }
}

#[tokio::test]
async fn a_feed_gives_what_was_there_and_then_what_comes() {
    let database = Database::events().await;
    let writer = Writer::new(&database);
    writer.append(25).await;
    let mut feed = from_the_start(source(&database), "follower").await;
    follow(&mut feed, 25, 10).await;
    let (written, ()) = tokio::join!(writer.append(5), follow(&mut feed, 30, 10));
    assert_eq!(written, 30);
}

#[tokio::test]
async fn a_feed_goes_on_from_its_checkpoint() {
    let database = Database::events().await;
    Writer::new(&database).append(10).await;
    let mut feed = from_the_start(source(&database), "follower").await;
    follow(&mut feed, 4, 4).await;
    let mut resumed =
        Feed::open(source(&database), "follower", &feed.checkpoint()).await.expect("the same log");
    let events = resumed.next(1).await.expect("an event");
    assert_eq!(events[0].position, 5);
}

#[tokio::test]
async fn a_checkpoint_on_another_log_is_noticed() {
    let database = Database::events().await;
    Writer::new(&database).append(3).await;
    let mut feed = from_the_start(source(&database), "follower").await;
    follow(&mut feed, 3, 10).await;
    let here = feed.checkpoint();
    let changed = [
        Checkpoint { position: 4, ..here },
        Checkpoint { hash: EventHash::GENESIS, ..here },
        Checkpoint { epoch: SystemIds.next(), ..here },
    ];
    for checkpoint in changed {
        let opened = Feed::open(source(&database), "follower", &checkpoint).await;
        assert!(matches!(opened, Err(StoreError::LogDiverged { .. })), "{opened:?}");
    }
}

#[tokio::test]
async fn a_log_that_is_restored_under_a_feed_is_noticed() {
    let database = Database::events().await;
    Writer::new(&database).append(3).await;
    let mut feed = from_the_start(source(&database), "follower").await;
    follow(&mut feed, 3, 10).await;
    database.pool.execute("UPDATE log_head SET epoch = gen_random_uuid()").await.expect("a new epoch");
    let next = timeout(SOON, feed.next(10)).await.expect("it is noticed");
    assert!(matches!(next, Err(StoreError::LogDiverged { position: 3, .. })), "{next:?}");
}

#[tokio::test]
async fn a_feed_of_a_log_that_became_shorter_is_not_starved_by_what_it_was_told_before() {
    let database = Database::events().await;
    let writer = Writer::new(&database);
    let last = writer.append(2_000).await;
    let nowhere = ServiceUrl::parse("nats://127.0.0.1:1").expect("a URL");
    let stream = EventStream::connect(&nowhere, "DAYBOOK", "tests").await.expect("a URL of NATS");
    let source = FeedSource { stream: Some(stream), ..source(&database) };
    // It goes on listening, so that nobody asks anew where the log is.
    let mut before = from_the_start(source.clone(), "before").await;
    follow(&mut before, last, 1_000).await;
    eventually(SOON, "it was told", || async { (source.wake.position() == last).then_some(()) }).await;

    let restore = "SET session_replication_role = replica;
        DELETE FROM events WHERE position > 5;
        UPDATE log_head SET epoch = gen_random_uuid(), position = 5;
        RESET session_replication_role";
    database.pool.execute(restore).await.expect("an earlier state");
    let here = Checkpoint::head(&source.reader).await.expect("the log has a head");
    let mut after = Feed::open(source, "after", &here).await.expect("the same log");
    // Nothing comes from the stream, and the log is never silent for long.
    let mut pace = tokio::time::interval(Duration::from_millis(100));
    let writing = async {
        loop {
            pace.tick().await;
            writer.append(1).await;
        }
    };
    tokio::select! {
        never = writing => never,
        () = follow(&mut after, 7, 100) => {}
    }
}

/// The log and the stream.
pub(super) async fn streaming(database: &Database, stream: &TestStream) -> FeedSource {
    FeedSource { stream: Some(stream.handle().await), ..source(database) }
}

/// How many of its events the feed of this name had from the stream.
pub(super) fn from_stream(name: &str) -> u64 {
    metric(&format!("daybook_feed_events_total{{feed=\"{name}\",source=\"stream\"}}"))
}

/// Appends one event at a time, until the stream is where the feed has them from.
async fn becomes_live(feed: &mut Feed, name: &str, writer: &Writer) {
    let before = from_stream(name);
    let live = async {
        while from_stream(name) < before + 10 {
            let position = writer.append(1).await;
            follow(feed, position, 100).await;
        }
    };
    timeout(SOON, live).await.expect("the stream delivers what is new");
}

#[tokio::test]
async fn what_is_new_comes_from_the_stream() {
    let (database, stream) = (Database::events().await, TestStream::new().await);
    let (writer, name) = (Writer::new(&database), unique("follower"));
    let _relay = stream.relay(&database);
    writer.append(100).await;
    let mut feed = from_the_start(streaming(&database, &stream).await, &name).await;
    follow(&mut feed, 100, 10).await;
    becomes_live(&mut feed, &name, &writer).await;
}

#[tokio::test]
async fn what_the_stream_never_had_is_filled_in() {
    let (database, stream) = (Database::events().await, TestStream::new().await);
    let (writer, name) = (Writer::new(&database), unique("follower"));
    let relay = stream.relay(&database);
    let mut feed = from_the_start(streaming(&database, &stream).await, &name).await;
    becomes_live(&mut feed, &name, &writer).await;
    // The new stream begins 20 before the head.
    drop(relay);
    stream.delete().await;
    writer.append(50).await;
    let _relay = stream.relay(&database);
    let last = writer.append(50).await;
    follow(&mut feed, last, 7).await;
    becomes_live(&mut feed, &name, &writer).await;
}

#[tokio::test]
async fn what_the_stream_has_of_another_log_is_not_given() {
    let (before, after, stream) =
        (Database::events().await, Database::events().await, TestStream::new().await);
    // The stream is of the log as it was before a restore, and further than the log is now.
    let relay = stream.relay(&before);
    let last = Writer::new(&before).append(30).await;
    eventually(SOON, "the stream has the other log", || async {
        (stream.positions().await.last() == Some(&last)).then_some(())
    })
    .await;
    drop(relay);
    let (writer, name) = (Writer::new(&after), unique("follower"));
    writer.append(10).await;
    let source = streaming(&after, &stream).await;
    let reader = source.reader.clone();
    let mut feed = from_the_start(source, &name).await;
    for _ in 0..10 {
        writer.append(1).await;
        let stands = feed.checkpoint().position;
        let given = timeout(SOON, feed.next(100)).await.expect("events come").expect("the log is readable");
        let log = reader.read(stands, given.len()).await.expect("the log");
        let ids = |events: &[RecordedEvent]| events.iter().map(|event| event.event_id).collect::<Vec<_>>();
        assert_eq!(ids(&given), ids(&log));
    }
}

#[tokio::test]
async fn a_feed_follows_without_nats() {
    let database = Database::events().await;
    let nowhere = ServiceUrl::parse("nats://127.0.0.1:1").expect("a URL");
    let stream = EventStream::connect(&nowhere, "DAYBOOK", "tests").await.expect("a URL of NATS");
    let writer = Writer::new(&database);
    let source = FeedSource { stream: Some(stream), ..source(&database) };
    let mut feed = from_the_start(source, "follower").await;
    for _ in 0..10 {
        let last = writer.append(10).await;
        follow(&mut feed, last, 4).await;
    }
}

#[tokio::test]
async fn a_feed_outlives_a_nats_that_loses_everything() {
    let mut scratch = Scratch::new().expect("a folder for a server");
    let mut nats = scratch.nats().expect("a NATS of its own");
    let (database, stream) = (Database::events().await, TestStream::on(&nats.url()).await);
    let (writer, name) = (Writer::new(&database), unique("follower"));
    let _relay = stream.relay(&database);
    let mut feed = from_the_start(streaming(&database, &stream).await, &name).await;
    becomes_live(&mut feed, &name, &writer).await;
    nats.wipe().expect("NATS is gone");
    for _ in 0..10 {
        let last = writer.append(10).await;
        follow(&mut feed, last, 100).await;
    }
    nats.start().expect("NATS is back with nothing");
    becomes_live(&mut feed, &name, &writer).await;
}

#[tokio::test]
async fn a_nats_that_hangs_holds_nobody_up_and_doubles_nothing() {
    let mut scratch = Scratch::new().expect("a folder for a server");
    let nats = scratch.nats().expect("a NATS of its own");
    let (database, stream) = (Database::events().await, TestStream::on(&nats.url()).await);
    let (writer, name) = (Writer::new(&database), unique("follower"));
    let _relay = stream.relay(&database);
    let mut feed = from_the_start(streaming(&database, &stream).await, &name).await;
    becomes_live(&mut feed, &name, &writer).await;
    let pid = nats.pid().expect("NATS runs");
    signal(pid, "STOP");
    for _ in 0..10 {
        let last = writer.append(10).await;
        follow(&mut feed, last, 100).await;
    }
    signal(pid, "CONT");
    becomes_live(&mut feed, &name, &writer).await;
    let positions = stream.positions().await;
    assert!(positions.windows(2).all(|pair| pair[0] + 1 == pair[1]), "{positions:?}");
}

#[tokio::test]
async fn a_feed_far_behind_catches_up_while_more_is_written() {
    let (database, stream) = (Database::events().await, TestStream::new().await);
    let (writer, name) = (Writer::new(&database), unique("follower"));
    let _relay = stream.relay(&database);
    let mut feed = from_the_start(streaming(&database, &stream).await, &name).await;
    for _ in 0..10 {
        writer.append(1_000).await;
    }
    let writing = async {
        for _ in 0..20 {
            writer.append(100).await;
        }
    };
    tokio::join!(writing, follow(&mut feed, 12_000, 500));
    becomes_live(&mut feed, &name, &writer).await;
}

#[tokio::test]
async fn a_watcher_gets_the_new_events_of_its_aggregate_only() {
    let (database, stream) = (Database::events().await, TestStream::new().await);
    let writer = Writer::new(&database);
    let _relay = stream.relay(&database);
    let (watched, other) = (unique("thing"), unique("thing"));
    writer.append_to(&watched, 0, vec!["\"old\"".to_owned()]).await;
    let live = Live::start(streaming(&database, &stream).await, "watchers", aggregate_id);
    let watch = eventually(SOON, "the log is followed", || async {
        let mut watch = live.watch(watched.clone());
        watch.next().now_or_never().is_none().then_some(watch)
    })
    .await;
    writer.append_to(&other, 0, vec!["\"elsewhere\"".to_owned()]).await;
    writer.append_to(&watched, 1, vec!["\"one\"".to_owned(), "\"two\"".to_owned()]).await;
    let seen: Vec<String> = timeout(SOON, watch.take(2).map(|event| event.payload.clone()).collect())
        .await
        .expect("the events are seen");
    assert_eq!(seen, ["\"one\"", "\"two\""]);
}

#[tokio::test]
async fn a_watcher_that_does_not_keep_up_is_let_go() {
    let database = Database::events().await;
    let writer = Writer::new(&database);
    let id = unique("thing");
    let live = Live::start(source(&database), "watchers", aggregate_id);
    let watch = eventually(SOON, "the log is followed", || async {
        let mut watch = live.watch(id.clone());
        watch.next().now_or_never().is_none().then_some(watch)
    })
    .await;
    writer.append_to(&id, 0, vec!["1".to_owned(); 1_000]).await;
    let seen = timeout(SOON, watch.count()).await.expect("the watch ends");
    assert!(seen < 1_000, "{seen}");
}

#[tokio::test]
async fn a_watch_begins_where_everything_before_was_told() {
    let database = Database::events().await;
    let (writer, id) = (Writer::new(&database), unique("thing"));
    let live = Live::start(source(&database), "watchers", aggregate_id);
    let mut first = eventually(SOON, "the log is followed", || async {
        let mut watch = live.watch(id.clone());
        watch.next().now_or_never().is_none().then_some(watch)
    })
    .await;
    writer.append_to(&id, 0, vec!["1".to_owned(); 3]).await;
    let told: Vec<_> = timeout(SOON, first.by_ref().take(3).collect()).await.expect("the events are seen");
    let last = told.last().map(|event| event.position);
    assert_eq!(Some(live.watch(id.clone()).begins()), last, "a later watcher is not told of them");
}

/// What the watchers of these tests watch.
fn aggregate_id(event: &RecordedEvent, _: &Upcasters) -> Option<String> {
    (event.aggregate_type == "Thing").then(|| event.aggregate_id.clone())
}
