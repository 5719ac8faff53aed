//! One request is followed through the lines of every process.

use daybook_domain::IdSource;
use daybook_domain::order::OrderStatus;
use daybook_eventstore::process::SystemIds;
use serde_json::{Value, json};

use crate::faults::check_out;
use crate::harness::shop::SOON;
use crate::harness::stack::{PROCESSES, Stack};
use crate::harness::{Writer, eventually};

const TRACE_ID: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

/// The lines that a process wrote with this message.
fn lines(stack: &Stack, process: (&str, &str), message: &str) -> Vec<Value> {
    let which = PROCESSES.iter().position(|one| *one == process).expect("a process");
    let output = stack.output(which);
    let lines = output.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.filter(|line| line["message"] == message).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_is_followed_from_its_line_through_its_event_to_the_relay_and_a_read_model() {
    let stack = Stack::start(&[("LOG", "info,daybook_eventstore=debug,daybook_projections=debug")]).await;
    let correlation_id = SystemIds.next().to_string();
    let request = json!({ "query": "mutation { cartCreate(input: { currencyCode: GBP }) { position } }" });
    let answer = reqwest::Client::new()
        .post(format!("{}/graphql", stack.api))
        .header("X-Correlation-Id", &correlation_id)
        .header("traceparent", format!("00-{TRACE_ID}-00f067aa0ba902b7-01"))
        .json(&request)
        .send()
        .await
        .expect("an answer");
    let answer: Value = answer.json().await.expect("JSON");
    let position = answer["data"]["cartCreate"]["position"].as_str().expect("a position").to_owned();

    let stored: String = sqlx::query_scalar("SELECT metadata::text FROM events WHERE position = $1::bigint")
        .bind(position.parse::<i64>().expect("a number"))
        .fetch_one(&stack.shop.events.pool)
        .await
        .expect("the event");
    let stored: Value = serde_json::from_str(&stored).expect("JSON");
    assert_eq!(stored["correlation_id"], correlation_id.as_str());
    assert!(stored["traceparent"].as_str().is_some_and(|trace| trace.contains(TRACE_ID)));

    for (process, message) in [
        (("daybook-api", ""), "operation"),
        (("daybook-relay", ""), "published"),
        (("daybook-projector", "carts"), "applied"),
    ] {
        let line = eventually(SOON, &format!("{process:?} tells of it"), || {
            let told = lines(&stack, process, message);
            let line = told.into_iter().find(|line| line["correlation_id"] == correlation_id.as_str());
            async move { line }
        })
        .await;
        assert_eq!(line["trace_id"], TRACE_ID, "{line}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_is_parked_leaves_a_line_that_says_which_and_of_what_request() {
    let stack = Stack::start(&[]).await;
    let poison = vec![r#"{ "Levitated": {} }"#.to_owned()];
    let id = SystemIds.next().to_string();
    let position = Writer::new(&stack.shop.events).append_of("Cart", &id, 0, poison).await;
    let line = eventually(SOON, "the projector tells of it", || {
        let told = lines(&stack, ("daybook-projector", "carts"), "an event is parked; somebody should look");
        async move { told.into_iter().next() }
    })
    .await;
    let event = stack.shop.shop.store.reader().find(position).await.expect("the log").expect("the event");
    let correlation_id = event.trace().correlation_id.expect("it has one").to_string();
    assert_eq!(line["level"], "ERROR");
    assert_eq!((&line["position"], &line["key"]), (&json!(position), &json!(id)));
    assert_eq!(line["correlation_id"], json!(correlation_id));
    assert_eq!(line["event_type"], "ThingHappened");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_gateway_says_later_is_part_of_the_trace_that_asked_it() {
    let stack = Stack::start(&[]).await;
    let lantern = stack.shop.product(1_000, 10).await;
    let order = check_out(&stack.shopper(), lantern, "card_late").await;
    stack.shop.order_is(order, OrderStatus::Confirmed).await;
    let of_the_submission = "SELECT event_type, metadata ->> 'traceparent' FROM events
         WHERE metadata ->> 'correlation_id' = (
             SELECT metadata ->> 'correlation_id' FROM events WHERE event_type = 'CartSubmitted'
         )";
    let told: Vec<(String, Option<String>)> =
        sqlx::query_as(of_the_submission).fetch_all(&stack.shop.events.pool).await.expect("the events");
    assert!(told.iter().any(|(event_type, _)| event_type == "PaymentAuthorised"), "{told:?}");
    assert!(told[0].1.is_some());
    assert!(told.iter().all(|(_, trace)| *trace == told[0].1), "{told:?}");
}
