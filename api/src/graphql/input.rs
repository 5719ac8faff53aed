//! Parts of inputs that several mutations share.

use std::collections::BTreeMap;

use async_graphql::{InputObject, SimpleObject};
use daybook_commands::use_cases::UseCaseError;
use daybook_domain::{Money, Quantity};

use super::money::MoneyInput;
use super::payload::invalid;

/// A name and its value.
#[derive(Debug, Clone, InputObject)]
pub(crate) struct AttributeInput {
    /// The name.
    key: String,
    /// The value.
    value: String,
}

/// A name and its value.
#[derive(Debug, Clone, SimpleObject)]
pub(crate) struct Attribute {
    /// The name.
    key: String,
    /// The value.
    value: String,
}

/// Attributes as the domain has them.
pub(crate) fn parse_attributes(
    given: Vec<AttributeInput>,
    field: &[&str],
) -> Result<BTreeMap<String, String>, UseCaseError> {
    let count = given.len();
    let attributes: BTreeMap<_, _> = given.into_iter().map(|one| (one.key, one.value)).collect();
    if attributes.len() == count {
        return Ok(attributes);
    }
    Err(invalid("ATTRIBUTE_REPEATED", "an attribute is given twice", field))
}

/// Attributes as clients see them.
pub(crate) fn attributes(attributes: &BTreeMap<String, String>) -> Vec<Attribute> {
    attributes.iter().map(|(key, value)| Attribute { key: key.clone(), value: value.clone() }).collect()
}

/// A quantity as the domain has it.
pub(crate) fn parse_quantity(given: i32, field: &[&str]) -> Result<Quantity, UseCaseError> {
    Quantity::try_new(i64::from(given)).map_err(|error| invalid("QUANTITY_INVALID", error, field))
}

/// An amount as the domain has it.
pub(crate) fn parse_money(given: &MoneyInput, field: &[&str]) -> Result<Money, UseCaseError> {
    given.parse().map_err(|error| invalid("AMOUNT_INVALID", error, field))
}
