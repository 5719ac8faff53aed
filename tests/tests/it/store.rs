//! What the event store promises: dense positions, one effect for each command, decisions that rest on what is
//! committed, an immutable log that stock tools read, and people who can be forgotten.

use std::sync::Arc;
use std::time::Duration;

use cqrs_es::persist::{EventUpcaster, PersistedEventStore, SerializedEvent};
use cqrs_es::{AggregateContext, CqrsFramework, EventStore as _};
use daybook_domain::inventory::{Inventory, InventoryCommand, InventoryEvent, InventoryRefusal, StockItem};
use daybook_domain::{IdSource, OrderId, Quantity, ShipmentId, SubjectId, Timestamp, VariantId};
use daybook_eventstore::process::{SystemClock, SystemIds};
use daybook_eventstore::{
    CommandContext, CommandError, ConfiguredKeys, CqrsStore, EventStore, Fingerprint, LogReader, Repository,
    SnapshotPolicy, Upcasters, Vault, VaultError,
};
use futures::future::join_all;
use postgres_es::PostgresEventRepository;
use sqlx::{Executor, PgPool, Row};
use xtask::servers::{Profile, Scratch};

use crate::harness::shop::context;
use crate::harness::{Database, Writer};

const SNAPSHOTS: SnapshotPolicy = SnapshotPolicy { state_version: 1, every: 10, older_than: Duration::MAX };

/// A process of its own, as far as the store can tell: its own cache, queue and batches.
fn process(database: &Database, upcasters: Upcasters) -> Repository<Inventory> {
    let store = EventStore::new(database.pool.clone(), Arc::new(SystemIds), upcasters);
    Repository::new(store, SNAPSHOTS)
}

fn a_process(database: &Database) -> Repository<Inventory> {
    process(database, Upcasters::default())
}

fn some_item() -> StockItem {
    StockItem { variant_id: VariantId::generate(&SystemIds), location: "LON".parse().expect("a location") }
}

fn receive(item: &StockItem, units: i64) -> InventoryCommand {
    let quantity = Quantity::try_new(units).expect("a quantity");
    InventoryCommand::Receive { item: item.clone(), quantity, reference: "test".to_owned() }
}

fn reserve(item: &StockItem) -> InventoryCommand {
    InventoryCommand::Reserve {
        item: item.clone(),
        order_id: OrderId::generate(&SystemIds),
        quantity: Quantity::ONE,
        expires_at: Timestamp::MAX_UTC,
    }
}

