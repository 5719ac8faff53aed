//! Old events in partitions: wherever they are, everybody reads the same events at the same positions.

mod cutting;

use std::num::NonZeroU16;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use daybook_domain::inventory::{Inventory, InventoryCommand, InventoryRefusal, StockItem};
use daybook_domain::{Quantity, VariantId};
use daybook_eventstore::process::SystemIds;
use daybook_eventstore::{
    Archives, Checkpoint, CommandError, EventStore, Feed, FeedSource, Filter, LogReader, Partitions,
    Position, RecordedEvent, Repository, Selection, Slice, SnapshotPolicy, StoreError, StreamId, Upcasters,
    Wake,
};
use sqlx::{Executor as _, PgPool};
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use xtask::servers::Scratch;

use crate::harness::shop::context;
use crate::harness::{Database, Writer, eventually};

const SOON: Duration = Duration::from_secs(30);
const SNAPSHOTS: SnapshotPolicy =
    SnapshotPolicy { state_version: 1, every: 100_000, older_than: Duration::from_hours(24) };

/// How many events a test's log has: three full blocks and more.
const EVENTS: i64 = 12_500;

/// A log, and a folder for its archives.
struct Setting {
    database: Database,
    partitions: Partitions,
    archives: Archives,
    scratch: Scratch,
}

impl Setting {
    /// An empty log.
    async fn empty() -> Self {
        let database = Database::events().await;
        let scratch = Scratch::new().expect("a folder");
        let partitions = Partitions::new(database.pool.clone());
        let archives = Archives::in_folder(scratch.site().home.clone());
        Self { database, partitions, archives, scratch }
    }

    /// A log of events with whatever a text may have in it; one in 500 is rare.
    async fn filled() -> Self {
        let setting = Self::empty().await;
        let insert = format!(
            "INSERT INTO events (aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata, \
             position, event_id, recorded_at) \
             SELECT CASE WHEN p % 10 < 3 THEN 'Cart' ELSE 'Order' END, E'a\\\\b\\tc-' || p % 10, (p + 9) / 10, \
             CASE WHEN p % 500 = 0 THEN 'Rare' ELSE 'Usual' END, '1', \
             (E'{{ \"n\": ' || p || E',\\n\\t\"text\":  \"Zoë \\\\\\\\ \\\\n\\\\u0041\" }}')::json, '{{}}', p, \
             gen_random_uuid(), now() - p * interval '1.000001 s' FROM generate_series(1, {EVENTS}) p; \
             UPDATE log_head SET position = {EVENTS}; SELECT extend_event_directory(1000);"
        );
        setting.database.pool.execute(sqlx::raw_sql(&insert)).await.expect("a log");
        setting
    }

    fn reader(&self) -> LogReader {
        LogReader::new(self.database.pool.clone()).with_archives(Some(self.archives.clone()))
    }

    fn store(&self) -> EventStore {
        EventStore::new(self.database.pool.clone(), Arc::new(SystemIds), Upcasters::default())
            .with_archives(Some(self.archives.clone()))
    }

    async fn cut(&self, upto: Position) {
        let cut = self.partitions.cut(upto, 0).await.expect("the log is there");
        assert_eq!(cut.expect("a partition").last, upto);
    }

    async fn archive_and_detach(&self, last: Position) {
        self.partitions.archive(last, &self.archives).await.expect("a file");
        self.partitions.detach(last, &self.archives).await.expect("it leaves");
    }

    async fn in_database(&self) -> i64 {
        sqlx::query_scalar("SELECT count(*) FROM events")
            .fetch_one(&self.database.pool)
            .await
            .expect("a count")
    }

    /// The file of the partition that ends here.
    async fn file(&self, last: Position) -> PathBuf {
        let partitions = self.partitions.list().await.expect("the partitions");
        let partition = partitions.iter().find(|one| one.last == last).expect("the partition");
        self.archives.path(partition).expect("it has a file")
    }
}

async fn scanned(reader: &LogReader, selection: Selection) -> Result<Vec<RecordedEvent>, StoreError> {
    let (mut scan, mut events) = (reader.scan(selection, 300), Vec::new());
    while let Some(batch) = scan.next().await? {
        assert!(batch.len() <= 300);
        for event in batch.events() {
            events.push(event.to_recorded()?);
        }
    }
    Ok(events)
}

