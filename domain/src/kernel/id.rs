//! The registry of typed ids: a UUID each, never interchangeable, never guessed from a string.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Where new ids come from; tests pass a seeded one.
pub trait IdSource: Send + Sync {
    /// A new `UUIDv7` (RFC 9562), never given out before.
    fn next(&self) -> Uuid;
}

/// The text is not a UUID.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a valid id")]
pub struct IdError;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident,)+) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        #[serde(transparent)]
        #[schemars(inline)]
        pub struct $name(Uuid);

        impl $name {
            /// The id with this UUID.
            pub const fn new(uuid: Uuid) -> Self {
                Self(uuid)
            }

            /// A new id from `source`.
            pub fn generate(source: &dyn IdSource) -> Self {
                Self(source.next())
            }

            /// The UUID inside.
            pub const fn uuid(self) -> Uuid {
                self.0
            }

            /// The id that always follows from this UUID and this name (`UUIDv5`, RFC 9562): the same step of the
            /// same process gives the same id when it runs again.
            pub fn derived(from: Uuid, name: &str) -> Self {
                Self(Uuid::new_v5(&from, name.as_bytes()))
            }
        }

        impl Default for $name {
            /// The nil UUID: what an aggregate that does not exist yet holds.
            fn default() -> Self {
                Self(Uuid::nil())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                Uuid::parse_str(text).map(Self).map_err(|_| IdError)
            }
        }
    )+};
}

ids! {
    /// A cart.
    CartId,
    /// One line of a cart, and of the order it becomes.
    LineId,
    /// A customer.
    CustomerId,
    /// Whose personal data a sealed value is: the unit of forgetting.
    SubjectId,
    /// An order.
    OrderId,
    /// A payment for an order.
    PaymentId,
    /// One refund of a payment.
    RefundId,
    /// A return of goods.
    ReturnId,
    /// A shipment of an order from one location.
    ShipmentId,
    /// A product.
    ProductId,
    /// A variant of a product: what is stocked, priced and sold.
    VariantId,
    /// An inspection: an auditor read something of the log.
    InspectionId,
    /// A command: the same id takes effect once, for ever.
    CommandId,
}
