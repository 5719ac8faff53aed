//! What becomes of each command of a chunk: the same as if the appender had been given one after another. It is found
//! here, from what the store was seen to have; the store takes it only when that is still so.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use daybook_domain::CommandId;

use crate::append::{Append, Appended, Chain, Fingerprint};
use crate::event::{Position, StreamId};

/// What the store was seen to have of what a chunk touches.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// Where the log stood, at the latest.
    pub(super) head: Position,
    /// The version of each stream, in the order of [`streams`].
    pub(super) versions: Vec<i64>,
    /// The commands that had taken effect.
    pub(super) known: HashMap<CommandId, Known>,
}

/// A command that had taken effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Known {
    pub(super) fingerprint: Fingerprint,
    pub(super) position: Position,
    pub(super) version: i64,
    pub(super) outcome: String,
}

/// What the chunk before has done, which may not have been seen yet.
#[derive(Debug)]
pub(super) struct Before {
    pub(super) chunk: Arc<Vec<Append>>,
    /// Its commands that took effect, by their indices, with the positions they reached.
    pub(super) done: Vec<(usize, Position)>,
    /// Where the log stood before and after it; nothing when that is not known.
    pub(super) head: Option<(Position, Position)>,
}

/// The streams that commands touch, each once.
pub(super) fn streams(commands: &[Append]) -> Vec<&StreamId> {
    let mut met = HashSet::with_capacity(commands.len());
    let parts = commands.iter().flat_map(|command| &command.parts);
    parts.map(|part| &part.stream).filter(|stream| met.insert(*stream)).collect()
}

/// What a chunk comes to, and what the store must be told for it.
#[derive(Debug, Default)]
pub(super) struct Verdict<'a> {
    /// The outcome of each command. The positions of the new ones count from where the log stands before the chunk.
    pub(super) outcomes: Vec<Appended>,
    /// Which of them are new: commands of this chunk that take effect, and their repetitions in it.
    pub(super) new: Vec<bool>,
    /// The commands that take effect, by their indices.
    pub(super) done: Vec<usize>,
    /// How many events they append.
    pub(super) grown: Position,
    /// The versions they rest on.
    pub(super) rests_on: Vec<(&'a StreamId, i64)>,
    /// Where the log must stand for all that to hold without a second look.
    pub(super) head: Option<Position>,
}

impl Verdict<'_> {
    /// Whether a stream was seen at another version than was wanted. The store is asked about what takes effect, and about
    /// nothing else: that this is so rests on what was seen alone.
    pub(super) fn has_conflict(&self) -> bool {
        self.outcomes.iter().any(|outcome| matches!(outcome, Appended::Conflict { .. }))
    }

    /// The outcomes, now that it is known where the log stood.
    pub(super) fn placed(self, head: Position) -> Vec<Appended> {
        let place = |(mut outcome, new)| {
            if let (Appended::Done { position, .. } | Appended::Replayed { position, .. }, true) =
                (&mut outcome, new)
            {
                *position += head;
            }
            outcome
        };
        self.outcomes.into_iter().zip(self.new).map(place).collect()
    }
}

/// What the store will have when the commands so far have been done.
struct Ledger<'a> {
    versions: HashMap<&'a StreamId, i64>,
    known: HashMap<CommandId, Told<'a>>,
    /// The chains that a command of this chunk broke, by their addresses. They are broken in earnest with the commit.
    broken: HashSet<usize>,
}

/// What a repetition is told.
struct Told<'a> {
    fingerprint: Fingerprint,
    position: Position,
    version: i64,
    outcome: &'a str,
    new: bool,
}

impl<'a> Ledger<'a> {
    fn of(commands: &'a [Append], seen: &'a Seen, before: Option<&'a Before>) -> Self {
        let versions = streams(commands).into_iter().zip(seen.versions.iter().copied()).collect();
        let told = |known: &'a Known| Told {
            fingerprint: known.fingerprint,
            position: known.position,
            version: known.version,
            outcome: &known.outcome,
            new: false,
        };
        let known = seen.known.iter().map(|(id, known)| (*id, told(known))).collect();
        let mut ledger = Self { versions, known, broken: HashSet::new() };
        for (index, position) in before.into_iter().flat_map(|before| &before.done) {
            if let Some(command) = before.and_then(|before| before.chunk.get(*index)) {
                ledger.note(command, *position, false);
            }
        }
        ledger
    }

    /// Notes what a command that takes effect changes.
    fn note(&mut self, command: &'a Append, position: Position, new: bool) {
        for part in &command.parts {
            let version = self.versions.entry(&part.stream).or_default();
            // What the chunk before did may have been seen, and more that came after it.
            *version = part.reached().max(*version);
        }
        if let Some(outcome) = &command.outcome {
            let (fingerprint, version) = (command.fingerprint, command.version());
            self.known.insert(command.command_id, Told { fingerprint, position, version, outcome, new });
        }
    }

    /// Why the command does not take effect now, if so, and whether that is of this chunk.
    fn objection(&self, command: &Append) -> Option<(Appended, bool)> {
        let broken = |address: usize| self.broken.contains(&address);
        if command.is_unfounded() || command.parts.iter().any(|part| broken(part.chain.address())) {
            return Some((Appended::Unfounded, false));
        }
        if let Some(told) = self.known.get(&command.command_id) {
            let Told { position, version, .. } = *told;
            return Some(if told.fingerprint == command.fingerprint {
                (Appended::Replayed { position, version, outcome: told.outcome.to_owned() }, told.new)
            } else {
                (Appended::Mismatch, false)
            });
        }
        let version = |stream| self.versions.get(stream).copied().unwrap_or(0);
        let part = command.parts.iter().position(|part| version(&part.stream) != part.expected)?;
        Some((Appended::Conflict { part }, false))
    }
}