/// The log read event by event, from checkpoint to checkpoint.
async fn followed(reader: &LogReader) -> Vec<RecordedEvent> {
    let mut events: Vec<RecordedEvent> = Vec::new();
    loop {
        let after = events.last().map_or(0, |event| event.position);
        let more = reader.read(after, 700).await.expect("the log");
        if more.is_empty() {
            return events;
        }
        events.extend(more);
    }
}

/// Whatever somebody may ask of the log.
fn selections() -> Vec<Selection> {
    let stream = |type_: &str, n: u8| StreamId {
        aggregate_type: type_.to_owned(),
        aggregate_id: format!("a\\b\tc-{n}"),
    };
    let mut all = Vec::new();
    for after in [0, 4_096, 9_000] {
        let from = Selection::after(after);
        all.push(from.clone());
        all.push(from.clone().until(10_000));
        all.push(from.clone().until(4_096));
        all.push(from.clone().of_types(["Rare"]));
        all.push(from.clone().of_types(["Rare"]).of_aggregates(["Cart"]).until(9_000));
        all.push(from.clone().of_types(["Usual"]));
        all.push(from.clone().of_aggregates(["Cart"]));
        all.push(from.clone().of_streams([stream("Cart", 1), stream("Order", 5), stream("Cart", 5)]));
        all.extend(Slice::all(NonZeroU16::new(2).expect("two")).map(|slice| from.clone().in_slice(slice)));
        all.extend(
            Slice::all(NonZeroU16::new(2).expect("two"))
                .map(|slice| from.clone().of_types(["Rare"]).in_slice(slice)),
        );
    }
    all
}

/// What a feed of some events gives, from the beginning to the end of the log.
async fn fed(reader: &LogReader, pool: &PgPool) -> Vec<RecordedEvent> {
    let (wake, _listening) = Wake::listen(pool.clone());
    let source = FeedSource { reader: reader.clone(), wake, stream: None, upcasters: Upcasters::default() };
    let origin = Checkpoint::origin(reader).await.expect("the log has a head");
    let feed = Feed::open(source, "follower", &origin).await.expect("a feed");
    let mut feed = feed.only(Filter::default().of_aggregates(["Cart"]));
    let mut events = Vec::new();
    while feed.checkpoint().position < EVENTS {
        match feed.next(100).await {
            Ok(more) => events.extend(more),
            // Events moved each time that it looked; the same call may be made again.
            Err(error) => assert!(matches!(error, StoreError::TimedOut), "{error}"),
        }
    }
    events
}

/// What each of them gives.
async fn everything(reader: &LogReader) -> Vec<Vec<RecordedEvent>> {
    let mut all = vec![followed(reader).await];
    for selection in selections() {
        all.push(
            scanned(reader, selection.clone()).await.unwrap_or_else(|error| panic!("{selection:?}: {error}")),
        );
    }
    all
}

#[tokio::test]
async fn wherever_old_events_are_everybody_reads_the_same() {
    let setting = Setting::filled().await;
    let reader = setting.reader();
    let before = everything(&reader).await;
    assert_eq!(before[0].len(), 12_500);
    let same = async |when: &str| {
        for (number, (was, is)) in before.iter().zip(everything(&reader).await).enumerate() {
            let one =
                if number == 0 { "followed".to_owned() } else { format!("{:?}", selections()[number - 1]) };
            assert!(*was == is, "{when}: {one}: {} instead of {}", is.len(), was.len());
        }
        let carts = before[0].iter().filter(|event| event.aggregate_type == "Cart");
        assert!(fed(&reader, &setting.database.pool).await.iter().eq(carts), "{when}: a feed of carts");
    };
    setting.cut(4_096).await;
    setting.cut(12_288).await;
    same("cut").await;
    setting.archive_and_detach(4_096).await;
    same("one is in a file").await;
    setting.archive_and_detach(12_288).await;
    assert_eq!(setting.in_database().await, EVENTS - 12_288);
    same("all are in files").await;
    assert_eq!(reader.find(4_097).await.expect("the log").as_ref(), before[0].get(4_096));
    for last in [12_288, 4_096] {
        setting.partitions.attach(last, &setting.archives).await.expect("it comes back");
        same("one came back").await;
    }
    assert_eq!(setting.in_database().await, EVENTS);
    let listed = setting.partitions.list().await.expect("the partitions");
    assert!(listed.iter().all(|partition| partition.attached && partition.is_archived()), "{listed:?}");
}

