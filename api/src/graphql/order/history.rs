//! An order's history: every event of the order, its payment and its shipments, with who caused it and why.

use std::sync::Arc;

use async_graphql::{Context, ID, Object};
use daybook_domain::{OrderId, Timestamp};
use daybook_projections::orders::query::{HistoryEntry, HistoryPart};

use crate::graphql::error::ApiError;
use crate::graphql::reads::{Paging, Slice, connection};
use crate::graphql::scalar::{Json, Position};
use crate::graphql::services::services;

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

    /// Who caused it.
    async fn actor(&self) -> &str {
        &self.entry().actor
    }

    /// The command that caused it.
    async fn command_id(&self) -> String {
        self.entry().command_id.to_string()
    }

    /// The event that the command was an answer to; nothing when a person asked.
    async fn causation_id(&self) -> Option<String> {
        self.entry().causation_id.map(|id| id.to_string())
    }

    /// What all that followed from one request has in common.
    async fn correlation_id(&self) -> String {
        self.entry().correlation_id.to_string()
    }

    /// When it happened.
    async fn occurred_at(&self) -> Timestamp {
        self.entry().occurred_at
    }

    /// When it was recorded.
    async fn recorded_at(&self) -> Timestamp {
        self.entry().recorded_at
    }

    /// What happened, with all its facts. Personal data in it is sealed.
    async fn payload(&self) -> Json {
        Json(self.entry().payload.clone())
    }
}

connection! {
    /// A part of an order's history, oldest first.
    OrderEventConnection {}, OrderEventEdge of OrderEvent;
}

/// A part of an order's history.
pub(super) async fn part(
    ctx: &Context<'_>,
    order_id: OrderId,
    paging: &Paging,
) -> Result<OrderEventConnection, ApiError> {
    let load = &services(ctx).reads.load;
    let (first, after) = paging.by_number(LIST)?;
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
