//! Numbers with three digits after the point, made without binary fractions.

use std::fmt;
use std::time::Duration;

use serde::ser::Error;
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

/// A number in thousandths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Decimal(u128);

impl Decimal {
    /// A duration in milliseconds.
    pub(super) fn milliseconds(took: Duration) -> Self {
        Self(took.as_micros())
    }

    /// A duration in seconds.
    pub(super) fn seconds(took: Duration) -> Self {
        Self(took.as_millis())
    }

    /// How many a second.
    pub(super) fn rate(count: u64, took: Duration) -> Self {
        Self(u128::from(count) * 1_000_000_000 / took.as_micros().max(1))
    }
}

impl fmt::Display for Decimal {
    /// With as many digits as matter: three below ten, one below a thousand, none above.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, thousandths) = (self.0 / 1_000, self.0 % 1_000);
        let text = match whole {
            0..10 => format!("{whole}.{thousandths:03}"),
            10..1_000 => format!("{whole}.{}", thousandths / 100),
            _ => whole.to_string(),
        };
        out.pad(&text)
    }
}

impl Serialize for Decimal {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let number = format!("{}.{:03}", self.0 / 1_000, self.0 % 1_000);
        RawValue::from_string(number).map_err(S::Error::custom)?.serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_counted_by_the_second() {
        let rate = Decimal::rate(96, Duration::from_secs(10));
        assert_eq!(rate.to_string(), "9.600");
        assert_eq!(serde_json::to_string(&rate).expect("json"), "9.600");
        assert_eq!(Decimal::rate(5, Duration::ZERO).to_string(), "5000000");
    }

    #[test]
    fn people_see_the_digits_that_matter() {
        let shown = |micros| Decimal::milliseconds(Duration::from_micros(micros)).to_string();
        assert_eq!([1_234, 12_345, 1_234_567].map(shown), ["1.234", "12.3", "1234"]);
        assert_eq!(format!("{:>7}", Decimal(1_500)), "  1.500");
    }
}
