//! That the relay publishes each event once and in order, whatever happens to it and to the stream.

use std::time::Duration;

use sqlx::Executor;
use uuid::Uuid;

use crate::harness::{Database, TestStream, Writer, eventually};

const SOON: Duration = Duration::from_secs(30);

/// Waits until the stream ends with position `last`, and checks that it has each position once from `first` on.
pub(crate) async fn holds(stream: &TestStream, first: i64, last: i64) {
    let positions = eventually(SOON, "the stream reaches the head", || async {
        Some(stream.positions().await).filter(|positions| positions.last() == Some(&last))
    })
    .await;
    let expected = first..=last;
    let wrong = positions.iter().zip(expected.clone()).find(|(there, expected)| *there != expected);
    assert_eq!(wrong, None);
    assert_eq!(positions.len(), expected.count());
}

#[tokio::test]
async fn events_are_published_in_order_and_on_from_where_it_was() {
    let (database, stream) = (Database::events().await, TestStream::new().await);
    let writer = Writer::new(&database);
    writer.append(7).await;
    let mut first = stream.relay(&database);
    holds(&stream, 1, 7).await;
    writer.append(600).await;
    holds(&stream, 1, 607).await;
    first.kill();
    writer.append(5).await;
    let mut second = stream.relay(&database);
    holds(&stream, 1, 612).await;
    second.terminate();
    assert!(second.ended(SOON).await.success());
}

#[tokio::test]
async fn a_message_is_a_cloud_event() {
    let (database, stream) = (Database::events().await, TestStream::new().await);
    let payload = "{ \"name\":  \"Zoë\",\n \"n\": 1.00 }";
    Writer::new(&database).append_payloads(vec![payload.to_owned()]).await;
    let _relay = stream.relay(&database);
    holds(&stream, 1, 1).await;
    let message = stream.messages().await.remove(0);
    assert_eq!(message.body, payload.as_bytes());
    let header = |name| message.headers.get(name).map(async_nats::HeaderValue::as_str);
    assert_eq!(header("ce-specversion"), Some("1.0"));
    assert_eq!(header("ce-type"), Some("ThingHappened"));
    assert_eq!(header("content-type"), Some("application/json"));
    let id = header("ce-subject").expect("the aggregate");
    let subject = format!("{}.Thing.{id}.ThingHappened", stream.name.to_lowercase());
    assert_eq!(message.subject, subject);
}

#[tokio::test]
async fn two_relays_never_interleave_and_one_takes_over_at_once() {
    let (database, stream) = (Database::events().await, TestStream::new().await);
    let writer = Writer::new(&database);
    let _relays = [stream.relay(&database), stream.relay(&database)];
    let mut last = writer.append(1).await;
    holds(&stream, 1, 1).await;
    for _ in 0..5 {
        for _ in 0..20 {
            last = writer.append(20).await;
        }
        // The server forgets the leader, who finds out later than the other one.
        let terminate = "SELECT pg_terminate_backend(l.pid) FROM pg_locks l JOIN pg_stat_activity a USING (pid) \
             WHERE l.locktype = 'advisory' AND l.granted AND a.datname = current_database()";
        database.pool.execute(terminate).await.expect("the leader's connection ends");
    }
    holds(&stream, 1, last).await;
}

#[tokio::test]
async fn a_deleted_stream_is_made_again_near_the_head() {
    let (database, stream) = (Database::events().await, TestStream::new().await);
    let writer = Writer::new(&database);
    writer.append(100).await;
    let _relay = stream.relay(&database);
    holds(&stream, 81, 100).await;
    stream.delete().await;
    writer.append(1).await;
    holds(&stream, 82, 101).await;
    writer.append(1).await;
    holds(&stream, 82, 102).await;
}

#[tokio::test]
async fn a_stream_of_another_log_is_cleared() {
    let (database, stream) = (Database::events().await, TestStream::new().await);
    let writer = Writer::new(&database);
    writer.append(10).await;
    let mut first = stream.relay(&database);
    holds(&stream, 1, 10).await;
    first.kill();
    database.pool.execute("UPDATE log_head SET epoch = gen_random_uuid()").await.expect("a new epoch");
    writer.append(2).await;
    let _second = stream.relay(&database);
    holds(&stream, 1, 12).await;
    assert_eq!(stream.messages().await.first().map(|message| message.sequence), Some(11));
}

#[tokio::test]
async fn a_stream_with_another_past_is_cleared_though_nobody_renewed_the_epoch() {
    let (before, after, stream) =
        (Database::events().await, Database::events().await, TestStream::new().await);
    let epoch: Uuid =
        sqlx::query_scalar("SELECT epoch FROM log_head").fetch_one(&before.pool).await.expect("the head");
    sqlx::query("UPDATE log_head SET epoch = $1").bind(epoch).execute(&after.pool).await.expect("the same");
    Writer::new(&before).append(10).await;
    let mut first = stream.relay(&before);
    holds(&stream, 1, 10).await;
    first.kill();
    Writer::new(&after).append(12).await;
    let _second = stream.relay(&after);
    holds(&stream, 1, 12).await;
    assert_eq!(stream.messages().await.first().map(|message| message.sequence), Some(11));
}

#[tokio::test]
async fn a_log_that_is_restored_under_a_relay_is_published_anew() {
    let (database, stream) = (Database::events().await, TestStream::new().await);
    let writer = Writer::new(&database);
    writer.append(5).await;
    let _relay = stream.relay(&database);
    holds(&stream, 1, 5).await;
    database.pool.execute("UPDATE log_head SET epoch = gen_random_uuid()").await.expect("a new epoch");
    writer.append(2).await;
    eventually(SOON, "what was of the other log is gone", || async {
        let first = stream.messages().await.first().map(|message| message.sequence);
        first.is_some_and(|sequence| sequence > 5).then_some(())
    })
    .await;
    holds(&stream, 1, 7).await;
}

#[tokio::test]
async fn someone_elses_message_makes_the_relay_start_over() {
    let (database, stream) = (Database::events().await, TestStream::new().await);
    let writer = Writer::new(&database);
    writer.append(3).await;
    let _relay = stream.relay(&database);
    holds(&stream, 1, 3).await;
    stream.publish(&format!("{}.intruder", stream.name.to_lowercase()), "{}").await;
    writer.append(1).await;
    holds(&stream, 1, 4).await;
}

#[tokio::test]
async fn an_event_that_is_too_large_for_a_message_leaves_its_place() {
    let (database, stream) = (Database::events().await, TestStream::new().await);
    let writer = Writer::new(&database);
    let large = format!("\"{}\"", "x".repeat(2 << 20));
    writer.append_payloads(vec!["1".to_owned(), large, "3".to_owned()]).await;
    let _relay = stream.relay(&database);
    holds(&stream, 1, 3).await;
    assert!(stream.messages().await[1].body.is_empty());
}
