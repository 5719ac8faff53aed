//! The schema's own scalars, each the GraphQL face of a value object of the domain.

use async_graphql::{InputValueError, InputValueResult, Scalar, ScalarType, Value};
use daybook_domain::{CountryCode, Currency, Money};

/// A place in the shop's log of events, as a decimal number in a string. A mutation answers with the position
/// it reached; a query that is given it shows at least that.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Position(pub(crate) daybook_eventstore::Position);

#[Scalar]
impl ScalarType for Position {
    fn parse(value: Value) -> InputValueResult<Self> {
        let position = match &value {
            Value::String(text) => text.parse().ok(),
            Value::Number(number) => number.as_i64(),
            Value::Null
            | Value::Boolean(_)
            | Value::Binary(_)
            | Value::Enum(_)
            | Value::List(_)
            | Value::Object(_) => None,
        };
        match position.filter(|position| *position >= 0) {
            Some(position) => Ok(Self(position)),
            None => Err(InputValueError::expected_type(value)),
        }
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.to_string())
    }
}

/// An exact decimal number, such as `"12.30"`: a string, so that nothing rounds it on the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Decimal(pub(crate) String);

#[Scalar]
impl ScalarType for Decimal {
    fn parse(value: Value) -> InputValueResult<Self> {
        match value {
            Value::String(text) if text.len() <= 32 => Ok(Self(text)),
            Value::Number(number) => Ok(Self(number.to_string())),
            other @ (Value::Null
            | Value::String(_)
            | Value::Boolean(_)
            | Value::Binary(_)
            | Value::Enum(_)
            | Value::List(_)
            | Value::Object(_)) => Err(InputValueError::expected_type(other)),
        }
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.clone())
    }
}

/// A currency by its ISO 4217 code, such as `GBP`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CurrencyCode(pub(crate) Currency);

#[Scalar]
impl ScalarType for CurrencyCode {
    fn parse(value: Value) -> InputValueResult<Self> {
        match code(&value).and_then(Currency::from_code) {
            Some(currency) => Ok(Self(currency)),
            None => Err(InputValueError::expected_type(value)),
        }
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.code().to_owned())
    }
}

/// A country by its two capital letters (ISO 3166-1 alpha-2), such as `GB`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Country(pub(crate) CountryCode);

#[Scalar(name = "CountryCode")]
impl ScalarType for Country {
    fn parse(value: Value) -> InputValueResult<Self> {
        match code(&value).and_then(|text| CountryCode::try_new(text).ok()) {
            Some(country) => Ok(Self(country)),
            None => Err(InputValueError::expected_type(value)),
        }
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.to_string())
    }
}

/// Any JSON value. It is kept as text, and read when it is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Json(pub(crate) String);

#[Scalar(name = "JSON")]
impl ScalarType for Json {
    fn parse(value: Value) -> InputValueResult<Self> {
        Ok(Self(value.to_string()))
    }

    fn to_value(&self) -> Value {
        // The database keeps nothing but JSON there.
        serde_json::from_str(&self.0).unwrap_or_default()
    }
}

/// The text of a code, whether written as a string or as an enum's value.
fn code(value: &Value) -> Option<&str> {
    match value {
        Value::String(text) => Some(text),
        Value::Enum(name) => Some(name),
        Value::Null
        | Value::Number(_)
        | Value::Boolean(_)
        | Value::Binary(_)
        | Value::List(_)
        | Value::Object(_) => None,
    }
}

impl From<Money> for Decimal {
    fn from(money: Money) -> Self {
        Self(money.to_string())
    }
}
