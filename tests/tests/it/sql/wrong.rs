//! What is wrong with a statement: on which line, with which event, in Postgres's words; and nothing is left of it.

use std::time::Duration;

use daybook_projections::sql::{Blamed, Limits, Request, SqlError, explain};

use super::{COUNTING, Setting, parse};

/// What a run of this file fails with: the line, the events and the message.
async fn fails(setting: &Setting, source: &str) -> (usize, Blamed, String) {
    let failed = setting.run(source, Request::default()).await.expect_err("it is wrong");
    let SqlError::Statement { line, blamed, message } = failed else { panic!("another failure: {failed}") };
    (line, blamed, message)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_that_cannot_do_with_an_event_names_it() {
    let setting = Setting::new().await;
    setting.writer.append(10_000).await;
    let divides = COUNTING.replace("count(*)", "sum(1 /\n((payload->>'n')::bigint - 9000))");
    let expected = (9, Blamed::Event(9_001), "division by zero".to_owned());
    assert_eq!(fails(&setting, &divides).await, expected);
    assert_eq!(setting.left().await, Vec::<String>::new(), "nothing is left");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_events_that_do_not_go_together_the_last_one_is_named() {
    let setting = Setting::new().await;
    setting.writer.append(100).await;
    let twice = COUNTING.replace(
        "SELECT (payload->>'n')::bigint % 7, count(*), max(position) FROM events GROUP BY 1",
        "SELECT (payload->>'n')::bigint % 50, 1, position FROM events",
    );
    let (line, blamed, message) = fails(&setting, &twice).await;
    assert_eq!((line, blamed), (9, Blamed::Event(51)));
    assert!(
        message.starts_with("ON CONFLICT DO UPDATE command cannot affect row a second time"),
        "{message}"
    );
    // And when it is all of them that do not.
    let all = COUNTING.replace(
        "SELECT (payload->>'n')::bigint % 7, count(*), max(position) FROM events GROUP BY 1",
        "SELECT 1, 1 / (100 - count(*)), 1 FROM events",
    );
    assert_eq!(fails(&setting, &all).await, (9, Blamed::Event(100), "division by zero".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_sections_before_have_done_counts() {
    let setting = Setting::new().await;
    setting.writer.append(100).await;
    let source = format!(
        "{COUNTING}
--! on ThingHappened
UPDATE counting SET things = 1 / (things - 15) WHERE EXISTS (SELECT FROM events WHERE position = 60);
"
    );
    assert_eq!(fails(&setting, &source).await, (14, Blamed::Event(60), "division by zero".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_that_is_wrong_whatever_the_events_are_names_its_line() {
    let setting = Setting::new().await;
    setting.writer.append(3).await;
    let unknown = COUNTING.replace("max(position) FROM", "max(position)\nFROM no_such_table,");
    let (line, blamed, message) = fails(&setting, &unknown).await;
    assert_eq!((line, blamed), (11, Blamed::Batch(1, 3)));
    assert_eq!(message, "relation \"no_such_table\" does not exist");
    let syntax = COUNTING.replace("things bigint,", "things\nbigint bigint,");
    let (line, blamed, message) = fails(&setting, &syntax).await;
    assert_eq!((line, blamed), (7, Blamed::Nothing));
    assert_eq!(message, "syntax error at or near \"bigint\"");
    // Checked beforehand, without an event.
    let log = setting.log();
    let checked = explain(&log, &setting.read.pool, &parse(&unknown), &Request::default()).await;
    let checked = checked.expect_err("it is wrong").to_string();
    assert_eq!(checked, "line 11: relation \"no_such_table\" does not exist");
    assert_eq!(setting.left().await, Vec::<String>::new(), "nothing is left");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_after_a_good_part_leaves_nothing_of_it() {
    let setting = Setting::new().await;
    setting.writer.append(20_000).await;
    let late = COUNTING.replace("count(*)", "count(*) + 0 / min(20000 - position)");
    let (line, blamed, _) = fails(&setting, &late).await;
    assert_eq!((line, blamed), (9, Blamed::Event(20_000)));
    assert_eq!(setting.left().await, Vec::<String>::new(), "nothing is left");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_that_takes_too_long_is_ended() {
    let setting = Setting::new().await;
    setting.writer.append(3).await;
    let slow = COUNTING.replace("FROM events", "FROM events, generate_series(1, 100000000)");
    let limits = Limits { statement: Duration::from_millis(200), ..Limits::default() };
    let failed = setting.run(&slow, Request { limits, ..Request::default() }).await;
    assert!(
        matches!(failed, Err(SqlError::TooLong { line: 9, blamed: Blamed::Batch(1, 3), .. })),
        "{failed:?}"
    );
    assert_eq!(setting.left().await, Vec::<String>::new(), "nothing is left");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_shown_must_be_there_and_events_must_be_free() {
    let setting = Setting::new().await;
    for (from, to, told) in [
        (
            "--! reads",
            "--! shows nothing\n--! reads",
            "line 7: there is no table or view \"nothing\" to be shown",
        ),
        (
            "TABLE counting",
            "TABLE events",
            "line 6: \"events\" is the relation of the events; give the table another name",
        ),
        (
            "% 7",
            "% lastval()",
            "line 10: \"lastval\" is not for projections: it may give something else each time",
        ),
    ] {
        let failed = setting.run(&COUNTING.replace(from, to), Request::default()).await;
        assert_eq!(failed.expect_err(to).to_string(), told);
    }
    assert_eq!(setting.left().await, Vec::<String>::new(), "nothing is left");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_table_demands_only_at_the_end_is_told_like_the_rest() {
    let setting = Setting::new().await;
    setting.writer.append(100).await;
    let deferred = COUNTING.replace("last bigint", "last bigint UNIQUE DEFERRABLE INITIALLY DEFERRED");
    let deferred = deferred.replace("max(position)", "max(position) / 97");
    let (line, blamed, message) = fails(&setting, &deferred).await;
    assert_eq!((line, blamed), (9, Blamed::Event(2)));
    assert!(message.starts_with("duplicate key value violates unique constraint"), "{message}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_takes_more_room_than_it_may_is_the_files_fault() {
    let setting = Setting::new().await;
    setting.writer.append(3).await;
    let large = COUNTING.replace(
        "FROM events",
        "FROM events, LATERAL (SELECT md5(i::text) FROM generate_series(1, 2000000) i ORDER BY 1) large",
    );
    let limits = Limits { temporary_mb: 1, memory_mb: 1, ..Limits::default() };
    let failed =
        setting.run(&large, Request { limits, ..Request::default() }).await.expect_err("it is too large");
    assert!(failed.to_string().contains("temporary file size exceeds temp_file_limit"), "{failed}");
    assert_eq!(setting.left().await, Vec::<String>::new(), "nothing is left");
}
