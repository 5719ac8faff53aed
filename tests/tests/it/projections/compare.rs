//! A read model is compared with its own rebuild: whatever was changed behind its back is found and named, and nothing is
//! found in one that is well, however much happens meanwhile.

use daybook_domain::VariantId;
use daybook_domain::catalogue::DomainEvent;
use daybook_domain::inventory::{InventoryEvent, StockItem};
use daybook_domain::order::OrderEvent;
use daybook_eventstore::Position;
use daybook_eventstore::process::SystemIds;
use daybook_projections::runtime::{Comparison, Depth, RuntimeError, Status, Version};
use fred::interfaces::{HashesInterface, KeysInterface};
use sqlx::{Connection, Executor, PgConnection};

use super::models::{pounds, receive, sell, take_cart};
use super::shop::{SOON, Shop, cancelled};
use crate::harness::eventually;

pub(super) const SUMS: Depth = Depth { rows: false, show: 10 };
pub(super) const ROWS: Depth = Depth { rows: true, show: 10 };

/// A version beside the live one that has caught up.
pub(super) async fn beside(shop: &Shop, name: &str) -> i32 {
    let version = shop.admin.build(name, false).await.expect("a version");
    shop.admin.catch_up(name, version, |_| ()).await.expect("it catches up");
    version
}

async fn compare(shop: &Shop, name: &str, version: i32, depth: Depth) -> Comparison {
    shop.admin.compare(name, version, depth).await.expect("a comparison")
}

/// What was found, in words: in which table, which row, and on which side it is.
pub(super) fn found(compared: &Comparison) -> Vec<String> {
    assert_eq!(compared.different(), compared.differences.len() as u64, "{compared:?}");
    let side = |rows: &[Option<_>; 2]| match rows {
        [Some(_), Some(_)] => "differs",
        [Some(_), None] => "live only",
        [None, _] => "rebuilt only",
    };
    let differences = compared.differences.iter();
    let mut all: Vec<_> =
        differences.map(|one| format!("{} {} {}", one.table, one.key, side(&one.rows))).collect();
    all.sort();
    all
}

async fn run(shop: &Shop, statement: &str) {
    shop.read.pool.execute(statement).await.unwrap_or_else(|error| panic!("{statement}: {error}"));
}

/// Compares by sums and by rows, which must find the same.
async fn finds(shop: &Shop, name: &str, version: i32) -> Vec<String> {
    let (sums, rows) = (compare(shop, name, version, SUMS).await, compare(shop, name, version, ROWS).await);
    assert_eq!(found(&sums), found(&rows));
    assert_eq!(sums.is_equal(), sums.different() == 0);
    for table in &sums.tables {
        let agree = table.checksums[0] == table.checksums[1] && table.rows[0] == table.rows[1];
        assert_eq!(agree, table.different == 0, "{table:?}");
    }
    found(&sums)
}

