//! Money as clients see and send it.

use async_graphql::{InputObject, SimpleObject};
use daybook_domain::{Money, MoneyError};

use super::scalar::{CurrencyCode, Decimal};

/// An amount of money with its currency.
#[derive(Debug, Clone, SimpleObject)]
pub(crate) struct MoneyV2 {
    /// The amount, in units of the currency.
    amount: Decimal,
    /// The currency.
    currency_code: CurrencyCode,
}

impl From<Money> for MoneyV2 {
    fn from(money: Money) -> Self {
        Self { amount: money.into(), currency_code: CurrencyCode(money.currency()) }
    }
}

/// An amount of money with its currency.
#[derive(Debug, Clone, InputObject)]
pub(crate) struct MoneyInput {
    /// The amount, in units of the currency, with no more digits than the currency has.
    amount: Decimal,
    /// The currency.
    currency_code: CurrencyCode,
}

impl MoneyInput {
    /// The amount in minor units.
    pub(crate) fn parse(&self) -> Result<Money, MoneyError> {
        Money::parse(&self.amount.0, self.currency_code.0)
    }
}
