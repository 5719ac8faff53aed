//! What auditors find, what it is worth as evidence, and that they are seen looking.

use std::collections::BTreeMap;

use daybook_commands::related::payment_of;
use daybook_commands::use_cases::{capture_payment, refund_payment};
use daybook_domain::order::OrderStatus;
use daybook_domain::{Currency, CustomerId, Money, OrderId};
use daybook_eventstore::proof::{InclusionProof, SigningKey, Signs};
use serde_json::{Value, json};
use uuid::Uuid;

use super::front::{As, Front, NOTARY, SOON, token};
use super::reading::global;
use crate::harness::eventually;
use crate::harness::shop::context;

const EVENTS: &str = "query ($filter: AuditEventFilterInput, $first: Int, $after: String, $newest: Boolean) {
    auditEvents(filter: $filter, first: $first, after: $after, newestFirst: $newest) {
        totalCount pageInfo { hasNextPage hasPreviousPage endCursor }
        nodes { id position type aggregateId actor causationId payload } } }";

/// A shop that has sold something to one customer and to a guest, with its index of events and its notary.
struct Audited {
    front: Front,
    customer: CustomerId,
    /// The customer's order, which was paid for, and a pound of it paid back; and a guest's.
    orders: [OrderId; 2],
    _processes: [crate::harness::Process; 2],
}

impl Audited {
    async fn open() -> Self {
        let front = Front::open().await;
        let projector = front.projector_with(&["audit", "orders", "notary"], &NOTARY);
        let worker = front.shop.worker(&[]);
        let customer = CustomerId::new(Uuid::from_u128(0x77));
        let lantern = front.shop.product(1_000, 50).await;
        let (cart_id, total) = front.shop.cart_of(Some(customer), &[lantern]).await;
        let paid = front.shop.submit(cart_id, total, "card_approve").await;
        let other = front.shop.buy(&[lantern], "card_approve").await;
        for order_id in [paid, other] {
            front.shop.order_is(order_id, OrderStatus::Confirmed).await;
        }
        capture_payment(&front.shop.shop, &context(), paid, None).await.expect("it is asked for");
        front.shop.payment_is(paid, "it is captured", |one| !one.captured().is_zero()).await;
        let back = (Money::new(100, Currency::GBP), "late".to_owned());
        refund_payment(&front.shop.shop, &context(), paid, back).await.expect("it is asked for");
        front.shop.payment_is(paid, "it is back", |one| !one.refunded().is_zero()).await;
        front.shop.worker_is_through().await;
        front.caught_up(&["audit", "orders"]).await;
        front.signed().await;
        Self { front, customer, orders: [paid, other], _processes: [projector, worker] }
    }

    async fn ask(&self, role: &str, query: &str, variables: Value) -> Value {
        let token = token(role, "x");
        self.front.data_as(As { token: Some(&token), ..As::default() }, query, variables).await
    }

    async fn refused(&self, role: Option<&str>, query: &str, variables: Value) -> String {
        let token = role.map(|role| token(role, &Uuid::from_u128(5).to_string()));
        self.front.error(As { token: token.as_deref(), ..As::default() }, query, variables).await
    }

    /// The positions that the log itself has of this.
    async fn positions(&self, such: &str) -> Vec<i64> {
        let query = format!("SELECT position FROM events WHERE {such} ORDER BY position");
        sqlx::query_scalar(&query).fetch_all(&self.front.shop.events.pool).await.expect("positions")
    }

    /// All that an auditor finds, walking in pages of three, with how many there are said to be.
    async fn found(&self, filter: &Value, newest: bool) -> (Vec<i64>, Value) {
        let (mut found, mut after) = (Vec::new(), Value::Null);
        loop {
            let variables = json!({ "filter": filter, "first": 3, "after": after, "newest": newest });
            let mut page = self.ask("auditor", EVENTS, variables).await["auditEvents"].take();
            assert_eq!(page["pageInfo"]["hasPreviousPage"], !found.is_empty());
            found.extend(
                page["nodes"].as_array().expect("nodes").iter().map(|node| position(&node["position"])),
            );
            if page["pageInfo"]["hasNextPage"] == false {
                return (found, page["totalCount"].take());
            }
            after = page["pageInfo"]["endCursor"].take();
        }
    }
}

