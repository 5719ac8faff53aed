//! A cut and those who hold locks: it waits for who reads, and neither waits for the server's housekeeping nor fails by it.

use daybook_eventstore::{Partition, StoreError, begin_tx};
use sqlx::Executor as _;
use tokio::task::JoinHandle;

use super::{EVENTS, SOON, Setting};
use crate::harness::eventually;

/// How many events lie in no partition.
async fn uncut(setting: &Setting) -> i64 {
    let count = sqlx::query_scalar("SELECT count(*) FROM ONLY events");
    count.fetch_one(&setting.database.pool).await.expect("a count")
}

/// Begins to cut the first block off.
fn cutting(setting: &Setting) -> JoinHandle<Result<Option<Partition>, StoreError>> {
    let partitions = setting.partitions.clone();
    tokio::spawn(async move { partitions.cut(4_096, 0).await })
}

/// Waits until somebody who cuts has looked again, this long after they were first seen to look, whether those still read
/// who read when the partition was made.
async fn waits_for_readers(setting: &Setting) {
    let look = "SELECT query_start::text FROM pg_stat_activity WHERE datname = current_database() \
         AND query LIKE 'SELECT DISTINCT virtualtransaction FROM pg_locks%' AND query_start > $1::timestamptz + '300 ms'";
    let mut since = "-infinity".to_owned();
    for what in ["it looks who reads", "it looks again"] {
        since = eventually(SOON, what, async || {
            let looked = sqlx::query_scalar(look).bind(&since).fetch_optional(&setting.database.pool);
            looked.await.expect("the sessions")
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn events_move_only_when_nobody_reads_who_does_not_know_where_to() {
    let setting = Setting::filled().await;
    let mut reading = begin_tx(&setting.database.pool).await.expect("a reader");
    reading.execute("SELECT 1 FROM events LIMIT 1").await.expect("it reads");
    let cutting = cutting(&setting);
    waits_for_readers(&setting).await;
    assert_eq!(uncut(&setting).await, EVENTS, "none has moved");
    reading.rollback().await.expect("it reads no more");
    let cut = cutting.await.expect("no panic").expect("the log").expect("a partition");
    assert_eq!((cut.first, cut.last), (1, 4_096));
    assert_eq!(uncut(&setting).await, EVENTS - 4_096);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_servers_housekeeping_neither_stops_a_cut_nor_fails_one_that_is_done() {
    let setting = Setting::filled().await;
    // The lock that a `VACUUM` has.
    let vacuum = "LOCK TABLE events IN SHARE UPDATE EXCLUSIVE MODE";
    let mut before = begin_tx(&setting.database.pool).await.expect("a session");
    before.execute(vacuum).await.expect("the lock");
    let cutting = cutting(&setting);
    let waits = "SELECT 1 FROM pg_locks WHERE relation = 'events'::regclass AND NOT granted \
         AND waitstart < clock_timestamp() - interval '500 ms'";
    eventually(SOON, "the cut waits longer than it would hold others up", async || {
        assert!(!cutting.is_finished(), "it waits");
        sqlx::query(waits).fetch_optional(&setting.database.pool).await.expect("the locks").map(drop)
    })
    .await;
    // Somebody who reads keeps it from moving anything until the next one is there.
    let mut reading = begin_tx(&setting.database.pool).await.expect("a reader");
    reading.execute("SELECT 1 FROM events LIMIT 1").await.expect("it reads");
    before.rollback().await.expect("it is done");
    waits_for_readers(&setting).await;
    let mut after = begin_tx(&setting.database.pool).await.expect("a session");
    after.execute(vacuum).await.expect("the lock");
    reading.rollback().await.expect("it reads no more");
    cutting.await.expect("no panic").expect("it is not said to have failed").expect("a partition");
    assert_eq!(uncut(&setting).await, EVENTS - 4_096);
    after.rollback().await.expect("it is done");
}
