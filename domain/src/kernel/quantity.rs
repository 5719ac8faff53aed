//! How many: a count of units, at least one.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A number of units, from 1 to [`Quantity::MAX`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "i64", into = "i64")]
#[schemars(inline)]
pub struct Quantity(u32);

/// The number is not a quantity.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a quantity is a whole number from 1 to {max}", max = Quantity::MAX)]
pub struct QuantityError;

impl Quantity {
    /// The largest quantity one line, movement or reservation may have.
    pub const MAX: u32 = 1_000_000;
    /// One unit.
    pub const ONE: Self = Self(1);

    /// A quantity of `count` units.
    pub fn try_new(count: i64) -> Result<Self, QuantityError> {
        u32::try_from(count).ok().filter(|n| (1..=Self::MAX).contains(n)).map(Self).ok_or(QuantityError)
    }

    /// The number of units.
    pub const fn get(self) -> u32 {
        self.0
    }

    /// The number of units, for arithmetic with signs.
    pub const fn count(self) -> i64 {
        self.0 as i64
    }

    /// Both together.
    pub fn checked_add(self, other: Self) -> Result<Self, QuantityError> {
        Self::try_new(self.count() + other.count())
    }

    /// Both together, or the largest quantity there is when that is less.
    #[must_use]
    pub const fn saturating_add(self, other: Self) -> Self {
        let sum = self.0.saturating_add(other.0);
        Self(if sum > Self::MAX { Self::MAX } else { sum })
    }

    /// What is left after taking `other` away; nothing when nothing is left.
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        Self::try_new(self.count() - other.count()).ok()
    }
}

impl TryFrom<i64> for Quantity {
    type Error = QuantityError;
    fn try_from(count: i64) -> Result<Self, QuantityError> {
        Self::try_new(count)
    }
}

impl From<Quantity> for i64 {
    fn from(quantity: Quantity) -> Self {
        quantity.count()
    }
}
