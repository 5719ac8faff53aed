//! The rules of the shop: aggregates, their commands and events; pure, with no I/O, no clock and no
//! randomness. Time, ids and prices come in with the command; what happened goes out as events.

pub mod cart;
pub mod catalogue;
pub mod inspection;
pub mod inventory;
mod kernel;
pub mod ledger;
pub mod order;
pub mod payment;
pub mod person;
pub mod pricing;
pub mod product;
pub mod shipment;
pub mod sourcing;

pub use kernel::{
    CartId, Clock, CodeError, CommandId, CountryCode, Currency, CustomerId, Decision, EventType, IdError,
    IdSource, InspectionId, LineId, LocationCode, Money, MoneyError, OrderId, PaymentId, ProductId, Quantity,
    QuantityError, RefundId, Refusal, ReturnId, Sealed, ShipmentId, ShippingMethod, Sku, SubjectId,
    TextError, Timestamp, VariantId,
};
