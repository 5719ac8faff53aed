//! One command for several aggregates: all of its events or none, on nothing that has changed.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use daybook_domain::inventory::{Inventory, InventoryCommand, InventoryRefusal, StockItem};
use daybook_domain::{OrderId, Quantity, Timestamp, VariantId};
use daybook_eventstore::process::SystemIds;
use daybook_eventstore::{
    Append, Appended, CommandContext, CommandError, EventStore, Fingerprint, LogReader, Part, Repository,
    SnapshotPolicy, StoreError, StreamId, Together, Unit, Upcasters, begin_tx,
};
use futures::future::join_all;

use crate::harness::shop::context;
use crate::harness::{Database, Writer, eventually};

const SNAPSHOTS: SnapshotPolicy = SnapshotPolicy { state_version: 1, every: 10, older_than: Duration::MAX };

/// A process of its own, as far as the store can tell.
struct Process {
    store: EventStore,
    stock: Repository<Inventory>,
}

impl Process {
    fn new(database: &Database) -> Self {
        let store = EventStore::new(database.pool.clone(), Arc::new(SystemIds), Upcasters::default());
        Self { stock: Repository::new(store.clone(), SNAPSHOTS), store }
    }

    /// Another memory of the same process: what it decides goes the same way.
    fn other_memory(&self) -> Self {
        Self { stock: Repository::new(self.store.clone(), SNAPSHOTS), store: self.store.clone() }
    }

    async fn receive(&self, item: &StockItem, units: i64) {
        let quantity = Quantity::try_new(units).expect("a quantity");
        let command =
            InventoryCommand::Receive { item: item.clone(), quantity, reference: "test".to_owned() };
        self.stock.execute(&item.to_string(), command, &context(), "null").await.expect("stock");
    }

    /// Holds one of each item for the order, or none.
    async fn hold(
        &self,
        items: &[&StockItem],
        order_id: OrderId,
        context: &CommandContext,
    ) -> Result<Together<()>, CommandError<Refused>> {
        let decide =
            |unit: &mut Unit<'_>| items.iter().try_for_each(|item| self.hold_one(unit, item, order_id));
        self.store.together(context, "\"held\"", decide).await
    }

    fn hold_one(&self, unit: &mut Unit<'_>, item: &StockItem, order_id: OrderId) -> Result<(), Refused> {
        let command = InventoryCommand::Reserve {
            item: item.clone(),
            order_id,
            quantity: Quantity::ONE,
            expires_at: Timestamp::MAX_UTC,
        };
        Ok(unit.execute(&self.stock, &item.to_string(), command)?.map(drop)?)
    }

    async fn available(&self, item: &StockItem) -> i64 {
        self.stock.load(&item.to_string()).await.expect("it").state.available()
    }
}

