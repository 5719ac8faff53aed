//! The examples of the manual, on trade whose every line is known.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::json;

use super::Setting;
use crate::harness::counterpart;
use crate::import::{Importing, dirty};

const SOON: Duration = Duration::from_mins(1);

/// Where the examples are.
fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/projections")
}

/// Runs an example over what was imported; the tables it shows, as CSV without their first lines.
async fn shown(importing: &Importing, name: &str, change: (&str, &str), more: &[&str]) -> Vec<String> {
    let source = std::fs::read_to_string(examples().join(name)).expect("the example");
    let file = importing.folder.join(name);
    std::fs::write(&file, source.replace(change.0, change.1)).expect("a file");
    let into = importing.folder.join(unique_folder(name, more));
    let place = format!("csv:{}", into.display());
    let mut arguments = vec!["run", file.to_str().expect("a path"), "--into", &place];
    arguments.extend(more);
    let mut run = importing.start("daybook-replay", &arguments);
    let ended = run.ended(SOON).await;
    assert!(ended.success(), "{ended}: {}", run.output());
    let mut files: Vec<_> =
        std::fs::read_dir(&into).expect("the folder").map(|file| file.expect("a file").path()).collect();
    files.sort();
    let lines = |file: &PathBuf| {
        let text = std::fs::read_to_string(file).expect("a table");
        text.lines().skip(1).map(str::to_owned).collect::<Vec<_>>()
    };
    files.iter().flat_map(lines).collect()
}

