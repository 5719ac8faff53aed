//! The log as Parquet, read by an engine of others: nothing is missing, nothing double, and the money is the same.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use daybook_eventstore::proof::{Facts, Frontier};
use daybook_eventstore::{LogReader, Selection};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::harness::{Process, Writer, counterpart, eventually};
use crate::import::{Importing, dirty, many};

const SOON: Duration = Duration::from_mins(1);

struct Exported<'a> {
    importing: &'a Importing,
    folder: PathBuf,
}

impl<'a> Exported<'a> {
    fn of(importing: &'a Importing) -> Self {
        Self { importing, folder: importing.folder.join("export") }
    }

    fn start(&self, more: &[&str]) -> Process {
        let mut arguments = vec!["export", self.folder.to_str().expect("a path")];
        arguments.extend(more);
        self.importing.start("daybook-replay", &arguments)
    }

    async fn run(&self, more: &[&str]) {
        let mut export = self.start(more);
        let ended = export.ended(SOON).await;
        assert!(ended.success(), "{ended}: {}", export.output());
    }

    fn manifest(&self) -> Option<Value> {
        let text = std::fs::read(self.folder.join("manifest.json")).ok()?;
        Some(serde_json::from_slice(&text).expect("JSON"))
    }

    /// All files of the manifest.
    fn files(&self) -> Vec<Value> {
        let manifest = self.manifest().expect("a manifest");
        let ranges = manifest["ranges"].as_array().expect("ranges").iter();
        ranges.flat_map(|range| range["files"].as_array().expect("files").clone()).collect()
    }