#[derive(Debug, thiserror::Error)]
enum Refused {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Stock(#[from] InventoryRefusal),
    #[error("the other one is taken")]
    Taken,
}

fn some_item() -> StockItem {
    StockItem { variant_id: VariantId::generate(&SystemIds), location: "LON".parse().expect("a location") }
}

fn some_order() -> OrderId {
    OrderId::generate(&SystemIds)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_short_of_one_item_takes_nothing_of_the_others() {
    let database = Database::events().await;
    let process = Process::new(&database);
    let (plenty, short) = (some_item(), some_item());
    process.receive(&plenty, 5).await;
    let refused = process.hold(&[&plenty, &short], some_order(), &context()).await;
    assert!(matches!(
        refused,
        Err(CommandError::Refused(Refused::Stock(InventoryRefusal::OutOfStock { .. })))
    ));
    assert_eq!(process.available(&plenty).await, 5);

    process.receive(&short, 1).await;
    let held = process.hold(&[&plenty, &short], some_order(), &context()).await.expect("both are there");
    assert_eq!(held, Together::Done { position: 4, decided: () });
    assert_eq!((process.available(&plenty).await, process.available(&short).await), (4, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_for_several_aggregates_takes_effect_once() {
    let database = Database::events().await;
    let (process, second) = (Process::new(&database), Process::new(&database));
    let (one, two) = (some_item(), some_item());
    process.receive(&one, 1).await;
    process.receive(&two, 1).await;
    let same = context();
    process.hold(&[&one, &two], some_order(), &same).await.expect("both are there");
    for process in [&process, &second] {
        // For another order it would be out of stock now.
        let again = process.hold(&[&one, &two], some_order(), &same).await.expect("it is told");
        assert_eq!(again, Together::Replayed { position: 4, outcome: "\"held\"".to_owned() });
    }
    let other_input = CommandContext { fingerprint: Fingerprint::of(&[b"another"]), ..same };
    let refused = process.hold(&[&one, &two], some_order(), &other_input).await;
    assert!(matches!(refused, Err(CommandError::KeyReused)));
}

#[tokio::test(flavor = "multi_thread")]
async fn buyers_of_pairs_in_several_processes_get_both_or_neither_and_never_too_many() {
    let database = Database::events().await;
    let processes = [Process::new(&database), Process::new(&database), Process::new(&database)];
    let items: Vec<StockItem> = (0..4).map(|_| some_item()).collect();
    for item in &items {
        processes[0].receive(item, 20).await;
    }
    // Neighbours in both directions, so that each locks in another order.
    let buyers = (0..240).map(async |n: usize| {
        let (one, two) = (&items[n % 4], &items[(n + 1 + n / 4 % 3) % 4]);
        processes[n % 3].hold(&[one, two], some_order(), &context()).await
    });
    let (mut sold, mut told) = (0, 0);
    for outcome in join_all(buyers).await {
        match outcome {
            Ok(_) => sold += 1,
            Err(CommandError::Refused(Refused::Stock(InventoryRefusal::OutOfStock { .. }))) => told += 1,
            Err(other) => panic!("neither sold nor out of stock: {other:?}"),
        }
    }
    assert_eq!(sold + told, 240);
    let events = LogReader::new(database.pool.clone()).read(4, 1_000).await.expect("the log");
    assert_eq!(events.len(), 2 * sold, "two events a sale");
    for pair in events.chunks(2) {
        let [one, two] = pair else { panic!("an event alone") };
        assert_eq!(one.position + 1, two.position);
        assert_eq!(one.metadata, two.metadata, "both of one command");
    }
    let mut left = 0;
    for item in &items {
        let available = processes[1].available(item).await;
        assert!((0..=20).contains(&available));
        left += usize::try_from(available).expect("not negative");
    }
    assert_eq!(left, 80 - 2 * sold);
}

/// Takes one of `mine` if the other is still there.
async fn race(process: &Process, mine: &StockItem, other: &StockItem, decided: &AtomicUsize) -> bool {
    let order_id = some_order();
    let decide = |unit: &mut Unit<'_>| {
        decided.fetch_add(1, Ordering::Relaxed);
        if unit.state(&process.stock, &other.to_string())?.available() == 0 {
            return Err(Refused::Taken);
        }
        process.hold_one(unit, mine, order_id)
    };
    process.store.together(&context(), "null", decide).await.is_ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_decisions_that_each_rest_on_what_the_other_writes_one_gives_way() {
    let database = Database::events().await;
    let (process, elsewhere) = (Process::new(&database), Process::new(&database));
    let decided = AtomicUsize::new(0);
    for _ in 0..30 {
        let (left, right) = (some_item(), some_item());
        process.receive(&left, 1).await;
        process.receive(&right, 1).await;
        let (one, two) =
            tokio::join!(race(&process, &left, &right, &decided), race(&elsewhere, &right, &left, &decided));
        assert!(one != two);
    }
}

// On one thread and with everything in memory, both are queued before the appender looks.
#[tokio::test]
async fn two_memories_of_a_process_do_not_miss_each_other_in_one_batch() {
    let database = Database::events().await;
    let process = Process::new(&database);
    let neighbour = process.other_memory();
    let (left, right) = (some_item(), some_item());
    for item in [&left, &right] {
        process.receive(item, 1).await;
        neighbour.available(item).await;
    }
    let decided = AtomicUsize::new(0);
    let (one, two) =
        tokio::join!(race(&process, &left, &right, &decided), race(&neighbour, &right, &left, &decided));
    assert!(one != two);
}

#[tokio::test]
async fn what_changed_between_looking_and_queueing_is_looked_at_again() {
    let database = Database::events().await;
    let process = Process::new(&database);
    let (seen, mine, other) = (some_item(), some_item(), some_item());
    process.receive(&seen, 1).await;
    Process::new(&database).receive(&mine, 1).await;
    // While the head is held, what is queued behind the first append goes into one batch.
    let mut holder = begin_tx(&database.pool).await.expect("a transaction");
    sqlx::query("SELECT position FROM log_head FOR UPDATE").execute(&mut *holder).await.expect("the head");
    let decided = AtomicUsize::new(0);
    let first = process.receive(&other, 1);
    let racing = async {
        eventually(Duration::from_secs(20), "the first append waits", || async {
            let waiting = "SELECT 1 FROM pg_stat_activity
                 WHERE datname = current_database() AND wait_event_type = 'Lock'";
            sqlx::query(waiting).fetch_optional(&database.pool).await.expect("an answer").map(drop)
        })
        .await;
        // It takes the last one while the other, which saw it there, is still loading what it wants.
        let mut loading = begin_tx(&database.pool).await.expect("a transaction");
        let lock = "LOCK TABLE snapshots IN ACCESS EXCLUSIVE MODE";
        sqlx::query(lock).execute(&mut *loading).await.expect("nothing is loaded");
        let taking = async {
            eventually(Duration::from_secs(20), "it has looked", || async {
                (decided.load(Ordering::Relaxed) >= 2).then_some(())
            })
            .await;
            let (taker, command, wanted) = (some_order(), context(), [&seen]);
            let mut taking = std::pin::pin!(process.hold(&wanted, taker, &command));
            assert!(futures::poll!(&mut taking).is_pending(), "it is queued");
            loading.rollback().await.expect("it is loaded");
            taking.await
        };
        tokio::join!(race(&process, &mine, &seen, &decided), taking)
    };
    let release = async {
        eventually(Duration::from_secs(20), "it has decided", || async {
            (decided.load(Ordering::Relaxed) >= 3).then_some(())
        })
        .await;
        holder.rollback().await.expect("the head is free");
    };
    let ((), (won, taken), ()) = tokio::join!(first, racing, release);
    assert!(taken.is_ok());
    assert!(!won, "what it rests on was taken");
}

// On one thread and with everything in memory, both are queued before the appender looks.
#[tokio::test]
async fn what_many_only_look_at_makes_none_of_them_depend_on_another() {
    let database = Database::events().await;
    let process = Process::new(&database);
    let (seen, mine, other) = (some_item(), some_item(), some_item());
    for item in [&seen, &mine, &other] {
        process.receive(item, 2).await;
    }
    let look_and_hold = async |item: &StockItem, context: &CommandContext, decided: &AtomicUsize| {
        let order_id = some_order();
        let decide = |unit: &mut Unit<'_>| {
            decided.fetch_add(1, Ordering::Relaxed);
            unit.state(&process.stock, &seen.to_string())?;
            process.hold_one(unit, item, order_id)
        };
        process.store.together(context, "null", decide).await.expect("it is there")
    };
    let (again, another) = (context(), context());
    let (ignored, decided) = (AtomicUsize::new(0), AtomicUsize::new(0));
    look_and_hold(&mine, &again, &ignored).await;
    let (repeated, done) =
        tokio::join!(look_and_hold(&mine, &again, &ignored), look_and_hold(&other, &another, &decided));
    assert!(matches!(repeated, Together::Replayed { .. }));
    assert!(matches!(done, Together::Done { .. }));
    // Twice to find out what it turns to, and once in earnest.
    assert_eq!(decided.load(Ordering::Relaxed), 3);
}

#[tokio::test]
async fn a_conflict_names_what_was_not_so() {
    let database = Database::events().await;
    let process = Process::new(&database);
    let items: Vec<StockItem> = (0..4).map(|_| some_item()).collect();
    for item in &items {
        process.receive(item, 1).await;
    }
    let wants = |(item, expected): (&StockItem, i64)| Part {
        stream: StreamId { aggregate_type: "Inventory".to_owned(), aggregate_id: item.to_string() },
        expected,
        events: Vec::new(),
        chain: Arc::default(),
    };
    for (expected, part) in [([1, 1, 5, 1], 2), ([0, 1, 1, 1], 0), ([1, 1, 1, 2], 3), ([1, 3, 1, 4], 1)] {
        let CommandContext { command_id, fingerprint, .. } = context();
        let parts = items.iter().zip(expected).map(wants).collect();
        let append = Append { command_id, fingerprint, parts, outcome: None };
        let queued = process.store.appender().enqueue(append).expect("there is room");
        assert_eq!(queued.outcome().await.expect("an answer"), Appended::Conflict { part });
    }
}

/// A refusal is appended as conditions alone, and takes no lock.
#[tokio::test(flavor = "multi_thread")]
async fn conditions_that_do_not_hold_leave_the_log_as_others_move_it_on() {
    let database = Database::events().await;
    let (writer, process) = (Writer::new(&database), Process::new(&database));
    let wrong = |item: StockItem| Part {
        stream: StreamId { aggregate_type: "Inventory".to_owned(), aggregate_id: item.to_string() },
        expected: 7,
        events: Vec::new(),
        chain: Arc::default(),
    };
    let conditions = async {
        for _ in 0..200 {
            let CommandContext { command_id, fingerprint, .. } = context();
            let append = Append { command_id, fingerprint, parts: vec![wrong(some_item())], outcome: None };
            let outcome = process.store.appender().enqueue(append).expect("there is room").outcome().await;
            assert_eq!(outcome.expect("an answer"), Appended::Conflict { part: 0 });
        }
    };
    let events = async {
        for _ in 0..200 {
            writer.append(1).await;
        }
    };
    tokio::join!(conditions, events);
    let log = LogReader::new(database.pool.clone()).read(0, 1_000).await.expect("the log");
    assert_eq!(log.iter().map(|event| event.position).collect::<Vec<_>>(), (1..=200).collect::<Vec<i64>>());
}
