//! What the runtime promises whatever the read model: here with orders.

use std::collections::HashSet;

use cqrs_es::persist::{EventUpcaster, SerializedEvent};
use daybook_domain::OrderId;
use daybook_eventstore::Upcasters;
use daybook_eventstore::process::SystemIds;
use daybook_projections::orders::query::{HistoryPart, OrderFilter, by_ids, history, history_lengths, list};
use daybook_projections::orders::{OrderRow, OrderStatus};
use daybook_projections::read::PageRequest;
use daybook_projections::runtime::{RuntimeError, Status, Version};
use sqlx::Executor;

use super::shop::{SOON, Shop, cancelled, placed};
use crate::harness::eventually;

async fn all(shop: &Shop) -> Vec<OrderRow> {
    let (mut rows, mut after) = (Vec::new(), None);
    loop {
        let request = PageRequest { first: 40, after, with_total: false };
        let page = list(&shop.db, &OrderFilter::default(), &request).await.expect("the list");
        after = page.rows.last().map(|(cursor, _)| cursor.clone());
        rows.extend(page.rows.into_iter().map(|(_, row)| row));
        if !page.has_next {
            return rows;
        }
    }
}

#[tokio::test]
async fn orders_can_be_read_by_id_as_a_list_and_as_history() {
    let shop = Shop::open().await;
    let _projector = shop.project("orders");
    let (ids, head) = shop.place_orders(101).await;
    shop.live_at("orders", head).await;

    let found = by_ids(&shop.db, &ids).await.expect("the orders");
    assert_eq!(found.len(), ids.len());
    let listed = all(&shop).await;
    let distinct: HashSet<OrderId> = listed.iter().map(|row| row.order_id).collect();
    assert_eq!((listed.len(), distinct.len()), (ids.len(), ids.len()), "no gap and no double between pages");
    assert!(listed.is_sorted_by(|a, b| a.placed_at >= b.placed_at), "newest first");

    let cancelled = OrderFilter { status: Some(OrderStatus::Cancelled), ..OrderFilter::default() };
    let request = PageRequest { first: 10, after: None, with_total: true };
    let page = list(&shop.db, &cancelled, &request).await.expect("the list");
    assert_eq!((page.rows.len(), page.has_next, page.total), (10, true, Some(34)));
    assert!(page.rows.iter().all(|(_, row)| row.status == OrderStatus::Cancelled));

    let whole = |order_id| HistoryPart { order_id, after: 0, first: 100 };
    let (one, two) = (whole(ids[0]), whole(ids[1]));
    let beginning = HistoryPart { first: 1, ..one };
    let histories = history(&shop.db, &[one, two, beginning]).await.expect("the histories");
    let types = |part| histories[part].iter().map(|entry| entry.event_type.as_str()).collect::<Vec<_>>();
    assert_eq!(types(&one), ["OrderPlaced", "OrderCancelled"]);
    assert_eq!(types(&two), ["OrderPlaced"]);
    assert_eq!(types(&beginning), ["OrderPlaced"]);
    assert_eq!(histories[&one][0].actor, "staff:tester");
    let rest = HistoryPart { after: histories[&one][0].position, ..beginning };
    let found = history(&shop.db, &[rest]).await.expect("the history");
    assert_eq!(found[&rest], histories[&one][1..]);
    let lengths = history_lengths(&shop.db, &ids[..2]).await.expect("the lengths");
    assert_eq!((lengths[&ids[0]], lengths[&ids[1]]), (2, 1));
}

#[tokio::test]
async fn a_history_is_read_on_when_a_version_with_other_columns_takes_over() {
    let shop = Shop::open().await;
    let _projector = shop.project("orders");
    let (ids, head) = shop.place_orders(1).await;
    shop.live_at("orders", head).await;
    let whole = [HistoryPart { order_id: ids[0], after: 0, first: 100 }];
    let before = history(&shop.db, &whole).await.expect("the history");
    let switch = "DROP VIEW live.order_history;
         CREATE VIEW live.order_history AS SELECT 'new' AS another_column, * FROM orders_v1.order_history";
    shop.read.pool.execute(switch).await.expect("other columns");
    for _ in 0..10 {
        assert_eq!(history(&shop.db, &whole).await.expect("the history"), before);
    }
}

#[tokio::test]
async fn an_empty_list_has_a_total() {
    let shop = Shop::open().await;
    let _projector = shop.project("orders");
    shop.live_at("orders", 0).await;
    let request = PageRequest { first: 10, after: None, with_total: true };
    let page = list(&shop.db, &OrderFilter::default(), &request).await.expect("the list");
    assert_eq!((page.rows.len(), page.has_next, page.total), (0, false, Some(0)));
}

