//! Where the rows stay: a schema that is there when it is whole, goes on with the log, and is nobody else's.

use daybook_projections::sql::{Request, SqlError};
use sqlx::Executor as _;
use tokio_util::sync::CancellationToken;

use super::{COUNTING, Setting};

fn kept() -> Request {
    Request { schema: Some("kept".to_owned()), ..Request::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schema_is_there_when_it_is_whole_and_goes_on_with_the_log() {
    let setting = Setting::new().await;
    let head = setting.writer.append(10_000).await;
    let mut session = setting.open(COUNTING, kept()).await.expect("it begins");
    session.build(head, &CancellationToken::new(), |_| {}).await.expect("it runs");
    let role = session.role().to_owned();
    assert_eq!(setting.left().await, [role.clone(), "daybook_build_counting_v1".to_owned()], "not yet");
    session.settle().await.expect("it is put in its place");
    session.finish().await.expect("it ends");
    assert_eq!(setting.left().await, [role, "kept".to_owned()]);
    assert_eq!(setting.table("kept.counting").await[6], "(6,1428,9996)");

    setting.writer.append(8).await;
    let mut session = setting.open(COUNTING, kept()).await.expect("it goes on");
    assert!(session.is_resumed());
    assert_eq!(session.at(), 10_000);
    session.build(setting.head().await, &CancellationToken::new(), |_| {}).await.expect("it runs");
    session.settle().await.expect("it is in its place");
    session.finish().await.expect("it ends");
    // The other stream's numbers begin at 0 again.
    assert_eq!(setting.table("kept.counting").await[6], "(6,1429,10007)");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_file_made_is_replaced_when_that_is_wanted_and_only_by_something_whole() {
    let setting = Setting::new().await;
    setting.writer.append(100).await;
    setting.run(COUNTING, kept()).await.expect("it runs");
    let other = COUNTING.replace("% 7", "% 2");
    let refused = setting.run(&other, kept()).await.expect_err("it is another file").to_string();
    assert_eq!(
        refused,
        "the schema kept was made by another file of this name and version: give the projection another version, or \
         run with --replace"
    );
    let from = Request { after: 50, ..kept() };
    let refused = setting.run(COUNTING, from).await.expect_err("it is another range").to_string();
    assert!(refused.contains("from another position on"), "{refused}");
    let wrong = Request { replace: true, ..kept() };
    let broken = other.replace("count(*)", "1 / (min(position) - 1)");
    setting.run(&broken, wrong.clone()).await.expect_err("it is wrong");
    assert_eq!(setting.table("kept.counting").await.len(), 7, "what was there is still there");
    setting.run(&other, wrong).await.expect("it runs");
    assert_eq!(setting.table("kept.counting").await, ["(0,50,99)", "(1,50,100)"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schema_that_no_projection_made_is_left_alone() {
    let setting = Setting::new().await;
    setting.writer.append(3).await;
    setting
        .read
        .pool
        .execute("CREATE SCHEMA kept; CREATE TABLE kept.precious (n int)")
        .await
        .expect("a schema");
    for replace in [false, true] {
        let refused = setting.run(COUNTING, Request { replace, ..kept() }).await;
        assert!(matches!(&refused, Err(SqlError::NotOurs(schema)) if schema == "kept"), "{refused:?}");
    }
    assert_eq!(setting.table("kept.precious").await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_runs_at_once_the_second_is_refused() {
    let setting = Setting::new().await;
    setting.writer.append(3).await;
    let first = setting.open(COUNTING, Request::default()).await.expect("it begins");
    let second = setting.open(COUNTING, Request::default()).await.err().expect("it is refused");
    assert_eq!(second.to_string(), "another run of counting@1 is under way");
    // Another version is another projection.
    let other = COUNTING.replace("version 1", "version 2");
    setting.run(&other, Request::default()).await.expect("it runs");
    first.finish().await.expect("it ends");
    setting.run(COUNTING, Request::default()).await.expect("it runs");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_made_of_another_log_is_not_gone_on_with() {
    let setting = Setting::new().await;
    setting.writer.append(100).await;
    setting.run(COUNTING, kept()).await.expect("it runs");
    // Restored: a log of another epoch.
    setting
        .events
        .pool
        .execute("UPDATE log_head SET epoch = gen_random_uuid()")
        .await
        .expect("another epoch");
    let refused = setting.run(COUNTING, kept()).await.expect_err("it is another log").to_string();
    assert!(refused.contains("of another log"), "{refused}");
    setting.run(COUNTING, Request { replace: true, ..kept() }).await.expect("it runs");
    assert_eq!(setting.table("kept.counting").await.len(), 7);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_came_into_its_place_meanwhile_is_left_alone() {
    let setting = Setting::new().await;
    setting.writer.append(3).await;
    let mut session = setting.open(COUNTING, kept()).await.expect("it begins");
    session.build(3, &CancellationToken::new(), |_| {}).await.expect("it runs");
    // Another projection that is to go to the same place must wait for its turn.
    let other = COUNTING.replace("counting", "other");
    let refused = setting.run(&other, kept()).await.expect_err("it is reserved").to_string();
    assert_eq!(refused, "another run of kept is under way");
    setting
        .read
        .pool
        .execute("CREATE SCHEMA kept; CREATE TABLE kept.precious (n int)")
        .await
        .expect("a schema");
    let refused = session.settle().await.expect_err("it is somebody else's now");
    assert!(matches!(&refused, SqlError::NotOurs(schema) if schema == "kept"), "{refused}");
    assert_eq!(setting.table("kept.precious").await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn another_version_takes_the_place_of_the_one_before_when_that_is_wanted() {
    let setting = Setting::new().await;
    setting.writer.append(100).await;
    setting.run(COUNTING, kept()).await.expect("it runs");
    let second = COUNTING.replace("version 1", "version 2").replace("% 7", "% 2");
    let refused = setting.run(&second, kept()).await.expect_err("it is another version").to_string();
    assert!(refused.contains("by another version"), "{refused}");
    setting.run(&second, Request { replace: true, ..kept() }).await.expect("it runs");
    assert_eq!(setting.table("kept.counting").await, ["(0,50,99)", "(1,50,100)"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schema_that_a_read_model_may_want_is_not_for_projections() {
    let setting = Setting::new().await;
    for name in ["orders_v7", "carts_hot_v1", "live", "public", "pg_temp", "daybook_build_counting_v1"] {
        let request = Request { schema: Some(name.to_owned()), ..Request::default() };
        let refused = setting.run(COUNTING, request).await;
        assert!(matches!(&refused, Err(SqlError::Reserved(schema)) if schema == name), "{refused:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_reads_what_is_replaced_is_waited_for() {
    let setting = Setting::new().await;
    setting.writer.append(100).await;
    setting.run(COUNTING, kept()).await.expect("it runs");
    let mut reader = daybook_eventstore::begin_tx(&setting.read.pool).await.expect("a transaction");
    reader.execute("SELECT * FROM kept.counting").await.expect("it reads");
    let other = COUNTING.replace("% 7", "% 2");
    let replacing = setting.run(&other, Request { replace: true, ..kept() });
    let reading = async {
        crate::harness::eventually(std::time::Duration::from_secs(20), "it waits for the reader", || async {
            let waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE 'DROP SCHEMA%'";
            let waiting: i64 = sqlx::query_scalar(waiting).fetch_one(&setting.read.pool).await.expect("a count");
            (waiting > 0).then_some(())
        })
        .await;
        reader.execute("SELECT * FROM kept.counting").await.expect("it still reads");
        reader.commit().await.expect("it has read");
    };
    let (replaced, ()) = tokio::join!(replacing, reading);
    replaced.expect("it runs");
    assert_eq!(setting.table("kept.counting").await.len(), 2);
}
