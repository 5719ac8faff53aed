//! Following live in Postgres: what a batch costs, and that what a follower remembers is never used when it is outdated.

use std::time::Instant;

use daybook_domain::catalogue::DomainEvent;
use daybook_domain::order::OrderEvent;
use daybook_domain::{CartId, OrderId};
use daybook_eventstore::Position;
use daybook_eventstore::process::SystemIds;
use daybook_projections::orders::query::by_ids;
use daybook_projections::orders::{OrderRow, OrderStatus};
use daybook_projections::runtime::Status;
use sqlx::Executor;

use super::models::take_cart;
use super::shop::{SOON, Shop, cancelled, placed};
use crate::harness::eventually;

/// From now on, notes the statements that move checkpoints in the register.
pub(super) async fn spy(shop: &Shop) {
    run(
        shop,
        "CREATE TABLE spied (number bigserial, on_table text, statement text);
         CREATE FUNCTION spy() RETURNS trigger LANGUAGE plpgsql AS
             $$BEGIN INSERT INTO spied VALUES (DEFAULT, TG_TABLE_NAME, current_query()); RETURN NULL; END$$;
         CREATE TRIGGER spy AFTER UPDATE ON projections FOR EACH ROW EXECUTE FUNCTION spy();",
    )
    .await;
}

/// The statements that changed a table, in order.
pub(super) async fn spied(shop: &Shop, table: &str) -> Vec<String> {
    let statement = "SELECT statement FROM spied WHERE on_table = $1 ORDER BY number";
    sqlx::query_scalar(statement).bind(table).fetch_all(&shop.read.pool).await.expect("what was seen")
}

pub(super) async fn run(shop: &Shop, statement: &str) {
    shop.read.pool.execute(statement).await.expect("the statement is good");
}

/// Appends to an order that has so many events, and waits until readers see it.
async fn happens(shop: &Shop, order: OrderId, expected: i64, fact: DomainEvent) -> Position {
    let head = shop.append("Order", &order.to_string(), expected, &[fact]).await;
    shop.live_at("orders", head).await;
    head
}

/// A new order, folded by one who goes on from it in memory.
async fn remembered(shop: &Shop) -> OrderId {
    // Whatever comes first gives the follower its tenure.
    let (_, head) = take_cart(shop, None).await;
    shop.live_at("orders", head).await;
    let order = OrderId::generate(&SystemIds);
    happens(shop, order, 0, placed(order)).await;
    order
}

async fn row(shop: &Shop, order: OrderId) -> OrderRow {
    by_ids(&shop.db, &[order]).await.expect("the order").remove(&order).expect("it is there")
}

fn reserved() -> DomainEvent {
    DomainEvent::Order(OrderEvent::StockReserved { holds: Vec::new() })
}

async fn equals_its_rebuild(shop: &Shop) {
    let versions = shop.admin.versions("orders").await.expect("the register");
    let live = versions.iter().find(|row| row.status == Status::Live).expect("a live version");
    assert_eq!(live.parked, 0);
    let before = shop.dump(&format!("orders_v{}", live.version)).await;
    let version = shop.admin.rebuild("orders", |_| ()).await.expect("a rebuild");
    assert_eq!(shop.dump(&format!("orders_v{version}")).await, before);
}

#[tokio::test]
async fn events_of_others_move_the_checkpoint_alone() {
    let shop = Shop::open().await;
    let _projector = shop.project("orders");
    let (_, head) = shop.place_orders(3).await;
    shop.live_at("orders", head).await;
    let before = shop.dump("orders_v1").await;
    spy(&shop).await;

    for _ in 0..3 {
        let (_, head) = take_cart(&shop, None).await;
        assert_eq!(shop.live_at("orders", head).await.checkpoint.position, head);
    }
    assert_eq!(shop.dump("orders_v1").await, before);
    let moved = spied(&shop, "projections").await;
    assert!(moved.iter().all(|statement| !statement.contains("orders_v1")), "nothing but the register");

    // Another projector stood at the beginning.
    run(&shop, "UPDATE projections SET position = 0, event_hash = decode(repeat('00', 32), 'hex')").await;
    let (_, head) = take_cart(&shop, None).await;
    shop.live_at("orders", head).await;
    assert_eq!(shop.dump("orders_v1").await, before);
}

