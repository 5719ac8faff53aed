//! Snapshots spare loading events, are taken beside the commands, and are never believed when other code made them or
//! the log is not the one they were taken of.

use std::sync::Arc;
use std::time::Duration;

use daybook_domain::inventory::{Inventory, InventoryCommand, StockItem};
use daybook_domain::{Quantity, VariantId};
use daybook_eventstore::process::SystemIds;
use daybook_eventstore::{EventStore, Repository, SnapshotPolicy, Upcasters, begin_tx};
use futures::future::join_all;
use sqlx::{Connection, Executor, PgConnection, PgPool};

use crate::harness::shop::{SOON, context};
use crate::harness::{Database, eventually};

const A_DAY: Duration = Duration::from_hours(24);
pub(crate) const SNAPSHOTS: SnapshotPolicy =
    SnapshotPolicy { state_version: 1, every: 20, older_than: A_DAY };

/// Every snapshot that was kept, in this order.
pub(crate) struct Taken(PgPool);

impl Taken {
    /// Begins to write down the snapshots that are kept, and whether each is of what the log has.
    pub(crate) async fn of(database: &Database) -> Self {
        let statements = "
            CREATE TABLE taken (number bigserial, state_version int, version bigint, founded boolean);
            CREATE FUNCTION note_taken() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                INSERT INTO taken (state_version, version, founded) VALUES (NEW.state_version, NEW.version,
                    EXISTS (SELECT FROM events e WHERE (e.aggregate_type, e.aggregate_id, e.sequence, e.event_id)
                        = (NEW.aggregate_type, NEW.aggregate_id, NEW.version, NEW.event_id)));
                RETURN NULL;
            END $$;
            CREATE TRIGGER note AFTER INSERT OR UPDATE OF version ON snapshots
                FOR EACH ROW EXECUTE FUNCTION note_taken();";
        database.pool.execute(statements).await.expect("snapshots are written down");
        Self(database.pool.clone())
    }

    /// The version of the code and of the stream of each.
    pub(crate) async fn all(&self) -> Vec<(i32, i64)> {
        let all = sqlx::query_as::<_, (i32, i64, bool)>(
            "SELECT state_version, version, founded FROM taken ORDER BY number",
        );
        let all = all.fetch_all(&self.0).await.expect("the snapshots");
        assert!(all.iter().all(|(_, _, founded)| *founded), "ahead of the log: {all:?}");
        all.into_iter().map(|(code, version, _)| (code, version)).collect()
    }

    /// Waits until these were kept and no other.
    async fn are(&self, expected: &[(i32, i64)]) {
        eventually(SOON, &format!("{expected:?} were taken"), || async {
            let all = self.all().await;
            assert!(expected.starts_with(&all), "{all:?}");
            (all == expected).then_some(())
        })
        .await;
    }

    /// As if so much time had gone by since.
    async fn days_ago(&self, days: i32) {
        let aged = sqlx::query("UPDATE snapshots SET taken_at = taken_at - $1 * interval '1 day'").bind(days);
        aged.execute(&self.0).await.expect("a snapshot is no event");
    }

    /// A lie in what is kept shows who believes it.
    async fn lie(&self) {
        let lie = "UPDATE snapshots SET state = jsonb_set(state::jsonb, '{on_hand}', '1000')::json";
        self.0.execute(lie).await.expect("a snapshot is no event");
    }
}

/// One item's stock.
struct Stock<'a> {
    database: &'a Database,
    item: StockItem,
}

impl<'a> Stock<'a> {
    fn new(database: &'a Database) -> Self {
        let location = "LON".parse().expect("a location");
        Self { database, item: StockItem { variant_id: VariantId::generate(&SystemIds), location } }
    }

    /// A process of code of this version, which remembers nothing.
    fn process(&self, state_version: i32) -> Repository<Inventory> {
        self.process_with(SnapshotPolicy { state_version, ..SNAPSHOTS })
    }

    fn process_with(&self, policy: SnapshotPolicy) -> Repository<Inventory> {
        let store = EventStore::new(self.database.pool.clone(), Arc::new(SystemIds), Upcasters::default());
        Repository::new(store, policy)
    }

    /// Receives so many units until the stream is at `version`.
    async fn grow(&self, process: &Repository<Inventory>, version: i64, units: i64) {
        let id = self.item.to_string();
        let quantity = Quantity::try_new(units).expect("a quantity");
        loop {
            let reference = "test".to_owned();
            let receive = InventoryCommand::Receive { item: self.item.clone(), quantity, reference };
            let done = process.execute(&id, receive, &context(), "null").await.expect("stock");
            if done.version == version {
                return;
            }
        }
    }