fn position(value: &Value) -> i64 {
    value.as_str().and_then(|text| text.parse().ok()).expect("a position")
}

#[tokio::test]
async fn an_auditor_finds_events_by_whatever_they_are_about() {
    let audited = Audited::open().await;
    let (head, [paid, other]) = (audited.front.signed().await, audited.orders);
    let payment = payment_of(paid);
    let moment: String = sqlx::query_scalar(
        "SELECT metadata::jsonb ->> 'occurred_at' FROM events WHERE event_type = 'PaymentCaptured'",
    )
    .fetch_one(&audited.front.shop.events.pool)
    .await
    .expect("a capture");
    let correlation: String = sqlx::query_scalar(
        "SELECT metadata::jsonb ->> 'correlation_id' FROM events WHERE event_type = 'OrderPlaced' ORDER BY position LIMIT 1",
    )
    .fetch_one(&audited.front.shop.events.pool)
    .await
    .expect("an order");
    let of = |order: OrderId| {
        format!("(payload::text LIKE '%\"order_id\":\"{order}\"%' OR aggregate_id = '{order}')")
    };
    let cart = format!(
        "aggregate_id = (SELECT aggregate_id FROM events WHERE event_type = 'CartSubmitted' AND {})",
        of(paid)
    );
    let occurred = "(metadata::jsonb ->> 'occurred_at')::timestamptz";
    let cases = [
        (json!({ "orderId": global("Order", &paid.to_string()) }), of(paid)),
        (
            json!({ "orderId": global("Order", &other.to_string()), "type": "InventoryReserved" }),
            format!("{} AND event_type = 'InventoryReserved'", of(other)),
        ),
        (
            json!({ "paymentId": global("Payment", &payment.to_string()) }),
            format!("aggregate_id = '{payment}'"),
        ),
        (
            json!({ "customerId": global("Customer", &audited.customer.to_string()) }),
            format!("({} OR {cart})", of(paid)),
        ),
        (
            json!({ "customerId": global("Customer", &audited.customer.to_string()), "aggregateType": "Payment" }),
            format!("{} AND aggregate_type = 'Payment'", of(paid)),
        ),
        (
            json!({ "actor": "process:checkout" }),
            "metadata::jsonb ->> 'actor' = 'process:checkout'".to_owned(),
        ),
        (json!({ "type": "InventoryAllocated" }), "event_type = 'InventoryAllocated'".to_owned()),
        (json!({ "aggregateType": "Shipment" }), "aggregate_type = 'Shipment'".to_owned()),
        (json!({ "aggregateId": paid.to_string() }), format!("aggregate_id = '{paid}'")),
        (
            json!({ "correlationId": correlation }),
            format!("metadata::jsonb ->> 'correlation_id' = '{correlation}'"),
        ),
        (json!({ "occurredFrom": moment }), format!("{occurred} >= '{moment}'")),
        (json!({ "occurredBefore": moment }), format!("{occurred} < '{moment}'")),
        (
            json!({ "occurredBefore": moment, "aggregateType": "Payment" }),
            format!("{occurred} < '{moment}' AND aggregate_type = 'Payment'"),
        ),
        (
            json!({ "occurredFrom": "2001-01-01T00:00:00Z", "occurredBefore": "2001-01-02T00:00:00Z" }),
            "false".to_owned(),
        ),
        (json!({ "type": "OrderVanished" }), "false".to_owned()),
    ];
    for (filter, such) in cases {
        // The auditor's own looks are events too, and come after what was there when they began.
        let expected = audited.positions(&format!("position <= {head} AND {such}")).await;
        let (mut found, _) = audited.found(&filter, false).await;
        found.retain(|position| *position <= head);
        assert_eq!(found, expected, "{filter}");
        let (mut backwards, _) = audited.found(&filter, true).await;
        backwards.retain(|position| *position <= head);
        backwards.reverse();
        assert_eq!(backwards, expected, "{filter}");
        assert!(such == "false" || !expected.is_empty(), "{filter} says something");
    }
}