#[tokio::test]
async fn a_live_batch_is_written_by_the_statement_that_moves_the_checkpoint() {
    let shop = Shop::open().await;
    let _projector = shop.project("orders");
    let order = remembered(&shop).await;
    spy(&shop).await;
    run(
        &shop,
        "CREATE TRIGGER spy AFTER INSERT OR UPDATE ON orders_v1.orders FOR EACH ROW EXECUTE FUNCTION spy()",
    )
    .await;
    happens(&shop, order, 1, cancelled()).await;
    let moved = spied(&shop, "projections").await;
    assert_eq!(moved.len(), 1);
    assert_eq!(spied(&shop, "orders").await, moved);
    assert_eq!(row(&shop, order).await.status, OrderStatus::Cancelled);
    equals_its_rebuild(&shop).await;
}

/// The most batches that a hundred of such events may make of the time they take, beginning so many milliseconds apart.
async fn share_batches(shop: &Shop, apart: u128, happen: impl AsyncFn() -> Position) {
    spy(shop).await;
    let began = Instant::now();
    let mut head = 0;
    for _ in 0..100 {
        head = happen().await;
    }
    shop.live_at("orders", head).await;
    let (batches, took) = (spied(shop, "projections").await.len(), began.elapsed());
    assert!(batches as u128 <= took.as_millis() / apart + 1, "{batches} batches in {took:?}");
}

#[tokio::test]
async fn events_that_pour_in_share_batches() {
    let shop = Shop::open().await;
    let _projector = shop.project("orders");
    remembered(&shop).await;
    share_batches(&shop, 8, async || shop.place_orders(1).await.1).await;
}

#[tokio::test]
async fn events_of_others_wait_for_one_that_changes_a_row() {
    let shop = Shop::open().await;
    let _projector = shop.project("orders");
    remembered(&shop).await;
    share_batches(&shop, 25, async || take_cart(&shop, None).await.1).await;
}

/// Marks an order's row behind the follower's back, lets the order go on, and tells whether the mark is still there.
async fn keeps_what_others_wrote(also: &str) -> bool {
    let shop = Shop::open().await;
    let _projector = shop.project("orders");
    let order = remembered(&shop).await;
    let mark = CartId::generate(&SystemIds);
    let marking = format!(
        "UPDATE orders_v1.orders SET doc = jsonb_set(doc::jsonb, '{{cart_id}}', '\"{mark}\"'); {also}"
    );
    run(&shop, &marking).await;
    happens(&shop, order, 1, cancelled()).await;
    let row = row(&shop, order).await;
    assert_eq!(row.status, OrderStatus::Cancelled);
    row.cart_id == mark
}

#[tokio::test]
async fn a_row_is_remembered_for_as_long_as_nobody_else_writes_the_version() {
    assert!(!keeps_what_others_wrote("").await, "it was not read again");
    assert!(keeps_what_others_wrote("UPDATE projections SET updated_at = now()").await, "it was read again");
    let there_and_back = "UPDATE projections SET position = position - 1;
        UPDATE projections SET position = position + 1";
    assert!(keeps_what_others_wrote(there_and_back).await, "wherever the checkpoint is");
}

#[tokio::test]
async fn followers_that_take_a_version_from_each_other_make_what_one_alone_makes() {
    let shop = Shop::open().await;
    let _projectors = [shop.project("orders"), shop.project("orders")];
    remembered(&shop).await;
    for _ in 0..5 {
        let (ids, head) = shop.place_orders(6).await;
        shop.live_at("orders", head).await;
        // Who follows does not notice that the lock is gone, and the other one begins as well.
        run(
            &shop,
            "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted
                 AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
        )
        .await;
        let others = ids.iter().enumerate().filter(|(n, _)| n % 3 != 0);
        for (_, id) in others.clone() {
            happens(&shop, *id, 1, reserved()).await;
        }
        for (_, id) in others {
            happens(&shop, *id, 2, cancelled()).await;
        }
    }
    equals_its_rebuild(&shop).await;
}

