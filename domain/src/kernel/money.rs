//! Money: whole minor units of one currency. Sums are checked, currencies never mix, splits lose nothing.

use std::fmt;

pub use iso_currency::Currency;
use serde::{Deserialize, Serialize};

/// An amount in the minor unit of its currency (ISO 4217): pence, cents, whole yen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Money {
    minor: i64,
    currency: Currency,
}

/// An operation on money that has no right answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    /// Two currencies in one sum.
    #[error("{l} and {r} cannot be added or compared", l = .left.code(), r = .right.code())]
    CurrencyMismatch {
        /// The currency asked of.
        left: Currency,
        /// The currency given.
        right: Currency,
    },
    /// The result does not fit.
    #[error("amount out of range")]
    OutOfRange,
    /// The text is not an amount in this currency.
    #[error("not an amount in this currency")]
    NotAnAmount,
}

impl Money {
    /// `minor` minor units of `currency`.
    pub const fn new(minor: i64, currency: Currency) -> Self {
        Self { minor, currency }
    }

    /// Nothing, in `currency`.
    pub const fn zero(currency: Currency) -> Self {
        Self::new(0, currency)
    }

    /// The number of minor units.
    pub const fn minor(self) -> i64 {
        self.minor
    }

    /// The currency.
    pub const fn currency(self) -> Currency {
        self.currency
    }

    /// Whether it is nothing.
    pub const fn is_zero(self) -> bool {
        self.minor == 0
    }

    /// Whether it is less than nothing.
    pub const fn is_negative(self) -> bool {
        self.minor < 0
    }

    /// Both together.
    pub fn checked_add(self, other: Self) -> Result<Self, MoneyError> {
        self.same_currency(other)?;
        self.with(self.minor.checked_add(other.minor))
    }

    /// What is left after taking `other` away; may be negative.
    pub fn checked_sub(self, other: Self) -> Result<Self, MoneyError> {
        self.same_currency(other)?;
        self.with(self.minor.checked_sub(other.minor))
    }

    /// `count` times this.
    pub fn checked_mul(self, count: i64) -> Result<Self, MoneyError> {
        self.with(self.minor.checked_mul(count))
    }

    /// The sum of `amounts`, all in `currency`.
    pub fn sum(currency: Currency, amounts: impl IntoIterator<Item = Self>) -> Result<Self, MoneyError> {
        amounts.into_iter().try_fold(Self::zero(currency), Self::checked_add)
    }

    /// This share of the amount in basis points (1/10,000), rounded half away from zero, as most tax
    /// authorities round a line.
    pub fn basis_points(self, points: u32) -> Result<Self, MoneyError> {
        let product = i128::from(self.minor) * i128::from(points);
        let half = if product < 0 { -5_000 } else { 5_000 };
        self.with(i64::try_from((product + half) / 10_000).ok())
    }

    /// Splits the amount by `weights` so that the parts sum to the whole (largest remainder; ties go to the
    /// earlier part). With no positive weight, everything goes to the first part.
    pub fn split(self, weights: &[u64]) -> Vec<Self> {
        let total: i128 = weights.iter().map(|w| i128::from(*w)).sum();
        if total == 0 {
            let rest = weights.len().saturating_sub(1);
            let first = (!weights.is_empty()).then_some(self);
            return first.into_iter().chain(std::iter::repeat_n(Self::zero(self.currency), rest)).collect();
        }
        let exact = |w: u64| i128::from(self.minor) * i128::from(w);
        let mut parts: Vec<i128> = weights.iter().map(|w| exact(*w).div_euclid(total)).collect();
        let mut by_remainder: Vec<usize> = (0..weights.len()).collect();
        by_remainder.sort_by_key(|i| std::cmp::Reverse(exact(weights[*i]).rem_euclid(total)));
        let left = i128::from(self.minor) - parts.iter().sum::<i128>();
        for index in by_remainder.into_iter().take(usize::try_from(left).unwrap_or(0)) {
            parts[index] += 1;
        }
        // A part lies between zero and the whole, so it fits.
        parts.into_iter().map(|p| Self::new(i64::try_from(p).unwrap_or(self.minor), self.currency)).collect()
    }

    /// What the first `taken` of `parts` equal parts come to, by the rule of [`Money::split`] but without
    /// listing a part for each of a million units. All of them are the whole.
    #[must_use]
    pub fn first_of_equal_parts(self, taken: u32, parts: u32) -> Self {
        let (taken, parts) = (i64::from(taken.min(parts)), i64::from(parts.max(1)));
        let (each, left) = (self.minor.div_euclid(parts), self.minor.rem_euclid(parts));
        Self::new(each * taken + left.min(taken), self.currency)
    }

    /// Reads a decimal amount such as `12.30`: at most the currency's digits after the point, no exponent.
    pub fn parse(text: &str, currency: Currency) -> Result<Self, MoneyError> {
        let digits = usize::from(currency.exponent().unwrap_or(0));
        let (sign, unsigned) = text.strip_prefix('-').map_or((1, text), |rest| (-1, rest));
        let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
        let well_formed = !whole.is_empty()
            && unsigned.split('.').all(|part| part.bytes().all(|b| b.is_ascii_digit()))
            && !(unsigned.contains('.') && fraction.is_empty());
        let (kept, cut) = fraction.split_at(fraction.len().min(digits));
        if !well_formed || cut.bytes().any(|b| b != b'0') {
            return Err(MoneyError::NotAnAmount);
        }
        let minor: i64 = format!("{whole}{kept:0<digits$}").parse().map_err(|_| MoneyError::OutOfRange)?;
        Ok(Self::new(sign * minor, currency))
    }

    fn same_currency(self, other: Self) -> Result<(), MoneyError> {
        if self.currency == other.currency {
            return Ok(());
        }
        Err(MoneyError::CurrencyMismatch { left: self.currency, right: other.currency })
    }

    fn with(self, minor: Option<i64>) -> Result<Self, MoneyError> {
        minor.map(|minor| Self { minor, ..self }).ok_or(MoneyError::OutOfRange)
    }
}

impl fmt::Display for Money {
    /// The decimal amount without the currency, such as `12.30`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = u32::from(self.currency.exponent().unwrap_or(0));
        let unit = 10_u64.pow(digits);
        let (sign, minor) = (if self.minor < 0 { "-" } else { "" }, self.minor.unsigned_abs());
        write!(f, "{sign}{}", minor / unit)?;
        if digits > 0 {
            write!(f, ".{:0width$}", minor % unit, width = digits as usize)?;
        }
        Ok(())
    }
}