#[tokio::test]
async fn a_row_that_was_changed_removed_or_added_behind_the_back_of_a_read_model_is_named() {
    let shop = Shop::open().await;
    let _projector = shop.project("orders");
    let (ids, head) = shop.place_orders(20).await;
    shop.live_at("orders", head).await;
    let version = beside(&shop, "orders").await;
    let compared = compare(&shop, "orders", version, SUMS).await;
    let rows: Vec<_> = compared.tables.iter().map(|table| (table.table.as_str(), table.rows)).collect();
    assert_eq!(rows, [("orders", [20; 2]), ("order_history", [27; 2])]);
    assert_eq!((compared.position, compared.sides.each_ref().map(|side| side.version)), (head, [1, version]));
    assert!(finds(&shop, "orders", version).await.is_empty());

    let stray = "00000000-0000-7000-8000-000000000001";
    let [row, column, removed, event, lost] = [&ids[0], &ids[1], &ids[2], &ids[3], &ids[4]];
    for statement in [
        format!(
            "UPDATE orders_v1.orders SET doc = jsonb_set(doc::jsonb, '{{status}}', '\"lost\"') WHERE key = '{row}'"
        ),
        format!("UPDATE orders_v1.orders SET total = total + 1 WHERE key = '{column}'"),
        format!("DELETE FROM orders_v1.orders WHERE key = '{removed}'"),
        format!(
            "INSERT INTO orders_v1.orders (key, position, doc, status)
             SELECT '{stray}', position, doc, status FROM orders_v1.orders WHERE key = '{row}'"
        ),
        format!(
            "UPDATE orders_v1.order_history SET actor = 'nobody' WHERE key = '{event}' AND event_type = 'OrderPlaced'"
        ),
        format!("DELETE FROM orders_v1.order_history WHERE key = '{lost}'"),
        format!(
            "INSERT INTO orders_v1.order_history (key, position)
             SELECT key, 1000000 FROM orders_v1.orders WHERE key = '{row}'"
        ),
    ] {
        run(&shop, &statement).await;
    }
    let mut expected = vec![
        format!("orders {row} differs"),
        format!("orders {column} differs"),
        format!("orders {removed} rebuilt only"),
        format!("orders {stray} live only"),
        format!("order_history {event} differs"),
        format!("order_history {lost} rebuilt only"),
        format!("order_history {row} live only"),
    ];
    expected.sort();
    assert_eq!(finds(&shop, "orders", version).await, expected);

    let compared = compare(&shop, "orders", version, SUMS).await;
    let shown = compared.differences.iter().find(|one| one.key == column.to_string()).expect("it is shown");
    let total = |side: usize| shown.rows[side].as_ref().expect("it is there")["total"].as_i64();
    assert_eq!((total(0), total(1)), (Some(1_201), Some(1_200)), "with what differs");
    let compared = compare(&shop, "orders", version, Depth { show: 2, ..SUMS }).await;
    assert_eq!((compared.differences.len(), compared.different()), (2, 7), "all are counted");
}

#[tokio::test]
async fn a_table_of_many_buckets_is_compared_from_its_first_row_to_its_last() {
    let shop = Shop::open().await;
    let _projector = shop.project("orders");
    let (_, head) = shop.place_orders(1).await;
    shop.live_at("orders", head).await;
    let version = beside(&shop, "orders").await;
    // As many on each side as nobody could place here, the same ones.
    for schema in [1, version] {
        let many = format!(
            "INSERT INTO orders_v{schema}.orders (key, position, doc)
                 SELECT 'row ' || lpad(n::text, 6, '0'), n, '{{}}' FROM generate_series(1, 25000) AS n;
             INSERT INTO orders_v{schema}.order_history (key, position)
                 SELECT 'row ' || lpad((n / 5)::text, 6, '0'), n FROM generate_series(1, 25000) AS n"
        );
        run(&shop, &many).await;
    }
    assert!(finds(&shop, "orders", version).await.is_empty());
    let changes = format!(
        "DELETE FROM orders_v1.orders WHERE key IN ('row 000001', 'row 010000', 'row 010001');
         UPDATE orders_v1.orders SET position = 0 WHERE key IN ('row 020000', 'row 025000');
         INSERT INTO orders_v1.orders (key, position, doc) VALUES ('zz', 1, '{{}}');
         DELETE FROM orders_v{version}.order_history WHERE key = 'row 002000' AND position % 5 = 0"
    );
    run(&shop, &changes).await;
    assert_eq!(
        finds(&shop, "orders", version).await,
        [
            "order_history row 002000 live only",
            "orders row 000001 rebuilt only",
            "orders row 010000 rebuilt only",
            "orders row 010001 rebuilt only",
            "orders row 020000 differs",
            "orders row 025000 differs",
            "orders zz live only",
        ]
    );
}

/// Has a version stand still, as if somebody followed it who does not come along, for as long as the connection is kept.
pub(super) async fn hold(shop: &Shop, name: &str, version: i32) -> PgConnection {
    let mut connection = PgConnection::connect(&shop.read.url).await.expect("a connection");
    sqlx::query("SELECT pg_advisory_lock(hashtextextended($1, 0))")
        .bind(format!("daybook projector {name}@{version}"))
        .execute(&mut connection)
        .await
        .expect("the lock");
    connection
}

/// Where the live version is, and a version beside it.
pub(super) async fn positions(shop: &Shop, name: &str, version: i32) -> [Position; 2] {
    let versions = shop.admin.versions(name).await.expect("the register");
    let of = |wanted: &dyn Fn(&Version) -> bool| {
        versions.iter().find(|row| wanted(row)).expect("it is there").checkpoint.position
    };
    [of(&|row| row.status == Status::Live), of(&|row| row.version == version)]
}

