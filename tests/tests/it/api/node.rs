//! Anything that has a global id is found by it, by whoever may see it where it is reached otherwise.

use daybook_commands::related::{payment_of, shipment_of};
use daybook_commands::use_cases::{capture_payment, refund_payment};
use daybook_domain::order::OrderStatus;
use daybook_domain::{CustomerId, Money};
use serde_json::{Value, json};
use uuid::Uuid;

use super::front::{As, Front, SOON, token};
use super::reading::global;
use crate::checkout::at;
use crate::harness::eventually;
use crate::harness::shop::{context, item};

const NODE: &str = "query ($id: ID!) { node(id: $id) { __typename id
    ... on Payment { captured { amount } refunded { amount } capturable { amount } refundable { amount } }
    ... on Refund { reason status }
    ... on Shipment { status location }
    ... on StockLevel { onHand committed } } }";

async fn node(front: &Front, who: As<'_>, id: &str) -> Value {
    front.data_as(who, NODE, json!({ "id": id })).await["node"].take()
}

/// Waits until the API shows it like this.
async fn shows(front: &Front, who: As<'_>, expected: Value) {
    let id = json!({ "id": expected["id"] });
    eventually(SOON, &format!("the API shows {expected}"), || async {
        let (_, answer) = front.ask(who, NODE, id.clone()).await;
        (answer["data"]["node"] == expected).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_parts_of_an_order_are_found_by_their_ids_by_whoever_may_see_the_order() {
    let front = Front::open().await;
    let (_projector, _worker) = (front.projector(&["orders"]), front.shop.worker(&[]));
    let [owner, other] = [1, 2].map(|n| token("customer", &Uuid::from_u128(n).to_string()));
    let (shop, customer_id) = (&front.shop, CustomerId::new(Uuid::from_u128(1)));
    let lantern = shop.product(1_000, 5).await;
    let (cart_id, total) = shop.cart_of(Some(customer_id), &[lantern]).await;
    let order_id = shop.submit(cart_id, total, "card_approve").await;
    shop.order_is(order_id, OrderStatus::Confirmed).await;
    capture_payment(&shop.shop, &context(), order_id, None).await.expect("it is asked for");
    shop.payment_is(order_id, "it is captured", |one| one.captured() == total).await;
    let hundred = (Money::new(100, total.currency()), "late".to_owned());
    let refunded = refund_payment(&shop.shop, &context(), order_id, hundred).await.expect("it is asked for");

    let payment = global("Payment", &payment_of(order_id).to_string());
    let refund = global("Refund", &refunded.value.0.to_string());
    let parcel = global("Shipment", &shipment_of(order_id, &at("LON")).to_string());
    let staff = token("staff", "ada");
    let amount = |text: &str| json!({ "amount": text });
    let left = Money::new(total.minor() - 100, total.currency()).to_string();
    for token in [&owner, &staff] {
        let who = As { token: Some(token), ..As::default() };
        let money = json!({ "__typename": "Payment", "id": payment, "captured": amount(&total.to_string()),
            "refunded": amount("1.00"), "capturable": amount("0.00"), "refundable": amount(&left) });
        shows(&front, who, money).await;
        let back = json!({ "__typename": "Refund", "id": refund, "reason": "late", "status": "SUCCEEDED" });
        shows(&front, who, back).await;
        let sent = json!({ "__typename": "Shipment", "id": parcel, "status": "OPEN", "location": "LON" });
        shows(&front, who, sent).await;
    }
    for token in [None, Some(other.as_str())] {
        for id in [&payment, &refund, &parcel] {
            assert_eq!(node(&front, As { token, ..As::default() }, id).await, Value::Null);
        }
    }
    let who = As { token: Some(&staff), ..As::default() };
    for name in ["Payment", "Refund", "Shipment"] {
        let unknown = global(name, &Uuid::from_u128(9).to_string());
        assert_eq!(node(&front, who, &unknown).await, Value::Null);
        let malformed = json!({ "id": global(name, "nine") });
        assert_eq!(front.error(who, NODE, malformed).await, "INVALID_ID");
    }
}

#[tokio::test]
async fn stock_at_a_location_is_found_by_its_id_by_the_shops_own_people() {
    let front = Front::open().await;
    let _projector = front.projector(&["stock"]);
    let lantern = front.shop.product(1_000, 5).await;
    let (warehouse, support) = (token("warehouse", "w1"), token("support", "s1"));
    let id = global("StockItem", &item(lantern, "LON").to_string());
    let who = As { token: Some(&warehouse), ..As::default() };
    let level = json!({ "__typename": "StockLevel", "id": id, "onHand": 5, "committed": 0 });
    shows(&front, who, level).await;
    let elsewhere = global("StockItem", &item(lantern, "ROT").to_string());
    assert_eq!(node(&front, who, &elsewhere).await, Value::Null);
    for token in [None, Some(support.as_str())] {
        assert_eq!(node(&front, As { token, ..As::default() }, &id).await, Value::Null);
    }
}