#[tokio::test]
async fn how_many_there_are_is_told_when_it_is_asked() {
    let audited = Audited::open().await;
    let [paid, _] = audited.orders;
    for filter in [
        json!({ "orderId": global("Order", &paid.to_string()) }),
        json!({ "customerId": global("Customer", &audited.customer.to_string()) }),
        json!({ "type": "CartLineAdded" }),
    ] {
        let (found, total) = audited.found(&filter, false).await;
        assert_eq!(total, found.len(), "{filter}");
    }
    audited.front.caught_up(&["audit"]).await;
    let all = audited.ask("auditor", EVENTS, json!({ "first": 1 })).await;
    let head: i64 = sqlx::query_scalar("SELECT position FROM log_head")
        .fetch_one(&audited.front.shop.events.pool)
        .await
        .expect("the head");
    // That look itself is not among them.
    let total = all["auditEvents"]["totalCount"].as_i64().expect("a count");
    assert_eq!(total, head - 1);
}

const DOSSIER: &str = "query ($id: ID!) { orderDossier(orderId: $id) {
    orderId isBalanced order { id paymentStatus }
    events(first: 100) { totalCount nodes { position type actor causationId aggregateType proof } }
    ledger { position postings { account debit { amount currencyCode } credit { amount } } }
    balances { account debit { amount } credit { amount } }
    checkpoint { size note } } }";

/// An amount in pence; nothing is nothing.
fn pence(value: &Value) -> i64 {
    let Some(text) = value["amount"].as_str() else { return 0 };
    Money::parse(text, Currency::GBP).expect("an amount").minor()
}

#[tokio::test]
async fn an_orders_dossier_is_its_whole_story_and_its_money_sums_to_zero() {
    let audited = Audited::open().await;
    let [paid, _] = audited.orders;
    let id = json!({ "id": global("Order", &paid.to_string()) });
    let dossier = audited.ask("auditor", DOSSIER, id.clone()).await["orderDossier"].take();
    let story = audited
        .positions(&format!(
            "aggregate_type <> 'Inspection' AND payload::text LIKE '%\"order_id\":\"{paid}\"%' OR aggregate_id = '{paid}' OR aggregate_id = (SELECT
             aggregate_id FROM events WHERE event_type = 'CartSubmitted' AND payload::text LIKE '%{paid}%')"
        ))
        .await;
    let events = dossier["events"]["nodes"].as_array().expect("nodes");
    assert_eq!(events.iter().map(|event| position(&event["position"])).collect::<Vec<_>>(), story);
    assert_eq!(dossier["events"]["totalCount"], story.len());
    let kinds: Vec<_> = events.iter().filter_map(|event| event["aggregateType"].as_str()).collect();
    for kind in ["Cart", "Order", "Payment", "Inventory", "Shipment"] {
        assert!(kinds.contains(&kind), "{kind} is part of it");
    }
    assert!(events.iter().all(|event| event["actor"].is_string()));

    assert_eq!(dossier["isBalanced"], true);
    let mut sums: BTreeMap<String, i64> = BTreeMap::new();
    for entry in dossier["ledger"].as_array().expect("entries") {
        let mut sum = 0;
        for posting in entry["postings"].as_array().expect("postings") {
            let amount = pence(&posting["debit"]) - pence(&posting["credit"]);
            *sums.entry(posting["account"].as_str().expect("a name").to_owned()).or_default() += amount;
            sum += amount;
        }
        assert_eq!(sum, 0, "{entry}");
    }
    let payment = audited.front.shop.payment(paid).await;
    assert_eq!(sums["gateway"], payment.captured().minor() - payment.refunded().minor());
    assert_eq!((sums["customer"], sums["refunds"]), (0, 100));
    for balance in dossier["balances"].as_array().expect("balances") {
        let account = balance["account"].as_str().expect("a name");
        assert_eq!(pence(&balance["debit"]) - pence(&balance["credit"]), sums[account], "{account}");
    }

    let key = SigningKey::of("shop.example/log", Signs::Log, [9; 32]).expect("a key");
    for event in events {
        let proof: InclusionProof = event["proof"].as_str().expect("a proof").parse().expect("a proof");
        proof.check(key.verifying()).expect("it proves it");
        assert_eq!(proof.event.position, position(&event["position"]));
    }
    let nobodys = json!({ "id": global("Order", &Uuid::from_u128(9).to_string()) });
    assert!(audited.ask("auditor", DOSSIER, nobodys).await["orderDossier"].is_null());
}

