//! A client reads what it wrote, or is told how far behind the replica is.

use serde_json::{Value, json};
use sqlx::{Executor, PgPool};
use xtask::servers::{Profile, Scratch};

use super::front::{As, Front, SOON};
use crate::harness::{eventually, servers};

/// A global id, as the API gives them out.
pub(super) fn global(name: &str, key: &str) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let text = format!("{name}:{key}");
    let chunk = |three: &[u8]| {
        let bits =
            three.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - three.len()));
        (0..=three.len())
            .map(|n| char::from(ALPHABET[usize::try_from(bits >> (18 - 6 * n) & 63).expect("six bits")]))
            .collect::<String>()
    };
    text.as_bytes().chunks(3).map(chunk).collect()
}

/// Waits until a read model is there.
pub(super) async fn built(front: &Front, model: &str) {
    let (query, code) = match model {
        "carts" => {
            ("{ cart(id: \"Q2FydDowMDAwMDAwMC0wMDAwLTAwMDAtMDAwMC0wMDAwMDAwMDAwMDE\") { id } }", "cart")
        }
        _ => ("{ products(first: 1) { totalCount } }", "products"),
    };
    eventually(SOON, "the read model is built", || async {
        let (_, answer) = front.ask(As::default(), query, json!({})).await;
        (answer["errors"].is_null() && answer["data"].get(code).is_some()).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_client_reads_its_own_write() {
    let front = Front::open().await;
    let _projector = front.projector(&["carts"]);
    built(&front, "carts").await;
    let create = "mutation { cartCreate(input: { currencyCode: GBP }) { cart { id } position } }";
    let read = "query ($id: ID!, $after: Position!) { cart(id: $id, after: $after) { id currencyCode }
        node(id: $id, after: $after) { id __typename } }";
    for _ in 0..20 {
        let made = front.data(create, json!({})).await["cartCreate"].take();
        let asked = json!({ "id": made["cart"]["id"], "after": made["position"] });
        let found = front.data(read, asked).await;
        assert_eq!(found["cart"], json!({ "id": made["cart"]["id"], "currencyCode": "GBP" }));
        assert_eq!(found["node"]["__typename"], "Cart");
    }
}

#[tokio::test]
async fn a_replica_that_does_not_have_it_says_how_far_it_is() {
    let front = Front::open().await;
    let projector = front.projector(&["products"]);
    built(&front, "products").await;
    drop(projector);
    front.shop.product(1_000, 1).await;
    let head: i64 = sqlx::query_scalar("SELECT position FROM log_head")
        .fetch_one(&front.shop.events.pool)
        .await
        .expect("the head");
    let read = "query ($after: Position!) { products(first: 1, afterPosition: $after) { totalCount } }";
    let (_, answer) = front.ask(As::default(), read, json!({ "after": head.to_string() })).await;
    let told = &answer["errors"][0]["extensions"];
    assert_eq!(told["code"], "READ_MODEL_BEHIND");
    let number =
        |name: &str| told[name].as_str().and_then(|text| text.parse::<i64>().ok()).expect("a number");
    assert_eq!(number("position") + number("distance"), head);
    for beyond in [head + 1, i64::MAX] {
        let after = json!({ "after": beyond.to_string() });
        assert_eq!(front.error(As::default(), read, after).await, "POSITION_UNKNOWN");
    }
}

#[tokio::test]
async fn from_a_replica_that_is_held_back_a_client_gets_its_write_or_the_distance_and_nothing_older() {
    // One of its own: a replica that stands still is in everybody's way.
    let _ = servers();
    let mut scratch = Scratch::new().expect("a folder");
    let profile = Profile { max_connections: 60, databases: &["daybook_read"], ..Profile::TEST };
    let (primary, replica) = scratch.postgres(profile).expect("a Postgres and its replica");
    let [primary, replica] =
        [primary, replica].map(|server| (format!("{}/daybook_read", server.url()), server));
    let pool = async |url: &str| PgPool::connect(url).await.expect("the server answers");
    let (primary_pool, replica_pool) = (pool(&primary.0).await, pool(&replica.0).await);
    daybook_projections::migrate(&primary_pool).await.expect("the read database's schema");
    let urls = [("READ_URL", primary.0.as_str()), ("READ_REPLICA_URL", replica.0.as_str())];
    let front = Front::open_with(&urls).await;
    let _projector = front.projector_with(&["carts"], &urls[..1]);
    built(&front, "carts").await;
    let create = "mutation { cartCreate(input: { currencyCode: GBP }) { cart { id } position } }";
    let made = front.data(create, json!({})).await["cartCreate"].take();
    let read = "query ($id: ID!, $after: Position!) { cart(id: $id, after: $after) { totalQuantity } }";
    let at = |position: &Value| json!({ "id": made["cart"]["id"], "after": position });
    assert_eq!(front.data(read, at(&made["position"])).await["cart"]["totalQuantity"], 0);

    let wanted = front.shop.product(1_000, 7).await;
    replica_pool.execute("SELECT pg_wal_replay_pause()").await.expect("it is held back");
    let add = "mutation ($cart: ID!, $variant: ID!) {
        cartLinesAdd(cartId: $cart, lines: [{ merchandiseId: $variant, quantity: 3 }]) { position } }";
    let variant = global("ProductVariant", &wanted.variant.to_string());
    let added = front.data(add, json!({ "cart": made["cart"]["id"], "variant": variant })).await;
    let position = &added["cartLinesAdd"]["position"];
    let (_, answer) = front.ask(As::default(), read, at(position)).await;
    assert!(answer["data"]["cart"].is_null(), "nothing older: {answer}");
    let told = &answer["errors"][0]["extensions"];
    assert_eq!(told["code"], "READ_MODEL_BEHIND");
    let number = |value: &Value| value.as_str().and_then(|text| text.parse::<i64>().ok()).expect("a number");
    assert!(number(&told["distance"]) > 0);
    assert_eq!(number(&told["position"]) + number(&told["distance"]), number(position));
    assert_eq!(
        front.data(read, at(&made["position"])).await["cart"]["totalQuantity"],
        0,
        "what it has, it has"
    );

    replica_pool.execute("SELECT pg_wal_replay_resume()").await.expect("it goes on");
    let own = eventually(SOON, "the replica has it", || async {
        let (_, answer) = front.ask(As::default(), read, at(position)).await;
        answer["errors"].is_null().then(|| answer["data"]["cart"]["totalQuantity"].clone())
    })
    .await;
    assert_eq!(own, 3);
}

#[tokio::test]
async fn a_products_stock_is_no_older_than_what_was_asked_for() {
    let front = Front::open().await;
    let _products = front.projector(&["products"]);
    built(&front, "products").await;
    let wanted = front.shop.product(1_000, 7).await;
    let position: i64 = sqlx::query_scalar("SELECT position FROM log_head")
        .fetch_one(&front.shop.events.pool)
        .await
        .expect("the head");
    let id = global("Product", &wanted.variant.product_id.to_string());
    let asked = json!({ "id": id, "after": position.to_string() });
    let read = "query ($id: ID!, $after: Position!) {
        product(id: $id, after: $after) { title variants { quantityAvailable } } }";
    assert_eq!(front.error(As::default(), read, asked.clone()).await, "READ_MODEL_BEHIND", "nobody counts");
    let plain = "query ($id: ID!, $after: Position!) { product(id: $id, after: $after) { title } }";
    assert!(front.data(plain, asked.clone()).await["product"]["title"].is_string());
    let _stock = front.projector(&["stock"]);
    eventually(SOON, "the stock is counted", || async {
        let (_, answer) = front.ask(As::default(), read, asked.clone()).await;
        let variants = &answer["data"]["product"]["variants"];
        if !variants.is_null() {
            assert_eq!(variants[0]["quantityAvailable"], 7, "never an older number");
        }
        (!variants.is_null()).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_search_is_behind_when_its_index_is() {
    let front = Front::open().await;
    let _projector = front.projector(&["products"]);
    built(&front, "products").await;
    front.shop.product(1_000, 1).await;
    for search in [
        "{ search(query: \"\", first: 1, afterPosition: \"1\") { totalCount } }",
        "{ searchSuggestions(query: \"lan\", afterPosition: \"1\") }",
    ] {
        let code = front.error(As::default(), search, json!({})).await;
        assert_eq!(code, "READ_MODEL_BEHIND", "nobody indexes: {search}");
    }
}

#[tokio::test]
async fn products_are_listed_filtered_and_paged() {
    let front = Front::open().await;
    let _projector = front.projector(&["products", "stock"]);
    built(&front, "products").await;
    for pence in [300, 100, 200] {
        front.shop.product(pence, 7).await;
    }
    let list = "query ($after: String) { products(first: 2, after: $after,
        sort: { key: PRICE_ASCENDING, currencyCode: GBP }, afterPosition: \"12\") {
            totalCount pageInfo { hasNextPage endCursor }
            nodes { published variants { price(currencyCode: GBP) { amount } } } } }";
    let first = front.data(list, json!({})).await["products"].take();
    assert_eq!((&first["totalCount"], &first["pageInfo"]["hasNextPage"]), (&json!(3), &json!(true)));
    assert_eq!(first["nodes"][0]["variants"][0]["price"]["amount"], "1.00");
    let rest = front.data(list, json!({ "after": first["pageInfo"]["endCursor"] })).await["products"].take();
    assert_eq!(rest["nodes"].as_array().map(Vec::len), Some(1));
    assert_eq!(rest["nodes"][0]["variants"][0]["price"]["amount"], "3.00");
    assert_eq!(rest["pageInfo"]["hasNextPage"], json!(false));
}

#[tokio::test]
async fn a_cursor_of_another_list_or_order_is_told_to_be_none_of_this_one() {
    let front = Front::open().await;
    let _projector = front.projector(&["products"]);
    built(&front, "products").await;
    front.shop.product(100, 1).await;
    let list = |sort: &str, after: &str| {
        format!(
            "{{ products(first: 1, after: {after}, sort: {sort}, afterPosition: \"1\") {{ pageInfo {{ endCursor }} }} }}"
        )
    };
    let (by_title, by_price) = ("{ key: TITLE }", "{ key: PRICE_ASCENDING, currencyCode: GBP }");
    let found = front.data(&list(by_title, "null"), json!({})).await["products"].take();
    let cursor = found["pageInfo"]["endCursor"].to_string();
    front.data(&list(by_title, &cursor), json!({})).await;
    assert_eq!(front.error(As::default(), &list(by_price, &cursor), json!({})).await, "INVALID_CURSOR");
    // "cheapest GBP\nkey\nnonsense"
    let forged = "\"Y2hlYXBlc3QgR0JQCmtleQpub25zZW5zZQ\"";
    assert_eq!(front.error(As::default(), &list(by_price, forged), json!({})).await, "INVALID_CURSOR");
    let search = format!("{{ search(query: \"\", after: {cursor}) {{ totalCount }} }}");
    assert_eq!(front.error(As::default(), &search, json!({})).await, "INVALID_CURSOR");
}

#[tokio::test]
async fn an_ordinary_page_may_be_asked_for_and_a_greedy_one_not() {
    let front = Front::open().await;
    let _projector = front.projector(&["products"]);
    built(&front, "products").await;
    let page = "{ products(first: 100) { totalCount pageInfo { hasNextPage endCursor }
        facets { name kind values { value count } }
        nodes { id title variants { id sku prices { amount currencyCode } } } } }";
    assert_eq!(front.data(page, json!({})).await["products"]["totalCount"], 0);
    let greedy = "{ products(first: 100) { nodes { variants { product { variants { product {
        variants { sku title: sku } } } } } } } }";
    assert_eq!(front.error(As::default(), greedy, json!({})).await, "GRAPHQL_VALIDATION_FAILED");
}
