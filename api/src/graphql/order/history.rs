//! An order's history: every event of the order, its payment and its shipments, with who caused it and why.

use std::sync::Arc;

use async_graphql::{Context, ID, Object};
use daybook_domain::inspection::Inspected;
use daybook_domain::{OrderId, Timestamp};
use daybook_projections::orders::query::{HistoryEntry, HistoryPart};
use serde_json::Value;

use crate::auth::{Permission, Role};
use crate::graphql::audit;
use crate::graphql::context::request;
use crate::graphql::error::ApiError;
use crate::graphql::reads::{Paging, Slice, connection};
use crate::graphql::scalar::{Json, Position};
use crate::graphql::services::services;

/// The field of a payload that says what was paid with.
const PAYMENT_TOKEN: &str = "payment_token";
/// What stands there for those who may not know.
const REDACTED: &str = "redacted";
/// The list's name, for cursors.
const LIST: &str = "history";

/// One event.
#[derive(Debug, Clone)]
pub(crate) struct OrderEvent {
    history: Arc<Vec<HistoryEntry>>,
    index: usize,
}

impl OrderEvent {
    fn entry(&self) -> &HistoryEntry {
        &self.history[self.index]
    }

    /// The event, for those who may know all of it.
    fn audited(&self, ctx: &Context<'_>) -> Option<&HistoryEntry> {
        request(ctx).identity.may(Permission::Audit).then(|| self.entry())
    }
}

/// A payload without what the gateway knows a means of payment by.
pub(crate) fn redacted(payload: &str) -> String {
    fn walk(value: &mut Value) {
        match value {
            Value::Object(fields) => {
                for (name, field) in fields {
                    if name == PAYMENT_TOKEN { *field = REDACTED.into() } else { walk(field) }
                }
            }
            Value::Array(items) => items.iter_mut().for_each(walk),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    let mut value: Value = serde_json::from_str(payload).unwrap_or_default();
    walk(&mut value);
    value.to_string()
}

#[Object]
impl OrderEvent {
    /// Its id.
    async fn id(&self) -> ID {
        ID(self.entry().event_id.to_string())
    }

    /// Its place in the log.
    async fn position(&self) -> Position {
        Position(self.entry().position)
    }

    /// What happened, such as `OrderPlaced`.
    #[graphql(name = "type")]
    async fn event_type(&self) -> &str {
        &self.entry().event_type
    }

    /// The version of the payload's fields.
    async fn version(&self) -> &str {
        &self.entry().event_version
    }

    /// `Order`, `Payment` or `Shipment`.
    async fn aggregate_type(&self) -> &str {
        &self.entry().aggregate_type
    }

    /// Which of them.
    async fn aggregate_id(&self) -> &str {
        &self.entry().aggregate_id
    }

    /// Who caused it; nothing for those who may not know.
    async fn actor(&self, ctx: &Context<'_>) -> Option<&str> {
        self.audited(ctx).map(|entry| entry.actor.as_str())
    }

    /// The command that caused it; nothing for those who may not know.
    async fn command_id(&self, ctx: &Context<'_>) -> Option<String> {
        self.audited(ctx).map(|entry| entry.command_id.to_string())
    }

    /// The event that the command was an answer to; nothing when a person asked, and for those who may not know.
    async fn causation_id(&self, ctx: &Context<'_>) -> Option<String> {
        self.audited(ctx)?.causation_id.map(|id| id.to_string())
    }

    /// What all that followed from one request has in common; nothing for those who may not know.
    async fn correlation_id(&self, ctx: &Context<'_>) -> Option<String> {
        self.audited(ctx).map(|entry| entry.correlation_id.to_string())
    }

    /// When it happened.
    async fn occurred_at(&self) -> Timestamp {
        self.entry().occurred_at
    }

    /// When it was recorded.
    async fn recorded_at(&self) -> Timestamp {
        self.entry().recorded_at
    }

    /// What happened, with all its facts; nothing for those who may not know. Personal data in it is sealed, and what
    /// was paid with is left out for most.
    async fn payload(&self, ctx: &Context<'_>) -> Option<Json> {
        let payload = &self.audited(ctx)?.payload;
        let whole = request(ctx).identity.may(Permission::SeePaymentTokens);
        Some(Json(if whole { payload.clone() } else { redacted(payload) }))
    }
}

connection! {
    /// A part of an order's history, oldest first.
    OrderEventConnection {}, OrderEventEdge of OrderEvent;
}

/// Whether anything is asked for that only some may know.
fn is_audited(ctx: &Context<'_>) -> bool {
    let field = ctx.look_ahead();
    let events = [field.field("nodes"), field.field("edges").field("node")];
    let audited = ["actor", "commandId", "causationId", "correlationId", "payload"];
    events.iter().any(|event| audited.iter().any(|name| event.field(name).exists()))
}

/// A part of an order's history. What an auditor is shown of it is recorded first.
pub(super) async fn part(
    ctx: &Context<'_>,
    order_id: OrderId,
    paging: &Paging,
) -> Result<OrderEventConnection, ApiError> {
    let load = &services(ctx).reads.load;
    let (first, after) = paging.by_number(LIST)?;
    if request(ctx).identity.role() == Role::Auditor && is_audited(ctx) {
        audit::record(ctx, Inspected::Order { order_id }).await?;
    }
    // One more than asked for says whether there are more.
    let wanted = HistoryPart { order_id, after, first: first + 1 };
    let history = load.histories.get(wanted).await?.unwrap_or_default();
    let total = if ctx.look_ahead().field("totalCount").exists() {
        load.history_lengths.get(order_id).await?.unwrap_or_default()
    } else {
        0
    };
    let event = |(index, entry): (usize, &HistoryEntry)| {
        (entry.position, OrderEvent { history: Arc::clone(&history), index })
    };
    let events = history.iter().enumerate().map(event);
    Ok(OrderEventConnection { slice: Slice::by_number(LIST, events, (first, after), total) })
}

#[cfg(test)]
mod tests {
    use daybook_domain::{order, payment};

    use super::*;

    #[test]
    fn no_event_of_an_order_or_payment_tells_the_token_when_it_is_redacted() {
        let orders = order::samples().iter().map(serde_json::to_string).collect::<Vec<_>>();
        let payments = payment::samples().iter().map(serde_json::to_string).collect::<Vec<_>>();
        let mut redactions = 0;
        for payload in orders.into_iter().chain(payments) {
            let payload = payload.expect("JSON");
            let shown: Value = serde_json::from_str(&redacted(&payload)).expect("JSON");
            let mut stored: Value = serde_json::from_str(&payload).expect("JSON");
            for fields in stored.as_object_mut().into_iter().flat_map(serde_json::Map::values_mut) {
                if let Some(token) = fields.get_mut(PAYMENT_TOKEN) {
                    *token = REDACTED.into();
                    redactions += 1;
                }
            }
            assert_eq!(shown, stored);
        }
        assert_eq!(redactions, 2, "the order's placing and the payment's request");
    }
}
