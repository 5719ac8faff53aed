//! How long a timer that failed is left alone.

use std::time::Duration;

const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_mins(1);

/// The pause after this many failures in a row: doubled each time, up to a cap.
pub(super) fn backoff(failures: i32) -> Duration {
    let doublings = u32::try_from(failures.saturating_sub(1)).unwrap_or(0);
    FIRST.saturating_mul(2_u32.saturating_pow(doublings)).min(LONGEST)
}

#[cfg(test)]
mod tests {
    use super::backoff;

    #[test]
    fn pauses_double_up_to_a_minute_and_never_overflow() {
        let seconds: Vec<u64> = [1, 2, 3, 6, 7, 8, i32::MAX].map(|n| backoff(n).as_secs()).to_vec();
        assert_eq!(seconds, [1, 2, 4, 32, 60, 60, 60]);
    }
}
