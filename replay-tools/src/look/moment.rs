//! A moment of the log: a position, or a time in the world.

use std::fmt;
use std::str::FromStr;

use daybook_domain::Timestamp;
use daybook_eventstore::Position;

use super::seen::Seen;

/// A moment; what happened at it is part of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Moment {
    /// When the log had come so far.
    At(Position),
    /// When it was this time.
    Time(Timestamp),
}

impl Moment {
    /// How many of an aggregate's events had happened by then. They are its first ones, whatever the clocks of those who
    /// recorded them: a state is of no others.
    pub(super) fn of<'e>(self, events: impl IntoIterator<Item = &'e Seen>) -> usize {
        let had_happened = |event: &&Seen| match self {
            Self::At(position) => event.position <= position,
            Self::Time(time) => event.at() <= time,
        };
        events.into_iter().take_while(had_happened).count()
    }
}

impl FromStr for Moment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(position) = text.parse().ok().filter(|position: &Position| *position >= 0) {
            return Ok(Self::At(position));
        }
        let time = text.parse().map(Self::Time);
        time.map_err(|_| "it is a position, or a time such as 2011-06-30T23:59:59Z".to_owned())
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::At(position) => write!(f, "position {position}"),
            Self::Time(time) => write!(f, "{time}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_a_position_or_a_time() {
        assert_eq!("17".parse(), Ok(Moment::At(17)));
        let time = "2011-06-30T23:59:59Z".parse().expect("a time");
        assert_eq!("2011-06-30T23:59:59Z".parse(), Ok(Moment::Time(time)));
        for wrong in ["", "-1", "yesterday", "2011-06-30"] {
            wrong.parse::<Moment>().expect_err(wrong);
        }
    }
}