/// What becomes of the commands of a chunk, when the store was seen to have `seen` and the chunk before it did `before`.
pub(super) fn judge<'a>(commands: &'a [Append], seen: &'a Seen, before: Option<&'a Before>) -> Verdict<'a> {
    let mut ledger = Ledger::of(commands, seen, before);
    let mut verdict = Verdict { head: foreseen(seen.head, before), ..Verdict::default() };
    let mut met = HashSet::new();
    for (index, command) in commands.iter().enumerate() {
        let (outcome, new) = if let Some(objection) = ledger.objection(command) {
            ledger.broken.extend(command.breaks(Some(&objection.0)).map(Chain::address));
            objection
        } else {
            // A stream that none of those before it touched is where the store has it.
            let first = command.parts.iter().filter(|part| met.insert(&part.stream));
            verdict.rests_on.extend(first.map(|part| (&part.stream, part.expected)));
            verdict.grown += command.events();
            verdict.done.push(index);
            ledger.note(command, verdict.grown, true);
            (Appended::Done { position: verdict.grown, version: command.version() }, true)
        };
        verdict.outcomes.push(outcome);
        verdict.new.push(new);
    }
    verdict
}

/// Where the log must stand for nothing to have happened but what is known: what was seen, and the chunk before. That
/// one was either seen or came right after.
fn foreseen(seen: Position, before: Option<&Before>) -> Option<Position> {
    let Some(before) = before else { return Some(seen) };
    let (from, to) = before.head?;
    (seen == from || seen == to).then_some(to)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::append::Part;
    use crate::event::NewEvent;

    /// A command of one event for the only stream.
    fn command(number: u128, expected: i64) -> Append {
        let event = NewEvent {
            event_id: uuid::Uuid::from_u128(number),
            event_type: "Happened".to_owned(),
            event_version: "1".to_owned(),
            payload: "{}".to_owned(),
            metadata: "{}".to_owned(),
        };
        let stream = StreamId { aggregate_type: "Thing".to_owned(), aggregate_id: "only".to_owned() };
        Append {
            command_id: CommandId::new(uuid::Uuid::from_u128(number)),
            fingerprint: Fingerprint::of(&[]),
            parts: vec![Part { stream, expected, events: vec![event], chain: Arc::default() }],
            outcome: Some("null".to_owned()),
        }
    }

    #[test]
    fn what_the_chunk_before_did_does_not_undo_what_was_seen_to_come_after_it() {
        let before = |done| Before { chunk: Arc::new(vec![command(1, 0)]), done, head: Some((0, 1)) };
        let judged = |expected, version, before: &Before| {
            let seen = Seen { head: version, versions: vec![version], ..Seen::default() };
            let commands = [command(2, expected)];
            let verdict = judge(&commands, &seen, Some(before));
            (verdict.has_conflict(), verdict.done)
        };
        assert_eq!(judged(1, 0, &before(vec![(0, 1)])), (false, vec![0]), "it came after the look");
        assert_eq!(judged(1, 1, &before(vec![(0, 1)])), (false, vec![0]), "it was seen");
        assert_eq!(judged(2, 2, &before(vec![(0, 1)])), (false, vec![0]), "somebody else came after it");
        assert_eq!(judged(1, 2, &before(vec![(0, 1)])), (true, vec![]));
        assert_eq!(judged(1, 0, &before(vec![])), (true, vec![]), "it was done before");
    }

    #[test]
    fn what_was_seen_holds_when_nothing_but_the_chunk_before_came_in_between() {
        let before = |head| Before { chunk: Arc::default(), done: Vec::new(), head };
        assert_eq!(foreseen(7, None), Some(7));
        assert_eq!(foreseen(7, Some(&before(Some((7, 9))))), Some(9), "it came after the look");
        assert_eq!(foreseen(9, Some(&before(Some((7, 9))))), Some(9), "it was seen");
        assert_eq!(foreseen(6, Some(&before(Some((7, 9))))), None, "somebody else came after the look");
        assert_eq!(foreseen(10, Some(&before(Some((7, 9))))), None);
        assert_eq!(foreseen(7, Some(&before(None))), None, "it came in pieces");
    }
}
