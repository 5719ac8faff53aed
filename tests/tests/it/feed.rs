//! That a feed gives each event once, in order, with none missing, whatever becomes of the stream.

use std::time::Duration;

use daybook_domain::IdSource;
use daybook_eventstore::process::SystemIds;
use daybook_eventstore::{Checkpoint, EventHash, Feed, FeedSource, LogReader, StoreError, Wake};
use sqlx::Executor;
use tokio::time::timeout;

use crate::harness::{Database, Writer};

const SOON: Duration = Duration::from_secs(20);

fn source(database: &Database) -> FeedSource {
    let (wake, _listening) = Wake::listen(database.pool.clone());
    FeedSource { reader: LogReader::new(database.pool.clone()), wake, stream: None }
}

async fn from_the_start(source: FeedSource, name: &str) -> Feed {
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
