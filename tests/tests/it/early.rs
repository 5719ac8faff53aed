//! What an append looks up while another batch of its process is being written: it is used when nobody else has
//! appended meanwhile, and looked up again otherwise.

use std::sync::Arc;
use std::time::Duration;

use daybook_domain::{CommandId, IdSource};
use daybook_eventstore::process::SystemIds;
use daybook_eventstore::{
    Append, Appended, Appender, Chain, Fingerprint, LogReader, NewEvent, Part, Pending, StreamId, begin_tx,
};
use futures::future::join_all;
use sqlx::{PgConnection, PgPool, Postgres, Transaction};

use crate::harness::{Database, Writer, eventually};

const SOON: Duration = Duration::from_secs(30);
/// Who appends here, and somebody else.
const ME: i64 = 7;
const SOMEBODY: i64 = 8;
/// A conflict, as the append function tells it.
const CONFLICT: i32 = 3;

/// Appends one event to the stream `changed`, which is new, when the stream `seen` is new too.
async fn append(
    connection: &mut PgConnection,
    writer: i64,
    early: bool,
    changed: &str,
    seen: &str,
) -> Vec<i32> {
    let call = "SELECT coalesce(x_status, '{}') FROM append_commands($1, $2, ARRAY[$3], ARRAY[''::bytea], '{1}', '{1}', \
         ARRAY['null'::json], '{1,1}', '{Thing,Thing}', ARRAY[$4, $5], '{0,0}', '{}', '{}', \
         '{1}', '{Thing}', ARRAY[$4], '{1}', ARRAY[$3], '{Happened}', '{1}', ARRAY['{}'::json], ARRAY['{}'::json])";
    let call =
        sqlx::query_scalar(call).bind(writer).bind(early).bind(SystemIds.next()).bind(changed).bind(seen);
    call.fetch_one(connection).await.expect("the function answers")
}

/// As long as it is there, nothing is written to the log but by it.
async fn hold(pool: &PgPool) -> Transaction<'static, Postgres> {
    let mut held = begin_tx(pool).await.expect("a transaction");
    sqlx::query("SELECT FROM log_head FOR UPDATE").execute(&mut *held).await.expect("the lock");
    held
}

/// Waits until so many sessions wait to write; on a slow machine there may be more, which were given up.
async fn wait_for(pool: &PgPool, sessions: i64) {
    let count = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    eventually(SOON, "all are waiting", || async {
        let waiting: i64 = sqlx::query_scalar(count).fetch_one(pool).await.expect("the sessions");
        (waiting >= sessions).then_some(())
    })
    .await;
}

