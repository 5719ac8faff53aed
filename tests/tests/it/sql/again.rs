//! The same file over the same events, again: interrupted, killed halfway, begun elsewhere.

use daybook_projections::sql::Request;
use tokio_util::sync::CancellationToken;

use super::{COUNTING, Setting, rows};

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
            'occurred_at', to_jsonb((metadata->>'occurred_at')::timestamptz), 'recorded_at', to_jsonb(recorded_at),
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
