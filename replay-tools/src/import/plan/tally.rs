//! What the lines came to, in numbers.

use std::collections::BTreeMap;

use daybook_domain::{Currency, Money};

use super::super::reject::Reason;
use super::saturating_add;

/// The counts and sums of a file, or of the part of it that was read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::import) struct Tally {
    /// Every line read.
    pub(in crate::import) lines: u64,
    /// The lines that became a part of an order or of a return.
    pub(in crate::import) imported: u64,
    /// The others, by reason.
    pub(in crate::import) rejected: BTreeMap<Reason, u64>,
    pub(in crate::import) sales: Side,
    pub(in crate::import) refunds: Side,
}

impl Tally {
    /// How many lines were rejected.
    pub(in crate::import) fn all_rejected(&self) -> u64 {
        self.rejected.values().sum()
    }
}

/// What was sold, or what was paid back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::import) struct Side {
    /// Orders or returns.
    pub(in crate::import) documents: u64,
    pub(in crate::import) lines: u64,
    pub(in crate::import) money: Money,
}

impl Default for Side {
    fn default() -> Self {
        Self { documents: 0, lines: 0, money: Money::zero(Currency::GBP) }
    }
}

impl Side {
    /// Counts a line, and with the first of its invoice the invoice.
    pub(super) fn add(&mut self, is_first: bool, amount: Money) {
        self.documents += u64::from(is_first);
        self.lines += 1;
        self.money = saturating_add(self.money, amount);
    }
}
