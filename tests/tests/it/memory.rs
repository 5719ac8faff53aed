//! What a process remembers of aggregates stays within its bound, and whatever it forgets, every command is answered
//! as if it had forgotten nothing.

use std::sync::Arc;
use std::time::Duration;

use daybook_domain::inventory::{Inventory, InventoryCommand, StockItem};
use daybook_domain::{Quantity, VariantId};
use daybook_eventstore::process::SystemIds;
use daybook_eventstore::{
    EventStore, LogReader, Remembered, Repository, SnapshotPolicy, Upcasters, begin_tx,
};
use futures::future::join_all;

use crate::harness::notebook::{Notebook, Page, Write};
use crate::harness::shop::{SOON, context};
use crate::harness::{Database, eventually, metric};

const SNAPSHOTS: SnapshotPolicy = SnapshotPolicy { state_version: 1, every: 10, older_than: Duration::MAX };

/// A process that remembers this many bytes.
fn process(database: &Database, bytes: u64) -> EventStore {
    EventStore::new(database.pool.clone(), Arc::new(SystemIds), Upcasters::default()).remembering(bytes)
}

async fn write(notebooks: &Repository<Notebook>, id: &str, text: &str) -> i64 {
    let written = notebooks.execute(id, Write(text.to_owned()), &context(), "null").await;
    written.expect("it is written").version
}

