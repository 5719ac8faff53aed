//! Choices that follow from a seed: what is done, and when, can be done again. What comes of it depends on the machine.

use std::time::Duration;

/// A generator of choices (splitmix64).
#[derive(Debug, Clone)]
pub(crate) struct Dice(u64);

impl Dice {
    /// The choices of whom these numbers name, under a seed.
    pub(crate) fn of(seed: u64, who: &[u64]) -> Self {
        let mut dice = Self(seed);
        for number in who {
            dice.0 = dice.roll() ^ number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        }
        dice
    }

    /// Any number.
    pub(crate) fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.roll() % end.max(1)
    }

    /// True this often in a hundred.
    pub(crate) fn percent(&mut self, often: u64) -> bool {
        self.below(100) < often
    }

    /// A duration between these, in milliseconds.
    pub(crate) fn between(&mut self, least: u64, most: u64) -> Duration {
        Duration::from_millis(least + self.below(most - least + 1))
    }

    /// One of these.
    pub(crate) fn one_of<'a, T>(&mut self, all: &'a [T]) -> Option<&'a T> {
        let index = usize::try_from(self.below(u64::try_from(all.len()).unwrap_or(u64::MAX))).ok()?;
        all.get(index)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn choices_are_the_same_every_time_and_others_for_others() {
        let rolled = |seed, who: &[u64]| {
            let mut dice = Dice::of(seed, who);
            (0..8).map(|_| dice.roll()).collect::<Vec<_>>()
        };
        assert_eq!(rolled(1, &[2, 3]), rolled(1, &[2, 3]));
        for other in [rolled(2, &[2, 3]), rolled(1, &[3, 2]), rolled(1, &[2, 3, 0]), rolled(1, &[2])] {
            assert_ne!(rolled(1, &[2, 3]), other);
        }
        assert_eq!(Dice::of(1, &[]).one_of::<u8>(&[]), None);
    }
}
