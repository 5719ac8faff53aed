//! An API that is told to end.

use daybook_eventstore::begin_tx;
use daybook_eventstore::process::LONGEST_END;
use serde_json::json;
use sqlx::{Executor, PgPool};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::front::{As, Front, SOON};
use super::reading::{built, global};
use crate::harness::eventually;

const CREATE: &str = "mutation { cartCreate(input: { currencyCode: GBP }) { cart { id } position } }";

/// Waits until somebody waits for what is held in this database.
async fn held_up(pool: &PgPool) {
    let waiting = "SELECT count(*) FROM pg_stat_activity \
         WHERE datname = current_database() AND wait_event_type = 'Lock'";
    eventually(SOON, "a request is held up", || async {
        let waiting: i64 = sqlx::query_scalar(waiting).fetch_one(pool).await.expect("the connections");
        (waiting > 0).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_api_that_is_told_to_end_answers_what_it_was_asked_and_takes_nothing_new() {
    let mut front = Front::open().await;
    let projector = front.projector(&["carts"]);
    built(&front, "carts").await;
    let known = front.data(CREATE, json!({})).await["cartCreate"]["cart"]["id"].take();
    front.caught_up(&["carts"]).await;
    // It would be held up too.
    drop(projector);
    let mut idle = TcpStream::connect(&front.address).await.expect("a connection");
    idle.write_all(b"GET /healthz HTTP/1.1\r\nhost: shop\r\n\r\n").await.expect("it is sent");
    let mut answer = [0; 15];
    idle.read_exact(&mut answer).await.expect("an answer");
    assert_eq!(&answer, b"HTTP/1.1 200 OK");

    let (events, read) = (&front.shop.events.pool, front.read_pool());
    let mut head = begin_tx(events).await.expect("a transaction");
    head.execute("SELECT FROM log_head FOR UPDATE").await.expect("appends are held up");
    let mut carts = begin_tx(read).await.expect("a transaction");
    carts.execute("LOCK TABLE live.carts").await.expect("queries of carts are held up");
    let end = async {
        held_up(events).await;
        held_up(read).await;
        front.api.terminate();
        eventually(SOON, "nobody else is let in", || async {
            TcpStream::connect(&front.address).await.is_err().then_some(())
        })
        .await;
        // Who was connected and asked nothing is let go.
        let mut rest = Vec::new();
        let ended = tokio::time::timeout(SOON, idle.read_to_end(&mut rest)).await;
        assert!(ended.expect("the connection ends").is_ok());
        head.rollback().await.expect("appends go on");
        carts.rollback().await.expect("queries go on");
    };
    let query = "query ($id: ID!) { cart(id: $id) { id } }";
    let asked = front.ask(As::default(), query, json!({ "id": known }));
    let (made, (_, found), ()) = tokio::join!(front.data(CREATE, json!({})), asked, end);
    assert_eq!(found, json!({ "data": { "cart": { "id": known } } }));
    assert_eq!(front.api.ended(LONGEST_END).await.code(), Some(0));

    // What was answered is so.
    let made = &made["cartCreate"];
    let position: i64 = made["position"].as_str().and_then(|text| text.parse().ok()).expect("a position");
    let stored: String = sqlx::query_scalar("SELECT aggregate_id FROM events WHERE position = $1")
        .bind(position)
        .fetch_one(&front.shop.events.pool)
        .await
        .expect("the event");
    assert_eq!(made["cart"]["id"], global("Cart", &stored));
}
