//! Money: whole minor units of one currency. Sums are checked, currencies never mix, splits lose nothing.

use std::fmt;

pub use iso_currency::Currency;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// An amount in the minor unit of its currency (ISO 4217): pence, cents, whole yen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Money {
    minor: i64,
    #[schemars(with = "String")]
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
        let (sign, unsigned) = text.strip_prefix('-').map_or(("", text), |rest| ("-", rest));
        let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
        let well_formed = !whole.is_empty()
            && unsigned.split('.').all(|part| part.bytes().all(|b| b.is_ascii_digit()))
            && !(unsigned.contains('.') && fraction.is_empty());
        if !well_formed {
            return Err(MoneyError::NotAnAmount);
        }
        let (kept, cut) = fraction.split_at(fraction.len().min(digits));
        if cut.bytes().any(|b| b != b'0') {
            return Err(MoneyError::NotAnAmount);
        }
        let minor = format!("{sign}{whole}{kept:0<digits$}").parse().map_err(|_| MoneyError::OutOfRange)?;
        Ok(Self::new(minor, currency))
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Currency, Money, MoneyError};

    fn gbp(minor: i64) -> Money {
        Money::new(minor, Currency::GBP)
    }

    fn minors(parts: &[Money]) -> Vec<i64> {
        parts.iter().map(|part| part.minor()).collect()
    }

    #[test]
    fn currencies_never_mix() {
        let euro = Money::new(1, Currency::EUR);
        let mismatch = MoneyError::CurrencyMismatch { left: Currency::GBP, right: Currency::EUR };
        assert_eq!(gbp(1).checked_add(euro), Err(mismatch.clone()));
        assert_eq!(gbp(1).checked_sub(euro), Err(mismatch.clone()));
        assert_eq!(Money::sum(Currency::GBP, [gbp(1), euro]), Err(mismatch.clone()));
        assert_eq!(mismatch.to_string(), "GBP and EUR cannot be added or compared");
    }

    #[test]
    fn what_does_not_fit_is_said_and_never_wraps() {
        assert_eq!(gbp(i64::MAX).checked_add(gbp(1)), Err(MoneyError::OutOfRange));
        assert_eq!(gbp(i64::MIN).checked_sub(gbp(1)), Err(MoneyError::OutOfRange));
        assert_eq!(gbp(i64::MAX).checked_mul(2), Err(MoneyError::OutOfRange));
        assert_eq!(gbp(i64::MAX).basis_points(20_000), Err(MoneyError::OutOfRange));
        assert_eq!(Money::parse("92233720368547758.08", Currency::GBP), Err(MoneyError::OutOfRange));
        assert_eq!(Money::parse("-92233720368547758.08", Currency::GBP), Ok(gbp(i64::MIN)));
    }

    #[test]
    fn a_share_is_rounded_half_away_from_zero() {
        assert_eq!(gbp(250).basis_points(2_000), Ok(gbp(50)));
        assert_eq!(gbp(1).basis_points(5_000), Ok(gbp(1)));
        assert_eq!(gbp(-1).basis_points(5_000), Ok(gbp(-1)));
        assert_eq!(gbp(1).basis_points(4_999), Ok(gbp(0)));
        assert_eq!(gbp(-1).basis_points(4_999), Ok(gbp(0)));
    }

    #[test]
    fn the_larger_remainder_gets_the_odd_unit_and_ties_go_to_the_earlier_part() {
        assert_eq!(minors(&gbp(100).split(&[1, 1, 1])), [34, 33, 33]);
        assert_eq!(minors(&gbp(10).split(&[1, 2, 0])), [3, 7, 0]);
        assert_eq!(minors(&gbp(-100).split(&[1, 1, 1])), [-33, -33, -34]);
        assert_eq!(minors(&gbp(7).split(&[0, 0])), [7, 0]);
        assert_eq!(gbp(7).split(&[]), []);
    }

    #[test]
    fn an_amount_has_the_digits_of_its_currency() {
        assert_eq!(gbp(1_230).to_string(), "12.30");
        assert_eq!(gbp(-5).to_string(), "-0.05");
        assert_eq!(Money::new(1_230, Currency::JPY).to_string(), "1230");
        assert_eq!(Money::new(1_230, Currency::KWD).to_string(), "1.230");
        assert_eq!(Money::parse("12.3", Currency::GBP), Ok(gbp(1_230)));
        assert_eq!(Money::parse("12.300", Currency::GBP), Ok(gbp(1_230)));
    }

    #[test]
    fn what_is_not_an_amount_is_refused() {
        for text in [
            "",
            "-",
            ".",
            ".5",
            "1.",
            "1.2.3",
            "1e3",
            "+1",
            "--1",
            "1,00",
            " 1",
            "0x1",
            "12.345",
            "\u{661}",
            "1.\u{839}",
        ] {
            assert_eq!(Money::parse(text, Currency::GBP), Err(MoneyError::NotAnAmount), "{text:?}");
        }
        assert_eq!(Money::parse("1.5", Currency::JPY), Err(MoneyError::NotAnAmount));
    }

    fn any_currency() -> impl Strategy<Value = Currency> {
        prop::sample::select(vec![Currency::GBP, Currency::JPY, Currency::KWD, Currency::XXX])
    }

    proptest! {
        #[test]
        fn parts_sum_to_the_whole_and_each_is_its_share(
            minor in any::<i64>(),
            weights in prop::collection::vec(any::<u64>(), 1..20),
        ) {
            let parts = gbp(minor).split(&weights);
            prop_assert_eq!(parts.len(), weights.len());
            let sum: i128 = parts.iter().map(|part| i128::from(part.minor())).sum();
            prop_assert_eq!(sum, i128::from(minor));
            let total: i128 = weights.iter().map(|weight| i128::from(*weight)).sum();
            for (part, weight) in parts.iter().zip(&weights).filter(|_| total > 0) {
                let exact = i128::from(minor) * i128::from(*weight);
                let (low, high) = (exact.div_euclid(total), exact.div_euclid(total) + 1);
                prop_assert!((low..=high).contains(&i128::from(part.minor())));
                prop_assert!(exact.rem_euclid(total) > 0 || i128::from(part.minor()) == low);
            }
        }

        #[test]
        fn the_first_of_equal_parts_are_what_a_split_gives_them(minor in any::<i64>(), parts in 1..60_u32) {
            let split = gbp(minor).split(&vec![1; parts as usize]);
            for taken in 0..=parts {
                let sum = Money::sum(Currency::GBP, split.iter().take(taken as usize).copied());
                prop_assert_eq!(Ok(gbp(minor).first_of_equal_parts(taken, parts)), sum);
            }
            prop_assert_eq!(gbp(minor).first_of_equal_parts(parts + 1, parts), gbp(minor));
        }

        #[test]
        fn an_amount_reads_back_as_it_was_written(minor in any::<i64>(), currency in any_currency()) {
            let amount = Money::new(minor, currency);
            prop_assert_eq!(Money::parse(&amount.to_string(), currency), Ok(amount));
        }

        #[test]
        fn a_share_is_within_half_a_unit_of_exact(minor in any::<i64>(), points in any::<u32>()) {
            let exact = i128::from(minor) * i128::from(points);
            match gbp(minor).basis_points(points) {
                Ok(share) => prop_assert!((i128::from(share.minor()) * 10_000 - exact).abs() <= 5_000),
                Err(error) => {
                    prop_assert_eq!(error, MoneyError::OutOfRange);
                    prop_assert!((exact / 10_000).abs() >= i128::from(i64::MAX));
                }
            }
        }

        #[test]
        fn no_text_and_no_numbers_make_it_panic(
            text in "-?[0-9]{0,20}\\.?\\PC{0,4}",
            left in any::<i64>(),
            right in any::<i64>(),
            currency in any_currency(),
        ) {
            let (left, right) = (Money::new(left, currency), Money::new(right, currency));
            let fits = i128::from(left.minor()) + i128::from(right.minor());
            prop_assert_eq!(left.checked_add(right).is_ok(), i64::try_from(fits).is_ok());
            let fits = i128::from(left.minor()) - i128::from(right.minor());
            prop_assert_eq!(left.checked_sub(right).is_ok(), i64::try_from(fits).is_ok());
            let fits = i128::from(left.minor()) * i128::from(right.minor());
            prop_assert_eq!(left.checked_mul(right.minor()).is_ok(), i64::try_from(fits).is_ok());
            if let Ok(amount) = Money::parse(&text, currency) {
                prop_assert!(text.bytes().all(|byte| byte.is_ascii_digit() || b"-.".contains(&byte)));
                prop_assert_eq!(amount.is_negative(), text.starts_with('-') && !amount.is_zero());
            }
        }
    }
}
