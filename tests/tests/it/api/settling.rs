//! What clients see of an order whose goods or money went another way than planned.

use daybook_commands::related::{rest_of, shipment_of};
use daybook_commands::use_cases::pack_shipment;
use daybook_domain::order::OrderStatus;
use daybook_domain::payment::PaymentStatus;
use daybook_domain::shipment::{CarrierStatus, ShipmentStatus};
use daybook_domain::{OrderId, Quantity};
use serde_json::{Value, json};

use super::front::{As, Front, SOON};
use super::reading::global;
use crate::checkout::at;
use crate::harness::eventually;
use crate::harness::shop::context;

const ORDER: &str = "query ($id: ID!) { order(id: $id) {
    status paymentStatus fulfilmentStatus
    cost { totalAmount { amount } }
    lines { quantity dispatched }
    payment { authorised { amount } captured { amount } conflictingAmount { amount currencyCode } }
    shipments { status lines { quantity } } } }";

/// The order as the API shows it, once it is as `wanted` says.
async fn shown(front: &Front, order_id: OrderId, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    let order = json!({ "id": global("Order", &order_id.to_string()) });
    eventually(SOON, what, || async {
        let (_, mut answer) = front.ask(As::default(), ORDER, order.clone()).await;
        assert!(answer["errors"][0]["extensions"]["code"] != "GRAPHQL_VALIDATION_FAILED", "{answer}");
        let order = answer["data"]["order"].take();
        wanted(&order).then_some(order)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_parcel_that_comes_back_shows_on_its_order() {
    let front = Front::open().await;
    let (_projector, _worker) = (front.projector(&["orders"]), front.shop.worker(&[]));
    let lantern = front.shop.product(1_000, 5).await;
    let order_id = front.shop.buy(&[lantern], "card_approve").await;
    front.shop.order_is(order_id, OrderStatus::Confirmed).await;
    let parcel = shipment_of(order_id, &at("LON"));
    front.shop.send(parcel).await;
    front.shop.report(parcel, "1", CarrierStatus::Failed).await;
    let order = shown(&front, order_id, "the parcel comes back", |order| {
        order["fulfilmentStatus"] == "DELIVERY_FAILED"
    })
    .await;
    assert_eq!((&order["shipments"][0]["status"], &order["status"]), (&json!("FAILED"), &json!("CONFIRMED")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_in_conflict_shows_what_is_held_instead() {
    let front = Front::open().await;
    let (_projector, _worker) = (front.projector(&["orders"]), front.shop.worker(&[]));
    let lantern = front.shop.product(1_000, 5).await;
    let asked = async |card| {
        let order_id = front.shop.buy(&[lantern], card).await;
        let order =
            shown(&front, order_id, card, |order| !order["payment"]["conflictingAmount"].is_null()).await;
        assert_eq!((&order["paymentStatus"], &order["status"]), (&json!("CONFLICTED"), &json!("PLACED")));
        order["payment"]["conflictingAmount"].clone()
    };
    let less = json!({ "amount": "16.67", "currencyCode": "GBP" });
    assert_eq!(asked("card_wrong_amount").await, less);
    let other = json!({ "amount": "16.68", "currencyCode": "EUR" });
    assert_eq!(asked("card_wrong_currency").await, other);
}

#[tokio::test(flavor = "multi_thread")]
async fn both_halves_of_an_order_of_which_one_has_shipped_are_seen() {
    let front = Front::open().await;
    let (_projector, _worker) = (front.projector(&["orders"]), front.shop.worker(&[]));
    let shop = &front.shop;
    let lantern = shop.product(1_000, 5).await;
    let order_id = shop.buy(&[lantern.times(3)], "card_approve").await;
    let order = shop.order_is(order_id, OrderStatus::Confirmed).await;
    let line = order.placement().expect("placed").quote.lines[0].line_id;
    let first = shipment_of(order_id, &at("LON"));
    shop.shipment_is(first, ShipmentStatus::Open).await;
    let packed = Some(vec![(line, Quantity::ONE)]);
    pack_shipment(&shop.shop, &context(), first, packed).await.expect("one is packed");
    shop.shipment_is(rest_of(first), ShipmentStatus::Open).await;
    shop.dispatch(first).await.expect("it may leave");
    let half = shop
        .payment_is(order_id, "a part is captured", |one| one.status() == PaymentStatus::PartiallyCaptured);
    let captured = half.await.captured().to_string();
    let order = shown(&front, order_id, "the half that has shipped is paid", |order| {
        order["paymentStatus"] == "PARTIALLY_CAPTURED" && order["shipments"][0]["status"] == "DISPATCHED"
    })
    .await;
    assert_eq!(order["fulfilmentStatus"], "PARTIALLY_DISPATCHED");
    assert_eq!(order["lines"], json!([{ "quantity": 3, "dispatched": 1 }]));
    let halves = [("DISPATCHED", 1), ("OPEN", 2)]
        .map(|(status, quantity)| json!({ "status": status, "lines": [{ "quantity": quantity }] }));
    assert_eq!(order["shipments"], json!(halves));
    let (payment, total) = (&order["payment"], &order["cost"]["totalAmount"]);
    assert_eq!(payment["captured"]["amount"], json!(captured));
    assert_eq!(&payment["authorised"], total, "the rest is still held");
}
