//! A projection in SQL as a process: it follows the log through whatever happens to it.

use std::path::PathBuf;
use std::time::Duration;

use super::{COUNTING, Setting};
use crate::harness::{Process, eventually, unique};
use crate::process::{ask, operators_address};

const SOON: Duration = Duration::from_secs(30);

/// Events that the shop knows: only they can be followed by the program.
const SHOP: &str = "\
--! projection takings
--! version 1
--! reads OrderCompleted

--! tables
CREATE TABLE takings (position bigint PRIMARY KEY, item text NOT NULL);

--! on OrderCompleted
INSERT INTO takings SELECT position, aggregate_id FROM events;
";

/// A file with this in it.
fn file(source: &str) -> PathBuf {
    let path = std::env::temp_dir().join(unique("projection")).with_extension("sql");
    std::fs::write(&path, source).expect("a file");
    path
}

impl Setting {
    /// Appends events of this type, as the shop would.
    async fn happened(&self, event_type: &str, count: i64) {
        let statement = sqlx::query(
            "WITH head AS (UPDATE log_head SET position = position + $2 RETURNING position - $2 AS before)
             INSERT INTO events (aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata,
                                 position, event_id, recorded_at)
             SELECT 'Order', gen_random_uuid()::text, 1, $1, '1', '{\"Completed\":{}}',
                 json_build_object('actor', 'staff:tester', 'command_id', gen_random_uuid(),
                                   'correlation_id', gen_random_uuid(), 'occurred_at', '2026-01-01T00:00:00Z'),
                 before + i, gen_random_uuid(), now()
             FROM head, generate_series(1, $2) i",
        );
        statement.bind(event_type).bind(count).execute(&self.events.pool).await.expect("they happen");
        sqlx::query("SELECT pg_notify('daybook_events', position::text) FROM log_head")
            .execute(&self.events.pool)
            .await
            .expect("it is told");
    }

    fn start(&self, file: &std::path::Path, more: &[&str]) -> Process {
        let settings = [
            ("EVENTS_URL", self.events.url.as_str()),
            ("READ_URL", self.read.url.as_str()),
            ("OPS_LISTEN", "127.0.0.1:0"),
            ("LOG_FORMAT", "text"),
        ];
        let mut arguments = vec!["run", file.to_str().expect("a path")];
        arguments.extend(more);
        Process::start("daybook-replay", &arguments, &settings)
    }

    async fn has(&self, count: i64) {
        eventually(SOON, &format!("{count} rows are there"), || async {
            let counted: Result<i64, _> = sqlx::query_scalar("SELECT count(*) FROM takings_v1.takings")
                .fetch_one(&self.read.pool)
                .await;
            counted.ok().filter(|counted| *counted == count).map(drop)
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_follows_the_log_through_its_own_death_and_ends_when_told_to() {
    let setting = Setting::new().await;
    let file = file(SHOP);
    setting.happened("OrderCompleted", 10_000).await;
    let mut process = setting.start(&file, &["--live"]);
    setting.has(10_000).await;
    setting.happened("OrderCompleted", 3).await;
    setting.has(10_003).await;
    process.kill();
    setting.happened("OrderCompleted", 4).await;
    let mut process = setting.start(&file, &["--live"]);
    setting.has(10_007).await;
    let address = operators_address(&process).await;
    let (status, report) = ask(&address, "/readyz").await;
    assert_eq!(status, 200, "{report}");
    setting.happened("OrderCompleted", 5).await;
    setting.has(10_012).await;
    eventually(SOON, "it tells what it does", || async {
        let (_, metrics) = ask(&address, "/metrics").await;
        let position = "daybook_projection_position{projection=\"takings\",version=\"1\"} 10012";
        metrics.contains(position).then_some(())
    })
    .await;
    // Of events that are nothing to it, it notes that they are behind it.
    setting.happened("OrderDelivered", 7).await;
    eventually(SOON, "its checkpoint passes them", || async {
        let at: i64 = sqlx::query_scalar("SELECT position FROM takings_v1.daybook_run")
            .fetch_one(&setting.read.pool)
            .await
            .expect("the checkpoint");
        (at == 10_019).then_some(())
    })
    .await;
    process.terminate();
    assert!(process.ended(SOON).await.success());
    let (rows, distinct): (i64, i64) =
        sqlx::query_as("SELECT count(*), count(DISTINCT position) FROM takings_v1.takings")
            .fetch_one(&setting.read.pool)
            .await
            .expect("the rows");
    assert_eq!((rows, distinct), (10_012, 10_012));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_one_stands_by_and_takes_over() {
    let setting = Setting::new().await;
    let file = file(SHOP);
    setting.happened("OrderCompleted", 10).await;
    let mut first = setting.start(&file, &["--live"]);
    setting.has(10).await;
    let second = setting.start(&file, &["--live"]);
    eventually(SOON, "it stands by", || async { second.output().contains("standing by").then_some(()) })
        .await;
    first.kill();
    setting.happened("OrderCompleted", 10).await;
    setting.has(20).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_ends_at_an_event_that_its_statements_cannot_do_with_and_keeps_what_there_is() {
    let setting = Setting::new().await;
    let file =
        file(&SHOP.replace("position, aggregate_id", "1 / (position - 15) * 0 + position, aggregate_id"));
    setting.happened("OrderCompleted", 10).await;
    let mut process = setting.start(&file, &["--live"]);
    setting.has(10).await;
    setting.happened("OrderCompleted", 10).await;
    let ended = process.ended(SOON).await;
    assert_eq!(ended.code(), Some(1));
    let told = "line 9, at the event at position 15: division by zero";
    assert!(process.output().contains(told), "{}", process.output());
    setting.has(10).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_a_file_is_told_with_its_name_and_line() {
    let setting = Setting::new().await;
    let path = file(COUNTING);
    let mut process = setting.start(&path, &[]);
    assert_eq!(process.ended(SOON).await.code(), Some(1));
    let told = format!("{}, line 3: there is no event \"ThingHappened\"", path.display());
    assert!(process.output().contains(&told), "{}", process.output());
}
