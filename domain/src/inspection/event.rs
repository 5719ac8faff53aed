//! What can have happened to an inspection.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::kernel::{CustomerId, InspectionId, OrderId, Timestamp, event_types};

/// What somebody looked for in the log; nothing of it is anything.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Sought {
    /// Of this order.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order_id: Option<OrderId>,
    /// Of this customer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub customer_id: Option<CustomerId>,
    /// Of aggregates of this type.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub aggregate_type: Option<String>,
    /// Of this aggregate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub aggregate_id: Option<String>,
    /// Of this type.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event_type: Option<String>,
    /// That this one caused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
    /// That came of this request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub correlation_id: Option<Uuid>,
    /// That happened at this moment or later.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<Timestamp>,
    /// That happened before this moment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<Timestamp>,
}

/// What was read.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Inspected {
    /// Events that were looked for.
    Events {
        /// What was looked for.
        sought: Sought,
        /// The positions of those that were shown.
        shown: Vec<i64>,
    },
    /// All that happened to an order.
    Order {
        /// Which.
        order_id: OrderId,
    },
    /// An event with the proof that it is in the log.
    Proof {
        /// Its position.
        position: i64,
    },
}

/// A fact about an inspection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[expect(missing_docs, reason = "the fields' meaning is their name; the catalogue says each event's")]
pub enum InspectionEvent {
    Made { inspection_id: InspectionId, of: Vec<Inspected> },
}

event_types!(InspectionEvent, "Inspection", {
    Made = "1": "the actor was about to be shown this of the log",
});
