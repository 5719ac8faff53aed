//! Faults in the whole of Daybook while shoppers buy through the public API: any process killed, NATS wiped, Redis
//! flushed, the index gone. Everything heals without a person, and nothing is lost or done twice.

use std::time::Duration;

use daybook_domain::order::OrderStatus;
use daybook_domain::{IdSource, OrderId};
use daybook_eventstore::process::SystemIds;
use futures::{StreamExt, stream};
use serde_json::json;

use crate::harness::eventually;
use crate::harness::shop::Wanted;
use crate::harness::stack::{Client, PROCESSES, Stack};

const CHECKOUTS: usize = 200;
const UNITS: i64 = 1_000;
const HEALED: Duration = Duration::from_secs(90);

const CREATE: &str =
    "mutation($i: CartCreateInput!) { cartCreate(input: $i) { cart { id } userErrors { code } } }";
const DELIVER: &str =
    "mutation($i: CartDeliverySetInput!) { cartDeliverySet(input: $i) { userErrors { code message } } }";
const SHIP: &str = "mutation($c: ID!) { cartShippingSet(cartId: $c, shippingMethod: \"standard\") { cart { cost { totalAmount { amount } } } userErrors { code message } } }";
const SUBMIT: &str = "mutation($i: CartSubmitInput!) { cartSubmit(input: $i) { orderId position replayed userErrors { code message } } }";

pub(crate) fn global(kind: &str, key: &str) -> String {
    use base64::Engine;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(format!("{kind}:{key}"))
}

fn order_id(global: &str) -> OrderId {
    use base64::Engine;
    let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(global).expect("base64");
    let text = String::from_utf8(bytes).expect("text");
    text.split_once(':').expect("a type and an id").1.parse().expect("an id")
}

/// One shopper's checkout; every step is repeated with its own key until it is answered.
pub(crate) async fn check_out(client: &Client, wanted: Wanted, token: &str) -> OrderId {
    let key = |step: &str| format!("{step}-{}", SystemIds.next());
    let line =
        json!({ "merchandiseId": global("ProductVariant", &wanted.variant.to_string()), "quantity": 1 });
    let create = json!({ "i": { "currencyCode": "GBP", "lines": [line] } });
    let created = client.insist(CREATE, &create, &key("create")).await;
    let cart = created["cart"]["id"].as_str().unwrap_or_else(|| panic!("no cart: {created}"));
    let address = json!({ "address1": "12 St James's Square", "city": "London", "countryCode": "GB" });
    let contact = json!({ "name": "Ada Byron", "email": "ada@example.org" });
    let deliver = json!({ "i": { "cartId": cart, "contact": contact, "address": address } });
    let delivered = client.insist(DELIVER, &deliver, &key("deliver")).await;
    assert_eq!(delivered["userErrors"], json!([]));
    let shipped = client.insist(SHIP, &json!({ "c": cart }), &key("ship")).await;
    let total = shipped["cart"]["cost"]["totalAmount"]["amount"].clone();
    assert!(!total.is_null(), "{shipped}");
    let expected = json!({ "amount": total, "currencyCode": "GBP" });
    let submit = json!({ "i": { "cartId": cart, "paymentToken": token, "expectedTotal": expected } });
    let submitted = client.insist(SUBMIT, &submit, &key("submit")).await;
    order_id(submitted["orderId"].as_str().unwrap_or_else(|| panic!("no order: {submitted}")))
}