#[tokio::test]
async fn a_file_is_one_that_other_tools_read() {
    let setting = Setting::filled().await;
    setting.cut(4_096).await;
    let lines = "SELECT string_agg(e.position || E'\\t' || e.event_id, E'\\n' ORDER BY e.position) FROM events_1_4096 e";
    let lines: String =
        sqlx::query_scalar(lines).fetch_one(&setting.database.pool).await.expect("the events");
    setting.partitions.archive(4_096, &setting.archives).await.expect("a file");
    let unpacked = std::process::Command::new("zstd").arg("-dcq").arg(setting.file(4_096).await).output();
    let unpacked = unpacked.expect("zstd, which every machine of ours has");
    let unpacked = String::from_utf8(unpacked.stdout).expect("text");
    let first_two = |line: &str| line.splitn(3, '\t').take(2).collect::<Vec<_>>().join("\t");
    assert_eq!(unpacked.lines().map(first_two).collect::<Vec<_>>().join("\n"), lines);
}

#[tokio::test]
async fn who_has_no_archives_is_told_so_and_misses_nothing_silently() {
    let setting = Setting::filled().await;
    setting.cut(8_192).await;
    setting.archive_and_detach(8_192).await;
    let reader = LogReader::new(setting.database.pool.clone());
    for selection in selections() {
        let found = scanned(&reader, selection.clone()).await;
        let with = scanned(&setting.reader(), selection.clone()).await.expect("the log");
        if with.first().is_some_and(|event| event.position <= 8_192) {
            assert!(matches!(found, Err(StoreError::Archived { .. })), "{selection:?}: {found:?}");
        }
    }
    let failed = reader.read(100, 10).await.expect_err("they are elsewhere");
    assert!(matches!(failed, StoreError::Archived { position: 1 }), "{failed:?}");
}

#[tokio::test]
async fn a_damaged_file_is_neither_relied_on_nor_read() {
    let setting = Setting::filled().await;
    setting.cut(4_096).await;
    setting.cut(8_192).await;
    setting.archive_and_detach(4_096).await;
    setting.partitions.archive(8_192, &setting.archives).await.expect("a file");
    for last in [4_096, 8_192] {
        let file = setting.file(last).await;
        let mut bytes = std::fs::read(&file).expect("the file");
        bytes[500] ^= 1;
        std::fs::write(file, bytes).expect("it is damaged");
    }
    let refused = setting.partitions.detach(8_192, &setting.archives).await.expect_err("it is damaged");
    assert!(matches!(refused, StoreError::Archive { .. }), "{refused:?}");
    assert_eq!(setting.in_database().await, EVENTS - 4_096);
    let failed = setting.reader().read(0, 10).await.expect_err("it is damaged");
    assert!(matches!(failed, StoreError::Archive { .. }), "{failed:?}");
    let refused = setting.partitions.attach(4_096, &setting.archives).await.expect_err("it is damaged");
    assert!(matches!(refused, StoreError::Archive { .. }), "{refused:?}");
    std::fs::remove_file(setting.file(4_096).await).expect("it is gone");
    setting.reader().read(0, 10).await.expect_err("it is gone");
}

#[tokio::test]
async fn only_the_oldest_leaves_and_only_with_a_file_and_never_the_last_event() {
    let setting = Setting::filled().await;
    setting.cut(4_096).await;
    setting.cut(8_192).await;
    let without_a_file = setting.partitions.detach(4_096, &setting.archives).await;
    assert!(matches!(without_a_file, Err(StoreError::NotArchived { .. })), "{without_a_file:?}");
    setting.partitions.archive(8_192, &setting.archives).await.expect("a file");
    setting.partitions.detach(8_192, &setting.archives).await.expect_err("there is an older one");
    assert_eq!(setting.partitions.cut(8_192, 0).await.expect("the log"), None);
    assert_eq!(setting.partitions.cut(12_000, 0).await.expect("the log"), None, "that is no full block");
    assert_eq!(
        setting.partitions.cut(Position::MAX, EVENTS).await.expect("the log"),
        None,
        "that is too new"
    );
    assert_eq!(setting.in_database().await, EVENTS);
}

