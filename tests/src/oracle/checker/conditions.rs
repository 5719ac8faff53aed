//! What a command was decided on was so at the place where it took effect.

use super::super::history::{Attempt, Content, History, Part, Told};
use super::log::Index;
use super::{Faults, Kind};

pub(super) fn check(history: &History, index: &Index<'_>, faults: &mut Faults) {
    for places in index.commands.values() {
        saw(places, index, faults);
    }
    for attempt in &history.attempts {
        let Content::Exact(parts) = &attempt.asked.content else { continue };
        match parts.iter().find_map(|part| part.events.first()) {
            Some(first) => {
                if let Some(place) = index.events.get(first) {
                    held(attempt, parts, index.log[*place].position - 1, index, faults);
                }
            }
            None => stood(attempt, parts, index, faults),
        }
    }
}

/// What the events themselves tell of what was seen.
fn saw(places: &[usize], index: &Index<'_>, faults: &mut Faults) {
    let Some(first) = places.first().map(|place| index.log[*place].position) else { return };
    for (stream, version) in places.iter().flat_map(|place| &index.log[*place].saw) {
        let was = index.version(stream, first - 1);
        if was != *version {
            let told = || format!("the command at {first} saw {stream} at {version}, it was at {was}");
            faults.add(Kind::Condition, told);
        }
    }
}

/// What was expected when the log stood at `before`.
fn held(attempt: &Attempt, parts: &[Part], before: i64, index: &Index<'_>, faults: &mut Faults) {
    for part in parts {
        let was = index.version(&part.stream, before);
        if was != part.expected {
            let (command, Part { stream, expected, .. }) = (attempt.asked.command, part);
            let told = || format!("command {command} expected {stream} at {expected}, it was at {was}");
            faults.add(Kind::Condition, told);
        }
    }
}

/// What was expected by a command that appends nothing.
fn stood(attempt: &Attempt, parts: &[Part], index: &Index<'_>, faults: &mut Faults) {
    let Told::Done { position, .. } = attempt.told else { return };
    if attempt.asked.recorded {
        held(attempt, parts, position, index, faults);
        return;
    }
    // Nothing is locked for it: all of it held at one place, there or later.
    let spans = parts.iter().map(|part| index.span(&part.stream, part.expected));
    let common = spans.into_iter().try_fold((position, i64::MAX), |(from, before), span| {
        let (begins, ends) = span?;
        Some((from.max(begins), before.min(ends)))
    });
    if common.is_none_or(|(from, before)| from >= before) {
        let command = attempt.asked.command;
        faults.add(Kind::Condition, || format!("what {command} asked for was never so, from {position} on"));
    }
}