async fn positions(database: &Database) -> Vec<i64> {
    let events = LogReader::new(database.pool.clone()).read(0, 1_000_000).await.expect("the log");
    events.iter().map(|event| event.position).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_that_race_for_one_item_sell_what_there_is_and_leave_no_hole() {
    let database = Database::events().await;
    let processes = [a_process(&database), a_process(&database), a_process(&database)];
    let item = some_item();
    let id = item.to_string();
    processes[0].execute(&id, receive(&item, 10), &context(), "null").await.expect("stock");

    let buyers = (0..300).map(async |n: usize| {
        processes[n % processes.len()].execute(&id, reserve(&item), &context(), "null").await
    });
    let (mut sold, mut told) = (0, 0);
    for outcome in join_all(buyers).await {
        match outcome {
            Ok(_) => sold += 1,
            Err(CommandError::Refused(InventoryRefusal::OutOfStock { available: 0 })) => told += 1,
            Err(other) => panic!("neither sold nor out of stock: {other:?}"),
        }
    }
    assert_eq!((sold, told), (10, 290));
    assert_eq!(positions(&database).await, (1..=11).collect::<Vec<i64>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_takes_effect_once_whoever_repeats_it_and_whenever() {
    let database = Database::events().await;
    let item = some_item();
    let (id, once) = (item.to_string(), context());
    let first = a_process(&database);
    let done = first.execute(&id, receive(&item, 5), &once, r#"{"n":1}"#).await.expect("it is done");
    assert!(!done.replayed);
    first.execute(&id, receive(&item, 7), &context(), "null").await.expect("another is done");

    for repository in [&first, &a_process(&database)] {
        let again =
            repository.execute(&id, receive(&item, 5), &once, r#"{"n":2}"#).await.expect("it is told");
        assert!(again.replayed);
        assert_eq!((again.position, again.version), (done.position, done.version));
        assert_eq!(again.outcome, r#"{"n":1}"#, "what was told first stands");
        assert_eq!(again.state.on_hand(), 12);
    }
    let at_once =
        join_all((0..20).map(async |_| first.execute(&id, receive(&item, 5), &once, "null").await)).await;
    assert!(at_once.iter().all(|told| told.as_ref().is_ok_and(|told| told.replayed)));

    let other = CommandContext { fingerprint: Fingerprint::of(&[b"another input"]), ..once };
    let refused = first.execute(&id, receive(&item, 6), &other, "null").await;
    assert!(matches!(refused, Err(CommandError::KeyReused)));
    assert_eq!(positions(&database).await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_new_command_sent_at_once_to_two_processes_takes_effect_once() {
    let database = Database::events().await;
    let processes = [a_process(&database), a_process(&database)];
    for _ in 0..20 {
        let (item, once) = (some_item(), context());
        let id = item.to_string();
        let told = join_all(
            (0..4)
                .map(async |n: usize| processes[n % 2].execute(&id, receive(&item, 1), &once, "null").await),
        )
        .await;
        let news = told.iter().filter(|told| told.as_ref().is_ok_and(|told| !told.replayed)).count();
        assert_eq!((news, told.iter().filter(|told| told.is_ok()).count()), (1, 4));
        assert_eq!(processes[0].load(&id).await.expect("it").state.on_hand(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_was_done_is_told_even_when_it_would_be_refused_now() {
    let database = Database::events().await;
    let repository = a_process(&database);
    let (item, once) = (some_item(), context());
    let id = item.to_string();
    repository.execute(&id, receive(&item, 1), &context(), "null").await.expect("stock");
    let hold = reserve(&item);
    repository.execute(&id, hold, &once, "null").await.expect("it is held");
    // Another order's hold under the same command id would be out of stock now.
    let again = repository.execute(&id, reserve(&item), &once, "null").await.expect("it is told");
    assert!(again.replayed);
}

/// One unit that is promised to an order and leaves in another process, while this one takes it back and, resting on
/// that, holds it for somebody else: in the same batch, or in the next one while the first is on its way.
async fn decide_on_what_does_not_happen(in_the_next_batch: bool) {
    let database = Database::events().await;
    let (here, elsewhere) = (a_process(&database), a_process(&database));
    let (item, order_id) = (some_item(), OrderId::generate(&SystemIds));
    let id = item.to_string();
    here.execute(&id, receive(&item, 1), &context(), "null").await.expect("stock");
    let promise = InventoryCommand::Allocate { item: item.clone(), order_id, quantity: Quantity::ONE };
    here.execute(&id, promise, &context(), "null").await.expect("it is promised");
    let shipment_id = ShipmentId::generate(&SystemIds);
    let quantity = Quantity::ONE;
    let leave = InventoryCommand::Ship { item: item.clone(), order_id, shipment_id, quantity };
    elsewhere.execute(&id, leave, &context(), "null").await.expect("it leaves");

    let (first, second) = (context(), context());
    let release = InventoryCommand::Release { item: item.clone(), order_id };
    let later = async {
        if in_the_next_batch {
            tokio::task::yield_now().await;
        }
        here.execute(&id, reserve(&item), &second, "null").await
    };
    let (released, held) = tokio::join!(here.execute(&id, release, &first, "null"), later);
    assert_eq!(released.expect("there is nothing left to release").appended, 0);
    assert!(matches!(held, Err(CommandError::Refused(InventoryRefusal::OutOfStock { available: 0 }))));
    assert_eq!(a_process(&database).load(&id).await.expect("it").state.reserved(), 0, "it has left");
}

// On one thread, so that both commands are decided before the first one is sent.
#[tokio::test]
async fn what_rests_on_a_command_of_its_batch_that_did_not_happen_does_not_happen_either() {
    decide_on_what_does_not_happen(false).await;
}

#[tokio::test]
async fn what_rests_on_a_command_of_an_earlier_batch_that_did_not_happen_does_not_happen_either() {
    decide_on_what_does_not_happen(true).await;
}

#[tokio::test]
async fn what_is_decided_after_a_repetition_waits_until_it_is_known_to_be_one() {
    let database = Database::events().await;
    let repository = a_process(&database);
    let (item, once) = (some_item(), context());
    let id = item.to_string();
    let mut commands = vec![(receive(&item, 10), once.clone()), (receive(&item, 10), once)];
    commands.extend((0..3).map(|_| (reserve(&item), context())));
    let told = join_all(commands.into_iter().map(|(command, context)| {
        let (repository, id) = (&repository, &id);
        async move { repository.execute(id, command, &context, "null").await }
    }))
    .await;
    let replayed = told.iter().filter(|told| told.as_ref().expect("it is done").replayed).count();
    assert_eq!(replayed, 1);
    for state in [&repository, &a_process(&database)].map(|process| process.load(&id)) {
        let loaded = state.await.expect("it");
        assert_eq!((loaded.version, loaded.state.on_hand(), loaded.state.reserved()), (4, 10, 3));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_rests_on_what_another_process_wrote() {
    let database = Database::events().await;
    let (stale, other) = (a_process(&database), a_process(&database));
    let item = some_item();
    let id = item.to_string();
    let refused = stale.execute(&id, reserve(&item), &context(), "null").await;
    assert!(matches!(refused, Err(CommandError::Refused(InventoryRefusal::OutOfStock { .. }))));
    other.execute(&id, receive(&item, 1), &context(), "null").await.expect("stock");
    stale.execute(&id, reserve(&item), &context(), "null").await.expect("there is one now");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_outlives_a_crash_of_the_database() {
    let mut scratch = Scratch::new().expect("a folder");
    let (mut primary, _replica) = scratch.postgres(Profile::TEST).expect("a database of its own");
    let lazily = |url: &str| PgPool::connect_lazy(&format!("{url}/postgres")).expect("a URL");
    let pool = lazily(&primary.url());
    daybook_eventstore::migrate(&pool).await.expect("it is migrated");
    let writer = Writer::on(&pool);
    let mut acknowledged = 0;
    while acknowledged < 500 {
        acknowledged = writer.append(1).await;
    }
    primary.kill();
    primary.start().expect("it starts again");
    let head = LogReader::new(lazily(&primary.url())).head().await.expect("the log");
    assert!(head.position >= acknowledged, "{} of {acknowledged}", head.position);
}

#[tokio::test(flavor = "multi_thread")]
async fn events_and_commands_can_be_neither_changed_nor_removed() {
    let database = Database::events().await;
    let item = some_item();
    a_process(&database)
        .execute(&item.to_string(), receive(&item, 1), &context(), "null")
        .await
        .expect("stock");
    for (table, column) in [("events", "aggregate_id"), ("commands", "outcome")] {
        for change in [
            format!("UPDATE {table} SET {column} = 'null'"),
            format!("DELETE FROM {table}"),
            format!("TRUNCATE {table}"),
        ] {
            let refused = database.pool.execute(change.as_str()).await.expect_err(&change);
            assert!(refused.to_string().contains("append-only"), "{refused}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payload_keeps_its_bytes() {
    let database = Database::events().await;
    let item = some_item();
    let reference = "Zoë's  \u{1F4E6} \\ \"box\"".to_owned();
    let command = InventoryCommand::Receive {
        item: item.clone(),
        quantity: Quantity::ONE,
        reference: reference.clone(),
    };
    a_process(&database).execute(&item.to_string(), command, &context(), "null").await.expect("stock");
    let stored = LogReader::new(database.pool.clone()).find(1).await.expect("the log").expect("an event");
    let event = InventoryEvent::Received { item, quantity: Quantity::ONE, reference };
    assert_eq!(stored.payload, serde_json::to_string(&event).expect("JSON"));
}

#[tokio::test(flavor = "multi_thread")]
async fn stock_postgres_es_reads_the_table_as_it_stands() {
    let database = Database::events().await;
    let (repository, item) = (a_process(&database), some_item());
    let id = item.to_string();
    repository.execute(&id, receive(&item, 5), &context(), "null").await.expect("stock");
    repository.execute(&id, reserve(&item), &context(), "null").await.expect("a hold");

    let theirs: PersistedEventStore<PostgresEventRepository, Inventory> =
        PersistedEventStore::new_event_store(PostgresEventRepository::new(database.pool.clone()));
    let mut loaded = theirs.load_aggregate(&id).await.expect("it loads");
    assert_eq!(loaded.aggregate(), repository.load(&id).await.expect("it").state.as_ref());
    let events = theirs.load_events(&id).await.expect("they load");
    assert_eq!(events.iter().map(|event| event.sequence).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(events[0].metadata.get("actor").map(String::as_str), Some("staff:tester"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_application_of_cqrs_es_runs_on_the_store_as_it_is() {
    let database = Database::events().await;
    let store = EventStore::new(database.pool.clone(), Arc::new(SystemIds), Upcasters::default());
    let (clock, item) = (Arc::new(SystemClock), some_item());
    let id = item.to_string();
    let theirs =
        CqrsFramework::new(CqrsStore::<Inventory>::new(store.clone(), clock.clone()), Vec::new(), ());
    theirs.execute(&id, receive(&item, 3)).await.expect("it is done");
    theirs.execute(&id, reserve(&item)).await.expect("it is done");
    assert_eq!(a_process(&database).load(&id).await.expect("it").state.available(), 2);

    let store = CqrsStore::<Inventory>::new(store, clock);
    let (one, two) = (store.load_aggregate(&id).await, store.load_aggregate(&id).await);
    let event = || InventoryEvent::SafetyStockSet { item: item.clone(), quantity: 1 };
    let commit = async |context| store.commit(vec![event()], context, std::collections::HashMap::new()).await;
    commit(one.expect("it loads")).await.expect("the first is done");
    let conflict = commit(two.expect("it loads")).await.expect_err("the second is not");
    assert!(matches!(conflict, cqrs_es::AggregateError::AggregateConflict));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_spares_events_and_one_of_other_code_is_not_trusted() {
    let database = Database::events().await;
    let (repository, item) = (a_process(&database), some_item());
    let id = item.to_string();
    for _ in 0..25 {
        repository.execute(&id, receive(&item, 1), &context(), "null").await.expect("stock");
    }
    let snapshot = || async {
        let found =
            sqlx::query("SELECT version FROM snapshots WHERE aggregate_id = $1 AND version = 20").bind(&id);
        found.fetch_optional(&database.pool).await.expect("the snapshots").map(|row| row.get::<i64, _>(0))
    };
    let taken = crate::harness::eventually(crate::harness::shop::SOON, "a snapshot is taken", snapshot).await;
    assert_eq!(taken, 20);

    // A lie in the snapshot shows who reads it.
    let lie = "UPDATE snapshots SET state = jsonb_set(state::jsonb, '{on_hand}', '1000')::json";
    database.pool.execute(lie).await.expect("a snapshot is no event");
    assert_eq!(a_process(&database).load(&id).await.expect("it").state.on_hand(), 1005);
    let store = EventStore::new(database.pool.clone(), Arc::new(SystemIds), Upcasters::default());
    let newer: Repository<Inventory> =
        Repository::new(store, SnapshotPolicy { state_version: 2, ..SNAPSHOTS });
    assert_eq!(newer.load(&id).await.expect("it").state.on_hand(), 25);
    let upcasting = process(&database, Upcasters::new(vec![Box::new(Renamed)]));
    assert_eq!(upcasting.load(&id).await.expect("it").state.on_hand(), 25, "it was taken without the step");
}

#[tokio::test(flavor = "multi_thread")]
async fn several_aggregates_load_at_once_each_as_it_is_even_when_asked_for_twice() {
    let database = Database::events().await;
    let repository = a_process(&database);
    let items = [some_item(), some_item(), some_item()];
    let ids: Vec<String> = items.iter().map(ToString::to_string).collect();
    for (n, (item, id)) in (1..).zip(items.iter().zip(&ids)).take(2) {
        for _ in 0..n * 15 {
            repository.execute(id, receive(item, 1), &context(), "null").await.expect("stock");
        }
    }
    let wanted = [&ids[1], &ids[0], &ids[2], &ids[1]].map(String::as_str);
    for reader in [&repository, &a_process(&database)] {
        let loaded = reader.load_many(&wanted).await.expect("they load");
        let units: Vec<(i64, i64)> = loaded.iter().map(|one| (one.version, one.state.on_hand())).collect();
        assert_eq!(units, [(30, 30), (15, 15), (0, 0), (30, 30)]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_presumed_to_be_new_and_is_not_is_decided_on_what_is_there() {
    let database = Database::events().await;
    let item = some_item();
    let id = item.to_string();
    let once = context();
    a_process(&database).create(&id, receive(&item, 1), &once, "null").await.expect("it is made");
    let elsewhere = a_process(&database);
    assert!(elsewhere.create(&id, receive(&item, 1), &once, "null").await.expect("it is told").replayed);
    let made = elsewhere.create(&id, receive(&item, 2), &context(), "null").await.expect("it is added to");
    assert_eq!((made.version, made.state.on_hand()), (2, 3));
    let refused = a_process(&database).create(&id, reserve(&item), &context(), "null").await;
    refused.expect("an empty one would be out of stock, this one is not");
}

/// Before `SafetyStockSet` there was, say, `SafetySet`.
struct Renamed;

impl EventUpcaster for Renamed {
    fn can_upcast(&self, event_type: &str, event_version: &str) -> bool {
        (event_type, event_version) == ("InventorySafetySet", "0")
    }

    fn upcast(&self, mut event: SerializedEvent) -> SerializedEvent {
        event.payload = serde_json::json!({ "SafetyStockSet": event.payload["SafetySet"] });
        "InventorySafetyStockSet".clone_into(&mut event.event_type);
        "1".clone_into(&mut event.event_version);
        event
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_event_is_brought_to_todays_shape_when_it_is_loaded() {
    let database = Database::events().await;
    let item = some_item();
    let payload = serde_json::json!({ "SafetySet": { "item": item, "quantity": 4 } });
    sqlx::query(
        "INSERT INTO events VALUES ('Inventory', $1, 1, 'InventorySafetySet', '0', $2, '{}', 1, $3, now())",
    )
    .bind(item.to_string())
    .bind(payload)
    .bind(SystemIds.next())
    .execute(&database.pool)
    .await
    .expect("an event of long ago");
    let upcasting = process(&database, Upcasters::new(vec![Box::new(Renamed)]));
    assert_eq!(upcasting.load(&item.to_string()).await.expect("it").state.safety_stock(), 4);
    assert!(a_process(&database).load(&item.to_string()).await.is_err(), "without the step it is unknown");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forgotten_persons_data_never_opens_again() {
    let database = Database::events().await;
    let vault =
        |key: u8| Vault::new(database.pool.clone(), ConfiguredKeys::try_new([key; 32], &[]).expect("a key"));
    let (ours, elsewhere) = (vault(1), vault(1));
    let (ada, bob) = (SubjectId::generate(&SystemIds), SubjectId::generate(&SystemIds));
    let sealed = ours.seal(ada, &"12 St James's Square").await.expect("it is sealed");
    assert!(!sealed.data.contains("James"));
    assert_eq!(elsewhere.open::<String>(&sealed).await.expect("it opens"), "12 St James's Square");

    let moved = daybook_domain::Sealed { subject: bob, ..sealed.clone() };
    ours.seal(bob, &"something").await.expect("bob has a key");
    assert!(matches!(ours.open::<String>(&moved).await, Err(VaultError::Broken)), "it is ada's");
    assert!(matches!(vault(2).open::<String>(&sealed).await, Err(VaultError::UnknownKey(_))), "another key");

    ours.forget(ada).await.expect("she is forgotten");
    ours.forget(ada).await.expect("twice is no error");
    assert!(matches!(ours.open::<String>(&sealed).await, Err(VaultError::Forgotten)));
    assert!(matches!(ours.seal(ada, &"again").await, Err(VaultError::Forgotten)));
    crate::harness::eventually(crate::harness::shop::SOON, "others forget too", || async {
        matches!(elsewhere.open::<String>(&sealed).await, Err(VaultError::Forgotten)).then_some(())
    })
    .await;
    let bobs = ours.seal(bob, &"his").await.expect("it is sealed");
    let stranger = SubjectId::generate(&SystemIds);
    let mut keys = vault(1).keys(&[ada, bob, stranger]).await.expect("the keys");
    let mut open = |who, sealed| keys.remove(&who).map(|key| key.open::<String>(sealed));
    assert!(matches!(open(ada, &sealed), Some(Err(VaultError::Forgotten))));
    assert_eq!(open(bob, &bobs).expect("a key").expect("it opens"), "his");
    assert!(open(stranger, &bobs).is_none());
    let left: Option<Vec<u8>> =
        sqlx::query_scalar("SELECT wrapped_key FROM vault_keys WHERE subject_id = $1")
            .bind(ada.uuid())
            .fetch_one(&database.pool)
            .await
            .expect("the key's row");
    assert_eq!(left, None);
}

#[tokio::test]
async fn a_command_that_the_database_refuses_does_not_fail_its_neighbours() {
    let database = Database::events().await;
    let repository = a_process(&database);
    let command = async |n: i64| {
        let item = some_item();
        let outcome = if n == 7 { "not JSON" } else { "null" };
        // Nothing has to be loaded for it, so that all of them wait for the same batch.
        repository.create(&item.to_string(), receive(&item, 1), &context(), outcome).await
    };
    let outcomes = join_all((0..20).map(command)).await;
    let failed: Vec<usize> = (0..20).filter(|n| outcomes[*n].is_err()).collect();
    assert_eq!(failed, [7]);
    assert_eq!(positions(&database).await, (1..=19).collect::<Vec<i64>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn several_commands_as_one_take_effect_together_or_not_at_all() {
    let database = Database::events().await;
    let repository = a_process(&database);
    let item = some_item();
    let id = item.to_string();
    let both = [receive(&item, 1), reserve(&item)];
    let done = repository.execute_all(&id, &both, &context(), "null").await.expect("both are done");
    assert_eq!((done.version, done.appended, done.state.available()), (2, 2, 0));

    let one_too_many = [receive(&item, 1), reserve(&item), reserve(&item)];
    let refused = repository.execute_all(&id, &one_too_many, &context(), "null").await;
    assert!(matches!(refused, Err(CommandError::Refused(InventoryRefusal::OutOfStock { available: 0 }))));
    assert_eq!(repository.load(&id).await.expect("it").version, 2);
    assert_eq!(positions(&database).await, [1, 2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_recalled_is_never_older_than_what_was_heard() {
    let database = Database::events().await;
    let (here, elsewhere) = (a_process(&database).hearing(), a_process(&database));
    let item = some_item();
    let id = item.to_string();
    let on_hand = async || here.recall(&id).await.expect("it").state.on_hand();
    here.execute(&id, receive(&item, 1), &context(), "null").await.expect("it is done");
    elsewhere.execute(&id, receive(&item, 10), &context(), "null").await.expect("it is done");
    assert_eq!(on_hand().await, 1, "nobody told of the other process's event");

    let log = LogReader::new(database.pool.clone()).read(0, 10).await.expect("the log");
    for event in &log {
        here.hear(event);
    }
    assert_eq!(on_hand().await, 11);
    // It is decided on at once, without a conflict to find out by.
    elsewhere.execute(&id, receive(&item, 100), &context(), "null").await.expect("it is done");
    here.hear(&LogReader::new(database.pool.clone()).find(3).await.expect("the log").expect("an event"));
    let done = here.execute(&id, receive(&item, 1_000), &context(), "null").await.expect("it is done");
    assert_eq!((done.version, done.state.on_hand()), (4, 1_111));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_tells_of_the_log_recalls_nothing() {
    let database = Database::events().await;
    let (deaf, elsewhere) = (a_process(&database), a_process(&database));
    let item = some_item();
    let id = item.to_string();
    deaf.execute(&id, receive(&item, 1), &context(), "null").await.expect("it is done");
    elsewhere.execute(&id, receive(&item, 10), &context(), "null").await.expect("it is done");
    assert_eq!(deaf.recall(&id).await.expect("it").state.on_hand(), 11);
}
