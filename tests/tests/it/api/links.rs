//! What is linked to what, and what mutations answer with: as new as what was asked for, in one request.

use daybook_domain::order::OrderStatus;
use serde_json::json;

use super::front::{As, Front, SOON, token};
use super::reading::{built, global};
use crate::harness::eventually;

#[tokio::test]
async fn a_cart_and_its_order_lead_to_what_is_in_them() {
    let front = Front::open().await;
    let _projector = front.projector(&["carts", "orders", "products"]);
    built(&front, "carts").await;
    let product = front.shop.product(1_000, 5).await;
    let (cart_id, total) = front.shop.cart(&[product]).await;
    let variant = json!({ "id": global("ProductVariant", &product.variant.to_string()) });
    let cart = json!({ "id": global("Cart", &cart_id.to_string()) });
    let read = "query ($id: ID!) { cart(id: $id) {
        lines { merchandise { id } } shippingOffers { shippingMethod price { amount } }
        order { id lines { merchandise { id } } } } }";
    let found = eventually(SOON, "the cart can be read", || async {
        let (_, mut answer) = front.ask(As::default(), read, cart.clone()).await;
        let cart = answer["data"]["cart"].take();
        (!cart["lines"][0]["merchandise"].is_null() && !cart["shippingOffers"][0].is_null()).then_some(cart)
    })
    .await;
    assert_eq!((&found["lines"][0]["merchandise"], &found["order"]), (&variant, &json!(null)));
    let offer =
        |method: &str, amount: &str| json!({ "shippingMethod": method, "price": { "amount": amount } });
    assert_eq!(found["shippingOffers"], json!([offer("standard", "3.90"), offer("express", "9.90")]));
    let _worker = front.shop.worker(&[]);
    let order_id = front.shop.submit(cart_id, total, "card_approve").await;
    let order =
        json!({ "id": global("Order", &order_id.to_string()), "lines": [{ "merchandise": variant }] });
    eventually(SOON, "the cart leads to its order", || async {
        let (_, answer) = front.ask(As::default(), read, cart.clone()).await;
        (answer["data"]["cart"]["order"] == order).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_mutation_of_an_order_answers_with_the_order_as_it_left_it() {
    let front = Front::open().await;
    let _projector = front.projector(&["orders"]);
    let product = front.shop.product(1_000, 5).await;
    let order_id = front.shop.buy(&[product], "card_approve").await;
    let _worker = front.shop.worker(&[]);
    front.shop.order_is(order_id, OrderStatus::Confirmed).await;
    let id = json!({ "id": global("Order", &order_id.to_string()) });
    let parcel = eventually(SOON, "the parcel is opened", || async {
        let read = "query ($id: ID!) { order(id: $id) { shipments { id } } }";
        let (_, answer) = front.ask(As::default(), read, id.clone()).await;
        let parcel = &answer["data"]["order"]["shipments"][0]["id"];
        (!parcel.is_null()).then(|| parcel.clone())
    })
    .await;
    let staff = token("staff", "ada");
    let who = As { token: Some(&staff), ..As::default() };
    let pack = "mutation ($id: ID!) { shipmentPack(shipmentId: $id) {
        shipment { order { id shipments { status } } } } }";
    let packed = front.data_as(who, pack, json!({ "id": parcel })).await["shipmentPack"].take();
    assert_eq!(packed["shipment"]["order"], json!({ "id": id["id"], "shipments": [{ "status": "PACKED" }] }));
    let dispatch = "mutation ($input: ShipmentDispatchInput!) { shipmentDispatch(input: $input) {
        orderId shipmentId order { lines { dispatched } } shipment { id carrier } } }";
    let input = json!({ "input": { "shipmentId": parcel, "carrier": "Royal Mail" } });
    let sent = front.data_as(who, dispatch, input).await["shipmentDispatch"].take();
    assert_eq!((&sent["orderId"], &sent["shipmentId"]), (&id["id"], &parcel));
    assert_eq!(sent["order"]["lines"][0]["dispatched"], 1);
    assert_eq!(sent["shipment"], json!({ "id": parcel, "carrier": "Royal Mail" }));
    let captured = front.shop.payment_is(order_id, "it is captured", |payment| !payment.captured().is_zero());
    captured.await;
    let refund = "mutation ($input: RefundCreateInput!) { refundCreate(input: $input) {
        refundId refund { id amount { amount } reason } userErrors { code } } }";
    let amount = json!({ "amount": "1.00", "currencyCode": "GBP" });
    let input = json!({ "input": { "orderId": id["id"], "amount": amount, "reason": "late" } });
    let paid = front.data_as(who, refund, input).await["refundCreate"].take();
    let expected = json!({ "id": paid["refundId"], "amount": { "amount": "1.00" }, "reason": "late" });
    assert_eq!(paid["refund"], expected, "{paid}");
}

#[tokio::test]
async fn a_cancel_answers_with_the_cancelled_order_and_a_submit_with_none_that_is_not_placed() {
    let front = Front::open().await;
    let _projector = front.projector(&["orders"]);
    let product = front.shop.product(1_000, 5).await;
    let (cart_id, total) = front.shop.cart(&[product]).await;
    let submit = "mutation ($input: CartSubmitInput!) { cartSubmit(input: $input) { orderId order { id } } }";
    let input = json!({ "input": {
        "cartId": global("Cart", &cart_id.to_string()),
        "paymentToken": "card_approve",
        "expectedTotal": { "amount": total.to_string(), "currencyCode": "GBP" },
    } });
    let bought = front.data(submit, input).await["cartSubmit"].take();
    assert!(bought["orderId"].is_string() && bought["order"].is_null(), "{bought}");
    let _worker = front.shop.worker(&[]);
    let id = json!({ "id": bought["orderId"] });
    let cancel = "mutation ($id: ID!) { orderCancel(orderId: $id) {
        orderId order { id status cancelReason } userErrors { code } } }";
    let cancelled = eventually(SOON, "the order is there to be cancelled", || async {
        let done = front.data(cancel, id.clone()).await["orderCancel"].take();
        (done["userErrors"] == json!([])).then_some(done)
    })
    .await;
    let order = json!({ "id": id["id"], "status": "CANCELLED", "cancelReason": "CUSTOMER" });
    assert_eq!((&cancelled["orderId"], &cancelled["order"]), (&id["id"], &order));
}

#[tokio::test]
async fn a_products_title_changes_alone() {
    let front = Front::open().await;
    let product = front.shop.product(1_000, 5).await;
    let staff = token("staff", "ada");
    let who = As { token: Some(&staff), ..As::default() };
    let update = "mutation ($input: ProductUpdateInput!) { productUpdate(input: $input) {
        product { title description } userErrors { code } } }";
    let id = global("Product", &product.variant.product_id.to_string());
    let described = json!({ "input": { "id": id, "description": "It glows." } });
    let done = front.data_as(who, update, described).await["productUpdate"].take();
    assert_eq!(done["product"], json!({ "title": "A white lantern", "description": "It glows." }));
    let titled = json!({ "input": { "id": id, "title": "A red lantern" } });
    let done = front.data_as(who, update, titled).await["productUpdate"].take();
    assert_eq!(done["product"], json!({ "title": "A red lantern", "description": "It glows." }));
}