#[tokio::test(flavor = "multi_thread")]
async fn many_large_aggregates_stay_within_the_bound_and_are_answered_rightly() {
    const BOUND: u64 = 4 << 20;
    let database = Database::events().await;
    let store = process(&database, BOUND);
    let notebooks = Repository::<Notebook>::new(store.clone(), SNAPSHOTS);
    let page = "x".repeat(8 << 10);
    let id = |number: i64| format!("notebook-{number}");
    let mut most = Remembered { aggregates: 0, bytes: 0 };
    // 16 MiB in all: whatever is written, most of it was forgotten since the round before.
    for round in 1..=4 {
        for number in 0..512 {
            assert_eq!(write(&notebooks, &id(number), &format!("{round} of {number} {page}")).await, round);
            let now = store.remembered();
            assert!(now.bytes <= BOUND, "{now:?}");
            most = if now.bytes > most.bytes { now } else { most };
        }
    }
    assert!(most.bytes > BOUND / 2, "the room there is is used: {most:?}");
    assert!(most.aggregates < 512, "{most:?}");
    assert!(metric("daybook_cache_misses_total{aggregate=\"Notebook\"}") >= 512);
    assert!(metric("daybook_cache_evictions_total") >= 512);
    for number in 0..512 {
        let state = notebooks.load(&id(number)).await.expect("it loads").state;
        let begins = |(page, round): (&Page, i64)| page.text.starts_with(&format!("{round} of {number} "));
        assert!(state.pages.len() == 4 && state.pages.iter().zip(1..).all(begins), "notebook {number}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hot_aggregate_is_decided_on_in_one_place_whatever_is_forgotten_around_it() {
    let database = Database::events().await;
    // Room for nothing but what is in use.
    let store = process(&database, 16 << 10);
    let notebooks = Repository::<Notebook>::new(store.clone(), SNAPSHOTS);
    let conflicts = || metric("daybook_command_conflicts_total{aggregate=\"Notebook\"}");
    let before = conflicts();
    // Soon it has outgrown all of that, and commands for it are on their way all the time.
    let writers = (0..10).map(async |writer: i64| {
        let mut versions = Vec::new();
        for n in 0..40 {
            let (page, cold) = (format!("page {n} {}", "x".repeat(400)), format!("cold-{writer}-{n}"));
            let both =
                tokio::join!(write(&notebooks, "hot", &page), write(&notebooks, &cold, "the only page"));
            assert_eq!(both.1, 1);
            versions.push(both.0);
        }
        versions
    });
    let mut versions = join_all(writers).await.concat();
    versions.sort_unstable();
    assert_eq!(versions, (1..=400).collect::<Vec<i64>>(), "each was decided on all before it");
    assert_eq!(conflicts(), before, "nobody decided beside the others");
    let elsewhere = Repository::<Notebook>::new(process(&database, 1 << 20), SNAPSHOTS);
    let [here, there] = [&notebooks, &elsewhere].map(|memory| memory.load("hot"));
    let (here, there) = (here.await.expect("it loads"), there.await.expect("it loads"));
    assert_eq!((here.version, &here.state), (400, &there.state));
    eventually(SOON, "what was in use is forgotten", || async {
        write(&notebooks, "one more", "page").await;
        (store.remembered().bytes <= 16 << 10).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_aggregate_weighs_follows_its_state_and_not_its_history() {
    let database = Database::events().await;
    let store = process(&database, 64 << 20);
    let never = SnapshotPolicy { every: i64::MAX, ..SNAPSHOTS };
    let notebooks = Repository::<Notebook>::new(store.clone(), never);
    for _ in 0..20 {
        write(&notebooks, "large", &"x".repeat(10_000)).await;
    }
    let weight = store.remembered().bytes;
    assert!((200_000..=800_000).contains(&weight), "{weight}");

    // The stock of an item is a few numbers, however often some came in.
    let store = process(&database, 64 << 20);
    let stock = Repository::<Inventory>::new(store.clone(), SNAPSHOTS);
    let location = "LON".parse().expect("a location");
    let item = StockItem { variant_id: VariantId::generate(&SystemIds), location };
    let weight_after = async |receipts: usize| {
        for _ in 0..receipts {
            let (item, reference) = (item.clone(), "x".repeat(200));
            let id = item.to_string();
            let receive = InventoryCommand::Receive { item, quantity: Quantity::ONE, reference };
            stock.execute(&id, receive, &context(), "null").await.expect("stock");
        }
        store.remembered().bytes
    };
    assert!(weight_after(9).await >= 2_000, "what is not known is taken to be large");
    weight_after(91).await;
    eventually(SOON, "a snapshot has told how small it is", || async {
        (weight_after(1).await <= 8_192).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn repositories_of_one_store_share_its_bound_and_nothing_else() {
    let database = Database::events().await;
    let store = process(&database, 1 << 20);
    let [one, other] = [(); 2].map(|()| Repository::<Notebook>::new(store.clone(), SNAPSHOTS));
    write(&one, "same", "page").await;
    assert!(one.remembered("same").await.is_some());
    assert!(other.remembered("same").await.is_none() && one.hearing().remembered("same").await.is_none());
    assert_eq!(write(&other, "same", "page").await, 2);
    assert_eq!(store.remembered().aggregates, 2);
    for number in 0..2_000 {
        write(&one, &format!("notebook-{number}"), "page").await;
    }
    assert!(store.remembered().bytes <= 1 << 20);
    assert_eq!(write(&other, "same", "page").await, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_heard_while_a_state_is_loaded_is_not_lost_with_what_is_forgotten_meanwhile() {
    let database = Database::events().await;
    // Room for little.
    let here = Repository::<Notebook>::new(process(&database, 16 << 10), SNAPSHOTS).hearing();
    let elsewhere = Repository::<Notebook>::new(process(&database, 1 << 20), SNAPSHOTS);
    // Whoever comes once there is no room left is the first to go.
    let forget = async |numbers: std::ops::Range<usize>| {
        for number in numbers {
            here.presume_new(&format!("other-{number}")).await;
        }
    };
    forget(0..1_000).await;
    assert_eq!(write(&elsewhere, "heard", "page").await, 1);
    let mut event = LogReader::new(database.pool.clone()).find(1).await.expect("the log").expect("an event");

    let mut held = begin_tx(&database.pool).await.expect("a transaction");
    sqlx::query("LOCK events").execute(&mut *held).await.expect("the lock");
    let loading = tokio::spawn({
        let here = here.clone();
        async move { here.load("heard").await.expect("it loads").version }
    });
    eventually(SOON, "it is being loaded", || async {
        let waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()
            AND wait_event_type = 'Lock' AND query LIKE '%AS wanted (id, version)%'";
        let waiting: i64 = sqlx::query_scalar(waiting).fetch_one(&database.pool).await.expect("a count");
        (waiting == 1).then_some(())
    })
    .await;
    forget(1_000..2_000).await;
    // The second event, which is not there yet for whoever loads.
    event.sequence = 2;
    here.hear(&event);
    held.rollback().await.expect("it is given up");
    assert_eq!(loading.await.expect("it ends"), 1);
    assert_eq!(write(&elsewhere, "heard", "another page").await, 2);
    assert_eq!(here.recall("heard").await.expect("it loads").version, 2);
}
