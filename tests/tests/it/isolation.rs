//! That no test can meet another's data.

use std::time::Duration;

use daybook_eventstore::{LogHead, LogReader};

use crate::harness::{Database, eventually};

#[tokio::test]
async fn every_log_is_its_own() {
    let (one, other) = (Database::events().await, Database::events().await);
    let head = LogReader::new(one.pool.clone()).head().await.expect("the log has a head");
    assert_eq!(head.position, 0);
    assert_ne!(head.epoch, LogReader::new(other.pool.clone()).head().await.expect("a head").epoch);
}

#[tokio::test]
async fn a_log_is_on_the_replica_too() {
    let database = Database::events().await;
    let head = LogReader::new(database.pool.clone()).head().await.expect("the log has a head");
    let replica = LogReader::new(database.replica().await);
    eventually(Duration::from_secs(10), "the replica has the same head", || async {
        replica.head().await.ok().filter(|LogHead { epoch, .. }| *epoch == head.epoch)
    })
    .await;
}