#[tokio::test]
async fn a_rebuilt_version_equals_the_live_one() {
    let shop = Shop::open().await;
    let _projector = shop.project("orders");
    let (_, head) = shop.place_orders(300).await;
    shop.live_at("orders", head).await;
    let before = shop.dump("orders_v1").await;

    let version = shop.admin.rebuild("orders", |_| ()).await.expect("a rebuild");
    assert_eq!(version, 2);
    assert_eq!(shop.dump("orders_v2").await, before);
    let live = shop.live_at("orders", head).await;
    assert_eq!(live.version, 2);

    shop.admin.drop_version("orders", 1).await.expect("the retired version goes");
    assert!(shop.admin.drop_version("orders", 2).await.is_err(), "the live one stays");
}

#[tokio::test]
async fn the_first_version_is_built_when_it_is_said_to_be_live() {
    let shop = Shop::open().await;
    let (_, head) = shop.place_orders(50).await;
    assert_eq!(shop.admin.rebuild("orders", |_| ()).await.expect("a rebuild"), 1);
    let live = shop.admin.live("orders").await.expect("the register").expect("a live version");
    assert_eq!((live.version, live.checkpoint.position), (1, head));
}

#[tokio::test]
async fn a_rebuild_needs_no_projector() {
    let shop = Shop::open().await;
    let projector = shop.project("orders");
    let (_, head) = shop.place_orders(50).await;
    shop.live_at("orders", head).await;
    drop(projector);
    assert_eq!(shop.admin.rebuild("orders", |_| ()).await.expect("a rebuild"), 2);
    assert_eq!(shop.dump("orders_v2").await, shop.dump("orders_v1").await);
}

#[tokio::test]
async fn a_version_that_was_left_beside_keeps_no_newer_code_from_taking_over() {
    let shop = Shop::open().await;
    let projector = shop.project("orders");
    let (_, head) = shop.place_orders(3).await;
    shop.live_at("orders", head).await;
    drop(projector);
    let left = shop.admin.build("orders", false).await.expect("a version");
    let older = "UPDATE projections SET revision = revision - 1 WHERE version = 1";
    shop.read.pool.execute(older).await.expect("older code");
    let _projector = shop.project("orders");
    eventually(SOON, "the newer code takes over", || async {
        let live = shop.admin.live("orders").await.expect("the register");
        live.filter(|live| live.version > left)
    })
    .await;
    let versions = shop.admin.versions("orders").await.expect("the register");
    let statuses: Vec<_> = versions.iter().map(|row| row.status).collect();
    assert_eq!(statuses, [Status::Retired, Status::Building, Status::Live]);
}

#[tokio::test]
async fn readers_notice_nothing_of_switches_while_orders_pour_in() {
    let shop = Shop::open().await;
    let _projector = shop.project("orders");
    let (_, head) = shop.place_orders(60).await;
    shop.live_at("orders", head).await;

    let switching = async {
        for _ in 0..2 {
            shop.admin.rebuild("orders", |_| ()).await.expect("a rebuild");
        }
        shop.admin.rollback("orders", |_| ()).await.expect("a way back");
    };
    let writing = async {
        loop {
            shop.place_orders(3).await;
        }
    };
    let reading = async {
        let mut seen = 60;
        loop {
            let request = PageRequest { first: 100, after: None, with_total: true };
            let page = list(&shop.db, &OrderFilter::default(), &request).await.expect("the list");
            let total = page.total.expect("the total");
            assert!(total >= seen, "{total} orders after {seen} had been seen");
            seen = total;
            let distinct: HashSet<OrderId> = page.rows.iter().map(|(_, row)| row.order_id).collect();
            assert_eq!(distinct.len(), page.rows.len());
        }
    };
    tokio::select! {
        () = switching => {}
        never = writing => never,
        never = reading => never,
    }
    let versions = shop.admin.versions("orders").await.expect("the register");
    let live = versions.iter().find(|row| row.status == Status::Live).expect("a live version");
    assert_eq!(live.version, 2, "the rollback brought the second version back");
}

#[tokio::test]
async fn a_version_behind_the_live_one_does_not_take_over() {
    let shop = Shop::open().await;
    let projector = shop.project("orders");
    let (_, head) = shop.place_orders(20).await;
    shop.live_at("orders", head).await;
    drop(projector);
    let version = shop.admin.build("orders", false).await.expect("a version");
    let switched = shop.admin.switch("orders", version).await;
    assert!(matches!(switched, Err(RuntimeError::Behind { .. })), "{switched:?}");
    assert_eq!(all(&shop).await.len(), 20);
}