#[tokio::test]
async fn a_version_that_stands_still_is_compared_where_the_other_one_is() {
    let shop = Shop::open().await;
    let projector = shop.project("orders");
    let (ids, head) = shop.place_orders(10).await;
    shop.live_at("orders", head).await;
    drop(projector);
    let _held = hold(&shop, "orders", 1).await;
    let version = beside(&shop, "orders").await;
    // The live version lacks what the other one has: changed rows, and new ones.
    for id in ids.iter().skip(1).step_by(3) {
        shop.append("Order", &id.to_string(), 1, &[cancelled()]).await;
    }
    let (_, head) = shop.place_orders(10).await;
    shop.admin.catch_up("orders", version, |_| ()).await.expect("it catches up");
    for depth in [SUMS, ROWS] {
        let compared = compare(&shop, "orders", version, depth).await;
        assert!(compared.is_equal(), "{compared:?}");
        assert_eq!((compared.position, compared.tables[0].rows), (head, [20; 2]));
    }
    let [live, other] = positions(&shop, "orders", version).await;
    assert!(live < other, "nobody followed it");
    run(&shop, &format!("DELETE FROM orders_v{version}.orders WHERE key = '{}'", ids[1])).await;
    let wrong = format!(
        "UPDATE orders_v1.orders SET doc = jsonb_set(doc::jsonb, '{{cart_id}}', '\"{}\"') WHERE key = '{}'",
        ids[0], ids[4]
    );
    run(&shop, &wrong).await;
    let mut expected = [format!("orders {} live only", ids[1]), format!("orders {} differs", ids[4])];
    expected.sort();
    assert_eq!(finds(&shop, "orders", version).await, expected);
}

#[tokio::test]
async fn a_hash_that_stands_still_is_compared_where_the_other_one_is() {
    let shop = Shop::open().await;
    let projector = shop.project("stock-hot");
    let variant = VariantId::generate(&SystemIds);
    let head = receive(&shop, variant, "LON", 3).await;
    shop.live_at("stock-hot", head).await;
    let version = beside(&shop, "stock-hot").await;
    drop(projector);
    for (held, followed) in [(1, version), (version, 1)] {
        let _held = hold(&shop, "stock-hot", held).await;
        receive(&shop, variant, if held == 1 { "ROT" } else { "PAR" }, 5).await;
        let head = receive(&shop, VariantId::generate(&SystemIds), "LON", 3).await;
        shop.admin.catch_up("stock-hot", followed, |_| ()).await.expect("it catches up");
        let compared = compare(&shop, "stock-hot", version, SUMS).await;
        assert!(compared.is_equal(), "{compared:?}");
        assert_eq!(compared.position, head);
        let [live, other] = positions(&shop, "stock-hot", version).await;
        assert_eq!(live < other, held == 1, "nobody followed it");
    }
}

#[tokio::test]
async fn nothing_is_found_in_a_read_model_that_is_well_while_events_pour_in() {
    let shop = Shop::open().await;
    let models = ["orders", "carts", "products", "stock", "search", "carts-hot", "stock-hot"];
    let _projectors = models.map(|name| shop.project(name));
    let hot = VariantId::generate(&SystemIds);
    let first = receive(&shop, hot, "LON", 10).await;
    for name in models {
        shop.live_at(name, first).await;
    }
    let writing = async {
        let item = StockItem { variant_id: hot, location: "LON".parse().expect("a location") };
        for round in 1.. {
            let (ids, _) = shop.place_orders(5).await;
            take_cart(&shop, None).await;
            sell(&shop, "Lantern", "Lights", pounds(300), true).await;
            receive(&shop, VariantId::generate(&SystemIds), "LON", 3).await;
            // One that changes all the time.
            let set = InventoryEvent::SafetyStockSet { item: item.clone(), quantity: round };
            shop.append("Inventory", &item.to_string(), round.into(), &[DomainEvent::Inventory(set)]).await;
            let held = DomainEvent::Order(OrderEvent::StockReserved { holds: Vec::new() });
            shop.append("Order", &ids[1].to_string(), 1, &[held, cancelled()]).await;
        }
    };
    let comparing = async {
        for name in models {
            let version = beside(&shop, name).await;
            for depth in [SUMS, ROWS].into_iter().cycle().take(8) {
                let compared = compare(&shop, name, version, depth).await;
                assert!(compared.is_equal(), "{name}: {compared:?}");
                assert!(compared.tables[0].rows[0] > 0, "{name}: {compared:?}");
            }
            shop.admin.drop_version(name, version).await.expect("it goes");
        }
    };
    tokio::select! {
        () = comparing => {}
        () = writing => {}
    }
}

