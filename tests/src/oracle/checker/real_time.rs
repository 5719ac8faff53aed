//! What was asked for after another command was answered comes after it in the log.

use super::super::history::{Attempt, Told};
use super::{Faults, Kind};

pub(super) fn check(attempts: &[Attempt], faults: &mut Faults) {
    let done = attempts.iter().filter_map(|attempt| match attempt.told {
        Told::Done { position, .. } => Some((attempt, position)),
        Told::Replayed { .. } | Told::Mismatch | Told::Conflict | Told::NotDone | Told::Unknown => None,
    });
    let mut by_end: Vec<(&Attempt, i64)> = done.collect();
    let mut by_start = by_end.clone();
    by_end.sort_by_key(|(attempt, _)| attempt.to);
    by_start.sort_by_key(|(attempt, _)| attempt.from);
    let (mut reached, mut ended) = (0, by_end.iter().peekable());
    for (attempt, position) in by_start {
        while let Some((_, position)) = ended.next_if(|(earlier, _)| earlier.to < attempt.from) {
            reached = reached.max(*position);
        }
        // What appends nothing stands where the log stood.
        let earliest = reached + i64::from(attempt.asked.content.events() > 0);
        if position < earliest {
            let command = attempt.asked.command;
            let told =
                || format!("command {command} is at {position}; {reached} was answered before it began");
            faults.add(Kind::Late, told);
        }
    }
}
