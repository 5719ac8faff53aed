//! Watching an order over graphql-transport-ws.

use daybook_domain::order::OrderStatus;
use daybook_domain::{Clock, CustomerId};
use daybook_eventstore::process::SystemClock;
use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Message, protocol::CloseFrame};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};
use uuid::Uuid;

use super::front::{As, Front, SOON, signed, token};
use super::reading::global;
use crate::harness::eventually;

struct Socket(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Socket {
    async fn open(front: &Front) -> Self {
        let mut request = format!("ws://{}/graphql", front.address).into_client_request().expect("a request");
        let protocol = "graphql-transport-ws".parse().expect("a header");
        request.headers_mut().insert("sec-websocket-protocol", protocol);
        Self(connect_async(request).await.expect("a connection").0)
    }

    async fn begun(front: &Front) -> Self {
        let mut socket = Self::open(front).await;
        socket.say(json!({ "type": "connection_init" })).await;
        assert_eq!(socket.hear().await["type"], "connection_ack");
        socket
    }

    async fn say(&mut self, message: Value) {
        self.0.send(Message::text(message.to_string())).await.expect("it is sent");
    }

    async fn next(&mut self) -> Message {
        let next = tokio::time::timeout(SOON, self.0.next()).await.expect("a message in time");
        next.expect("a message").expect("a whole message")
    }

    async fn hear(&mut self) -> Value {
        let text = self.next().await.into_text().expect("text");
        serde_json::from_str(&text).expect("JSON")
    }

    async fn closed(&mut self) -> u16 {
        let message = self.next().await;
        let Message::Close(Some(CloseFrame { code, .. })) = message else {
            panic!("not closed: {message:?}")
        };
        code.into()
    }
}

#[tokio::test]
async fn an_order_is_seen_to_be_placed_and_confirmed() {
    let front = Front::open().await;
    let _projector = front.projector(&["orders"]);
    let product = front.shop.product(1_000, 5).await;
    let order_id = front.shop.buy(&[product], "card_approve").await;
    let mut socket = Socket::begun(&front).await;
    let query = "subscription ($id: ID!) { orderUpdated(id: $id) { id status } }";
    let variables = json!({ "id": global("Order", &order_id.to_string()) });
    let payload = json!({ "query": query, "variables": variables });
    socket.say(json!({ "type": "subscribe", "id": "1", "payload": payload })).await;
    let _worker = front.shop.worker(&[]);
    loop {
        let heard = socket.hear().await;
        // Until the projector has made the read model, each event only tells that it is not there yet.
        let code = heard["payload"]["errors"][0]["extensions"]["code"].as_str();
        if matches!(code, Some("READ_MODEL_NOT_BUILT" | "READ_MODEL_BEHIND")) {
            continue;
        }
        let order = &heard["payload"]["data"]["orderUpdated"];
        assert_eq!(order["id"], variables["id"], "{heard}");
        if order["status"] == "CONFIRMED" {
            break;
        }
    }
    socket.say(json!({ "type": "complete", "id": "1" })).await;
    socket.say(json!({ "type": "ping" })).await;
    while socket.hear().await["type"] != "pong" {}
}

#[tokio::test]
async fn an_order_that_the_replica_lacks_is_told_as_soon_as_it_is_there_and_so_are_its_parcels() {
    let front = Front::open().await;
    let product = front.shop.product(1_000, 5).await;
    let order_id = front.shop.buy(&[product], "card_approve").await;
    let worker = front.shop.worker(&[]);
    front.shop.order_is(order_id, OrderStatus::Confirmed).await;
    let mut socket = Socket::begun(&front).await;
    let query = "subscription ($id: ID!) { orderUpdated(id: $id) { status shipments { id status } } }";
    let variables = json!({ "id": global("Order", &order_id.to_string()) });
    let payload = json!({ "query": query, "variables": variables });
    socket.say(json!({ "type": "subscribe", "id": "1", "payload": payload })).await;
    assert_ne!(socket.hear().await["payload"]["errors"][0]["extensions"]["code"], Value::Null);
    // From here on nothing happens to the order but what the worker still does by itself.
    let _projector = front.projector(&["orders"]);
    let parcel = loop {
        let order = socket.hear().await["payload"]["data"]["orderUpdated"].take();
        if !order.is_null() {
            assert_eq!(order["status"], "CONFIRMED", "never an older state");
        }
        if let Some(parcel) = order["shipments"][0]["id"].as_str() {
            break parcel.to_owned();
        }
    };
    drop(worker);
    let staff = token("staff", "ada");
    let pack = "mutation ($id: ID!) { shipmentPack(shipmentId: $id) { userErrors { code } } }";
    let who = As { token: Some(&staff), ..As::default() };
    front.data_as(who, pack, json!({ "id": parcel })).await;
    while socket.hear().await["payload"]["data"]["orderUpdated"]["shipments"][0]["status"] != "PACKED" {}
}

#[tokio::test]
async fn an_order_is_not_shown_to_a_watcher_whose_it_is_not() {
    let front = Front::open().await;
    let (_projector, _worker) = (front.projector(&["orders"]), front.shop.worker(&[]));
    let product = front.shop.product(1_000, 5).await;
    let customer_id = CustomerId::new(Uuid::from_u128(1));
    let (cart_id, total) = front.shop.cart_of(Some(customer_id), &[product]).await;
    let order_id = front.shop.submit(cart_id, total, "card_approve").await;
    let variables = json!({ "id": global("Order", &order_id.to_string()) });
    let owner = token("customer", &customer_id.to_string());
    let who = As { token: Some(&owner), ..As::default() };
    eventually(SOON, "the customer sees the order", || async {
        let (_, seen) = front.ask(who, "query ($id: ID!) { order(id: $id) { id } }", variables.clone()).await;
        (seen["data"]["order"]["id"] == variables["id"]).then_some(())
    })
    .await;
    let mut socket = Socket::begun(&front).await;
    let query = "subscription ($id: ID!) { orderUpdated(id: $id) { id status } }";
    let payload = json!({ "query": query, "variables": variables });
    socket.say(json!({ "type": "subscribe", "id": "1", "payload": payload })).await;
    assert_eq!(socket.hear().await["type"], "complete");
}

#[tokio::test]
async fn the_protocol_is_kept() {
    let front = Front::open().await;
    let ask = |id: &str, query: &str| json!({ "type": "subscribe", "id": id, "payload": { "query": query } });

    let mut early = Socket::open(&front).await;
    early.say(ask("1", "{ version }")).await;
    assert_eq!(early.closed().await, 4401);

    let mut twice = Socket::begun(&front).await;
    twice.say(json!({ "type": "connection_init" })).await;
    assert_eq!(twice.closed().await, 4429);

    let mut garbled = Socket::begun(&front).await;
    garbled.say(json!("nonsense")).await;
    assert_eq!(garbled.closed().await, 4400);

    let mut forged = Socket::open(&front).await;
    forged.say(json!({ "type": "connection_init", "payload": { "Authorization": "Bearer x.y.z" } })).await;
    assert_eq!(forged.closed().await, 4403);

    let mut plain = Socket::begun(&front).await;
    plain.say(ask("1", "{ version }")).await;
    assert_eq!(plain.hear().await["type"], "next");
    assert_eq!(plain.hear().await["type"], "complete");
    plain.say(ask("1", "{ nope }")).await;
    assert_eq!(plain.hear().await["type"], "error");
}

#[tokio::test]
async fn a_connection_ends_with_its_token() {
    let front = Front::open().await;
    let soon = u64::try_from(SystemClock.now().timestamp() + 3).expect("a time");
    let authorization = format!("Bearer {}", signed("staff", "ada", soon));
    let mut socket = Socket::open(&front).await;
    socket.say(json!({ "type": "connection_init", "payload": { "Authorization": authorization } })).await;
    assert_eq!(socket.hear().await["type"], "connection_ack");
    assert_eq!(socket.closed().await, 4403);
}

#[tokio::test]
async fn a_message_that_is_too_large_ends_its_connection_and_no_other() {
    let front = Front::open().await;
    let (mut large, mut other) = (Socket::begun(&front).await, Socket::begun(&front).await);
    let ping = json!({ "type": "ping", "payload": { "text": "x".repeat(1_000_000) } });
    // It may be cut off while it is still sending.
    drop(large.0.send(Message::text(ping.to_string())).await);
    let ended =
        async { while large.0.next().await.is_some_and(|next| next.is_ok_and(|next| next.is_ping())) {} };
    tokio::time::timeout(SOON, ended).await.expect("the connection ends");
    other.say(json!({ "type": "subscribe", "id": "1", "payload": { "query": "{ version }" } })).await;
    assert_eq!(other.hear().await["type"], "next");
}

#[tokio::test]
async fn a_client_that_does_not_read_is_let_go() {
    let front = Front::open().await;
    let open = async || {
        let metrics = front.http.get(front.url("/metrics")).send().await.expect("an answer");
        let metrics = metrics.text().await.expect("metrics");
        metrics.lines().any(|line| line == "daybook_websockets_open 1")
    };
    let mut socket = Socket::begun(&front).await;
    assert!(open().await);
    let ping = json!({ "type": "ping", "payload": { "text": "x".repeat(200_000) } });
    // It asks for much and reads nothing, until nobody listens to it either.
    let asking = async { while socket.0.send(Message::text(ping.to_string())).await.is_ok() {} };
    tokio::time::timeout(SOON, asking).await.expect("the connection ends");
    eventually(SOON, "its place is free", || async { (!open().await).then_some(()) }).await;
}