#[tokio::test]
async fn no_statement_takes_an_event_that_is_nowhere_else() {
    let setting = Setting::filled().await;
    setting.cut(4_096).await;
    for lost in [
        "DELETE FROM events WHERE position = 5000",
        "DELETE FROM ONLY events WHERE position = 5000",
        "DELETE FROM events WHERE position = 5",
        "DELETE FROM events_1_4096 WHERE position = 5",
        "UPDATE events SET event_type = 'Other' WHERE position = 5",
        "UPDATE events_1_4096 SET event_type = 'Other'",
        "TRUNCATE events",
        "TRUNCATE events_1_4096",
    ] {
        let refused = setting.database.pool.execute(lost).await.expect_err(lost);
        assert!(refused.to_string().contains("append-only"), "{lost}: {refused}");
    }
    assert_eq!(setting.in_database().await, EVENTS);
}

fn some_item() -> StockItem {
    StockItem { variant_id: VariantId::generate(&SystemIds), location: "LON".parse().expect("a location") }
}

/// Another process, which remembers nothing.
fn process(setting: &Setting, archives: Option<Archives>) -> Repository<Inventory> {
    let store = EventStore::new(setting.database.pool.clone(), Arc::new(SystemIds), Upcasters::default());
    Repository::new(store.with_archives(archives), SNAPSHOTS)
}