#[tokio::test]
async fn an_event_is_proved_to_who_may_see_all_of_it() {
    let audited = Audited::open().await;
    let query = "query ($position: Position!) { eventProof(position: $position) {
        proof event { position type } checkpoint { origin size root note } } logCheckpoint { size note } }";
    let placed = audited.positions("event_type = 'OrderPlaced'").await[0];
    let at = |position: i64| json!({ "position": position.to_string() });
    let told = audited.ask("auditor", query, at(placed)).await;
    let proof: InclusionProof = told["eventProof"]["proof"].as_str().expect("text").parse().expect("a proof");
    let key = SigningKey::of("shop.example/log", Signs::Log, [9; 32]).expect("a key");
    let head = proof.check(key.verifying()).expect("it proves it");
    assert_eq!(told["eventProof"]["event"], json!({ "position": placed.to_string(), "type": "OrderPlaced" }));
    assert_eq!(told["eventProof"]["checkpoint"]["origin"], head.origin);
    assert_eq!(told["eventProof"]["checkpoint"]["size"], head.size.to_string());
    assert!(position(&told["logCheckpoint"]["size"]) >= placed);
    let beyond = position(&told["logCheckpoint"]["size"]) + 1_000_000;
    for missing in [0, beyond] {
        assert!(audited.ask("auditor", query, at(missing)).await["eventProof"].is_null());
    }
    // Support sees events, but not what was paid with, which a proof cannot leave out.
    assert_eq!(audited.refused(Some("support"), query, at(placed)).await, "FORBIDDEN");
    let filter = json!({ "filter": { "type": "OrderPlaced" } });
    for (role, seen) in [("support", "redacted"), ("auditor", "card_approve")] {
        let event = audited.ask(role, EVENTS, filter.clone()).await["auditEvents"]["nodes"][0].take();
        assert_eq!(event["payload"]["Placed"]["payment_token"], seen, "{role}");
    }
    let order: String = sqlx::query_scalar("SELECT aggregate_id FROM events WHERE position = $1")
        .bind(placed)
        .fetch_one(&audited.front.shop.events.pool)
        .await
        .expect("an order");
    // Somebody with the database's password alters the event.
    let pool = &audited.front.shop.events.pool;
    let edit = "UPDATE events SET metadata = (metadata::text || ' ')::json WHERE position = $1";
    sqlx::query("ALTER TABLE events DISABLE TRIGGER USER").execute(pool).await.expect("a superuser may");
    sqlx::query(edit).bind(placed).execute(pool).await.expect("a superuser may");
    assert_eq!(audited.refused(Some("auditor"), query, at(placed)).await, "NOT_AS_SIGNED");
    sqlx::query("DELETE FROM events WHERE position = $1")
        .bind(placed)
        .execute(pool)
        .await
        .expect("a superuser may");
    assert_eq!(audited.refused(Some("auditor"), query, at(placed)).await, "NOT_AS_SIGNED");
    let dossier = "query ($id: ID!) { orderDossier(orderId: $id) {
        missing events { totalCount } isBalanced ledger { position } balances { account } } }";
    let auditor = token("auditor", "x");
    let who = As { token: Some(&auditor), ..As::default() };
    let (_, seen) = audited.front.ask(who, dossier, json!({ "id": global("Order", &order) })).await;
    let shown = &seen["data"]["orderDossier"];
    assert_eq!(shown["missing"], json!([placed.to_string()]), "{seen}");
    assert!(shown["events"]["totalCount"].as_u64() > Some(5) && shown["isBalanced"].is_null(), "{seen}");
    assert_eq!(seen["errors"][0]["extensions"]["code"], "NO_BOOKS");
}