    /// The rows of a query, in which `{NAME}` is the dataset of this name.
    async fn query(&self, test: &str, sql: &str) -> Option<Vec<Value>> {
        let folder = self.folder.display();
        let sql = sql.replace('{', &format!("read_parquet('{folder}/")).replace('}', "/*/*.parquet')");
        counterpart(test, "query.py", &[], &sql).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_of_others_reads_the_same_money_as_the_read_model() {
    const TEST: &str = "an_engine_of_others_reads_the_same_money_as_the_read_model";
    let importing = Importing::new().await;
    importing.run(&importing.file(&dirty().0), &[]).await;
    let _projector = importing.start("daybook-projector", &["orders"]);
    let read_model = eventually(SOON, "the read model has all orders", || async {
        let totals: Result<(i64, i64, i64, i64), _> = sqlx::query_as(
            "SELECT count(*), sum(total)::bigint, sum(captured)::bigint, sum(refunded)::bigint FROM live.orders
             HAVING count(*) = 5 AND sum(refunded) > 0 AND bool_and(status = 'completed')",
        )
        .fetch_one(&importing.read.pool)
        .await;
        totals.ok()
    })
    .await;
    let exported = Exported::of(&importing);
    exported.run(&[]).await;

    let sums = "SELECT (SELECT count(*) FROM {OrderPlaced}), (SELECT sum(quote.total.minor) FROM {OrderPlaced}),
                (SELECT sum(amount.minor) FROM {PaymentCaptured}), (SELECT sum(amount.minor) FROM {PaymentRefunded})";
    let Some(sums) = exported.query(TEST, sums).await else { return };
    let (orders, total, captured, refunded) = read_model;
    assert_eq!(sums, [json!([orders, total, captured, refunded])]);
    // What is nested can be asked for, and means what it meant.
    let lines = "SELECT line.sku, sum(line.quantity), sum(line.gross.minor)
                 FROM (SELECT unnest(quote.lines) AS line FROM {OrderPlaced}) GROUP BY 1 ORDER BY 1";
    let lines = exported.query(TEST, lines).await.expect("it is there");
    assert_eq!(lines, [json!(["20001", 13, 3315]), json!(["20002", 12, 1500]), json!(["POST", 1, 1800])]);
    let moments = "SELECT DISTINCT strftime(occurred_at AT TIME ZONE 'UTC', '%Y-%m-%d %H:%M'), actor FROM {OrderCompleted}
                   ORDER BY 1";
    let moments = exported.query(TEST, moments).await.expect("it is there");
    assert_eq!(moments[0], json!(["2010-12-01 08:26", "import:online-retail"]));
    // Every event is there as it was written.
    let raw = "SELECT position, event_id, event_type, aggregate_id, sequence, payload, metadata FROM {events} ORDER BY 1";
    let raw = exported.query(TEST, raw).await.expect("it is there");
    let log: Vec<Value> = sqlx::query_scalar(
        "SELECT json_build_array(position, event_id, event_type, aggregate_id, sequence, payload::text, metadata::text)
         FROM events ORDER BY position",
    )
    .fetch_all(&importing.events.pool)
    .await
    .expect("the log");
    assert_eq!(raw, log);
}

/// The log's root up to each of these positions, from the log itself.
async fn roots(importing: &Importing, at: &[i64]) -> Vec<String> {
    let reader = LogReader::new(importing.events.pool.clone());
    let (mut scan, mut frontier, mut roots) =
        (reader.scan(Selection::after(0), 1_000), Frontier::default(), Vec::new());
    while let Some(batch) = scan.next().await.expect("the log") {
        for event in batch.events() {
            frontier.push(Facts::of(event).expect("an event").hash(), |_, _| {});
            if at.contains(&event.position().expect("a position")) {
                roots.push(frontier.root().to_string());
            }
        }
    }
    roots
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_run_adds_what_is_new_and_touches_nothing_else() {
    const TEST: &str = "a_second_run_adds_what_is_new_and_touches_nothing_else";
    let importing = Importing::new().await;
    importing.run(&importing.file(&dirty().0), &[]).await;
    let exported = Exported::of(&importing);
    exported.run(&[]).await;
    let first = exported.manifest().expect("a manifest");
    exported.run(&[]).await;
    assert_eq!(exported.manifest().expect("a manifest"), first, "there was nothing new");
    importing.run(&importing.file(&many(20)), &[]).await;
    // What a run that was killed had put in its place and not noted is not part of it, whatever its name is.
    let stray = exported.folder.join("OrderPlaced/month=1999-01/000000999999-2.parquet");
    std::fs::create_dir_all(stray.parent().expect("a folder")).expect("a folder");
    std::fs::write(&stray, "half of something").expect("a file");
    // Whatever is no event of the shop is in the log too.
    Writer::new(&importing.events).append(7).await;
    exported.run(&[]).await;

    assert!(!stray.exists());
    let manifest = exported.manifest().expect("a manifest");
    let ranges = manifest["ranges"].as_array().expect("ranges");
    assert_eq!(ranges.len(), 2);
    assert_eq!(ranges[0], first["ranges"][0]);
    let ends: Vec<i64> = ranges.iter().map(|range| range["last"].as_i64().expect("a position")).collect();
    assert_eq!(ranges[1]["first"], ends[0] + 1);
    let told: Vec<&str> = ranges.iter().map(|range| range["root"].as_str().expect("a root")).collect();
    assert_eq!(told, roots(&importing, &ends).await);
    for file in exported.files() {
        let bytes =
            std::fs::read(exported.folder.join(file["path"].as_str().expect("a path"))).expect("the file");
        assert_eq!(file["bytes"], bytes.len(), "{file}");
        assert_eq!(file["sha256"], format!("{:x}", Sha256::digest(&bytes)), "{file}");
    }
    let typed: Vec<(String, i64)> = sqlx::query_as(
        "SELECT event_type, count(*) FROM events WHERE event_type <> 'ThingHappened' GROUP BY 1 ORDER BY 1",
    )
    .fetch_all(&importing.events.pool)
    .await
    .expect("the counts");
    for (event_type, count) in &typed {
        let of_type = exported.files().into_iter().filter(|file| file["dataset"] == *event_type);
        assert_eq!(
            of_type.map(|file| file["rows"].as_i64().expect("rows")).sum::<i64>(),
            *count,
            "{event_type}"
        );
    }
    let counted = "SELECT count(*), count(DISTINCT position), max(position) FROM {events}";
    let Some(counted) = exported.query(TEST, counted).await else { return };
    assert_eq!(counted, [json!([ends[1], ends[1], ends[1]])]);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_was_killed_goes_on_and_two_at_once_are_refused() {
    const TEST: &str = "one_that_was_killed_goes_on_and_two_at_once_are_refused";
    let importing = Importing::new().await;
    importing.run(&importing.file(&many(400)), &[]).await;
    let exported = Exported::of(&importing);
    let small = ["--chunk", "4096"];
    let mut export = exported.start(&small);
    let ranges = |exported: &Exported<'_>| {
        exported.manifest().map_or(0, |manifest| manifest["ranges"].as_array().expect("ranges").len())
    };
    eventually(SOON, "a range is there", || async { (ranges(&exported) > 0).then_some(()) }).await;
    export.kill();
    let (before, head) = (ranges(&exported), importing.head().await);
    assert!(i64::try_from(before).expect("few") * 4_096 < head, "it was in the middle");
    let lock = std::fs::File::open(exported.folder.join(".lock")).expect("the lock");
    lock.lock().expect("it is free");
    let mut second = exported.start(&small);
    assert_eq!(second.ended(SOON).await.code(), Some(1));
    assert!(second.output().contains("another export to"), "{}", second.output());
    drop(lock);
    exported.run(&small).await;
    let counted = "SELECT count(*), count(DISTINCT position), max(position) FROM {events}";
    let Some(counted) = exported.query(TEST, counted).await else { return };
    assert_eq!(counted, [json!([head, head, head])]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_of_another_log_is_not_added_to() {
    let (one, other) = (Importing::new().await, Importing::new().await);
    for importing in [&one, &other] {
        importing.run(&importing.file(&dirty().0), &[]).await;
    }
    Exported::of(&one).run(&[]).await;
    let wrong = Exported { importing: &other, folder: one.folder.join("export") };
    let before = wrong.manifest();
    let mut export = wrong.start(&[]);
    assert_eq!(export.ended(SOON).await.code(), Some(1));
    assert!(export.output().contains("log"), "{}", export.output());
    assert_eq!(wrong.manifest(), before);
    assert!(Path::new(&wrong.folder).join("events").is_dir());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_range_that_wanders_between_many_months_is_whole_and_has_few_files_open() {
    const TEST: &str = "a_range_that_wanders_between_many_months_is_whole_and_has_few_files_open";
    let mut lines = String::new();
    for (number, month) in (0..4).flat_map(|_| 1..=9).enumerate() {
        let invoice = 80_000 + number;
        let customer = 900 + number;
        writeln!(lines, "{invoice},30001,THING,1,2011-{month:02}-10T10:00:00,1.50,{customer},France")
            .expect("a line");
    }
    let importing = Importing::new().await;
    importing.run(&importing.file(&lines), &["--in-flight", "1"]).await;
    let exported = Exported::of(&importing);
    exported.run(&[]).await;
    let names: Vec<String> = exported.files().iter().map(|file| file["path"].to_string()).collect();
    assert!(names.iter().any(|name| name.contains("-2.parquet")), "{names:?}");
    let months = "SELECT month, count(*), sum(quote.total.minor) FROM {OrderPlaced} GROUP BY 1 ORDER BY 1";
    let Some(months) = exported.query(TEST, months).await else { return };
    let expected: Vec<Value> = (1..=9).map(|month| json!([format!("2011-{month:02}"), 4, 600])).collect();
    assert_eq!(months, expected);
    let head = importing.head().await;
    let counted = "SELECT count(*), count(DISTINCT position), max(position) FROM {events}";
    assert_eq!(exported.query(TEST, counted).await.expect("it is there"), [json!([head, head, head])]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_keeps_the_log_from_being_read_is_told() {
    let importing = Importing::new().await;
    importing.run(&importing.file(&dirty().0), &[]).await;
    let gone = "ALTER TABLE events DISABLE TRIGGER USER; DELETE FROM events WHERE position = 50;
                ALTER TABLE events ENABLE TRIGGER USER";
    sqlx::raw_sql(gone).execute(&importing.events.pool).await.expect("a superuser may");
    let exported = Exported::of(&importing);
    let mut export = exported.start(&[]);
    assert_eq!(export.ended(SOON).await.code(), Some(1));
    let said = export.output();
    assert!(said.contains("the log is not the one that a scan stood on"), "{said}");
    assert_eq!(exported.manifest(), None);
}
