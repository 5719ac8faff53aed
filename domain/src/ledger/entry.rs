//! Entries: what one event comes to on several accounts at once.

use super::Account;
use crate::kernel::{Money, MoneyError};

/// One line of an entry: so much to or from an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Posting {
    /// The account.
    pub account: Account,
    /// How much; never negative.
    pub amount: Money,
    /// Whether the account is debited; otherwise it is credited.
    pub is_debit: bool,
}

impl Posting {
    pub(super) const fn debit(account: Account, amount: Money) -> Self {
        Self { account, amount, is_debit: true }
    }

    pub(super) const fn credit(account: Account, amount: Money) -> Self {
        Self { account, amount, is_debit: false }
    }

    pub(super) const fn reversed(self) -> Self {
        Self { is_debit: !self.is_debit, ..self }
    }

    /// What it debits, if it does.
    pub fn debited(self) -> Option<Money> {
        Some(self.amount).filter(|_| self.is_debit)
    }

    /// What it credits, if it does.
    pub fn credited(self) -> Option<Money> {
        Some(self.amount).filter(|_| !self.is_debit)
    }

    /// The amount, below zero for a credit.
    ///
    /// # Errors
    /// When that does not fit.
    pub fn signed(self) -> Result<Money, MoneyError> {
        if self.is_debit {
            Ok(self.amount)
        } else {
            Money::zero(self.amount.currency()).checked_sub(self.amount)
        }
    }
}

/// What an event comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The event's position.
    pub position: i64,
    postings: Vec<Posting>,
}

impl Entry {
    /// An entry of those of these that are not nothing; nothing when none is.
    pub(super) fn of(position: i64, mut postings: Vec<Posting>) -> Option<Self> {
        postings.retain(|posting| !posting.amount.is_zero());
        Some(Self { position, postings }).filter(|entry| !entry.postings.is_empty())
    }

    /// Its lines.
    pub fn postings(&self) -> &[Posting] {
        &self.postings
    }

    /// Whether its debits are its credits. An entry is of one currency.
    ///
    /// # Errors
    /// When a sum does not fit.
    pub fn is_balanced(&self) -> Result<bool, MoneyError> {
        let Some(first) = self.postings.first() else { return Ok(true) };
        let signed = self.postings.iter().map(|posting| posting.signed()).collect::<Result<Vec<_>, _>>()?;
        Ok(Money::sum(first.amount.currency(), signed)?.is_zero())
    }
}

/// What an account comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Balance {
    /// The account.
    pub account: Account,
    /// Its debits less its credits.
    pub amount: Money,
}

impl Balance {
    /// As one line of a table: what it comes to on the side where that is more than nothing, which is neither where it is even.
    ///
    /// # Errors
    /// When that does not fit.
    pub fn posting(self) -> Result<Option<Posting>, MoneyError> {
        let Self { account, amount } = self;
        let negated = Money::zero(amount.currency()).checked_sub(amount)?;
        let posting = if amount.is_negative() {
            Posting::credit(account, negated)
        } else {
            Posting::debit(account, amount)
        };
        Ok(Some(posting).filter(|posting| !posting.amount.is_zero()))
    }
}