#[tokio::test]
async fn what_an_auditor_reads_is_recorded_and_what_nobody_was_shown_is_not() {
    let audited = Audited::open().await;
    let [paid, _] = audited.orders;
    let id = json!({ "id": global("Order", &paid.to_string()) });
    let filter = json!({ "filter": { "type": "PaymentCaptured" }, "first": 10 });
    let proof = "{ eventProof(position: \"1\") { proof } }";
    let history = "query ($id: ID!) { order(id: $id) { history(first: 5) { nodes { type payload } } } }";
    for role in [None, Some("customer"), Some("warehouse")] {
        assert_eq!(audited.refused(role, EVENTS, filter.clone()).await, "FORBIDDEN");
        assert_eq!(audited.refused(role, DOSSIER, id.clone()).await, "FORBIDDEN");
        assert_eq!(audited.refused(role, proof, json!({})).await, "FORBIDDEN");
    }
    assert_eq!(audited.positions("event_type = 'InspectionMade'").await, [0_i64; 0]);
    audited.ask("auditor", EVENTS, filter).await;
    audited.ask("auditor", DOSSIER, id).await;
    audited.ask("auditor", proof, json!({})).await;
    let order = json!({ "id": global("Order", &paid.to_string()) });
    audited.ask("auditor", history, order.clone()).await;
    // What everybody may see is nobody's look.
    audited.ask("auditor", &history.replace("payload", "position"), order).await;
    let looks: Vec<(String, Value)> = sqlx::query_as(
        "SELECT metadata::jsonb ->> 'actor', payload::jsonb #> '{Made,of}' FROM events
         WHERE event_type = 'InspectionMade' ORDER BY position",
    )
    .fetch_all(&audited.front.shop.events.pool)
    .await
    .expect("looks");
    let captured = audited.positions("event_type = 'PaymentCaptured'").await;
    let expected = [
        json!([{ "events": { "sought": { "event_type": "PaymentCaptured" }, "shown": captured } }]),
        json!([{ "order": { "order_id": paid } }]),
        json!([{ "proof": { "position": 1 } }]),
        json!([{ "order": { "order_id": paid } }]),
    ];
    assert_eq!(looks.iter().map(|(_, of)| of.clone()).collect::<Vec<_>>(), expected);
    assert!(looks.iter().all(|(actor, _)| actor == "auditor:x"), "{looks:?}");
    // And an auditor can look at who looked.
    let made = json!({ "filter": { "type": "InspectionMade" } });
    let seen = eventually(SOON, "the looks are in the index", || async {
        let page = audited.ask("auditor", EVENTS, made.clone()).await["auditEvents"].take();
        (page["totalCount"].as_u64() >= Some(3)).then_some(page)
    })
    .await;
    assert_eq!(seen["nodes"][0]["actor"], "auditor:x");
}

#[tokio::test]
async fn what_makes_no_sense_to_look_for_is_said_to() {
    let audited = Audited::open().await;
    let payment = global("Payment", &payment_of(audited.orders[0]).to_string());
    for (filter, code) in [
        (json!({ "paymentId": payment, "aggregateType": "Order" }), "FILTER_AMBIGUOUS"),
        (json!({ "actor": "a".repeat(256) }), "FILTER_INVALID"),
        (json!({ "actor": "a\u{0}" }), "FILTER_INVALID"),
    ] {
        let variables = json!({ "filter": filter });
        assert_eq!(audited.refused(Some("auditor"), EVENTS, variables).await, code);
    }
    let page = json!({ "first": 1 });
    let cursor = audited.ask("auditor", EVENTS, page).await["auditEvents"]["pageInfo"]["endCursor"].take();
    let other_order = json!({ "after": cursor, "newest": true });
    assert_eq!(audited.refused(Some("auditor"), EVENTS, other_order).await, "INVALID_CURSOR");
}
