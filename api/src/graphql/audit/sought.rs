//! What auditors look for.

use async_graphql::InputObject;
use daybook_domain::inspection::Sought;
use daybook_domain::{CustomerId, OrderId, PaymentId, Timestamp};
use uuid::Uuid;

use crate::graphql::error::ApiError;
use crate::graphql::id::IdOf;

/// The longest text that is looked for.
const LONGEST: usize = 255;

/// Which events: those that are all of this. Without anything, every event.
#[derive(Debug, Clone, Default, InputObject)]
pub(crate) struct AuditEventFilterInput {
    /// Those that concern this order: its own, its payment's, its parcels', and those of stock and carts that name it.
    order_id: Option<IdOf<OrderId>>,
    /// Those of this payment.
    payment_id: Option<IdOf<PaymentId>>,
    /// Those of this customer's carts and orders, and that they were forgotten.
    customer_id: Option<IdOf<CustomerId>>,
    /// Those that this one caused, such as `staff:ada` or `process:checkout`.
    actor: Option<String>,
    /// Those of such aggregates, such as `Order`.
    aggregate_type: Option<String>,
    /// Those of the aggregate with this id, as events name it.
    aggregate_id: Option<String>,
    /// Those of this type, such as `PaymentCaptured`.
    #[graphql(name = "type")]
    event_type: Option<String>,
    /// Those that came of one request.
    correlation_id: Option<Uuid>,
    /// Those that happened at this moment or later.
    occurred_from: Option<Timestamp>,
    /// Those that happened before this moment.
    occurred_before: Option<Timestamp>,
}

impl AuditEventFilterInput {
    pub(super) fn parse(self) -> Result<Sought, ApiError> {
        let payment = self.payment_id.map(|id| id.0.to_string());
        if payment.is_some() && (self.aggregate_id.is_some() || self.aggregate_type.is_some()) {
            let message = "paymentId names an aggregate already";
            return Err(ApiError::bad_input("FILTER_AMBIGUOUS", message));
        }
        let aggregate_type = payment.as_ref().map(|_| "Payment".to_owned()).or(text(self.aggregate_type)?);
        Ok(Sought {
            order_id: self.order_id.map(|id| id.0),
            customer_id: self.customer_id.map(|id| id.0),
            aggregate_type,
            aggregate_id: payment.or(text(self.aggregate_id)?),
            event_type: text(self.event_type)?,
            actor: text(self.actor)?,
            correlation_id: self.correlation_id,
            from: self.occurred_from,
            to: self.occurred_before,
        })
    }
}

/// A text that there can be any of.
fn text(text: Option<String>) -> Result<Option<String>, ApiError> {
    let fits = text.as_ref().is_none_or(|text| text.len() <= LONGEST && !text.contains('\0'));
    let message = format!("a text has at most {LONGEST} bytes and no zero among them");
    if fits { Ok(text) } else { Err(ApiError::bad_input("FILTER_INVALID", message)) }
}
