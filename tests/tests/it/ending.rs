//! A process that is told to end does so in good order: exit code 0, what it led is another one's at once, and nothing is
//! missing or there twice.

use std::time::Duration;

use daybook_domain::order::OrderStatus;
use daybook_eventstore::process::LONGEST_END;
use futures::future::join_all;
use sqlx::PgPool;

use crate::harness::shop::{SOON, TestShop};
use crate::harness::{Database, Process, TestStream, Writer, eventually};
use crate::leadership::contenders;
use crate::relay::holds;

/// How soon a successor leads: sooner than a leader that only vanished is missed by the database, which takes nine
/// seconds.
const AT_ONCE: Duration = Duration::from_secs(5);

/// Waits until one leads this work, and all these stand by or lead; says which connection leads.
async fn led(pool: &PgPool, work: &str, all: usize) -> i32 {
    eventually(SOON, "one leads and the others stand by", || async {
        let (leader, contenders) = contenders(pool, work).await;
        leader.filter(|_| contenders == all)
    })
    .await
}

/// Tells a leader to end, and waits until its successor leads.
async fn hands_over(leader: &mut Process, pool: &PgPool, work: &str) {
    let before = led(pool, work, 2).await;
    leader.terminate();
    let ended = leader.ended(LONGEST_END).await;
    assert_eq!(ended.code(), Some(0), "{}", leader.output());
    eventually(AT_ONCE, "its successor leads", || async {
        let (leader, all) = contenders(pool, work).await;
        (all == 1 && leader.is_some_and(|leader| leader != before)).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_is_told_to_end_finishes_what_it_has_begun_and_leaves_the_rest_to_another() {
    let shop = TestShop::open().await;
    let (pool, work) = (&shop.events.pool, "daybook-worker");
    let mut first = shop.worker(&[]);
    led(pool, work, 1).await;
    let _second = shop.worker(&[]);
    let lantern = shop.product(1_000, 100).await;
    let buying = join_all((0..40).map(async |_| shop.buy(&[lantern], "card_approve").await));
    let ending = async {
        eventually(SOON, "it is in the middle of it", || async {
            (shop.events.count("OrderPlaced").await >= 5).then_some(())
        })
        .await;
        hands_over(&mut first, pool, work).await;
    };
    let (orders, ()) = tokio::join!(buying, ending);
    assert!(!first.output().contains("still running"), "{}", first.output());
    for order_id in &orders {
        shop.order_is(*order_id, OrderStatus::Confirmed).await;
    }
    shop.worker_is_through().await;
    let stock = shop.stock(lantern, "LON").await;
    assert_eq!((stock.committed(), stock.reserved(), shop.charges().await.len()), (40, 0, 40));
    assert_eq!(shop.put_off().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_is_told_to_end_has_written_down_how_far_it_is() {
    let shop = TestShop::open().await;
    let mut worker = shop.worker(&[]);
    let lantern = shop.product(1_000, 100).await;
    let placed = "SELECT coalesce(max(position), 0) FROM events WHERE event_type = 'CartSubmitted'
         AND payload::jsonb #>> '{Submitted,order_id}' IN (
             SELECT aggregate_id FROM events WHERE event_type = 'OrderPlaced')";
    for _ in 0..5 {
        let order_id = shop.buy(&[lantern], "card_approve").await;
        eventually(SOON, "it is reacted to", || async {
            shop.order(order_id).await.placement().is_some().then_some(())
        })
        .await;
        worker.terminate();
        assert_eq!(worker.ended(LONGEST_END).await.code(), Some(0), "{}", worker.output());
        let (reacted, noted): (i64, i64) = sqlx::query_as(&format!(
            "SELECT ({placed}), (SELECT position FROM checkpoints WHERE name = 'checkout')"
        ))
        .fetch_one(&shop.events.pool)
        .await
        .expect("the log and the checkpoint");
        assert!(noted >= reacted && reacted > 0, "noted {noted}, reacted to {reacted}");
        worker = shop.worker(&[]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_projector_that_is_told_to_end_leaves_its_version_to_another() {
    let (shop, read) = (TestShop::open().await, Database::read().await);
    let (pool, work) = (&shop.events.pool, "daybook projector carts@1");
    let projector = || {
        let settings = [("EVENTS_URL", shop.events.url.as_str()), ("READ_URL", &read.url)];
        Process::start("daybook-projector", &["carts"], &settings)
    };
    let mut first = projector();
    led(&read.pool, work, 1).await;
    let _second = projector();
    let lantern = shop.product(1_000, 100).await;
    let filling = join_all((0..40).map(async |_| shop.cart(&[lantern]).await));
    let ending = async {
        eventually(SOON, "it is in the middle of it", || async {
            // Before it is made, there is nothing to be counted.
            let carts = sqlx::query_scalar("SELECT count(*) FROM live.carts").fetch_one(&read.pool).await;
            carts.is_ok_and(|carts: i64| carts >= 5).then_some(())
        })
        .await;
        hands_over(&mut first, &read.pool, work).await;
    };
    let (carts, ()) = tokio::join!(filling, ending);
    let (last, _) = shop.cart(&[lantern]).await;
    let mut expected: Vec<String> =
        carts.iter().map(|(id, _)| id).chain([&last]).map(ToString::to_string).collect();
    expected.sort_unstable();
    let head: i64 =
        sqlx::query_scalar("SELECT position FROM log_head").fetch_one(pool).await.expect("the head");
    let there = "SELECT position FROM projections WHERE name = 'carts' AND status = 'live'";
    eventually(SOON, "the version has all that has happened", || async {
        let there: i64 = sqlx::query_scalar(there).fetch_one(&read.pool).await.expect("the version");
        (there == head).then_some(())
    })
    .await;
    let shown = sqlx::query_scalar("SELECT key FROM live.carts ORDER BY key");
    let shown: Vec<String> = shown.fetch_all(&read.pool).await.expect("the carts");
    assert_eq!(shown, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_is_told_to_end_leaves_the_stream_to_another() {
    let (database, stream) = (Database::events().await, TestStream::new().await);
    let (pool, work) = (&database.pool, format!("relay {}", stream.name));
    let writer = Writer::new(&database);
    let mut first = stream.relay(&database);
    let begun = writer.append(1).await;
    holds(&stream, 1, begun).await;
    let _second = stream.relay(&database);
    led(pool, &work, 2).await;
    let writing = async {
        for _ in 0..50 {
            writer.append(20).await;
        }
    };
    tokio::join!(writing, hands_over(&mut first, pool, &work));
    let last = writer.append(1).await;
    holds(&stream, 1, last).await;
}
