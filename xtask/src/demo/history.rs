//! The order's history: every event of it, who caused it, and what by.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::api::{Client, text};
use crate::failure::{Failure, Result};
use crate::table;

use super::shopper::query;
use super::walk::Walk;
use super::{Bought, documents};

/// What must have happened, in this order; other events may stand between them.
const MUST: &[&str] = &[
    "OrderPlaced",
    "OrderStockReserved",
    "PaymentAuthorised",
    "OrderConfirmed",
    "ShipmentPacked",
    "OrderDispatched",
    "PaymentCaptured",
    "ShipmentDelivered",
    "OrderCompleted",
    "PaymentRefunded",
];

/// Shows it.
pub(super) fn show(walk: &mut Walk, client: &mut Client, bought: &Bought) -> Result<()> {
    let events = walk.step("support", "looks at the history", || {
        let order = query(client, documents::HISTORY, &json!({ "id": bought.order_id }))?["order"].take();
        let events = order["history"]["nodes"].as_array().cloned().unwrap_or_default();
        check(&events)?;
        let told = format!("{} events, in the order they happened", events.len());
        Ok((events, told))
    })?;
    println!();
    for line in table::lines(&rows(&events)) {
        println!("  {line}");
    }
    Ok(())
}

/// Fails when positions do not rise, or something that must have happened did not.
fn check(events: &[Value]) -> Result<()> {
    let positions: Vec<_> = events.iter().map(position).collect();
    if !positions.is_sorted_by(|one, next| one < next) {
        return Err(Failure::new(format!("the positions do not rise: {positions:?}")));
    }
    let mut happened = events.iter();
    for must in MUST {
        if !happened.any(|event| event["type"] == *must) {
            return Err(Failure::new(format!("there is no {must}, or not where it must be")));
        }
    }
    Ok(())
}

/// Position, type, actor and cause; a cause that is itself in the history is named by what it was.
fn rows(events: &[Value]) -> Vec<Vec<String>> {
    let named: BTreeMap<_, _> = events
        .iter()
        .map(|event| {
            (text(&event["id"]), format!("{} {}", position(event).unwrap_or(0), text(&event["type"])))
        })
        .collect();
    let cause = |event: &Value| match event["causationId"].as_str() {
        None => "a request".to_owned(),
        Some(id) => named.get(id).cloned().unwrap_or_else(|| format!("event {id}")),
    };
    let head = ["position", "event", "actor", "cause"].map(str::to_owned).to_vec();
    let row = |event: &Value| {
        let number = position(event).map_or_else(String::new, |number| number.to_string());
        vec![number, text(&event["type"]), text(&event["actor"]), cause(event)]
    };
    std::iter::once(head).chain(events.iter().map(row)).collect()
}

fn position(event: &Value) -> Option<i64> {
    event["position"].as_str()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(position: usize, kind: &str) -> Value {
        json!({ "position": position.to_string(), "id": format!("e{position}"), "type": kind, "actor": "a" })
    }

    fn whole() -> Vec<Value> {
        MUST.iter().enumerate().map(|(index, kind)| event(index + 9, kind)).collect()
    }

    #[test]
    fn a_history_lacks_nothing_and_is_in_order() {
        let mut events = whole();
        check(&events).expect("a whole history");
        events.swap(0, 1);
        assert!(check(&events).is_err());
        events.swap(0, 1);
        events.remove(3);
        assert!(check(&events).expect_err("a gap").chain().contains("OrderConfirmed"));
    }

    #[test]
    fn a_cause_that_is_shown_is_named() {
        let mut events = whole();
        events[1]["causationId"] = json!("e9");
        events[2]["causationId"] = json!("elsewhere");
        let rows = rows(&events);
        let causes: Vec<_> = rows.iter().take(4).map(|row| row[3].as_str()).collect();
        assert_eq!(causes, ["cause", "a request", "9 OrderPlaced", "event elsewhere"]);
    }
}
