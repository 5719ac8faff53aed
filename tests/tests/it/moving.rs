//! That an application of `postgres-es` moves to the log as the guide says, and goes on there.

use std::collections::HashMap;
use std::sync::Arc;

use cqrs_es::persist::PersistedEventStore;
use cqrs_es::{AggregateContext as _, CqrsFramework, EventStore as _};
use daybook_domain::inventory::{Inventory, InventoryCommand, StockItem};
use daybook_domain::{Quantity, VariantId};
use daybook_eventstore::process::{SystemClock, SystemIds};
use daybook_eventstore::{CqrsStore, EventStore, LogReader, Upcasters};
use futures::future::join_all;
use postgres_es::PostgresEventRepository;
use sqlx::{Executor as _, PgPool};

use crate::harness::Database;

const COPY: &str = include_str!("../../../migrations/from_postgres_es.sql");
const ASIDE: &str = "CREATE SCHEMA before_daybook; ALTER TABLE events SET SCHEMA before_daybook";

/// A database as an application of `postgres-es` has it.
async fn before() -> Database {
    let database = Database::events().await;
    let table = "DROP SCHEMA public, simulated_gateway CASCADE; CREATE SCHEMA public; CREATE TABLE events (\
         aggregate_type text NOT NULL, aggregate_id text NOT NULL, sequence bigint CHECK (sequence >= 0) NOT NULL, \
         event_type text NOT NULL, event_version text NOT NULL, payload json NOT NULL, metadata json NOT NULL, \
         PRIMARY KEY (aggregate_type, aggregate_id, sequence))";
    database.pool.execute(sqlx::raw_sql(table)).await.expect("their table");
    database
}

fn some_item() -> StockItem {
    StockItem { variant_id: VariantId::generate(&SystemIds), location: "LON".parse().expect("a location") }
}

fn receive(item: &StockItem, units: i64) -> InventoryCommand {
    let quantity = Quantity::try_new(units).expect("a quantity");
    InventoryCommand::Receive { item: item.clone(), quantity, reference: "test".to_owned() }
}

/// Ten goods-in for each item, all items at once.
async fn fill(pool: &PgPool, items: &[StockItem]) {
    let store = PersistedEventStore::new_event_store(PostgresEventRepository::new(pool.clone()));
    let theirs = CqrsFramework::<Inventory, _>::new(store, Vec::new(), ());
    let each = items.iter().map(async |item| {
        let id = item.to_string();
        for units in 1..=10 {
            let metadata = HashMap::from([("by".to_owned(), "their tool".to_owned())]);
            let done = theirs.execute_with_metadata(&id, receive(item, units), metadata);
            done.await.expect("it is done");
        }
    });
    join_all(each).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_application_of_postgres_es_moves_to_the_log_and_goes_on_there() {
    let database = before().await;
    let items: Vec<StockItem> = (0..5).map(|_| some_item()).collect();
    fill(&database.pool, &items).await;

    database.pool.execute(sqlx::raw_sql(ASIDE)).await.expect("it is aside");
    daybook_eventstore::migrate(&database.pool).await.expect("a log");
    database.pool.execute(sqlx::raw_sql(COPY)).await.expect("it is copied");

    let log = LogReader::new(database.pool.clone()).read(0, 1_000).await.expect("the log");
    assert_eq!(log.iter().map(|event| event.position).collect::<Vec<_>>(), (1..=50).collect::<Vec<i64>>());
    for item in &items {
        let stream = log.iter().filter(|event| event.aggregate_id == item.to_string());
        assert_eq!(stream.map(|event| event.sequence).collect::<Vec<_>>(), (1..=10).collect::<Vec<i64>>());
    }
    let same = "SELECT count(*) FROM events JOIN before_daybook.events AS old \
         USING (aggregate_type, aggregate_id, sequence, event_type, event_version) \
         WHERE events.payload::text = old.payload::text AND events.metadata::text = old.metadata::text";
    assert_eq!(sqlx::query_scalar::<_, i64>(same).fetch_one(&database.pool).await.expect("a count"), 50);

    let events = EventStore::new(database.pool.clone(), Arc::new(SystemIds), Upcasters::default());
    let clock = Arc::new(SystemClock);
    let moved =
        CqrsFramework::new(CqrsStore::<Inventory>::new(events.clone(), clock.clone()), Vec::new(), ());
    let id = items[0].to_string();
    moved.execute(&id, receive(&items[0], 100)).await.expect("it goes on");
    let store = CqrsStore::<Inventory>::new(events, clock);
    let mut loaded = store.load_aggregate(&id).await.expect("it loads");
    assert_eq!(loaded.aggregate().on_hand(), 155);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_has_begun_is_not_mixed_with_another_past() {
    let database = before().await;
    let items = [some_item()];
    fill(&database.pool, &items).await;
    database.pool.execute(sqlx::raw_sql(ASIDE)).await.expect("it is aside");
    daybook_eventstore::migrate(&database.pool).await.expect("a log");
    database.pool.execute(sqlx::raw_sql(COPY)).await.expect("it is copied");
    let again = database.pool.acquire().await.expect("a connection").detach();
    let refused = refused_by(again).await;
    assert!(refused.contains("the log is not empty"), "{refused}");
    assert_eq!(LogReader::new(database.pool.clone()).head().await.expect("a head").position, 10);
}

async fn refused_by(mut connection: sqlx::PgConnection) -> String {
    connection.execute(sqlx::raw_sql(COPY)).await.expect_err("nothing is mixed").to_string()
}
