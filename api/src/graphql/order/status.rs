//! The three axes of an order's status, and why it was cancelled.

use async_graphql::Enum;
use daybook_domain::order;
use daybook_projections::orders;

/// How far the promise is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "orders::OrderStatus")]
pub(crate) enum OrderStatus {
    /// Placed; stock and payment are being arranged.
    Placed,
    /// Paid for and promised.
    Confirmed,
    /// It will not be shipped.
    Cancelled,
    /// Delivered and paid, all of it.
    Completed,
}

/// How far the money is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "orders::PaymentStatus")]
pub(crate) enum PaymentStatus {
    /// Not asked for yet, or the gateway has not answered.
    Pending,
    /// The shopper must take a second step with the bank.
    ActionRequired,
    /// The gateway holds the amount.
    Authorised,
    /// The gateway refused.
    Declined,
    /// No authorisation came in time.
    Expired,
    /// The gateway holds another amount than was asked.
    Conflicted,
    /// A part was taken.
    PartiallyCaptured,
    /// All of it was taken.
    Captured,
    /// A part of what was taken went back.
    PartiallyRefunded,
    /// All that was taken went back.
    Refunded,
    /// What was held was let go.
    Voided,
}

/// How far the goods are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "orders::FulfilmentStatus")]
pub(crate) enum FulfilmentStatus {
    /// No shipment was opened.
    Unfulfilled,
    /// A location is packing.
    InProgress,
    /// Some units left.
    PartiallyDispatched,
    /// All units left.
    Dispatched,
    /// Some units are with the shopper, and all left.
    PartiallyDelivered,
    /// All units are with the shopper.
    Delivered,
    /// All units left, none could be delivered, and they come back.
    DeliveryFailed,
    /// Nothing will be sent.
    Cancelled,
}

/// Why an order was cancelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "order::CancelReason")]
pub(crate) enum OrderCancelReason {
    /// The shopper asked for it.
    Customer,
    /// The shop's staff decided it.
    Staff,
    /// There was not enough stock.
    OutOfStock,
    /// The payment was declined.
    PaymentDeclined,
    /// The payment did not come in time.
    PaymentExpired,
    /// It looks like a fraud.
    Fraud,
    /// Anything else.
    Other,
}

/// How far a request to the gateway is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "orders::Progress")]
pub(crate) enum TransactionStatus {
    /// Asked for.
    Requested,
    /// Done.
    Succeeded,
    /// Refused.
    Failed,
}