#[tokio::test]
async fn a_row_whose_key_is_empty_is_compared() {
    let shop = Shop::open().await;
    let _projector = shop.project("orders");
    let (_, head) = shop.place_orders(1).await;
    shop.live_at("orders", head).await;
    let version = beside(&shop, "orders").await;
    run(&shop, "INSERT INTO orders_v1.orders (key, position, doc) VALUES ('', 1, '{}')").await;
    assert_eq!(finds(&shop, "orders", version).await, ["orders  live only"]);
}

#[tokio::test]
async fn what_redis_was_told_by_others_is_named() {
    let shop = Shop::open().await;
    let _projector = shop.project("stock-hot");
    let variants: Vec<VariantId> = (0..6).map(|_| VariantId::generate(&SystemIds)).collect();
    let mut head = 0;
    for variant in &variants {
        head = receive(&shop, *variant, "LON", 3).await;
    }
    shop.live_at("stock-hot", head).await;
    let version = beside(&shop, "stock-hot").await;
    assert!(finds(&shop, "stock-hot", version).await.is_empty());
    let hash = |version: i32| format!("{{{}stock-hot}}@{version}", shop.prefix);
    let [changed, moved, removed, other] = [0, 1, 2, 3].map(|at: usize| variants[at].to_string());
    let get = async |key: &str| -> String { shop.redis.hget(hash(1), key).await.expect("the row") };
    let set = async |key: &str, row: String| {
        let _added: i64 = shop.redis.hset(hash(1), (key, row)).await.expect("it is set");
    };
    set(&changed, get(&changed).await.replace("\"on_hand\":3", "\"on_hand\":4")).await;
    let row = get(&moved).await;
    let (_, doc) = row.split_once(' ').expect("a position");
    set(&moved, format!("1000000 {doc}")).await;
    let _gone: i64 = shop.redis.hdel(hash(1), &removed).await.expect("it goes");
    let _gone: i64 = shop.redis.hdel(hash(version), &other).await.expect("it goes");
    set("stray", get(&changed).await).await;
    // What is no row counts, be it the same on both sides.
    let broken = variants[4].to_string();
    set(&broken, "{}".to_owned()).await;
    for of in [1, version] {
        let _added: i64 = shop.redis.hset(hash(of), ("broken", "{}")).await.expect("it is set");
    }
    let mut expected = vec![
        format!("stock-hot {broken} differs"),
        "stock-hot broken differs".to_owned(),
        format!("stock-hot {changed} differs"),
        format!("stock-hot {moved} differs"),
        format!("stock-hot {removed} rebuilt only"),
        format!("stock-hot {other} live only"),
        "stock-hot stray live only".to_owned(),
    ];
    expected.sort();
    assert_eq!(finds(&shop, "stock-hot", version).await, expected);
}

#[tokio::test]
async fn a_hash_of_many_pages_is_compared_from_its_first_row_to_its_last() {
    let shop = Shop::open().await;
    let _projector = shop.project("stock-hot");
    let head = receive(&shop, VariantId::generate(&SystemIds), "LON", 3).await;
    shop.live_at("stock-hot", head).await;
    let version = beside(&shop, "stock-hot").await;
    for version in [1, version] {
        let rows: Vec<(String, String)> =
            (0..5_000).map(|n| (format!("row {n}"), format!("{n} {{}}"))).collect();
        let hash = format!("{{{}stock-hot}}@{version}", shop.prefix);
        let _added: i64 = shop.redis.hset(hash, rows).await.expect("they are set");
    }
    assert!(finds(&shop, "stock-hot", version).await.is_empty());
    let compared = compare(&shop, "stock-hot", version, SUMS).await;
    assert_eq!(compared.tables[0].rows, [5_001; 2]);
    let hash = format!("{{{}stock-hot}}@1", shop.prefix);
    let _gone: i64 = shop.redis.hdel(hash, "row 4321").await.expect("it goes");
    assert_eq!(finds(&shop, "stock-hot", version).await, ["stock-hot row 4321 rebuilt only"]);
}

