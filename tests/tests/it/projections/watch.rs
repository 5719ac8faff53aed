//! Read your writes: waiting for the replica, and the distance when it does not come.

use std::time::Duration;

use daybook_projections::orders::query::by_ids;
use daybook_projections::read::{ReadDb, ReplicaWatch};

use super::shop::{SOON, Shop};

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
