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

#[tokio::test]
async fn the_warehouse_sees_orders_and_neither_cancels_them_nor_touches_carts() {
    let front = Front::open().await;
    let _projector = front.projector(&["orders"]);
    let product = front.shop.product(1_000, 5).await;
    let (cart_id, total) = front.shop.cart(&[product]).await;
    let order_id = front.shop.submit(cart_id, total, "card_approve").await;
    let _worker = front.shop.worker(&[]);
    front.shop.order_is(order_id, OrderStatus::Confirmed).await;
    let warehouse = token("warehouse", "w1");
    let who = As { token: Some(&warehouse), ..As::default() };
    let order = json!({ "id": global("Order", &order_id.to_string()) });
    let read = "query ($id: ID!) { order(id: $id) { status contact { name } } }";
    eventually(SOON, "the warehouse sees a guest's order and who gets it", || async {
        let (_, answer) = front.ask(who, read, order.clone()).await;
        (answer["data"]["order"]["contact"]["name"] == "Ada Byron").then_some(())
    })
    .await;
    let cancel = "mutation ($id: ID!) { orderCancel(orderId: $id) { position } }";
    assert_eq!(front.error(who, cancel, order).await, "FORBIDDEN");
    let cart = json!({ "id": global("Cart", &cart_id.to_string()) });
    let reprice = "mutation ($id: ID!) { cartReprice(cartId: $id) { position } }";
    assert_eq!(front.error(who, reprice, cart).await, "FORBIDDEN");
}

#[tokio::test]
async fn a_history_tells_shoppers_what_happened_and_only_auditors_what_was_paid_with() {
    let front = Front::open().await;
    let _projector = front.projector(&["orders"]);
    let product = front.shop.product(1_000, 5).await;
    let order_id = front.shop.buy(&[product], "card_approve").await;
    let _worker = front.shop.worker(&[]);
    front.shop.order_is(order_id, OrderStatus::Confirmed).await;
    let id = json!({ "id": global("Order", &order_id.to_string()) });
    let read = "query ($id: ID!) { order(id: $id) { history(first: 1) {
        totalCount nodes { type actor commandId correlationId causationId payload } } } }";
    let placed = eventually(SOON, "the history is there", || async {
        let (_, mut answer) = front.ask(As::default(), read, id.clone()).await;
        Some(answer["data"]["order"]["history"].take()).filter(|history| !history.is_null())
    })
    .await;
    assert!(placed["totalCount"].as_u64() > Some(1), "{placed}");
    assert_eq!(
        placed["nodes"][0],
        json!({ "type": "OrderPlaced", "actor": null, "commandId": null, "correlationId": null,
            "causationId": null, "payload": null })
    );
    for (role, seen) in [("staff", "redacted"), ("support", "redacted"), ("auditor", "card_approve")] {
        let token = token(role, "x");
        let who = As { token: Some(&token), ..As::default() };
        let event = front.data_as(who, read, id.clone()).await["order"]["history"]["nodes"][0].take();
        assert_eq!(event["payload"]["Placed"]["payment_token"], seen, "{role}");
        assert!(event["actor"].is_string() && event["commandId"].is_string(), "{event}");
    }
}

#[tokio::test]
async fn why_an_order_was_called_off_is_told_to_all_and_what_staff_noted_to_staff() {
    let front = Front::open().await;
    let _projector = front.projector(&["orders"]);
    let product = front.shop.product(1_000, 5).await;
    let order_id = front.shop.buy(&[product], "card_approve").await;
    let _worker = front.shop.worker(&[]);
    front.shop.order_is(order_id, OrderStatus::Confirmed).await;
    let id = global("Order", &order_id.to_string());
    let cancel = "mutation ($id: ID!, $reason: OrderCancelReason, $note: String) {
        orderCancel(orderId: $id, reason: $reason, staffNote: $note) {
            order { cancelReason cancelStaffNote } userErrors { code field } } }";
    let with = |reason: &str, note: Option<&str>| json!({ "id": id, "reason": reason, "note": note });
    for (asked, field) in [(with("FRAUD", None), "reason"), (with("CUSTOMER", Some("x")), "staffNote")] {
        let refused = front.data(cancel, asked).await["orderCancel"]["userErrors"].take();
        assert_eq!(refused, json!([{ "code": "STAFF_ONLY", "field": [field] }]));
    }
    let [support, auditor] = ["support", "auditor"].map(|role| token(role, "x"));
    let as_support = As { token: Some(&support), ..As::default() };
    let done = front.data_as(as_support, cancel, with("FRAUD", Some("Ada is not Ada"))).await;
    let order = &done["orderCancel"]["order"];
    assert_eq!(*order, json!({ "cancelReason": "FRAUD", "cancelStaffNote": "Ada is not Ada" }), "{done}");

    let read = "query ($id: ID!) { order(id: $id) { cancelReason cancelStaffNote } }";
    let as_auditor = As { token: Some(&auditor), ..As::default() };
    for who in [As::default(), as_auditor] {
        let seen = front.data_as(who, read, json!({ "id": id })).await["order"].take();
        assert_eq!(seen, json!({ "cancelReason": "FRAUD", "cancelStaffNote": null }));
    }
    let history = "query ($id: ID!) { order(id: $id) { history(first: 50) { nodes { type payload } } } }";
    let told =
        front.data_as(as_auditor, history, json!({ "id": id })).await["order"]["history"]["nodes"].take();
    let cancelled = told.as_array().expect("a list").iter().find(|event| event["type"] == "OrderCancelled");
    assert_eq!(cancelled.expect("it is told")["payload"]["Cancelled"]["reason"], "fraud");
    assert!(!told.to_string().contains("Ada is not Ada"));
}

#[tokio::test]
async fn who_had_a_person_forgotten_is_on_record_and_twice_is_once() {
    let front = Front::open().await;
    let product = front.shop.product(1_000, 5).await;
    let (cart_id, _) = front.shop.cart(&[product]).await;
    let forget = "mutation ($cart: ID!) { customerForget(guestCartId: $cart) {
        forgottenId position replayed userErrors { code } } }";
    let cart = json!({ "cart": global("Cart", &cart_id.to_string()) });
    let staff = token("staff", "ada");
    let who = |key| As { token: Some(&staff), key: Some(key) };
    let first = front.data_as(who("one"), forget, cart.clone()).await["customerForget"].take();
    let again = front.data_as(who("one"), forget, cart.clone()).await["customerForget"].take();
    assert_eq!((&first["forgottenId"], &first["replayed"]), (&cart["cart"], &json!(false)));
    assert_eq!((&again["position"], &again["replayed"]), (&first["position"], &json!(true)));
    front.data_as(who("two"), forget, cart).await;
    let recorded: Vec<(String, String)> = sqlx::query_as(
        "SELECT aggregate_id, metadata::jsonb ->> 'actor' FROM events WHERE event_type = 'PersonForgotten'",
    )
    .fetch_all(&front.shop.events.pool)
    .await
    .expect("the events");
    assert_eq!(recorded, [(cart_id.to_string(), "staff:ada".to_owned())]);
}
