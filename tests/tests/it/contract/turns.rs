//! What an import has looked up before its chunk's turn came, and what others do until then.

use std::str::FromStr as _;
use std::time::Duration;

use daybook_eventstore::{Append, Appended, EventStore, begin_tx};
use futures::{Stream, StreamExt as _, stream};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{PgPool, Postgres, Transaction};

use super::company::{append, series};
use super::imports::store;
use super::log;
use super::series::anew;
use crate::harness::{Database, eventually};

const SOON: Duration = Duration::from_secs(20);
/// One command of one event.
const ONE: usize = 2;

/// Commands of one event each, for one stream.
fn one_after_another(commands: usize) -> Vec<Append> {
    let mut series = series(1, commands);
    let stream = series[0].parts[0].stream.clone();
    for (expected, command) in (0..).zip(&mut series) {
        command.parts[0].stream = stream.clone();
        command.parts[0].expected = expected;
    }
    series
}

/// Imports them, each in a chunk of its own.
async fn import(store: &EventStore, commands: impl Stream<Item = Append>) -> Vec<Appended> {
    let mut import = store.import(Box::pin(commands)).in_chunks_of(ONE);
    let mut told = Vec::new();
    while let Some(some) = import.next().await.expect("it is imported") {
        told.extend(some.into_iter().map(|one| one.expect("it is no refusal")));
    }
    told
}

/// As long as it is there, nothing is written to the log.
async fn hold(pool: &PgPool) -> Transaction<'static, Postgres> {
    let mut held = begin_tx(pool).await.expect("a transaction");
    sqlx::query("SELECT FROM log_head FOR UPDATE").execute(&mut *held).await.expect("the lock");
    held
}

/// Waits until so many sessions wait to write, and so many have made a chunk ready that is not to be written yet.
async fn wait_for(pool: &PgPool, writing: i64, ready: i64) {
    let count = "SELECT count(*) FILTER (WHERE wait_event_type = 'Lock'),
            count(*) FILTER (WHERE state = 'idle' AND query LIKE 'COPY pg_temp.import_staged%')
        FROM pg_stat_activity WHERE datname = current_database()";
    eventually(SOON, "all are waiting", || async {
        let counts: (i64, i64) = sqlx::query_as(count).fetch_one(pool).await.expect("the counts");
        (counts == (writing, ready)).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_goes_on_from_what_somebody_else_imported_before_it() {
    let database = Database::events().await;
    let [here, elsewhere] = [store(&database.pool), store(&database.pool)];
    let commands = one_after_another(2);
    let held = hold(&database.pool).await;
    let first = anew(&commands).remove(0);
    let elsewhere = tokio::spawn(async move { append(&elsewhere, first).await });
    wait_for(&database.pool, 1, 0).await;
    let importing = tokio::spawn(async move { import(&here, stream::iter(commands)).await });
    wait_for(&database.pool, 2, 1).await;
    held.rollback().await.expect("it is given up");
    assert_eq!(elsewhere.await.expect("it ends"), Appended::Done { position: 1, version: 1 });
    let told = importing.await.expect("it ends");
    assert!(matches!(told[0], Appended::Replayed { position: 1, version: 1, .. }), "{told:?}");
    assert_eq!(told[1], Appended::Done { position: 2, version: 2 });
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_goes_on_from_what_somebody_else_appended_after_its_last_chunk() {
    let database = Database::events().await;
    let [here, elsewhere] = [store(&database.pool), store(&database.pool)];
    let mut commands = one_after_another(3).into_iter();
    let mut next = || commands.next().expect("a command");
    let (first, second, third) = (next(), next(), next());
    let once_the_second_is_done = async {
        eventually(SOON, "the first is done", || async {
            (log::head(&database.pool).await == 1).then_some(())
        })
        .await;
        append(&elsewhere, second).await;
        third
    };
    let told = import(&here, stream::iter([first]).chain(stream::once(once_the_second_is_done))).await;
    let done = |position| Appended::Done { position, version: position };
    assert_eq!(told, [done(1), done(3)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_is_not_to_be_recorded_is_told_that_it_was_done_while_it_waited() {
    let database = Database::events().await;
    let here = store(&database.pool);
    let mut command = one_after_another(1).remove(0);
    command.parts[0].events.clear();
    command.outcome = None;
    let mut held = hold(&database.pool).await;
    let (id, fingerprint) = (command.command_id.uuid(), command.fingerprint.0);
    let importing = tokio::spawn(async move { import(&here, stream::iter([command])).await });
    wait_for(&database.pool, 1, 0).await;
    let record = "INSERT INTO commands (command_id, fingerprint, version, position, outcome, recorded_at)
        VALUES ($1, $2, 0, 0, 'true', now())";
    sqlx::query(record).bind(id).bind(fingerprint).execute(&mut *held).await.expect("it is recorded");
    held.commit().await.expect("it is done");
    let told = importing.await.expect("it ends");
    assert_eq!(told, [Appended::Replayed { position: 0, version: 0, outcome: "true".to_owned() }]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_ends_when_the_database_refuses_whoever_comes() {
    let database = Database::events().await;
    let options = PgConnectOptions::from_str(&database.url).expect("a URL").database("of_nobody");
    let store = store(&PgPoolOptions::new().connect_lazy_with(options));
    let mut import = store.import(stream::iter(series(1, 3)));
    let told = import.next().await;
    assert!(told.is_err(), "{told:?}");
    assert!(import.next().await.expect("it has ended").is_none());
}