#[tokio::test]
async fn poison_stops_its_key_and_nothing_else() {
    let shop = Shop::open().await;
    let _projector = shop.project("orders");
    let (sick, well) = (OrderId::generate(&SystemIds), OrderId::generate(&SystemIds));
    let poison = vec![("OrderLevitated".to_owned(), r#"{"Levitated":{}}"#.to_owned())];
    shop.append("Order", &sick.to_string(), 0, &[placed(sick)]).await;
    shop.append_raw("Order", &sick.to_string(), 1, poison).await;
    shop.append("Order", &sick.to_string(), 2, &[cancelled()]).await;
    let head = shop.append("Order", &well.to_string(), 0, &[placed(well), cancelled()]).await;
    let live = shop.live_at("orders", head).await;
    assert_eq!(live.parked, 2, "the poison and what came after it");

    let rows = by_ids(&shop.db, &[sick, well]).await.expect("the orders");
    assert_eq!(rows[&sick].status, OrderStatus::Placed, "it stands where it could be read");
    assert_eq!(rows[&well].status, OrderStatus::Cancelled);

    assert_eq!(shop.admin.retry_parked("orders").await.expect("a retry"), 0, "poison stays poison");
    // As if the code had learnt to read it.
    shop.events
        .pool
        .execute("ALTER TABLE events DISABLE TRIGGER events_are_immutable")
        .await
        .expect("no guard");
    let cure =
        r#"UPDATE events SET payload = '{"StockReserved":{"holds":[]}}' WHERE event_type = 'OrderLevitated'"#;
    shop.events.pool.execute(cure).await.expect("the cure");
    assert_eq!(shop.admin.retry_parked("orders").await.expect("a retry"), 2);
    let rows = by_ids(&shop.db, &[sick]).await.expect("the orders");
    assert_eq!(rows[&sick].status, OrderStatus::Cancelled);
    assert_eq!(shop.live_at("orders", head).await.parked, 0);
}

/// Stock was "held" once.
struct Held;

impl EventUpcaster for Held {
    fn can_upcast(&self, event_type: &str, _event_version: &str) -> bool {
        event_type == "OrderStockHeld"
    }

    fn upcast(&self, mut event: SerializedEvent) -> SerializedEvent {
        event.payload = serde_json::json!({ "StockReserved": { "holds": event.payload["Held"] } });
        event
    }
}

#[tokio::test]
async fn an_event_of_long_ago_is_folded_in_todays_shape_and_checkpoints_stay_those_of_the_log() {
    let shop = Shop::open_upcasting(Upcasters::new(vec![Box::new(Held)])).await;
    let projector = shop.project("orders");
    let id = OrderId::generate(&SystemIds);
    let old = vec![("OrderStockHeld".to_owned(), r#"{"Held":[]}"#.to_owned())];
    shop.append("Order", &id.to_string(), 0, &[placed(id)]).await;
    let head = shop.append_raw("Order", &id.to_string(), 1, old).await;
    let live = shop.live_at("orders", head).await;
    assert_eq!(live.parked, 0, "it can be read");
    let stored = shop.log().find(head).await.expect("the log").expect("the event");
    assert_eq!(live.checkpoint.hash, stored.hash());
    let part = HistoryPart { order_id: id, after: 1, first: 1 };
    let told = history(&shop.db, &[part]).await.expect("the history");
    assert_eq!(told[&part][0].payload, stored.payload, "history is what was written");
    drop(projector);

    let _another = shop.project("orders");
    let head = shop.append("Order", &id.to_string(), 2, &[cancelled()]).await;
    assert_eq!(
        shop.live_at("orders", head).await.version,
        live.version,
        "it went on where the first one stood"
    );
    assert_eq!(by_ids(&shop.db, &[id]).await.expect("the order")[&id].status, OrderStatus::Cancelled);
    let before = shop.dump("orders_v1").await;
    shop.admin.rebuild("orders", |_| ()).await.expect("a rebuild");
    assert_eq!(shop.dump("orders_v2").await, before);
}

#[tokio::test]
async fn a_version_of_other_code_is_neither_brought_back_nor_mended() {
    let shop = Shop::open().await;
    let projector = shop.project("orders");
    let (_, head) = shop.place_orders(3).await;
    shop.live_at("orders", head).await;
    shop.admin.rebuild("orders", |_| ()).await.expect("a rebuild");
    drop(projector);
    let other = "UPDATE projections SET revision = revision + 1 WHERE version = 1;
         UPDATE projections SET revision = revision - 1, parked = 1 WHERE version = 2";
    shop.read.pool.execute(other).await.expect("other code");
    let refused = |asked: Result<usize, RuntimeError>, version: i32| {
        let told = asked.expect_err("it is refused").to_string();
        assert!(told.starts_with(&format!("version {version} of orders is of revision")), "{told}");
    };
    refused(shop.admin.rollback("orders", |_| ()).await.map(|_| 0), 1);
    refused(shop.admin.retry_parked("orders").await, 2);
    let versions = shop.admin.versions("orders").await.expect("the register");
    assert_eq!(versions.iter().map(|row| row.status).collect::<Vec<_>>(), [Status::Retired, Status::Live]);
}

#[tokio::test]
async fn a_row_that_the_database_refuses_is_parked_alone() {
    let shop = Shop::open().await;
    let projector = shop.project("orders");
    shop.live_at("orders", 0).await;
    shop.read
        .pool
        .execute("ALTER TABLE orders_v1.orders ADD CHECK (key <> '00000000-0000-7000-8000-000000000001')")
        .await
        .expect("a constraint");
    let refused: OrderId = "00000000-0000-7000-8000-000000000001".parse().expect("an id");
    shop.append("Order", &refused.to_string(), 0, &[placed(refused)]).await;
    let (ids, head) = shop.place_orders(10).await;
    let live = shop.live_at("orders", head).await;
    assert_eq!(live.parked, 1);
    assert_eq!(by_ids(&shop.db, &ids).await.expect("the orders").len(), 10);
    drop(projector);
}

#[tokio::test]
async fn two_projectors_of_one_name_do_the_work_of_one() {
    let shop = Shop::open().await;
    let first = shop.project("orders");
    let _second = shop.project("orders");
    let (_, head) = shop.place_orders(30).await;
    shop.live_at("orders", head).await;
    drop(first);
    let (_, head) = shop.place_orders(30).await;
    shop.live_at("orders", head).await;
    let versions = shop.admin.versions("orders").await.expect("the register");
    assert_eq!(versions.len(), 1);
    assert_eq!(all(&shop).await.len(), 60);
}

#[tokio::test]
async fn a_projector_whose_checkpoint_was_moved_steps_down_and_nothing_is_applied_twice() {
    let shop = Shop::open().await;
    let projector = shop.project("orders");
    let (_, head) = shop.place_orders(10).await;
    shop.live_at("orders", head).await;
    let before = shop.dump("orders_v1").await;
    // Another projector stood at the beginning, as a zombie's successor might after a restore.
    shop.read
        .pool
        .execute("UPDATE projections SET position = 0, event_hash = decode(repeat('00', 32), 'hex')")
        .await
        .expect("the register");
    let (_, head) = shop.place_orders(1).await;
    shop.live_at("orders", head).await;
    drop(projector);
    let after = shop.dump("orders_v1").await;
    assert!(before.iter().all(|row| after.contains(row)), "events applied again change nothing");
}

/// The new version that readers see once the log has become another one while nobody followed it.
async fn follows_anew(shop: &Shop, becomes_another: &str) -> Version {
    let projector = shop.project("orders");
    let (_, head) = shop.place_orders(10).await;
    shop.live_at("orders", head).await;
    drop(projector);
    shop.events.pool.execute(becomes_another).await.expect("another log");
    let _projector = shop.project("orders");
    let live = eventually(SOON, "the new version is live", || async {
        let versions = shop.admin.versions("orders").await.expect("the register");
        versions.into_iter().find(|row| row.status == Status::Live && row.version > 1)
    })
    .await;
    assert_eq!(live.checkpoint.position, head);
    assert_eq!(all(shop).await.len(), 10);
    live
}

#[tokio::test]
async fn a_log_that_became_another_is_followed_by_a_new_version() {
    let shop = Shop::open().await;
    follows_anew(&shop, "UPDATE log_head SET epoch = gen_random_uuid()").await;
}

#[tokio::test]
async fn a_log_with_another_past_is_followed_by_a_new_version_though_nobody_renewed_the_epoch() {
    let shop = Shop::open().await;
    let restore = "SET session_replication_role = replica;
        UPDATE events SET event_id = gen_random_uuid() WHERE position = (SELECT position FROM log_head);
        RESET session_replication_role";
    let live = follows_anew(&shop, restore).await;
    let last = shop.log().find(live.checkpoint.position).await.expect("the log").expect("its last event");
    assert_eq!(live.checkpoint.hash, last.hash());
}

#[tokio::test]
async fn a_read_model_whose_tables_were_dropped_is_built_anew() {
    let shop = Shop::open().await;
    let _projector = shop.project("orders");
    let (_, head) = shop.place_orders(10).await;
    shop.live_at("orders", head).await;
    // Once while nothing happens, and once as an event arrives.
    for (version, orders) in [(2, 10), (3, 11)] {
        shop.read
            .pool
            .execute(&*format!("DROP SCHEMA orders_v{} CASCADE", version - 1))
            .await
            .expect("it goes");
        let (_, head) = shop.place_orders(orders - 10).await;
        eventually(SOON, "another version is live", || async {
            let versions = shop.admin.versions("orders").await.expect("the register");
            let live = versions.into_iter().find(|row| row.status == Status::Live);
            live.filter(|live| live.version == version && live.checkpoint.position >= head)
        })
        .await;
        assert_eq!(all(&shop).await.len(), orders);
    }
}