    /// How many units a process finds, and at which version.
    async fn found_by(&self, process: &Repository<Inventory>) -> (i64, i64) {
        let loaded = process.load(&self.item.to_string()).await.expect("it loads");
        (loaded.version, loaded.state.on_hand())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_is_taken_by_count_and_sooner_when_the_last_one_is_old() {
    let database = Database::events().await;
    let (taken, stock) = (Taken::of(&database).await, Stock::new(&database));
    let process = stock.process(1);
    stock.grow(&process, 20, 1).await;
    taken.are(&[(1, 20)]).await;
    stock.grow(&process, 25, 1).await;
    // A tenth of the count is enough then, and not before.
    taken.days_ago(2).await;
    let later = stock.process(1);
    stock.grow(&later, 26, 1).await;
    taken.are(&[(1, 20), (1, 26)]).await;
    taken.days_ago(2).await;
    let later = stock.process(1);
    stock.grow(&later, 27, 1).await;
    stock.grow(&later, 28, 1).await;
    taken.are(&[(1, 20), (1, 26), (1, 28)]).await;
    // A young one waits for the count, and so does the next.
    let later = stock.process(1);
    stock.grow(&later, 47, 1).await;
    stock.grow(&later, 48, 1).await;
    taken.are(&[(1, 20), (1, 26), (1, 28), (1, 48)]).await;
    stock.grow(&later, 68, 1).await;
    taken.are(&[(1, 20), (1, 26), (1, 28), (1, 48), (1, 68)]).await;
    assert_eq!(stock.found_by(&stock.process(1)).await, (68, 68));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_of_other_code_older_or_newer_is_passed_over_and_newer_code_keeps_its_own() {
    let database = Database::events().await;
    let (taken, stock) = (Taken::of(&database).await, Stock::new(&database));
    let (newest, newer) = (stock.process(2), [(2, 20), (2, 40)]);
    stock.grow(&newest, 20, 1).await;
    taken.are(&newer[..1]).await;
    stock.grow(&newest, 45, 1).await;
    taken.are(&newer).await;
    taken.lie().await;
    assert_eq!(stock.found_by(&stock.process(2)).await, (45, 1005), "its own is believed");
    assert_eq!(stock.found_by(&stock.process(1)).await, (45, 45), "older code does not believe it");
    assert_eq!(stock.found_by(&stock.process(3)).await, (45, 45), "nor does newer code");

    // Older code beside it takes its turns, and keeps none while newer code may be about.
    let older = stock.process(1);
    stock.grow(&older, 79, 1).await;
    assert_eq!(taken.all().await, newer);
    // After a rollback it does.
    taken.days_ago(2).await;
    stock.grow(&older, 120, 1).await;
    eventually(SOON, "older code keeps its own", || async {
        taken.all().await.get(2).filter(|(code, version)| *code == 1 && *version >= 80).map(|_| ())
    })
    .await;
    taken.lie().await;
    assert_eq!(stock.found_by(&stock.process(2)).await, (120, 120), "and newer code does not believe that");
    stock.grow(&stock.process(2), 121, 1).await;
    eventually(SOON, "newer code takes its place again", || async {
        taken.all().await.last().filter(|last| **last == (2, 121)).map(|_| ())
    })
    .await;
}

/// Takes the log back to where the stream was at `version`, as a restore of all but the snapshots would.
async fn restore(database: &Database, version: i64) {
    let mut restoring = begin_tx(&database.pool).await.expect("a transaction");
    for statement in [
        "ALTER TABLE events DISABLE TRIGGER USER".to_owned(),
        format!("DELETE FROM events WHERE sequence > {version}"),
        "ALTER TABLE events ENABLE TRIGGER USER".to_owned(),
        "UPDATE log_head SET epoch = gen_random_uuid(), position = (SELECT max(position) FROM events)"
            .to_owned(),
    ] {
        restoring.execute(statement.as_str()).await.expect("the log is restored");
    }
    restoring.commit().await.expect("the log is restored");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_of_what_the_log_does_not_have_any_more_is_not_believed() {
    let database = Database::events().await;
    let (taken, stock) = (Taken::of(&database).await, Stock::new(&database));
    stock.grow(&stock.process(1), 65, 1).await;
    eventually(SOON, "the last one is taken", || async {
        taken.all().await.last().filter(|(_, version)| *version >= 60).copied()
    })
    .await;
    let of_before = taken.all().await;
    restore(&database, 30).await;
    assert_eq!(stock.found_by(&stock.process(1)).await, (30, 30), "the log is shorter");

    // The log has other events there now, and whoever wrote them kept no snapshot.
    stock.grow(&stock.process_with(SnapshotPolicy { every: i64::MAX, ..SNAPSHOTS }), 70, 2).await;
    assert_eq!(taken.all().await, of_before);
    assert_eq!(stock.found_by(&stock.process(1)).await, (70, 110), "the log is another");

    // What stands on nothing makes room, however far it says it is, once it cannot be on its way any more.
    restore(&database, 40).await;
    taken.days_ago(1).await;
    stock.grow(&stock.process(1), 41, 3).await;
    eventually(SOON, "its place is taken", || async {
        taken.all().await.last().filter(|last| **last == (1, 41)).map(|_| ())
    })
    .await;
    taken.lie().await;
    assert_eq!(stock.found_by(&stock.process(1)).await, (41, 1000), "this one is believed");
}

/// Keeps everybody from the snapshots until it says otherwise.
async fn locked(database: &Database) -> PgConnection {
    let mut locking = PgConnection::connect(&database.url).await.expect("a connection");
    locking.execute("BEGIN; LOCK TABLE snapshots IN ACCESS EXCLUSIVE MODE").await.expect("it is locked");
    locking
}

/// How many snapshots are on their way.
async fn on_their_way(database: &Database) -> i64 {
    let count = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
         AND state = 'active' AND query LIKE 'INSERT INTO snapshots%'";
    sqlx::query_scalar(count).fetch_one(&database.pool).await.expect("the activity")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_that_was_on_its_way_while_the_log_was_restored_is_not_kept() {
    let database = Database::events().await;
    let (taken, stock) = (Taken::of(&database).await, Stock::new(&database));
    let (mut locking, process) = (locked(&database).await, stock.process(1));
    stock.grow(&process, 20, 1).await;
    eventually(SOON, "one is on its way", || async { (on_their_way(&database).await == 1).then_some(()) })
        .await;
    restore(&database, 10).await;
    stock.grow(&stock.process_with(SnapshotPolicy { every: i64::MAX, ..SNAPSHOTS }), 30, 2).await;
    locking.execute("COMMIT").await.expect("the lock is gone");
    eventually(SOON, "it has come to its end", || async {
        (on_their_way(&database).await == 0).then_some(())
    })
    .await;
    assert_eq!(taken.all().await, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_that_race_never_keep_an_older_snapshot_nor_one_ahead_of_the_log() {
    let database = Database::events().await;
    let (taken, stock) = (Taken::of(&database).await, Stock::new(&database));
    let always = SnapshotPolicy { every: 1, ..SNAPSHOTS };
    let processes = [(); 3].map(|()| stock.process_with(always));
    let id = stock.item.to_string();
    let receipts = (0..240).map(async |n: usize| {
        let (item, quantity, reference) = (stock.item.clone(), Quantity::ONE, "test".to_owned());
        let receive = InventoryCommand::Receive { item, quantity, reference };
        processes[n % 3].execute(&id, receive, &context(), "null").await.expect("stock")
    });
    join_all(receipts).await;
    // It waits for those that are still being taken, and is the last.
    stock.grow(&processes[0], 241, 1).await;
    eventually(SOON, "the newest is taken", || async {
        let all = taken.all().await;
        assert!(all.is_sorted_by(|one, next| one.1 < next.1), "{all:?}");
        all.last().filter(|last| last.1 == 241).map(|_| ())
    })
    .await;
    assert_eq!(stock.found_by(&stock.process_with(always)).await, (241, 241));
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_neither_wait_for_snapshots_nor_fail_for_want_of_them() {
    let database = Database::events().await;
    let always = SnapshotPolicy { every: 1, ..SNAPSHOTS };
    let store = EventStore::new(database.pool.clone(), Arc::new(SystemIds), Upcasters::default());
    let process = Repository::<Inventory>::new(store, always);
    let stocks: Vec<Stock<'_>> = (0..20).map(|_| Stock::new(&database)).collect();
    let mut locking = locked(&database).await;
    // All of them have one due with every command, and nobody can keep one.
    tokio::time::timeout(SOON, join_all(stocks.iter().map(|stock| stock.grow(&process, 10, 1))))
        .await
        .expect("commands do not wait");
    eventually(SOON, "however many are due, two connections are taken", || async {
        let waiting = on_their_way(&database).await;
        assert!(waiting <= 2, "{waiting}");
        (waiting == 2).then_some(())
    })
    .await;
    locking.execute("DROP TABLE snapshots; COMMIT").await.expect("there are none");
    for stock in &stocks {
        stock.grow(&process, 11, 1).await;
    }
}
