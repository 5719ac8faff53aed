//! Read your writes: waiting for the replica, and the distance when it does not come.

use std::time::Duration;

use daybook_eventstore::process::config::{PgUrl, Value};
use daybook_eventstore::process::pool_for_queries;
use daybook_projections::orders::query::by_ids;
use daybook_projections::read::{ReadDb, ReadError, ReplicaWatch};
use sqlx::Executor;
use sqlx::postgres::PgPoolOptions;
use xtask::servers::{Profile, Scratch, Server};

use super::shop::{SOON, Shop};
use crate::harness::{Database, eventually, servers};

#[tokio::test]
async fn whoever_waits_reads_their_write_on_the_replica() {
    let shop = Shop::open().await;
    let _projector = shop.project("orders");
    let replica = shop.read.replica().await;
    let (watch, watching) = ReplicaWatch::start(replica.clone());
    let db = ReadDb::new(replica, SOON);
    for _ in 0..10 {
        let (ids, position) = shop.place_orders(1).await;
        watch.wait_for("orders", position, SOON).await.expect("the replica gets there");
        assert_eq!(by_ids(&db, &ids).await.expect("the order").len(), 1);
    }
    watching.abort();
}

#[tokio::test]
async fn a_replica_that_does_not_get_there_says_how_far_it_is() {
    let shop = Shop::open().await;
    let _projector = shop.project("orders");
    let (_, position) = shop.place_orders(5).await;
    let (watch, watching) = ReplicaWatch::start(shop.read.replica().await);
    watch.wait_for("orders", position, SOON).await.expect("the replica gets there");
    let behind =
        watch.wait_for("orders", position + 7, Duration::from_millis(50)).await.expect_err("not there");
    assert_eq!((behind.position, behind.distance), (position, 7));
    let behind = watch.wait_for("never-built", 3, Duration::from_millis(50)).await.expect_err("not there");
    assert_eq!((behind.position, behind.distance), (0, 3));
    watching.abort();
}

#[tokio::test]
async fn only_what_readers_see_counts_as_reached() {
    let shop = Shop::open().await;
    let versions = "INSERT INTO projections (name, version, status, revision, epoch, position, event_hash, target)
        SELECT 'orders', version, status, 1, gen_random_uuid(), position, decode(repeat('00', 32), 'hex'), 'postgres'
        FROM (VALUES (1, 'retired', 30), (2, 'live', 10), (3, 'building', 20)) v (version, status, position)";
    shop.read.pool.execute(versions).await.expect("the register of versions");
    let (watch, watching) = ReplicaWatch::start(shop.read.replica().await);
    watch.wait_for("orders", 10, SOON).await.expect("the replica gets there");
    let behind = watch.wait_for("orders", 20, Duration::from_millis(50)).await.expect_err("not there");
    assert_eq!((behind.position, behind.distance), (10, 10));

    shop.read.pool.execute("UPDATE projections SET diverged = true").await.expect("it is of another log");
    eventually(SOON, "its position says nothing any more", || async {
        let behind = watch.wait_for("orders", 11, Duration::from_millis(50)).await.expect_err("not there");
        (behind.position == 0).then_some(())
    })
    .await;
    watching.abort();
}

#[tokio::test]
async fn a_replica_that_is_held_back_is_waited_for_and_never_passed_off_as_current() {
    // One of its own: a replica that stands still is in everybody's way.
    let _ = servers();
    let mut scratch = Scratch::new().expect("a folder");
    let profile = Profile { max_connections: 40, databases: &["daybook_read"], ..Profile::TEST };
    let (primary, replica) = scratch.postgres(profile).expect("a Postgres and its replica");
    let connect = async |server: &Server| {
        let url = format!("{}/daybook_read", server.url());
        PgPoolOptions::new().max_connections(4).connect(&url).await.expect("the server answers")
    };
    let primary_pool = connect(&primary).await;
    daybook_projections::migrate(&primary_pool).await.expect("the read database's schema");
    let stand_at = async |position: i64| {
        sqlx::query(
            "INSERT INTO projections (name, version, status, revision, epoch, position, event_hash, target)
             VALUES ('orders', 1, 'live', 1, gen_random_uuid(), $1, decode(repeat('00', 32), 'hex'), 'postgres')
             ON CONFLICT (name, version) DO UPDATE SET position = $1",
        )
        .bind(position)
        .execute(&primary_pool)
        .await
        .expect("the read model is there");
    };
    stand_at(10).await;
    let replica_pool = connect(&replica).await;
    let (watch, watching) = ReplicaWatch::start(replica_pool.clone());
    watch.wait_for("orders", 10, SOON).await.expect("the replica gets there");

    replica_pool.execute("SELECT pg_wal_replay_pause()").await.expect("it is held back");
    stand_at(20).await;
    let behind = watch.wait_for("orders", 20, Duration::from_secs(1)).await.expect_err("not there");
    assert_eq!((behind.position, behind.distance), (10, 10));
    watch.wait_for("orders", 10, SOON).await.expect("what it has, it has");

    let waiting = watch.wait_for("orders", 20, SOON);
    let released = replica_pool.execute("SELECT pg_wal_replay_resume()");
    let (reached, released) = tokio::join!(waiting, released);
    released.expect("it goes on");
    reached.expect("whoever waited gets it");
    watching.abort();
}

#[tokio::test]
async fn a_read_that_takes_too_long_or_finds_no_connection_is_told_so() {
    let read = Database::read().await;
    let url = PgUrl::parse(&read.url).expect("a URL");
    let pool = pool_for_queries(&url, 1, "impatient");
    let asleep = sqlx::query("SELECT pg_sleep(60)").execute(&pool);
    let crowded = async {
        let asked = || sqlx::query("SELECT 1").execute(&pool);
        eventually(SOON, "the connection is taken", || async { asked().await.err() }).await
    };
    let (asleep, crowded) = tokio::join!(asleep, crowded);
    assert!(matches!(ReadError::from(crowded), ReadError::Overloaded));
    assert!(matches!(ReadError::from(asleep.expect_err("it is ended")), ReadError::TimedOut));
}
