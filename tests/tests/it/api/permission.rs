//! Nobody sees or changes what is not theirs.

use daybook_domain::CustomerId;
use daybook_domain::order::OrderStatus;
use serde_json::json;
use uuid::Uuid;

use super::front::{As, Front, SOON, token};
use super::reading::global;
use crate::harness::eventually;

const CREATE: &str = "mutation { cartCreate(input: { currencyCode: GBP }) { cart { id } position } }";

#[tokio::test]
async fn shoppers_cannot_do_what_the_shops_people_do() {
    let front = Front::open().await;
    let customer = token("customer", &Uuid::from_u128(1).to_string());
    let warehouse = token("warehouse", "w1");
    let publish = "mutation ($id: ID!) { productPublish(id: $id) { position } }";
    let id = json!({ "id": global("Product", &Uuid::from_u128(2).to_string()) });
    for token in [None, Some(customer.as_str()), Some(warehouse.as_str())] {
        let who = As { token, ..As::default() };
        assert_eq!(front.error(who, publish, id.clone()).await, "FORBIDDEN");
    }
    assert_eq!(front.error(As::default(), "{ orders { totalCount } }", json!({})).await, "FORBIDDEN");
    let staff = token("staff", "ada");
    let who = As { token: Some(&staff), ..As::default() };
    let refused =
        front.data_as(who, "mutation ($id: ID!) { productPublish(id: $id) { userErrors { code } } }", id);
    assert_eq!(refused.await["productPublish"]["userErrors"][0]["code"], "NOT_FOUND");
}

#[tokio::test]
async fn a_customers_cart_is_theirs_alone() {
    let front = Front::open().await;
    let _projector = front.projector(&["carts"]);
    let [owner, other] = [1, 2].map(|n| token("customer", &Uuid::from_u128(n).to_string()));
    let as_owner = As { token: Some(&owner), ..As::default() };
    let made = front.data_as(as_owner, CREATE, json!({})).await["cartCreate"].take();
    let asked = json!({ "id": made["cart"]["id"], "after": made["position"] });
    let read = "query ($id: ID!, $after: Position) { cart(id: $id, after: $after) { id } }";
    let reprice = "mutation ($id: ID!) { cartReprice(cartId: $id) { userErrors { code } } }";
    super::reading::built(&front, "carts").await;
    assert_eq!(front.data_as(as_owner, read, asked.clone()).await["cart"]["id"], made["cart"]["id"]);
    for token in [None, Some(other.as_str())] {
        let who = As { token, ..As::default() };
        assert!(front.data_as(who, read, asked.clone()).await["cart"].is_null());
        let refused = front.data_as(who, reprice, json!({ "id": made["cart"]["id"] })).await;
        assert_eq!(refused["cartReprice"]["userErrors"][0]["code"], "NOT_FOUND");
    }
    let support = token("support", "sam");
    let who = As { token: Some(&support), ..As::default() };
    assert_eq!(front.data_as(who, read, asked).await["cart"]["id"], made["cart"]["id"]);
}

#[tokio::test]
async fn a_customers_order_is_theirs_alone() {
    let front = Front::open().await;
    let (_projector, _worker) = (front.projector(&["orders"]), front.shop.worker(&[]));
    let [owner, other] = [1, 2].map(|n| token("customer", &Uuid::from_u128(n).to_string()));
    let lantern = front.shop.product(1_000, 5).await;
    let customer_id = CustomerId::new(Uuid::from_u128(1));
    let (cart_id, total) = front.shop.cart_of(Some(customer_id), &[lantern]).await;
    let order_id = front.shop.submit(cart_id, total, "card_approve").await;
    front.shop.order_is(order_id, OrderStatus::Confirmed).await;

    let id = json!({ "id": global("Order", &order_id.to_string()) });
    let read = "query ($id: ID!) { order(id: $id) { id } node(id: $id) { id } }";
    let cancel = "mutation ($id: ID!) { orderCancel(orderId: $id) { userErrors { code } } }";
    let as_owner = As { token: Some(&owner), ..As::default() };
    eventually(SOON, "the customer sees the order", || async {
        let (_, seen) = front.ask(as_owner, read, id.clone()).await;
        (seen["data"]["order"]["id"] == id["id"] && seen["data"]["node"]["id"] == id["id"]).then_some(())
    })
    .await;
    for token in [None, Some(other.as_str())] {
        let who = As { token, ..As::default() };
        assert_eq!(front.data_as(who, read, id.clone()).await, json!({ "order": null, "node": null }));
        let refused = front.data_as(who, cancel, id.clone()).await;
        assert_eq!(refused["orderCancel"]["userErrors"][0]["code"], "NOT_FOUND");
    }
    let list = "{ orders { totalCount } }";
    let as_other = As { token: Some(&other), ..As::default() };
    assert_eq!(front.data_as(as_owner, list, json!({})).await["orders"]["totalCount"], 1);
    assert_eq!(front.data_as(as_other, list, json!({})).await["orders"]["totalCount"], 0);
    let of_owner = "query ($id: ID!) { orders(filter: { customerId: $id }) { totalCount } }";
    let customer = json!({ "id": global("Customer", &customer_id.to_string()) });
    assert_eq!(front.error(as_other, of_owner, customer).await, "FORBIDDEN");
    assert_eq!(front.shop.order(order_id).await.status(), OrderStatus::Confirmed);
}
