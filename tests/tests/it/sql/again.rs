//! The same file over the same events, again: interrupted, killed halfway, begun elsewhere.

use std::time::Duration;

use daybook_eventstore::{Archives, Partitions, Upcasters};
use daybook_projections::sql::{Request, Session};
use sqlx::Executor as _;
use tokio_util::sync::CancellationToken;

use super::{COUNTING, Setting, rows};
use crate::harness::{eventually, unique};

/// More than two batches.
const THINGS: usize = 20_000;

/// Depends on where batches begin and end, as a careless one does.
const CARELESS: &str = "\
--! projection careless
--! version 1
--! reads ThingHappened

--! tables
CREATE TABLE batches (first bigint, last bigint, things bigint);

--! on ThingHappened
INSERT INTO batches SELECT min(position), max(position), count(*) FROM events;
";

#[tokio::test(flavor = "multi_thread")]
async fn the_same_file_over_the_same_events_gives_the_same_rows_byte_for_byte() {
    let setting = Setting::new().await;
    setting.writer.append(THINGS).await;
    for source in [COUNTING, CARELESS] {
        let first = setting.run(source, Request::default()).await.expect("it runs");
        assert_eq!(setting.run(source, Request::default()).await.expect("it runs again"), first);
        assert_eq!(first.len(), 1);
    }
    let counted = setting.run(COUNTING, Request::default()).await.expect("it runs");
    let expected = "remainder,things,last\n0,2858,20000\n1,2857,19994\n2,2857,19995\n3,2857,19996\n4,2857,19997\n\
                    5,2857,19998\n6,2857,19999\n";
    assert_eq!(counted, [("counting".to_owned(), expected.to_owned())]);
    assert_eq!(setting.left().await, Vec::<String>::new(), "nothing stays");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_run_goes_on_where_it_was_and_comes_to_the_same_rows() {
    let setting = Setting::new().await;
    let head = setting.writer.append(THINGS).await;
    for source in [COUNTING, CARELESS] {
        let whole = setting.run(source, Request::default()).await.expect("it runs");
        let mut positions = Vec::new();
        let mut session = loop {
            let mut session = setting.open(source, Request::default()).await.expect("it begins");
            let stop = CancellationToken::new();
            let began = session.at();
            let ended = session.build(head, &stop, |progress| {
                if progress.position > began {
                    stop.cancel();
                }
            });
            let ended = ended.await.expect("it goes well");
            positions.push((began, session.is_resumed()));
            if ended {
                break session;
            }
        };
        assert_eq!(
            positions,
            [(0, false), (8_192, true), (16_384, true), (20_000, true)],
            "a batch each time"
        );
        assert_eq!(rows(&mut session).await, whole);
        session.finish().await.expect("it ends");
    }
    assert_eq!(setting.left().await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn another_file_or_another_range_begins_anew() {
    let setting = Setting::new().await;
    let head = setting.writer.append(THINGS).await;
    let begin = async |source: &str, request: Request| {
        let mut session = setting.open(source, request).await.expect("it begins");
        let (began, stop) = (session.at(), CancellationToken::new());
        session.build(head, &stop, |_| stop.cancel()).await.expect("it goes well");
        (began, session.is_resumed())
    };
    assert_eq!(begin(COUNTING, Request::default()).await, (0, false));
    assert_eq!(begin(COUNTING, Request::default()).await, (0, true), "it was stopped before the first batch");
    let changed = COUNTING.replace("% 7", "% 8");
    assert_eq!(begin(&changed, Request::default()).await, (0, false));
    let later = Request { after: 5, ..Request::default() };
    assert_eq!(begin(&changed, later).await, (5, false));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_over_the_events_it_is_asked_for() {
    let setting = Setting::new().await;
    setting.writer.append(100).await;
    let mut session =
        setting.open(COUNTING, Request { after: 10, ..Request::default() }).await.expect("it begins");
    session.build(80, &CancellationToken::new(), |_| {}).await.expect("it runs");
    let expected = "remainder,things,last\n0,10,78\n1,10,79\n2,10,80\n3,10,74\n4,10,75\n5,10,76\n6,10,77\n";
    assert_eq!(rows(&mut session).await, [("counting".to_owned(), expected.to_owned())]);
    assert_eq!(session.at(), 80);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_column_of_an_event_is_what_the_log_has() {
    let setting = Setting::new().await;
    setting.writer.append(3).await;
    let source = "\
--! projection whole
--! version 1
--! reads ThingHappened
--! tables
CREATE TABLE whole (position bigint PRIMARY KEY, event jsonb);
CREATE TABLE few (position bigint PRIMARY KEY, actor text);
--! on ThingHappened
INSERT INTO whole SELECT position, to_jsonb(events) FROM events;
INSERT INTO few SELECT position, actor FROM events;
";
    let schema = Some("kept".to_owned());
    setting.run(source, Request { schema, ..Request::default() }).await.expect("it runs");
    assert_eq!(setting.table("kept.few").await[0], "(1,staff:tester)");
    let log: Vec<serde_json::Value> = sqlx::query_scalar(
        "SELECT jsonb_build_object('position', position, 'event_type', event_type, 'aggregate_type', aggregate_type,
            'aggregate_id', aggregate_id, 'sequence', sequence, 'actor', metadata->>'actor',
            'occurred_at', to_jsonb((rtrim(left(metadata->>'occurred_at', 26), 'Z') || 'Z')::timestamptz), 'recorded_at', to_jsonb(recorded_at),
            'event_id', event_id, 'command_id', metadata->>'command_id', 'correlation_id', metadata->>'correlation_id',
            'causation_id', metadata->>'causation_id', 'payload', payload)
         FROM events ORDER BY position",
    )
    .fetch_all(&setting.events.pool)
    .await
    .expect("the log");
    let whole: Vec<serde_json::Value> = sqlx::query_scalar("SELECT event FROM kept.whole ORDER BY position")
        .fetch_all(&setting.read.pool)
        .await
        .expect("what was kept");
    assert_eq!(whole, log);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_to_end_earlier_does_not_go_on_with_one_that_went_further() {
    let setting = Setting::new().await;
    setting.writer.append(THINGS).await;
    let mut session = setting.open(COUNTING, Request::default()).await.expect("it begins");
    let stop = CancellationToken::new();
    let stopped = session.build(20_000, &stop, |progress| {
        if progress.position > 0 {
            stop.cancel();
        }
    });
    assert!(!stopped.await.expect("it goes well"));
    drop(session);
    let until = Request { until: Some(70), ..Request::default() };
    let mut session = setting.open(COUNTING, until).await.expect("it begins");
    assert!(!session.is_resumed());
    session.build(70, &CancellationToken::new(), |_| {}).await.expect("it runs");
    assert!(rows(&mut session).await[0].1.starts_with("remainder,things,last\n0,10,64\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_ended_before_it_began_is_in_nobodys_way() {
    let setting = Setting::new().await;
    setting.writer.append(3).await;
    // Its role and its schema are there, and nothing in it.
    let session = setting.open(COUNTING, Request::default()).await.expect("it begins");
    drop(session);
    setting.read.pool.execute("DROP TABLE daybook_build_counting_v1.daybook_run").await.expect("it goes");
    setting.run(COUNTING, Request::default()).await.expect("it runs");
    let of_its_name =
        COUNTING.replace("CREATE TABLE counting", "CREATE TABLE daybook_run (n int);\nCREATE TABLE counting");
    setting.run(&of_its_name, Request::default()).await.expect_err("the name is taken");
    setting.run(COUNTING, Request::default()).await.expect("it runs");
}

/// A log with more events than one statement reads, all full blocks of it archived; the last position of those.
async fn archived(setting: &Setting, archives: &Archives) -> i64 {
    let insert = "INSERT INTO events (aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata,
                position, event_id, recorded_at)
         SELECT 'Thing', 'one', p, 'ThingHappened', '1', json_build_object('ThingHappened', json_build_object('n', p)),
             json_build_object('actor', 'staff:tester', 'command_id', gen_random_uuid(), 'correlation_id',
                               gen_random_uuid(), 'occurred_at', '2026-01-01T00:00:00Z'),
             p, gen_random_uuid(), now() FROM generate_series(1, 120000) p;
         UPDATE log_head SET position = 120000; SELECT extend_event_directory(1000)";
    setting.events.pool.execute(sqlx::raw_sql(insert)).await.expect("a log");
    let partitions = Partitions::new(setting.events.pool.clone());
    let cut = partitions.cut(118_000, 0).await.expect("the log is there").expect("a partition").last;
    partitions.archive(cut, archives).await.expect("a file");
    cut
}

#[tokio::test(flavor = "multi_thread")]
async fn what_leaves_the_database_while_it_is_read_is_not_passed_over() {
    let setting = Setting::new().await;
    let folder = std::env::temp_dir().join(unique("archives"));
    std::fs::create_dir(&folder).expect("a folder");
    let archives = Archives::in_folder(folder);
    let last = archived(&setting, &archives).await;
    let expected = setting.run(COUNTING, Request::default()).await.expect("it runs");
    let log = setting.log().with_archives(Some(archives));
    let (upcasters, request) = (Upcasters::default(), Request::default());
    let opened = Session::open(log, upcasters, &setting.read.pool, super::parse(COUNTING), request);
    let mut session = opened.await.expect("it begins");

    // It waits for the statement that is reading, and is done before the next one.
    let events = setting.events.pool.clone();
    let leaving = async move {
        let mut leaving = events.acquire().await.expect("a connection");
        leaving.execute("SET lock_timeout = '60s'").await.expect("it may wait");
        sqlx::query("SELECT detach_log_partition(last, archive_sha256) FROM log_partitions WHERE last = $1")
            .bind(last)
            .execute(&mut *leaving)
            .await
            .expect("they leave");
    };
    let mut leaving = Some(leaving);
    let mut left = None;
    let waits = async || {
        // Or have left: it need not wait when nothing is reading at this moment.
        let waiting = "SELECT (SELECT count(*) FROM pg_locks l JOIN pg_database d ON d.oid = l.database
                               WHERE NOT granted AND datname = current_database())
                            + (SELECT count(*) FROM log_partitions WHERE NOT attached)";
        eventually(Duration::from_secs(30), "they are about to leave", || async {
            let waiting: i64 =
                sqlx::query_scalar(waiting).fetch_one(&setting.events.pool).await.expect("a count");
            (waiting > 0).then_some(())
        })
        .await;
    };
    let handle = tokio::runtime::Handle::current();
    let stop = CancellationToken::new();
    let building = session.build(120_000, &stop, |progress| {
        if progress.position > 0
            && let Some(leaving) = leaving.take()
        {
            left = Some(tokio::spawn(leaving));
            tokio::task::block_in_place(|| handle.block_on(waits()));
        }
    });
    assert!(building.await.expect("it runs"));
    left.expect("they were about to leave").await.expect("they have left");
    assert_eq!(rows(&mut session).await, expected);
    session.finish().await.expect("it ends");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_run_has_left_running_does_not_hold_up_the_next_one() {
    let setting = Setting::new().await;
    setting.writer.append(THINGS).await;
    let mut session = setting.open(COUNTING, Request::default()).await.expect("it begins");
    let stop = CancellationToken::new();
    session
        .build(20_000, &stop, |progress| {
            if progress.position > 0 {
                stop.cancel();
            }
        })
        .await
        .expect("it goes well");
    let role = session.role().to_owned();
    drop(session);
    // As a statement that goes on after its client has died: it holds what the batch has changed.
    let password = format!("ALTER ROLE {role} PASSWORD 'left'");
    setting.read.pool.execute(password.as_str()).await.expect("a password");
    let options = sqlx::postgres::PgConnectOptions::clone(&setting.read.pool.connect_options());
    let left = sqlx::PgPool::connect_lazy_with(options.username(&role).password("left"));
    let mut left = daybook_eventstore::begin_tx(&left).await.expect("a transaction");
    left.execute("UPDATE daybook_build_counting_v1.daybook_run SET position = position")
        .await
        .expect("it is held");
    let ran = tokio::time::timeout(Duration::from_secs(8), setting.run(COUNTING, Request::default()));
    let rows = ran.await.expect("it does not wait").expect("it runs");
    assert!(rows[0].1.starts_with("remainder,things,last\n0,2858,20000\n"), "{rows:?}");
}
