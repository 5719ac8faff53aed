//! A feed of some events: each of them once and in order, and a checkpoint that passes the others.

use std::time::Duration;

use daybook_domain::IdSource as _;
use daybook_eventstore::process::SystemIds;
use daybook_eventstore::{Checkpoint, Feed, Filter, LogReader, Position, RecordedEvent, StreamId};
use sqlx::{Connection as _, Executor as _, PgConnection};
use tokio::time::timeout;

use crate::directory::a_log;
use crate::feed::{from_stream, from_the_start, source, streaming};
use crate::harness::{Database, TestStream, Writer, unique};

const SOON: Duration = Duration::from_secs(20);

/// All of the log, event by event.
async fn whole(reader: &LogReader) -> Vec<RecordedEvent> {
    reader.read(0, 100_000).await.expect("the log")
}

/// Takes what a feed gives until its checkpoint is here, at most so many events at a time.
async fn taken(feed: &mut Feed, until: Position, max: usize) -> Vec<RecordedEvent> {
    let mut events: Vec<RecordedEvent> = Vec::new();
    while feed.checkpoint().position < until {
        let more = timeout(SOON, feed.next(max)).await.expect("it moves on").expect("the log is readable");
        assert!(more.len() <= max);
        assert!(more.iter().all(|event| event.position <= feed.checkpoint().position));
        events.extend(more);
    }
    events
}

fn stream(aggregate_type: &str, aggregate_id: &str) -> StreamId {
    StreamId { aggregate_type: aggregate_type.to_owned(), aggregate_id: aggregate_id.to_owned() }
}

#[tokio::test]
async fn what_is_asked_for_is_found_far_behind_with_and_without_a_directory() {
    for with_directory in [false, true] {
        let (database, reader) = a_log(with_directory).await;
        let log = whole(&reader).await;
        let head = log.last().expect("the log is long").position;
        let of_streams =
            [stream("Order", "stream-5"), stream("Cart", "stream-1"), stream("Order", "stream-1")];
        for filter in [
            Filter::default().of_types(["Rare"]),
            Filter::default().of_types(["Rare", "Busy"]).of_aggregates(["Cart"]),
            Filter::default().of_aggregates(["Order"]),
            Filter::default().of_streams(of_streams),
            Filter::default().of_types(["Never"]),
            Filter::default(),
        ] {
            let wanted: Vec<&RecordedEvent> = log.iter().filter(|event| filter.includes(event)).collect();
            for max in [7, 5_000] {
                let mut feed = from_the_start(source(&database), "follower").await.only(filter.clone());
                let given = taken(&mut feed, head, max).await;
                assert!(
                    given.iter().eq(wanted.iter().copied()),
                    "{filter:?}: {} of {}",
                    given.len(),
                    wanted.len()
                );
                let again = Feed::open(source(&database), "follower", &feed.checkpoint()).await;
                assert_eq!(again.expect("it stands on this log").checkpoint().position, head);
            }
        }
    }
}

#[tokio::test]
async fn what_is_asked_for_is_given_as_it_comes_and_the_others_are_left_out() {
    let ((database, reader), nats) = (a_log(true).await, TestStream::new().await);
    let (writer, name, id) = (Writer::new(&database), unique("follower"), SystemIds.next().to_string());
    let _relay = nats.relay(&database);
    let filter =
        Filter::default().of_types(["Rare", "ThingHappened"]).of_aggregates(["Cart", "Thing", "Order"]);
    let mut feed = from_the_start(streaming(&database, &nats).await, &name).await.only(filter.clone());
    let mut given = Vec::new();
    let more = async {
        let mut version = 0;
        while from_stream(&name) < 100 {
            writer.append_of("Other", &SystemIds.next().to_string(), 0, vec!["{}".to_owned(); 3]).await;
            let last = writer.append_to(&id, version, vec!["{}".to_owned()]).await;
            version += 1;
            given.extend(taken(&mut feed, last, 5).await);
        }
    };
    timeout(SOON, more).await.expect("the stream delivers what is new");
    let log = whole(&reader).await;
    assert!(given.iter().eq(log.iter().filter(|event| filter.includes(event))));
    assert!(given.iter().any(|event| event.aggregate_type == "Thing"));
}

#[tokio::test]
async fn who_catches_up_by_what_is_asked_for_is_given_everything_near_the_head() {
    let (database, reader) = a_log(true).await;
    let filter = Filter::default().of_aggregates(["Order"]);
    let log = whole(&reader).await;
    let head = log.last().expect("the log is long").position;
    let mut feed = from_the_start(source(&database), "follower").await.only_when_far(filter.clone());
    let (mut given, mut near) = (Vec::new(), None);
    while feed.checkpoint().position < head {
        if !feed.is_far() {
            near.get_or_insert(feed.checkpoint().position);
        }
        given.extend(timeout(SOON, feed.next(500)).await.expect("it moves on").expect("the log is readable"));
    }
    let near = near.expect("it came near");
    assert!(near > 0, "it was far first");
    assert!(given.iter().eq(log.iter().filter(|event| event.position > near || filter.includes(event))));
    assert!(given.iter().any(|event| event.aggregate_type != "Order"));
}

#[tokio::test]
async fn who_waits_for_what_never_comes_hears_how_far_the_log_is() {
    let database = Database::events().await;
    let filter = Filter::default().of_types(["Never"]);
    let mut feed = from_the_start(source(&database), "follower").await.only(filter);
    let head = Writer::new(&database).append(10).await;
    assert!(taken(&mut feed, head, 4).await.is_empty());
    assert_eq!(feed.checkpoint().position, head);
}

#[tokio::test]
async fn a_search_that_is_cut_off_is_taken_up_where_it_was() {
    let (database, reader) = a_log(true).await;
    let filter = Filter::default().of_aggregates(["Order"]);
    let log = whole(&reader).await;
    let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
         WHERE datname = current_database() AND pid <> pg_backend_pid() AND state = 'active'";
    let mut own = PgConnection::connect(&database.url).await.expect("a connection of its own");
    let mut pace = tokio::time::interval(Duration::from_millis(3));
    let cutting_off = async {
        loop {
            pace.tick().await;
            own.execute(end).await.expect("the others are cut off");
        }
    };
    let reading = async {
        let mut failures = 0;
        while failures < 5 {
            let mut feed = from_the_start_in_the_end(&database).await.only(filter.clone());
            let mut given = Vec::new();
            while feed.checkpoint().position < 9_500 {
                match feed.next(500).await {
                    Ok(more) => given.extend(more),
                    Err(_error) => failures += 1,
                }
            }
            assert!(given.iter().eq(log.iter().filter(|event| filter.includes(event))));
        }
    };
    let done = async {
        tokio::select! {
            never = cutting_off => never,
            () = reading => {}
        }
    };
    timeout(Duration::from_mins(1), done).await.expect("it was cut off now and then");
}

/// A feed from the origin, once the database has answered.
async fn from_the_start_in_the_end(database: &Database) -> Feed {
    loop {
        let source = source(database);
        let Ok(origin) = Checkpoint::origin(&source.reader).await else { continue };
        if let Ok(feed) = Feed::open(source, "follower", &origin).await {
            return feed;
        }
    }
}