/// What an append of mine comes to that looked at the stream `seen` early, and waited for these to append to streams.
async fn after(others: &[(i64, &str)]) -> Vec<i32> {
    let database = Database::events().await;
    let mut held = hold(&database.pool).await;
    let pool = database.pool.clone();
    let mine = tokio::spawn(async move {
        let mut connection = pool.acquire().await.expect("a connection");
        append(&mut connection, ME, true, "mine", "seen").await
    });
    wait_for(&database.pool, 1).await;
    for (writer, stream) in others {
        assert!(append(&mut held, *writer, false, stream, "never").await.is_empty());
    }
    held.commit().await.expect("the others are done");
    mine.await.expect("it is answered")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_looked_up_early_is_used_after_a_batch_of_ones_own() {
    // That this one changes what was looked at is against the rules; it shows what was used.
    assert!(after(&[(ME, "seen")]).await.is_empty());
    assert!(after(&[(ME, "a"), (ME, "seen")]).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_looked_up_early_is_looked_up_again_after_somebody_else() {
    assert_eq!(after(&[(SOMEBODY, "seen")]).await, [CONFLICT]);
    assert_eq!(after(&[(SOMEBODY, "seen"), (ME, "a")]).await, [CONFLICT]);
    assert_eq!(after(&[(ME, "a"), (SOMEBODY, "seen"), (ME, "b")]).await, [CONFLICT]);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_tell_is_somebody_else() {
    let database = Database::events().await;
    let mut connection = database.pool.acquire().await.expect("a connection");
    assert!(append(&mut connection, ME, false, "a", "never").await.is_empty());
    let mut held = hold(&database.pool).await;
    let mine = tokio::spawn(async move { append(&mut connection, ME, true, "mine", "seen").await });
    wait_for(&database.pool, 1).await;
    let alone = "SELECT head FROM append_command($1, '', 'null', 'Thing', 'seen', 0, $1, 'Happened', '1', '{}', '{}')";
    let stood: Option<i64> = sqlx::query_scalar(alone)
        .bind(SystemIds.next())
        .fetch_one(&mut *held)
        .await
        .expect("the function answers");
    assert_eq!(stood, Some(1));
    held.commit().await.expect("it is done");
    assert_eq!(mine.await.expect("it is answered"), [CONFLICT]);
}

fn part(id: &str, events: usize) -> Part {
    let event = |_| NewEvent {
        event_id: SystemIds.next(),
        event_type: "Happened".to_owned(),
        event_version: "1".to_owned(),
        payload: "{}".to_owned(),
        metadata: "{}".to_owned(),
    };
    Part {
        stream: StreamId { aggregate_type: "Thing".to_owned(), aggregate_id: id.to_owned() },
        expected: 0,
        events: (0..events).map(event).collect(),
        chain: Arc::new(Chain::default()),
    }
}

fn of(parts: Vec<Part>) -> Append {
    let outcome = Some("null".to_owned());
    Append { command_id: CommandId::generate(&SystemIds), fingerprint: Fingerprint([0; 32]), parts, outcome }
}

/// How many of the sessions that wait to write have looked up command ids.
async fn looked(pool: &PgPool) -> i64 {
    let count = "SELECT count(*) FROM pg_stat_activity a WHERE datname = current_database() AND wait_event_type = 'Lock' \
         AND EXISTS (SELECT FROM pg_locks l WHERE l.pid = a.pid AND relation = 'commands_pkey'::regclass)";
    sqlx::query_scalar(count).fetch_one(pool).await.expect("the sessions")
}

/// Two hundred appends, as many as are worth a batch of their own, that waited behind another one of their process while
/// somebody else appended to a stream.
struct Behind {
    database: Database,
    /// Whether they had looked up what they rest on before their turn.
    had_looked: bool,
    outcomes: Vec<Appended>,
}

/// What they come to, each of these parts; on one thread, where all are queued before the appender looks.
async fn behind(parts: impl Fn(usize) -> Vec<Part>, changed: &str) -> Behind {
    let database = Database::events().await;
    let appender = Appender::start(&database.pool.connect_options());
    let mut held = hold(&database.pool).await;
    let first = appender.enqueue(of(vec![part("first", 2)])).expect("there is room");
    wait_for(&database.pool, 1).await;
    assert_eq!(looked(&database.pool).await, 0);
    let appends = (0..200).map(|number| appender.enqueue(of(parts(number))).expect("there is room"));
    let pending: Vec<Pending> = appends.collect();
    wait_for(&database.pool, 2).await;
    let had_looked = looked(&database.pool).await > 0;
    assert!(append(&mut held, SOMEBODY, false, changed, "never").await.is_empty());
    held.commit().await.expect("somebody else was quicker");
    assert!(matches!(first.outcome().await.expect("an outcome"), Appended::Done { version: 2, .. }));
    let outcomes = join_all(pending.into_iter().map(Pending::outcome)).await;
    let outcomes = outcomes.into_iter().map(|outcome| outcome.expect("an outcome")).collect();
    Behind { database, had_looked, outcomes }
}

#[tokio::test]
async fn who_waits_behind_another_has_looked_and_looks_again_after_somebody_else() {
    let Behind { database, had_looked, outcomes } =
        behind(|number| vec![part(&format!("stream {number}"), 1)], "stream 100").await;
    assert!(had_looked);
    for (number, outcome) in outcomes.into_iter().enumerate() {
        if number == 100 {
            assert_eq!(outcome, Appended::Conflict { part: 0 });
        } else {
            assert!(matches!(outcome, Appended::Done { version: 1, .. }), "{number}: {outcome:?}");
        }
    }
    let log = LogReader::new(database.pool.clone()).read(0, 1_000).await.expect("the log");
    assert!(log.iter().map(|event| event.position).eq(1..=202));
}

#[tokio::test]
async fn what_an_append_only_looks_at_is_looked_up_when_its_turn_has_come() {
    let seen = part("seen", 0);
    let parts = |number: usize| vec![part(&format!("stream {number}"), 1), seen.clone()];
    let Behind { had_looked, outcomes, .. } = behind(parts, "seen").await;
    assert!(!had_looked);
    assert!(outcomes.iter().all(|outcome| *outcome == Appended::Conflict { part: 1 }), "{outcomes:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_given_up_a_batch_that_may_still_be_written_is_somebody_else_from_then_on() {
    let database = Database::events().await;
    let writer = Writer::new(&database);
    let told = async || -> i64 {
        sqlx::query_scalar("SELECT writer FROM log_head").fetch_one(&database.pool).await.expect("the head")
    };
    writer.append(2).await;
    let before = told().await;
    writer.append(2).await;
    assert_eq!(told().await, before);
    let held = hold(&database.pool).await;
    let cut_off = async {
        wait_for(&database.pool, 1).await;
        let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
             WHERE datname = current_database() AND wait_event_type = 'Lock'";
        sqlx::query(end).execute(&database.pool).await.expect("it is cut off");
        held.rollback().await.expect("the head is free");
    };
    let (position, ()) = tokio::join!(writer.append(2), cut_off);
    assert_eq!(position, 6);
    assert_ne!(told().await, before);
}

#[tokio::test]
async fn a_program_of_before_goes_on() {
    let database = Database::events().await;
    let call = "SELECT head, coalesce(x_status, '{}') FROM append_commands(ARRAY[$1], ARRAY[''::bytea], '{1}', '{1}', \
         ARRAY['null'], '{1}', '{Thing}', '{a}', '{0}', '{}', '{}', \
         '{1}', '{Thing}', '{a}', '{1}', ARRAY[$1], '{Happened}', '{1}', ARRAY['{}'], ARRAY['{}'])";
    for told in [(0, Vec::new()), (1, vec![CONFLICT])] {
        let call = sqlx::query_as(call).bind(SystemIds.next());
        let answer: (i64, Vec<i32>) = call.fetch_one(&database.pool).await.expect("the function answers");
        assert_eq!(answer, told);
    }
}
