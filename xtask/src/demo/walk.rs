//! The steps of the demo: each is timed, told on a line, and checked.

use std::fmt::Display;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::api::{ApiError, minor_units, text};
use crate::failure::{Failure, Result};

/// How long anything that follows by itself may take.
const PATIENCE: Duration = Duration::from_secs(20);
/// How often it is looked at.
const GLANCE: Duration = Duration::from_millis(4);

/// A walk through the shop.
pub(super) struct Walk {
    began: Instant,
    steps: usize,
}

impl Walk {
    /// Sets out.
    pub(super) fn begin() -> Self {
        Self { began: Instant::now(), steps: 0 }
    }

    /// Takes one step: what `who` does, and what came of it.
    pub(super) fn step<T>(
        &mut self,
        who: &str,
        does: &str,
        act: impl FnOnce() -> Result<(T, String)>,
    ) -> Result<T> {
        let began = Instant::now();
        let outcome = act();
        let took = milliseconds(began.elapsed());
        self.steps += 1;
        match outcome {
            Ok((value, came)) => {
                println!("  ✓ {who:<10} {does:<38} {took:>9} ms   {came}");
                Ok(value)
            }
            Err(failure) => {
                println!("  ✗ {who:<10} {does:<38} {took:>9} ms");
                Err(Failure::new(format!("{who} {does}: {}", failure.chain())))
            }
        }
    }

    /// Arrives.
    pub(super) fn end(self) {
        println!(
            "\n  {} steps in {} ms, each as it must be.",
            self.steps,
            milliseconds(self.began.elapsed())
        );
    }
}

/// A duration in milliseconds with one digit after the point.
pub(super) fn milliseconds(took: Duration) -> String {
    let tenths = took.as_micros() / 100;
    format!("{}.{}", tenths / 10, tenths % 10)
}

/// Asks again and again until the answer is as it must be, or will not be any more.
pub(super) fn until(
    mut ask: impl FnMut() -> Result<Value, ApiError>,
    is_there: impl Fn(&Value) -> bool,
) -> Result<Value> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let last = match ask() {
            Ok(answer) if is_there(&answer) => return Ok(answer),
            Ok(answer) => answer.to_string(),
            // A replica that is behind says so itself.
            Err(error) if error.code() == Some("READ_MODEL_BEHIND") => error.to_string(),
            Err(error) => return Err(Failure::new(error.to_string())),
        };
        if Instant::now() >= deadline {
            return Err(Failure::new(format!("it did not happen within {} s: {last}", PATIENCE.as_secs())));
        }
        thread::sleep(GLANCE);
    }
}

/// Fails unless both are the same.
pub(super) fn same<T: Copy + PartialEq + Display>(what: &str, is: T, must: T) -> Result<()> {
    if is == must { Ok(()) } else { Err(Failure::new(format!("{what} is {is}, and must be {must}"))) }
}

/// Fails unless a field has this text.
pub(super) fn says(what: &str, field: &Value, must: &str) -> Result<()> {
    same(what, text(field).as_str(), must)
}

/// Fails unless an amount is so many pence.
pub(super) fn amounts(what: &str, money: &Value, pence: i64) -> Result<()> {
    let is = minor_units(money).ok_or_else(|| Failure::new(format!("{what} is no amount: {money}")))?;
    same(what, is, pence)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_step_that_is_not_as_it_must_be_fails() {
        let mut walk = Walk::begin();
        let failed = walk.step("shopper", "pays", || same("the total", 2, 1).map(|()| ((), String::new())));
        assert_eq!(
            failed.map_err(|failure| failure.chain()),
            Err("shopper pays: the total is 2, and must be 1".into())
        );
    }

    #[test]
    fn what_follows_by_itself_is_waited_for_and_a_failure_is_not() {
        let mut count = 0;
        let asked = until(
            || {
                count += 1;
                Ok(json!(count))
            },
            |answer| *answer == 3,
        );
        assert_eq!(asked.expect("an answer"), 3);
        let refused = || Err(ApiError::Failed { code: "FORBIDDEN".into(), message: "no".into() });
        assert!(until(refused, |_| true).is_err());
    }

    #[test]
    fn milliseconds_have_one_digit_after_the_point() {
        assert_eq!(milliseconds(Duration::from_micros(12_345)), "12.3");
    }
}