#[tokio::test]
async fn a_row_from_before_a_retry_is_not_used_after_it() {
    let shop = Shop::open().await;
    let _projector = shop.project("orders");
    let (sick, well) = (remembered(&shop).await, remembered(&shop).await);
    let poison = vec![("OrderLevitated".to_owned(), r#"{"Levitated":{}}"#.to_owned())];
    shop.append_raw("Order", &sick.to_string(), 1, poison).await;
    happens(&shop, well, 1, reserved()).await;
    assert_eq!(
        happens(&shop, sick, 2, reserved()).await,
        shop.live_at("orders", 0).await.checkpoint.position
    );
    assert_eq!(shop.live_at("orders", 0).await.parked, 2);

    shop.events
        .pool
        .execute("ALTER TABLE events DISABLE TRIGGER events_are_immutable")
        .await
        .expect("no guard");
    let cure =
        r#"UPDATE events SET payload = '{"StockReserved":{"holds":[]}}' WHERE event_type = 'OrderLevitated'"#;
    shop.events.pool.execute(cure).await.expect("the cure");
    // Events of both keep coming while what was parked is applied.
    let coming = async {
        for count in 3..9 {
            happens(&shop, sick, count, reserved()).await;
            happens(&shop, well, count - 1, reserved()).await;
        }
    };
    let retrying = async {
        let applied = shop.admin.retry_parked("orders").await.expect("a retry");
        assert!(applied >= 2, "{applied}");
    };
    tokio::join!(coming, retrying);
    shop.admin.retry_parked("orders").await.expect("a retry");
    for order in [sick, well] {
        let sequence = if order == sick { 9 } else { 8 };
        happens(&shop, order, sequence, cancelled()).await;
        assert_eq!(row(&shop, order).await.status, OrderStatus::Cancelled);
    }
    equals_its_rebuild(&shop).await;
}

#[tokio::test]
async fn a_refused_row_goes_on_from_where_it_was_accepted() {
    let shop = Shop::open().await;
    let _projector = shop.project("orders");
    let (refused, accepted) = (remembered(&shop).await, remembered(&shop).await);
    let constraint = format!(
        "ALTER TABLE orders_v1.orders ADD CONSTRAINT refusing CHECK (key <> '{refused}' OR status <> 'cancelled')"
    );
    run(&shop, &constraint).await;
    happens(&shop, refused, 1, cancelled()).await;
    happens(&shop, accepted, 1, cancelled()).await;
    assert_eq!(shop.live_at("orders", 0).await.parked, 1);
    assert_eq!(row(&shop, refused).await.status, OrderStatus::Placed);
    assert_eq!(row(&shop, accepted).await.status, OrderStatus::Cancelled);

    run(&shop, "ALTER TABLE orders_v1.orders DROP CONSTRAINT refusing").await;
    assert_eq!(shop.admin.retry_parked("orders").await.expect("a retry"), 1);
    happens(&shop, refused, 2, reserved()).await;
    assert_eq!(row(&shop, refused).await.status, OrderStatus::Cancelled);
    equals_its_rebuild(&shop).await;
}

#[tokio::test]
async fn a_version_that_comes_back_has_what_happened_meanwhile() {
    let shop = Shop::open().await;
    let _projector = shop.project("orders");
    let order = remembered(&shop).await;
    assert_eq!(shop.admin.rebuild("orders", |_| ()).await.expect("a rebuild"), 2);
    happens(&shop, order, 1, reserved()).await;
    assert_eq!(shop.admin.rollback("orders", |_| ()).await.expect("a way back"), 1);
    happens(&shop, order, 2, cancelled()).await;
    equals_its_rebuild(&shop).await;
}

#[tokio::test]
async fn nothing_of_another_log_is_remembered() {
    let shop = Shop::open().await;
    let _projector = shop.project("orders");
    let order = remembered(&shop).await;
    shop.events.pool.execute("UPDATE log_head SET epoch = gen_random_uuid()").await.expect("a new epoch");
    shop.append("Order", &order.to_string(), 1, &[cancelled()]).await;
    eventually(SOON, "the new version is live", || async {
        let versions = shop.admin.versions("orders").await.expect("the register");
        versions.into_iter().find(|row| row.status == Status::Live && row.version > 1)
    })
    .await;
    assert_eq!(row(&shop, order).await.status, OrderStatus::Cancelled);
    equals_its_rebuild(&shop).await;
}
