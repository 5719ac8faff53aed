//! The hot copies in Redis: the same as Postgres says, or nothing.

use std::time::Instant;

use daybook_domain::VariantId;
use daybook_domain::catalogue::DomainEvent;
use daybook_domain::inventory::{InventoryEvent, StockItem};
use daybook_eventstore::process::SystemIds;
use daybook_projections::read::{Hot, hot};
use daybook_projections::{carts, stock};
use fred::interfaces::KeysInterface;

use super::live::{run, spied, spy};
use super::models::{receive, take_cart};
use super::shop::{SOON, Shop};
use crate::harness::eventually;

/// The units of a variant in London, once the hot copy has `after`.
async fn on_hand(shop: &Shop, variant: VariantId, after: i64) -> i64 {
    let levels = eventually(SOON, "the hot copy gets there", || async {
        stock::query::by_variants_hot(&shop.hot, &[variant], Some(after)).await
    })
    .await;
    levels[&variant].iter().map(|level| level.on_hand).sum()
}

/// Loses what Redis has of this shop, as a flush would.
async fn flush(shop: &Shop, name: &str) {
    let base = format!("{{{}{name}}}", shop.prefix);
    let gone: i64 =
        shop.redis.del(vec![format!("{base}:live"), format!("{base}@1")]).await.expect("redis answers");
    assert_eq!(gone, 2);
}

#[tokio::test]
async fn hot_copies_say_what_postgres_says() {
    let shop = Shop::open().await;
    let _projectors = ["stock", "stock-hot", "carts", "carts-hot"].map(|name| shop.project(name));
    let variant = VariantId::generate(&SystemIds);
    receive(&shop, variant, "ROT", 4).await;
    receive(&shop, variant, "LON", 10).await;
    let (cart, head) = take_cart(&shop, None).await;
    assert_eq!(on_hand(&shop, variant, head).await, 14);
    shop.live_at("stock", head).await;
    let cold = stock::query::by_variants(&shop.db, &[variant]).await.expect("the levels");
    let warm = stock::query::by_variants_hot(&shop.hot, &[variant], Some(head)).await;
    assert_eq!(warm, Some(cold));

    let warm = eventually(SOON, "the hot copy gets there", || {
        let ids = vec![cart];
        let hot = &shop.hot;
        async move { carts::query::by_ids_hot(hot, &ids, Some(head)).await }
    });
    let warm = warm.await;
    shop.live_at("carts", head).await;
    assert_eq!(warm.1, carts::query::by_ids(&shop.db, &[cart]).await.expect("the cart"));
    assert!(warm.0 >= head);
}

#[tokio::test]
async fn a_hot_copy_that_is_behind_or_away_says_nothing() {
    let shop = Shop::open().await;
    let _projector = shop.project("stock-hot");
    let variant = VariantId::generate(&SystemIds);
    assert_eq!(stock::query::by_variants_hot(&shop.hot, &[variant], None).await, None, "never built");
    let head = receive(&shop, variant, "LON", 10).await;
    assert_eq!(on_hand(&shop, variant, head).await, 10);
    assert_eq!(stock::query::by_variants_hot(&shop.hot, &[variant], Some(head + 1)).await, None, "behind");
    // Nobody listens on port 1.
    let away = Hot::new(hot::connect("redis://127.0.0.1:1").expect("a URL"), &shop.prefix);
    assert_eq!(stock::query::by_variants_hot(&away, &[variant], None).await, None, "away");
}

#[tokio::test]
async fn a_flushed_redis_heals_by_itself() {
    let shop = Shop::open().await;
    let _projector = shop.project("stock-hot");
    let variant = VariantId::generate(&SystemIds);
    let head = receive(&shop, variant, "LON", 10).await;
    assert_eq!(on_hand(&shop, variant, head).await, 10);

    flush(&shop, "stock-hot").await;
    assert_eq!(on_hand(&shop, variant, head).await, 10, "while nothing happens");

    flush(&shop, "stock-hot").await;
    let head = receive(&shop, variant, "ROT", 5).await;
    assert_eq!(on_hand(&shop, variant, head).await, 15, "while something happens");
}

