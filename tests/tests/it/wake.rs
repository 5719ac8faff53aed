//! That whoever wants to be woken by the log is, whatever becomes of the connection that listens.

use std::time::Duration;

use daybook_eventstore::{Checkpoint, Feed, FeedSource, LogReader, Upcasters, Wake};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

use crate::harness::{Database, Proxy, Writer, eventually};

const SOON: Duration = Duration::from_secs(30);

#[tokio::test]
async fn a_listener_whose_server_vanished_listens_again() {
    let database = Database::events().await;
    let options = PgConnectOptions::clone(&database.pool.connect_options());
    let proxy = Proxy::to(([127, 0, 0, 1], options.get_port()).into()).await;
    let (wake, _listening) = Wake::listen(PgPoolOptions::new().connect_lazy_with(options.port(proxy.port)));
    let (reader, upcasters) = (LogReader::new(database.pool.clone()), Upcasters::default());
    let source = FeedSource { reader, wake: wake.clone(), stream: None, upcasters };
    let origin = Checkpoint::origin(&source.reader).await.expect("the log has a head");
    let _wants_to_be_woken = Feed::open(source, "follower", &origin).await.expect("a feed");
    let writer = Writer::new(&database);
    let is_told = async || {
        let last = writer.append(1).await;
        eventually(SOON, "it is told", || async { (wake.position() == last).then_some(()) }).await;
    };
    is_told().await;
    is_told().await;
    proxy.vanish();
    is_told().await;
    is_told().await;
}

/// The log is told of at most every 4 ms.
#[tokio::test]
async fn what_is_appended_right_after_something_is_told_of_too() {
    let database = Database::events().await;
    let (wake, _listening) = Wake::listen(database.pool.clone());
    let (reader, upcasters) = (LogReader::new(database.pool.clone()), Upcasters::default());
    let source = FeedSource { reader, wake: wake.clone(), stream: None, upcasters };
    let origin = Checkpoint::origin(&source.reader).await.expect("the log has a head");
    let _wants_to_be_woken = Feed::open(source, "follower", &origin).await.expect("a feed");
    let writer = Writer::new(&database);
    for _ in 0..30 {
        writer.append(1).await;
        let last = writer.append(1).await;
        eventually(SOON, "it is told", || async { (wake.position() == last).then_some(()) }).await;
    }
}
