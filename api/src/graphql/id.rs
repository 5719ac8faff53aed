//! Opaque global ids: base64 of `Type:key`, one form for every node. A client keeps them and never looks inside.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use async_graphql::registry::Registry;
use async_graphql::{ID, InputType, InputValueError, InputValueResult, Value};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use daybook_commands::use_cases::VariantRef;
use daybook_domain::inventory::StockItem;
use daybook_domain::{CartId, CustomerId, LineId, OrderId, PaymentId, ProductId, RefundId, ShipmentId};

/// The longest id that is looked into.
const MAX_LENGTH: usize = 256;

/// A domain id that clients see.
pub(crate) trait Node: fmt::Display + FromStr + Send + Sync {
    /// The GraphQL type it is the id of.
    const TYPE: &'static str;
}

macro_rules! nodes {
    ($($id:ty => $name:literal,)+) => {$(impl Node for $id { const TYPE: &'static str = $name; })+};
}

nodes! {
    ProductId => "Product",
    VariantRef => "ProductVariant",
    CartId => "Cart",
    LineId => "Line",
    CustomerId => "Customer",
    OrderId => "Order",
    PaymentId => "Payment",
    RefundId => "Refund",
    ShipmentId => "Shipment",
    StockItem => "StockItem",
}

/// The global id of `id`.
pub(crate) fn global<T: Node>(id: &T) -> ID {
    ID(URL_SAFE_NO_PAD.encode(format!("{}:{id}", T::TYPE)))
}

/// What a global id stands for: a type's name and a key.
pub(crate) fn parse(id: &str) -> Option<(String, String)> {
    if id.len() > MAX_LENGTH {
        return None;
    }
    let bytes = URL_SAFE_NO_PAD.decode(id.trim_end_matches('=')).ok()?;
    let text = String::from_utf8(bytes).ok()?;
    let (name, key) = text.split_once(':')?;
    Some((name.to_owned(), key.to_owned()))
}

/// The key that a global id of a `T` stands for.
pub(crate) fn key<T: Node>(id: &str) -> Option<T> {
    parse(id).filter(|(name, _)| name == T::TYPE).and_then(|(_, key)| key.parse().ok())
}

/// The id of a `T` as an argument: in the schema it is an `ID`, in the code it is already parsed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct IdOf<T>(pub(crate) T);

impl<T: Node> InputType for IdOf<T> {
    type RawValueType = Self;

    fn type_name() -> Cow<'static, str> {
        <ID as InputType>::type_name()
    }

    fn create_type_info(registry: &mut Registry) -> String {
        <ID as InputType>::create_type_info(registry)
    }

    fn parse(value: Option<Value>) -> InputValueResult<Self> {
        let found = match value {
            Some(Value::String(text)) => key(&text).map(Self),
            Some(_) | None => None,
        };
        found.ok_or_else(|| {
            InputValueError::custom(format_args!("not the id of a {}", T::TYPE))
                .with_extension("code", "INVALID_ID")
        })
    }

    fn to_value(&self) -> Value {
        Value::String(global(&self.0).0)
    }

    fn as_raw_value(&self) -> Option<&Self> {
        Some(self)
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn an_id_reads_back_as_its_own_type_only() {
        let id = ProductId::new(Uuid::from_u128(5));
        let text = Value::String(global(&id).0);
        assert_eq!(IdOf::<ProductId>::parse(Some(text.clone())).ok(), Some(IdOf(id)));
        assert!(IdOf::<CartId>::parse(Some(text)).is_err());
    }

    #[test]
    fn garbage_is_no_id() {
        for bad in ["", "!!!", "UHJvZHVjdDo", "UHJvZHVjdA", &"A".repeat(10_000)] {
            assert!(IdOf::<ProductId>::parse(Some(Value::String(bad.to_owned()))).is_err(), "{bad}");
        }
        assert!(IdOf::<ProductId>::parse(Some(Value::Null)).is_err());
        assert!(IdOf::<ProductId>::parse(None).is_err());
    }
}