async fn receive(
    stock: &Repository<Inventory>,
    item: &StockItem,
) -> Result<i64, CommandError<InventoryRefusal>> {
    let command = InventoryCommand::Receive {
        item: item.clone(),
        quantity: Quantity::ONE,
        reference: "test".to_owned(),
    };
    stock.execute(&item.to_string(), command, &context(), "null").await.map(|done| done.version)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_aggregate_goes_on_wherever_its_past_is() {
    let setting = Setting::empty().await;
    let writer = Writer::new(&setting.database);
    let (all_gone, part_gone) = (some_item(), some_item());
    let stock = process(&setting, None);
    for _ in 0..3 {
        receive(&stock, &all_gone).await.expect("stock");
        receive(&stock, &part_gone).await.expect("stock");
    }
    // Over two partitions, the second of which goes on after the first.
    writer.append(4_100).await;
    receive(&stock, &part_gone).await.expect("stock");
    writer.append(4_100).await;
    receive(&stock, &part_gone).await.expect("stock");
    let directory = "SELECT extend_event_directory(1000)";
    setting.database.pool.execute(directory).await.expect("a directory");
    let (all_id, part_id) = (all_gone.to_string(), part_gone.to_string());
    let as_before = async |stock: &Repository<Inventory>| {
        let loaded = stock.load_many(&[&all_id, &part_id]).await.expect("the stock");
        let seen: Vec<_> = loaded.iter().map(|one| (one.version, one.state.on_hand())).collect();
        assert_eq!(seen, [(3, 3), (5, 5)]);
    };
    setting.cut(4_096).await;
    setting.cut(8_192).await;
    as_before(&process(&setting, None)).await;
    setting.archive_and_detach(4_096).await;
    as_before(&process(&setting, Some(setting.archives.clone()))).await;
    setting.archive_and_detach(8_192).await;
    as_before(&process(&setting, Some(setting.archives.clone()))).await;

    // Who cannot see the past decides nothing.
    let blind = process(&setting, None);
    let failed = receive(&blind, &all_gone).await;
    assert!(matches!(failed, Err(CommandError::Store(StoreError::Archived { .. }))));
    let failed = blind.load(&part_id).await.expect_err("its past is elsewhere");
    assert!(matches!(failed, StoreError::Archived { .. }), "{failed:?}");

    // Who takes it for new is told that it is not.
    let hasty = process(&setting, Some(setting.archives.clone()));
    hasty.presume_new(&all_id).await;
    assert_eq!(receive(&hasty, &all_gone).await.ok(), Some(4));
    assert_eq!(receive(&process(&setting, Some(setting.archives.clone())), &part_gone).await.ok(), Some(6));
    // Who remembers the state needs no past, only what came after.
    assert_eq!(receive(&stock, &all_gone).await.ok(), Some(5));

    for last in [8_192, 4_096] {
        setting.partitions.attach(last, &setting.archives).await.expect("it comes back");
    }
    let loaded = process(&setting, None).load_many(&[&all_id, &part_id]).await.expect("the stock");
    assert_eq!(loaded.iter().map(|one| one.version).collect::<Vec<_>>(), [5, 6]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_spares_the_past_that_is_elsewhere() {
    let setting = Setting::empty().await;
    let item = some_item();
    let often = SnapshotPolicy { every: 5, ..SNAPSHOTS };
    let process = || {
        let store = EventStore::new(setting.database.pool.clone(), Arc::new(SystemIds), Upcasters::default());
        Repository::<Inventory>::new(store, often)
    };
    let stock = process();
    for _ in 0..5 {
        receive(&stock, &item).await.expect("stock");
    }
    let taken = "SELECT 1 FROM snapshots WHERE version = 5";
    eventually(SOON, "there is a snapshot", async || {
        sqlx::query(taken).fetch_optional(&setting.database.pool).await.expect("the snapshots").map(drop)
    })
    .await;
    Writer::new(&setting.database).append(4_200).await;
    setting.database.pool.execute("SELECT extend_event_directory(9)").await.expect("a directory");
    setting.cut(4_096).await;
    setting.archive_and_detach(4_096).await;
    let loaded = process().load(&item.to_string()).await.expect("it needs no archive");
    assert_eq!((loaded.version, loaded.state.on_hand()), (5, 5));
}

#[tokio::test(flavor = "multi_thread")]
async fn appends_and_readers_go_on_while_old_events_move() {
    let setting = Setting::filled().await;
    let writer = Writer::new(&setting.database);
    let (stop, mut stopped) = oneshot::channel::<()>();
    let appending = tokio::spawn(async move {
        while stopped.try_recv().is_err() {
            writer.append(7).await;
        }
    });
    let reader = setting.reader();
    let reading = tokio::spawn(async move {
        for round in 0.. {
            let events = scanned(&reader, Selection::after(0)).await.expect("the log");
            assert!(events.iter().zip(1..).all(|(event, position)| event.position == position));
            if events.len() > 20_000 && round > 20 {
                return;
            }
        }
    });
    let (store, stream) = (
        setting.store(),
        StreamId { aggregate_type: "Cart".to_owned(), aggregate_id: "a\\b\tc-1".to_owned() },
    );
    let (end, mut ended) = oneshot::channel::<()>();
    let loading = tokio::spawn(async move {
        while ended.try_recv().is_err() {
            let events = store.stream(&stream, 0).await.expect("the stream");
            assert!(events.iter().zip(1..).all(|(event, sequence)| event.sequence == sequence));
            assert_eq!(events.len(), 1_250, "every tenth event");
        }
    });
    let (enough, mut searched) = (CancellationToken::new(), JoinSet::new());
    let (reader, pool, asked) = (setting.reader(), setting.database.pool.clone(), enough.clone());
    searched.spawn(async move {
        while !asked.is_cancelled() {
            let carts = fed(&reader, &pool).await;
            let carts = carts.iter().map(|event| event.position).take_while(|position| *position <= EVENTS);
            assert!(carts.eq((1..=EVENTS).filter(|position| position % 10 < 3)));
        }
    });
    for last in [4_096, 8_192] {
        setting.cut(last).await;
        setting.archive_and_detach(last).await;
    }
    for last in [8_192, 4_096] {
        setting.partitions.attach(last, &setting.archives).await.expect("it comes back");
    }
    let _ = end.send(());
    enough.cancel();
    searched.join_next().await.expect("there is one").expect("whoever wanted carts had each of them");
    loading.await.expect("the stream was whole all the time");
    eventually(SOON, "the log is read whole", async || reading.is_finished().then_some(())).await;
    reading.await.expect("the readers saw every position");
    let _ = stop.send(());
    appending.await.expect("the appends were done");
    drop(setting.scratch);
}