#[tokio::test]
async fn a_rebuilt_hot_copy_takes_over_and_poison_stops_its_key() {
    let shop = Shop::open().await;
    let _projector = shop.project("stock-hot");
    let (sick, well) = (VariantId::generate(&SystemIds), VariantId::generate(&SystemIds));
    receive(&shop, sick, "LON", 3).await;
    let item = StockItem { variant_id: sick, location: "LON".parse().expect("a location") };
    let poison = vec![("InventoryLevitated".to_owned(), r#"{"Levitated":{}}"#.to_owned())];
    shop.append_raw("Inventory", &item.to_string(), 1, poison).await;
    let set = InventoryEvent::SafetyStockSet { item: item.clone(), quantity: 1 };
    shop.append("Inventory", &item.to_string(), 2, &[DomainEvent::Inventory(set)]).await;
    let head = receive(&shop, well, "LON", 10).await;
    assert_eq!((on_hand(&shop, sick, head).await, on_hand(&shop, well, head).await), (3, 10));
    assert_eq!(shop.live_at("stock-hot", head).await.parked, 2);

    assert_eq!(shop.admin.rebuild("stock-hot", |_| ()).await.expect("a rebuild"), 2);
    shop.admin.drop_version("stock-hot", 1).await.expect("the retired version goes");
    assert_eq!((on_hand(&shop, sick, head).await, on_hand(&shop, well, head).await), (3, 10));
}

/// What is parked of the live version, with why.
async fn parked(shop: &Shop) -> Vec<(i64, String)> {
    let statement = "SELECT position, error FROM parked_events ORDER BY position";
    sqlx::query_as(statement).fetch_all(&shop.read.pool).await.expect("the parked events")
}

#[tokio::test]
async fn a_hot_copy_that_is_built_again_has_what_came_before_the_poison_and_says_the_same_of_it() {
    let shop = Shop::open().await;
    let _projector = shop.project("stock-hot");
    let sick = VariantId::generate(&SystemIds);
    receive(&shop, sick, "LON", 3).await;
    let item = StockItem { variant_id: sick, location: "LON".parse().expect("a location") };
    let poison = vec![("InventoryLevitated".to_owned(), r#"{"Levitated":{}}"#.to_owned())];
    shop.append_raw("Inventory", &item.to_string(), 1, poison).await;
    let head = set(&shop, sick, 2).await;
    assert_eq!(shop.live_at("stock-hot", head).await.parked, 2);
    let before = parked(&shop).await;
    assert!(!before[0].1.contains("earlier"), "{before:?}");

    assert_eq!(shop.admin.retry_parked("stock-hot").await.expect("a retry"), 0);
    // Readers see a copy a moment after the register says that it is there.
    assert_eq!(on_hand(&shop, sick, head).await, 3);
    flush(&shop, "stock-hot").await;
    assert_eq!(on_hand(&shop, sick, head).await, 3);
    assert_eq!(parked(&shop).await, before);
    assert_eq!(shop.live_at("stock-hot", head).await.parked, 2);
}

#[tokio::test]
async fn a_retry_that_was_cut_short_stops_no_key_for_ever() {
    for (name, kept) in [("stock", "stock_v1"), ("stock-hot", "")] {
        let shop = Shop::open().await;
        let _projector = shop.project(name);
        let variant = VariantId::generate(&SystemIds);
        receive(&shop, variant, "LON", 3).await;
        let head = set(&shop, variant, 1).await;
        shop.live_at(name, head).await;
        // The events are in the row; that they were parked was not yet taken back.
        let item = StockItem { variant_id: variant, location: "LON".parse().expect("a location") };
        let key = if kept.is_empty() { variant.to_string() } else { item.to_string() };
        let cut_short = format!(
            "INSERT INTO parked_events (name, version, key, position, error)
                 SELECT '{name}', 1, '{key}', position, 'poison' FROM generate_series({head} - 1, {head}) AS position;
             UPDATE projections SET parked = 2"
        );
        run(&shop, &cut_short).await;
        let next = set(&shop, variant, 2).await;
        shop.live_at(name, next).await;
        assert!(shop.admin.retry_parked(name).await.expect("a retry") >= 2, "{name}");
        assert_eq!(parked(&shop).await, [], "{name}");
        assert_eq!(shop.live_at(name, next).await.parked, 0, "{name}");
    }
}

/// Sets the safety stock of an item in London that has so many events.
async fn set(shop: &Shop, variant: VariantId, expected: i64) -> i64 {
    let item = StockItem { variant_id: variant, location: "LON".parse().expect("a location") };
    let set = InventoryEvent::SafetyStockSet { item: item.clone(), quantity: 1 };
    shop.append("Inventory", &item.to_string(), expected, &[DomainEvent::Inventory(set)]).await
}

#[tokio::test]
async fn the_register_is_told_of_a_busy_hot_copy_now_and_then_and_always_in_the_end() {
    let shop = Shop::open().await;
    let _projector = shop.project("stock-hot");
    let variant = VariantId::generate(&SystemIds);
    let head = receive(&shop, variant, "LON", 3).await;
    shop.live_at("stock-hot", head).await;
    spy(&shop).await;
    let began = Instant::now();
    let mut head = 0;
    for count in 1..100 {
        head = set(&shop, variant, count).await;
    }
    assert_eq!(shop.live_at("stock-hot", head).await.checkpoint.position, head);
    let (told, took) = (spied(&shop, "projections").await.len(), began.elapsed());
    assert!(told as u128 <= took.as_millis() / 200 + 2, "{told} times in {took:?}");
}

#[tokio::test]
async fn what_was_parked_stays_parked_whoever_follows() {
    let shop = Shop::open().await;
    let _projectors = [shop.project("stock-hot"), shop.project("stock-hot")];
    let (sick, well) = (VariantId::generate(&SystemIds), VariantId::generate(&SystemIds));
    receive(&shop, sick, "LON", 3).await;
    let head = receive(&shop, well, "LON", 3).await;
    shop.live_at("stock-hot", head).await;
    let item = StockItem { variant_id: sick, location: "LON".parse().expect("a location") };
    let poison = vec![("InventoryLevitated".to_owned(), r#"{"Levitated":{}}"#.to_owned())];
    shop.append_raw("Inventory", &item.to_string(), 1, poison).await;
    let mut head = 0;
    for count in 2..20 {
        set(&shop, sick, count).await;
        head = set(&shop, well, count - 1).await;
        if count % 6 == 0 {
            // Who follows does not notice that the lock is gone, and the other one begins as well.
            let unlock =
                "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted
                AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
            run(&shop, unlock).await;
        }
    }
    assert_eq!(shop.live_at("stock-hot", head).await.parked, 19, "the poison and all that came after it");
    assert_eq!(on_hand(&shop, well, head).await, 3);
}

#[tokio::test]
async fn an_operator_switches_hot_copies_while_stock_moves() {
    let shop = Shop::open().await;
    let _projector = shop.project("stock-hot");
    let variant = VariantId::generate(&SystemIds);
    let head = receive(&shop, variant, "LON", 3).await;
    shop.live_at("stock-hot", head).await;
    let switching = async {
        for _ in 0..3 {
            let version = shop.admin.build("stock-hot", false).await.expect("a version");
            eventually(SOON, "it takes over", || async {
                shop.admin.switch("stock-hot", version).await.ok()
            })
            .await;
        }
    };
    let moving = async {
        for count in 1.. {
            set(&shop, variant, count).await;
        }
    };
    tokio::select! {
        () = switching => {}
        () = moving => {}
    }
    let head = shop.admin.head().await.expect("the head");
    assert_eq!(shop.live_at("stock-hot", head).await.version, 4);
    assert_eq!(on_hand(&shop, variant, head).await, 3);
}