/// Waits until the API shows every order as the store has it.
async fn the_api_shows(stack: &Stack, orders: &[OrderId]) {
    let client = stack.staff();
    for id in orders {
        eventually(HEALED, &format!("the API shows order {id} as it is"), || async {
            let query = "query($id: ID!) { order(id: $id) { status paymentStatus } }";
            let shown =
                client.try_send(query, &json!({ "id": global("Order", &id.to_string()) }), None).await?;
            let order = stack.shop.order(*id).await;
            let status = match order.status() {
                OrderStatus::Confirmed => "CONFIRMED",
                OrderStatus::Cancelled => "CANCELLED",
                OrderStatus::Placed | OrderStatus::Completed => return None,
            };
            (shown["data"]["order"]["status"] == status).then_some(())
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn any_process_may_be_killed_in_the_middle_of_two_hundred_checkouts() {
    let mut stack = Stack::start(&[]).await;
    let lantern = stack.shop.product(1_000, UNITS).await;
    let (client, cards) =
        (stack.shopper(), ["card_approve", "card_approve", "card_decline", "card_timeout_once"]);
    let checkouts = stream::iter(0..CHECKOUTS)
        .map(|n| check_out(&client, lantern, cards[n % cards.len()]))
        .buffer_unordered(16)
        .collect::<Vec<OrderId>>();
    let killing = async {
        // One process after the other, spread over the checkouts.
        for which in 0..PROCESSES.len() {
            let reached =
                i64::try_from((which + 1) * CHECKOUTS / (PROCESSES.len() + 2)).expect("a small number");
            eventually(HEALED, "the checkouts go on", || async {
                (stack.shop.events.count("CartSubmitted").await >= reached).then_some(())
            })
            .await;
            stack.crash(which);
        }
    };
    let (orders, ()) = tokio::join!(checkouts, killing);
    assert_eq!(orders.len(), CHECKOUTS);

    for id in &orders {
        eventually(HEALED, &format!("order {id} is confirmed or cancelled"), || async {
            let order = stack.shop.order(*id).await;
            (order.placement().is_some() && order.status() != OrderStatus::Placed).then_some(())
        })
        .await;
    }
    assert_eq!(stack.shop.events.count("CartSubmitted").await, 200, "no submit took effect twice");
    assert_eq!(stack.shop.events.count("OrderPlaced").await, 200);
    assert_eq!(stack.shop.events.count("OrderConfirmed").await, 150);
    stack
        .shop
        .stock_is(lantern, "LON", "the stock agrees", |stock| {
            stock.committed() == 150 && stock.reserved() == 0
        })
        .await;
    let charges = stack.shop.charges().await;
    let mut paid: Vec<OrderId> = charges.iter().map(|charge| charge.order_id).collect();
    paid.sort_unstable();
    paid.dedup();
    assert_eq!(paid.len(), charges.len(), "one charge an order");
    the_api_shows(&stack, &orders).await;
    for model in ["orders", "carts", "products", "stock", "search"] {
        let differences = stack.differences_from_a_rebuild(model).await;
        assert!(differences.is_empty(), "{model} is not its own rebuild: {differences:?}");
    }
    for model in ["carts-hot", "stock-hot"] {
        let differences = stack.hot_differences_from_a_rebuild(model).await;
        assert!(differences.is_empty(), "{model} is not its own rebuild: {differences:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_before_the_answer_late_or_five_times_makes_one_order_and_one_charge() {
    let stack = Stack::start(&[]).await;
    let lantern = stack.shop.product(1_000, UNITS).await;
    let client = stack.shopper();
    let cards = ["card_webhook_first", "card_twice", "card_late", "card_late_twice"];
    for token in cards {
        let id = check_out(&client, lantern, token).await;
        stack.shop.order_is(id, OrderStatus::Confirmed).await;
        let payment = stack.shop.payment(id).await;
        assert!(payment.conflicts().is_empty(), "{token}");
    }
    let undelivered = "SELECT count(*) FROM simulated_gateway.webhooks";
    eventually(HEALED, "every webhook is answered well", || async {
        let left: i64 =
            sqlx::query_scalar(undelivered).fetch_one(&stack.shop.events.pool).await.expect("a count");
        (left == 0).then_some(())
    })
    .await;
    assert_eq!(stack.shop.charges().await.len(), cards.len());
    assert_eq!(stack.shop.events.count("PaymentAuthorised").await, 4);
    assert_eq!(stack.shop.events.count("OrderConfirmed").await, 4);
    assert_eq!(stack.shop.stock(lantern, "LON").await.committed(), 4);
}

/// How many units of an item the API says can be sold.
async fn for_sale(client: &Client, wanted: Wanted) -> Option<i64> {
    let query = "query($id: ID!) { product(id: $id) { variants { quantityAvailable } } }";
    let product = global("Product", &wanted.variant.product_id.to_string());
    let answer = client.try_send(query, &json!({ "id": product }), None).await?;
    answer["data"]["product"]["variants"][0]["quantityAvailable"].as_i64()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wiped_nats_and_a_flushed_redis_heal_by_themselves() {
    let mut stack = Stack::start(&[]).await;
    let lantern = stack.shop.product(1_000, UNITS).await;
    let client = stack.shopper();
    let before = check_out(&client, lantern, "card_approve").await;
    stack.shop.order_is(before, OrderStatus::Confirmed).await;

    stack.nats.kill();
    let without = check_out(&client, lantern, "card_approve").await;
    stack.shop.order_is(without, OrderStatus::Confirmed).await;
    the_api_shows(&stack, &[before, without]).await;
    stack.nats.wipe().expect("its data is gone");
    stack.nats.start().expect("it starts again");
    let after = check_out(&client, lantern, "card_approve").await;
    stack.shop.order_is(after, OrderStatus::Confirmed).await;
    the_api_shows(&stack, &[before, without, after]).await;

    stack.redis.kill();
    stack.redis.wipe().expect("its data is gone");
    let away = check_out(&client, lantern, "card_approve").await;
    stack.shop.order_is(away, OrderStatus::Confirmed).await;
    the_api_shows(&stack, &[away]).await;
    stack.redis.start().expect("it starts again");
    let back = check_out(&client, lantern, "card_approve").await;
    stack.shop.order_is(back, OrderStatus::Confirmed).await;
    the_api_shows(&stack, &[back]).await;
    eventually(HEALED, "the shop window is right again", || async {
        (for_sale(&client, lantern).await? == UNITS - 5).then_some(())
    })
    .await;
}