#[tokio::test]
async fn what_a_search_document_says_wrongly_is_named() {
    let shop = Shop::open().await;
    let _projector = shop.project("search");
    let (lantern, _, head) = sell(&shop, "Lantern", "Lights", pounds(300), true).await;
    shop.live_at("search", head).await;
    let version = beside(&shop, "search").await;
    assert!(finds(&shop, "search", version).await.is_empty());
    run(&shop, "UPDATE search_v1.search_documents SET published = false").await;
    assert_eq!(finds(&shop, "search", version).await, [format!("search_documents {lantern} differs")]);
}

#[tokio::test]
async fn a_version_that_stands_still_for_some_keys_is_not_whole_and_says_so() {
    for name in ["stock", "stock-hot"] {
        let shop = Shop::open().await;
        let _projector = shop.project(name);
        let variant = VariantId::generate(&SystemIds);
        receive(&shop, variant, "LON", 3).await;
        let item = StockItem { variant_id: variant, location: "LON".parse().expect("a location") };
        let poison = vec![("InventoryLevitated".to_owned(), r#"{"Levitated":{}}"#.to_owned())];
        let head = shop.append_raw("Inventory", &item.to_string(), 1, poison).await;
        shop.live_at(name, head).await;
        let version = beside(&shop, name).await;
        let parked = |compared: &Comparison| compared.sides.each_ref().map(|side| side.parked);
        let compared = compare(&shop, name, version, SUMS).await;
        assert_eq!((parked(&compared), compared.is_equal()), ([1, 1], true), "{name}");

        run(&shop, "UPDATE projections SET parked = 0 WHERE version = 1").await;
        let compared = compare(&shop, name, version, SUMS).await;
        assert_eq!((parked(&compared), compared.is_equal()), ([0, 1], false), "{name}");
    }
}

#[tokio::test]
async fn versions_of_different_logs_or_servers_are_not_compared() {
    let shop = Shop::open().await;
    let projector = shop.project("orders");
    let (_, head) = shop.place_orders(3).await;
    shop.live_at("orders", head).await;
    let version = beside(&shop, "orders").await;
    drop(projector);
    for why in ["target = 'meilisearch'", "epoch = gen_random_uuid()", "diverged = true"] {
        run(&shop, &format!("UPDATE projections SET {why} WHERE version = 1")).await;
        let refused = shop.admin.compare("orders", version, SUMS).await;
        assert!(matches!(refused, Err(RuntimeError::Incomparable { .. })), "{why}: {refused:?}");
    }
    let live = shop.admin.compare("orders", 1, SUMS).await;
    assert!(matches!(live, Err(RuntimeError::NoVersion { .. })), "{live:?}");
}

#[tokio::test]
async fn what_is_kept_on_another_server_is_neither_compared_nor_struck_off() {
    let shop = Shop::open().await;
    let projector = shop.project("orders");
    let (_, head) = shop.place_orders(3).await;
    shop.live_at("orders", head).await;
    let version = beside(&shop, "orders").await;
    drop(projector);
    run(&shop, "UPDATE projections SET target = 'meilisearch'").await;
    let refused = shop.admin.compare("orders", version, SUMS).await;
    assert!(matches!(refused, Err(RuntimeError::NotConfigured { .. })), "{refused:?}");
    let refused = shop.admin.drop_version("orders", version).await;
    assert!(matches!(refused, Err(RuntimeError::NotConfigured { .. })), "{refused:?}");
    let versions = shop.admin.versions("orders").await.expect("the register");
    assert_eq!(versions.iter().map(|row| row.status).collect::<Vec<_>>(), [Status::Live, Status::Building]);
}

#[tokio::test]
async fn two_versions_of_which_nothing_is_there_are_not_equal() {
    for name in ["orders", "stock-hot"] {
        let shop = Shop::open().await;
        let projector = shop.project(name);
        shop.place_orders(1).await;
        let head = receive(&shop, VariantId::generate(&SystemIds), "LON", 3).await;
        shop.live_at(name, head).await;
        let version = beside(&shop, name).await;
        drop(projector);
        let _held = (hold(&shop, name, 1).await, hold(&shop, name, version).await);
        run(&shop, "DROP SCHEMA IF EXISTS orders_v1, orders_v2 CASCADE").await;
        let hashes: Vec<String> = (1..3).map(|of| format!("{{{}stock-hot}}@{of}", shop.prefix)).collect();
        let _gone: i64 = shop.redis.del(hashes).await.expect("they go");
        let refused = shop.admin.compare(name, version, SUMS).await;
        assert!(matches!(refused, Err(RuntimeError::Target(_))), "{refused:?}");
    }
}

/// Asks that a version be brought to the head; that must end, and soon.
async fn catch_up(shop: &Shop, name: &str, version: i32) -> Result<(), RuntimeError> {
    let asked = shop.admin.catch_up(name, version, |_| ());
    tokio::time::timeout(SOON, asked).await.expect("it ends")
}

#[tokio::test]
async fn only_what_this_program_builds_is_followed_to_be_compared() {
    for name in ["orders", "stock-hot"] {
        let shop = Shop::open().await;
        let projector = shop.project(name);
        shop.place_orders(1).await;
        let head = receive(&shop, VariantId::generate(&SystemIds), "LON", 3).await;
        shop.live_at(name, head).await;
        drop(projector);
        let version = shop.admin.build(name, false).await.expect("a version");
        for (change, undo) in [
            ("revision = revision + 1", "revision = revision - 1"),
            ("target = 'meilisearch'", "target = (SELECT max(target) FROM projections WHERE version = 1)"),
            ("status = 'retired'", "status = 'building'"),
        ] {
            run(&shop, &format!("UPDATE projections SET {change} WHERE version = {version}")).await;
            let refused = catch_up(&shop, name, version).await;
            assert!(refused.is_err(), "{change}");
            assert_eq!(positions(&shop, name, version).await, [head, 0], "{change}");
            run(&shop, &format!("UPDATE projections SET {undo} WHERE version = {version}")).await;
        }
        // Somebody takes it away while it is waited for.
        let _held = hold(&shop, name, version).await;
        let retire = format!("UPDATE projections SET status = 'retired' WHERE version = {version}");
        let (refused, ()) = tokio::join!(catch_up(&shop, name, version), run(&shop, &retire));
        assert!(refused.is_err());
    }
}

#[tokio::test]
async fn a_comparison_needs_no_projector_and_brings_the_live_version_up_to_date() {
    let shop = Shop::open().await;
    let projector = shop.project("carts-hot");
    let (_, head) = take_cart(&shop, None).await;
    shop.live_at("carts-hot", head).await;
    drop(projector);
    let (_, head) = take_cart(&shop, None).await;
    let version = beside(&shop, "carts-hot").await;
    let compared = compare(&shop, "carts-hot", version, SUMS).await;
    assert!(compared.is_equal(), "{compared:?}");
    assert_eq!((compared.position, compared.tables[0].rows), (head, [2; 2]));
}

#[tokio::test]
async fn nothing_is_left_of_a_version_that_is_taken_away_while_it_is_followed() {
    let shop = Shop::open().await;
    let _projector = shop.project("stock-hot");
    let head = receive(&shop, VariantId::generate(&SystemIds), "LON", 3).await;
    shop.live_at("stock-hot", head).await;
    let writing = async {
        loop {
            receive(&shop, VariantId::generate(&SystemIds), "LON", 3).await;
        }
    };
    let building = async {
        for _ in 0..3 {
            let version = shop.admin.build("stock-hot", false).await.expect("a version");
            eventually(SOON, "the projector builds it", || async {
                let versions = shop.admin.versions("stock-hot").await.expect("the register");
                versions.iter().any(|row| row.version == version && row.checkpoint.position > 0).then_some(())
            })
            .await;
            shop.admin.drop_version("stock-hot", version).await.expect("it goes");
        }
    };
    // So that there is time to write it again before it is struck off.
    run(
        &shop,
        "CREATE FUNCTION slowly() RETURNS trigger LANGUAGE plpgsql AS
             $$BEGIN PERFORM pg_sleep(0.3); RETURN OLD; END$$;
         CREATE TRIGGER slowly BEFORE DELETE ON projections FOR EACH ROW EXECUTE FUNCTION slowly()",
    )
    .await;
    tokio::select! {
        () = building => {}
        () = writing => {}
    }
    let versions = shop.admin.versions("stock-hot").await.expect("the register");
    assert_eq!(versions.iter().map(|row| (row.version, row.status)).collect::<Vec<_>>(), [(1, Status::Live)]);
    // Whatever still followed one would write it anew with what happens next.
    let head = receive(&shop, VariantId::generate(&SystemIds), "LON", 3).await;
    shop.live_at("stock-hot", head).await;
    let hashes: Vec<String> =
        (2..5).map(|version| format!("{{{}stock-hot}}@{version}", shop.prefix)).collect();
    let left: i64 = shop.redis.exists(hashes).await.expect("Redis answers");
    assert_eq!(left, 0);
}

#[tokio::test]
async fn a_version_that_was_half_dropped_is_not_brought_back() {
    let shop = Shop::open().await;
    let (_, head) = shop.place_orders(3).await;
    shop.admin.rebuild("orders", |_| ()).await.expect("the first version");
    let version = shop.admin.rebuild("orders", |_| ()).await.expect("a rebuild");
    shop.live_at("orders", head).await;
    let other = beside(&shop, "orders").await;
    // It is waited for who follows it, and whoever asked goes away meanwhile.
    let follower = hold(&shop, "orders", other).await;
    tokio::select! {
        dropped = shop.admin.drop_version("orders", other) => panic!("it was to wait: {dropped:?}"),
        () = is_retired(&shop, "orders", other) => {}
    }
    drop(follower);
    assert_eq!(shop.admin.rollback("orders", |_| ()).await.expect("a way back"), 1);
    shop.admin.drop_version("orders", other).await.expect("it goes");
    let versions = shop.admin.versions("orders").await.expect("the register");
    assert_eq!(versions.iter().map(|row| row.version).collect::<Vec<_>>(), [1, version]);
}

async fn is_retired(shop: &Shop, name: &str, version: i32) {
    eventually(SOON, "it is retired", || async {
        let versions = shop.admin.versions(name).await.expect("the register");
        versions.iter().any(|row| row.version == version && row.status == Status::Retired).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_version_that_was_compared_takes_over_while_events_pour_in() {
    let shop = Shop::open().await;
    let _projector = shop.project("orders");
    let (_, head) = shop.place_orders(5).await;
    shop.live_at("orders", head).await;
    let writing = async {
        loop {
            shop.place_orders(3).await;
        }
    };
    let switching = async {
        let version = beside(&shop, "orders").await;
        assert!(compare(&shop, "orders", version, SUMS).await.is_equal());
        shop.admin.take_over("orders", version, 1).await.expect("it takes over");
        version
    };
    let version = tokio::select! {
        version = switching => version,
        never = writing => never,
    };
    let live = shop.admin.live("orders").await.expect("the register").expect("a live version");
    assert_eq!(live.version, version);
}

#[tokio::test]
async fn a_version_takes_over_only_from_the_one_that_it_was_compared_with() {
    let shop = Shop::open().await;
    shop.place_orders(3).await;
    shop.admin.rebuild("orders", |_| ()).await.expect("the first version");
    let version = beside(&shop, "orders").await;
    let compared = compare(&shop, "orders", version, SUMS).await;
    let other = shop.admin.rebuild("orders", |_| ()).await.expect("somebody else's rebuild");
    let refused = shop.admin.take_over("orders", version, compared.sides[0].version).await;
    assert!(matches!(refused, Err(RuntimeError::Incomparable { .. })), "{refused:?}");
    let live = shop.admin.live("orders").await.expect("the register").expect("a live version");
    assert_eq!(live.version, other);
    shop.admin.take_over("orders", version, other).await.expect("it takes over");
}
