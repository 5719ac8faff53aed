//! Carts are read from Redis while its copy is good, and from the replica when it is not.

use daybook_projections::read::hot;
use fred::interfaces::ClientLike;
use serde_json::{Value, json};
use xtask::servers::Scratch;

use super::front::{As, Front, SOON};
use super::reading::built;
use crate::harness::eventually;

const CREATE: &str = "mutation { cartCreate(input: { currencyCode: GBP }) { cart { id } position } }";
const READ: &str = "query ($id: ID!, $after: Position) { cart(id: $id, after: $after) { id currencyCode } }";

/// A new cart: its id, and the position where it is there.
async fn create(front: &Front) -> (Value, Value) {
    let mut made = front.data(CREATE, json!({})).await["cartCreate"].take();
    (made["cart"]["id"].take(), made["position"].take())
}

/// How many carts the API has answered from Redis.
async fn from_redis(front: &Front) -> u64 {
    let metrics = front.http.get(front.url("/metrics")).send().await.expect("an answer");
    let metrics = metrics.text().await.expect("metrics");
    let series = "daybook_api_reads_total{model=\"carts\",source=\"redis\"}";
    metrics.lines().find_map(|line| line.strip_prefix(series)?.trim().parse().ok()).unwrap_or(0)
}

#[tokio::test]
async fn a_cart_is_read_from_redis_and_without_its_copy_from_the_replica() {
    let mut scratch = Scratch::new().expect("a folder");
    let redis = scratch.redis().expect("a Redis");
    let (url, settings) = (redis.url(), [("REDIS_URL", redis.url())]);
    let settings = settings.each_ref().map(|(name, url)| (*name, url.as_str()));
    let front = Front::open_with(&settings).await;
    let (first, position) = create(&front).await;

    // Nobody keeps the replica's carts yet, so that only Redis can know one.
    let hot_projector = front.projector_with(&["carts-hot"], &settings);
    let cart = eventually(SOON, "Redis has the cart", || async {
        let (_, mut answer) = front.ask(As::default(), READ, json!({ "id": first })).await;
        answer["errors"].is_null().then(|| answer["data"]["cart"].take()).filter(|cart| !cart.is_null())
    })
    .await;
    assert_eq!(cart, json!({ "id": first, "currencyCode": "GBP" }));
    let again = front.data(READ, json!({ "id": first, "after": position })).await;
    assert_eq!(again["cart"], cart);
    let answered = from_redis(&front).await;
    assert!(answered >= 2, "{answered}");
    // What one asks for that is nowhere does not take the copy from another.
    let both = "query ($id: ID!) { greedy: cart(id: $id, after: \"9223372036854775807\") { id }
        modest: cart(id: $id) { id currencyCode } }";
    let (_, answer) = front.ask(As::default(), both, json!({ "id": first })).await;
    assert_eq!(answer["data"]["modest"], cart, "{answer}");
    assert_eq!(answer["errors"][0]["extensions"]["code"], "POSITION_UNKNOWN");

    // A copy that stands still is not shown to whoever knows of more, nor to others from then on.
    drop(hot_projector);
    let _projector = front.projector(&["carts"]);
    let (second, position) = create(&front).await;
    eventually(SOON, "the replica has the cart", || async {
        let (_, answer) = front.ask(As::default(), READ, json!({ "id": second, "after": position })).await;
        (answer["data"]["cart"]["id"] == second).then_some(())
    })
    .await;
    assert_eq!(front.data(READ, json!({ "id": second })).await["cart"]["id"], second);

    let connection = hot::connect(&url).expect("a URL");
    connection.flushall::<()>(false).await.expect("Redis answers");
    built(&front, "carts").await;
    let answered = from_redis(&front).await;
    assert_eq!(front.data(READ, json!({ "id": first })).await["cart"], cart);
    assert_eq!(from_redis(&front).await, answered);
}
