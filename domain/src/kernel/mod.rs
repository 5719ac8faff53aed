//! What every aggregate is built from: ids, money, quantities, names of things, time and the shape of a
//! decision. Value objects here are valid by construction; nothing here knows an aggregate.

mod aggregate;
mod codes;
mod id;
mod money;
mod quantity;
pub(crate) mod sample;
mod sealed;
mod text;
mod time;

pub use aggregate::{Decision, EventType, Refusal};
pub use codes::{CodeError, CountryCode, LocationCode, ShippingMethod, Sku};
pub use id::{
    CartId, CommandId, CustomerId, IdError, IdSource, InspectionId, LineId, OrderId, PaymentId, ProductId,
    RefundId, ReturnId, ShipmentId, SubjectId, VariantId,
};
pub use money::{Currency, Money, MoneyError};
pub use quantity::{Quantity, QuantityError};
pub use sealed::Sealed;
pub use text::TextError;
pub use time::{Clock, Timestamp};

pub(crate) use aggregate::{aggregate, already, event_types, happened, refuse};
pub(crate) use text::{check_line, check_prose, tidied};