fn unique_folder(name: &str, more: &[&str]) -> String {
    format!("{name}{}", more.join("")).replace([':', '.'], "-")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_examples_answer_what_they_say_they_do() {
    let importing = Importing::new().await;
    importing.run(&importing.file(&dirty().0), &[]).await;
    let as_it_is = ("", "");
    assert_eq!(
        shown(&importing, "revenue.sql", as_it_is, &[]).await,
        [
            "2010-12-01,GB,GBP,2,4810,0",
            "2010-12-02,IE,GBP,1,1250,0",
            "2010-12-03,GB,GBP,0,0,1275",
            "2010-12-05,GB,GBP,1,255,0",
            "2010-12-05,XU,GBP,1,300,0",
        ]
    );
    assert_eq!(
        shown(&importing, "refund_rate.sql", (">= 100", ">= 1"), &[]).await,
        [
            "20001,RED MUG,13,5,385,3315,1269",
            "20002,\"TIN, ROUND\",12,0,0,1500,0",
            "POST,POSTAGE,1,0,0,1800,0",
        ]
    );
    assert_eq!(
        shown(&importing, "basket_pairs.sql", (">= 100", ">= 1"), &[]).await,
        ["20001,RED MUG,20002,\"TIN, ROUND\",1,250,63", "20001,RED MUG,POST,POSTAGE,1,250,125"]
    );
    assert_eq!(shown(&importing, "cohorts.sql", as_it_is, &[]).await, ["2010-12-01,2,0,2,1000,4,5365"]);
    assert_eq!(
        shown(&importing, "dispatch_time.sql", as_it_is, &[]).await,
        ["2010-12-01,GB,3,3,0,0,0", "2010-12-01,IE,1,1,0,0,0", "2010-12-01,XU,1,1,0,0,0"]
    );
    assert_eq!(shown(&importing, "stock_outs.sql", as_it_is, &[]).await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn as_of_a_moment_only_what_had_happened_by_then_counts() {
    let importing = Importing::new().await;
    importing.run(&importing.file(&dirty().0), &[]).await;
    let second = ["--as-of", "2010-12-02T10:00:00Z"];
    assert_eq!(
        shown(&importing, "revenue.sql", ("", ""), &second).await,
        ["2010-12-01,GB,GBP,2,4810,0", "2010-12-02,IE,GBP,1,1250,0"]
    );
    let before = ["--as-of", "2010-12-02T09:59:59.999999Z"];
    assert_eq!(shown(&importing, "revenue.sql", ("", ""), &before).await, ["2010-12-01,GB,GBP,2,4810,0"]);
}

/// Stock moves, one after another, and what is left of the item then.
const MOVES: &[(&str, &str, &str)] = &[
    ("InventoryReceived", r#"{"quantity":5}"#, "10:00"),
    ("InventoryReserved", r#"{"quantity":3}"#, "10:01"),
    ("InventoryReserved", r#"{"quantity":2}"#, "10:02"),
    ("InventoryAllocated", r#"{"quantity":2,"from_reservation":true}"#, "10:03"),
    ("InventoryReservationExpired", r#"{"quantity":3}"#, "10:12"),
    ("InventorySafetyStockSet", r#"{"quantity":3}"#, "10:13"),
    ("InventorySafetyStockSet", r#"{"quantity":1}"#, "10:15"),
    ("InventoryAllocated", r#"{"quantity":2,"from_reservation":false}"#, "10:16"),
    ("InventoryReleased", r#"{"reserved":0,"allocated":1}"#, "10:20"),
    ("InventoryReceived", r#"{"quantity":2}"#, "10:21"),
    ("InventoryAdjusted", r#"{"delta":-3}"#, "10:22"),
];

#[tokio::test(flavor = "multi_thread")]
async fn stock_outs_are_the_same_however_the_moves_fall_into_batches() {
    let setting = Setting::new().await;
    for (number, (event_type, fields, at)) in (1_i64..).zip(MOVES) {
        let short = event_type.trim_start_matches("Inventory");
        let move_in = sqlx::query(
            "WITH head AS (UPDATE log_head SET position = position + 1 RETURNING position)
             INSERT INTO events (aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata,
                                 position, event_id, recorded_at)
             SELECT 'Inventory', 'A_LON', $1, $2, '1', $3::json, $4::json, position, gen_random_uuid(), now()
             FROM head",
        );
        let cause = format!(
            r#"{{"actor":"staff:tester","command_id":"{0}","correlation_id":"{0}","occurred_at":"2026-01-01T{at}:00Z"}}"#,
            uuid::Uuid::from_u128(7)
        );
        let payload = format!(r#"{{"{short}":{fields}}}"#);
        let move_in = move_in.bind(number).bind(event_type).bind(payload).bind(cause);
        move_in.execute(&setting.events.pool).await.expect("it moves");
    }
    let source = std::fs::read_to_string(examples().join("stock_outs.sql")).expect("the example");
    // Out from 10:02 to 10:12, from 10:13 to 10:15, from 10:16 to 10:20, and from 10:22 on.
    let expected = "item,times,is_out,seconds_out\nA_LON,4,1,960\n";
    let whole = stock_outs(&setting, &source, &[11]).await;
    assert_eq!(whole, expected);
    for cut in 1..11 {
        assert_eq!(stock_outs(&setting, &source, &[cut, 11]).await, expected, "cut after {cut}");
    }
    assert_eq!(stock_outs(&setting, &source, &(1..=11).collect::<Vec<_>>()).await, expected, "one by one");
}

/// What the example shows of them when batches end at these positions.
async fn stock_outs(setting: &Setting, source: &str, ends: &[i64]) -> String {
    use daybook_eventstore::Upcasters;
    use daybook_projections::sql::{Projection, Request, Session};

    let known = daybook_domain::catalogue::event_types();
    let known: Vec<&str> = known.iter().map(|event| event.name).collect();
    let projection = Projection::parse(source, &known).expect("a projection");
    let opened = Session::open(
        setting.log(),
        Upcasters::of_the_shop(),
        &setting.read.pool,
        projection,
        Request::default(),
    );
    let mut session = opened.await.expect("it begins");
    for end in ends {
        session.build(*end, &tokio_util::sync::CancellationToken::new(), |_| {}).await.expect("it runs");
    }
    let rows = super::rows(&mut session).await;
    session.finish().await.expect("it ends");
    rows.into_iter().find(|(name, _)| name == "stock_outs").expect("it is shown").1
}

/// A column of every kind, and text with whatever a text may have in it.
const KINDS: &str = r#"
--! projection kinds
--! version 1
--! reads OrderPlaced

--! tables
CREATE TABLE kinds (
    position bigint PRIMARY KEY, at timestamptz, day date, third numeric, exact numeric(10, 2), yes boolean, odd text,
    nothing text, list text[], "Of Two" jsonb, half double precision
);

--! on OrderPlaced
INSERT INTO kinds
SELECT position, occurred_at, occurred_at::date, 1::numeric / 3, 12.5, true, E'a\\b"c\nd\te', NULL, ARRAY['x', 'y'], '{"a": [1]}',
       0.5
FROM events;
"#;

#[tokio::test(flavor = "multi_thread")]
async fn what_is_written_as_parquet_means_what_it_meant() {
    const TEST: &str = "what_is_written_as_parquet_means_what_it_meant";
    let importing = Importing::new().await;
    importing.run(&importing.file(&dirty().0), &[]).await;
    let (file, into) = (importing.folder.join("kinds.sql"), importing.folder.join("parquet"));
    std::fs::write(&file, KINDS).expect("a file");
    let place = format!("parquet:{}", into.display());
    let mut run =
        importing.start("daybook-replay", &["run", file.to_str().expect("a path"), "--into", &place]);
    let ended = run.ended(SOON).await;
    assert!(ended.success(), "{ended}: {}", run.output());
    let query = format!(
        "SELECT strftime(\"at\" AT TIME ZONE 'UTC', '%Y-%m-%d %H:%M'), CAST(day AS VARCHAR), CAST(third AS VARCHAR),
                CAST(exact AS VARCHAR), yes, odd, nothing, list, \"Of Two\", half, count(*) OVER ()
         FROM read_parquet('{}/kinds.parquet') ORDER BY 1 LIMIT 1",
        into.display()
    );
    let Some(rows) = counterpart(TEST, "query.py", &[], &query).await else { return };
    let expected = json!([
        "2010-12-01 08:26",
        "2010-12-01",
        "0.3333333333",
        "12.50",
        true,
        "a\\b\"c\nd\te",
        null,
        "{x,y}",
        "{\"a\": [1]}",
        0.5,
        5
    ]);
    assert_eq!(rows, [expected]);
}
