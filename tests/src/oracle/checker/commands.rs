//! Every command: what was answered, what is in the log and what the store remembers are one story.

use std::collections::HashMap;

use uuid::Uuid;

use super::super::history::{Attempt, Content, History, Part, Recorded, Told};
use super::log::Index;
use super::{Faults, Kind};

pub(super) fn check(history: &History, index: &Index<'_>, faults: &mut Faults) {
    let mut commands: HashMap<Uuid, Command<'_>> = HashMap::new();
    for attempt in &history.attempts {
        commands.entry(attempt.asked.command).or_default().attempts.push(attempt);
    }
    for (command, places) in &index.commands {
        commands.entry(*command).or_default().places = places;
    }
    for recorded in history.recorded.iter().flatten() {
        let command = commands.entry(recorded.command).or_default();
        if command.recorded.replace(recorded).is_some() {
            faults.add(Kind::Memory, || format!("command {} is remembered twice", recorded.command));
        }
    }
    let remembers = history.recorded.is_some();
    for (id, command) in &commands {
        Judge { id: *id, command, index, remembers, faults: &mut *faults }.verdict();
    }
}

/// All that is known of a command.
#[derive(Default)]
struct Command<'a> {
    attempts: Vec<&'a Attempt>,
    places: &'a [usize],
    recorded: Option<&'a Recorded>,
}

struct Judge<'a, 'f> {
    id: Uuid,
    command: &'a Command<'a>,
    index: &'a Index<'a>,
    remembers: bool,
    faults: &'f mut Faults,
}

impl<'a> Judge<'a, '_> {
    fn fault(&mut self, kind: Kind, what: &str) {
        let (id, first) = (self.id, self.command.places.first().map(|place| self.index.log[*place].position));
        let told: Vec<&Told> = self.command.attempts.iter().map(|attempt| &attempt.told).collect();
        self.faults.add(kind, || match first {
            Some(first) => format!("command {id}, in the log from {first} on: {what}; it was told {told:?}"),
            None => format!("command {id}, not in the log: {what}; it was told {told:?}"),
        });
    }

    fn verdict(&mut self) {
        if self.command.attempts.is_empty() {
            self.fault(Kind::Unasked, "nobody asked for it");
            return;
        }
        let effective = self.effective();
        if effective.is_none() && !self.command.places.is_empty() {
            let kind = self.what_else();
            self.fault(kind, "what is there is not what was asked for");
        }
        for attempt in &self.command.attempts {
            self.answer(attempt, effective);
        }
        self.memory(effective);
    }

    /// The attempt whose events are there, if one's are.
    fn effective(&self) -> Option<&'a Attempt> {
        let places = self.command.places;
        let is_one = places.iter().zip(places.iter().skip(1)).all(|(one, next)| one + 1 == *next);
        let there = self
            .command
            .attempts
            .iter()
            .copied()
            .filter(|attempt| is_one && !places.is_empty() && self.is_there(&attempt.asked.content));
        // Of several attempts at the same, the one that was answered so, or else one that may have done it.
        let input = self.command.recorded.and_then(|recorded| recorded.input);
        there.max_by_key(|attempt| {
            let was_told = matches!(attempt.told, Told::Done { .. });
            (was_told, !attempt.told.is_nothing(), input == Some(attempt.asked.input))
        })
    }

    /// Whether the command's events are these, all of them and no others.
    fn is_there(&self, content: &Content) -> bool {
        let there = self.command.places.iter().map(|place| &self.index.log[*place]);
        match content {
            Content::Exact(parts) => {
                let wanted = parts
                    .iter()
                    .flat_map(|part| (part.expected + 1..).zip(&part.events).map(move |of| (part, of)));
                let wanted = wanted.map(|(Part { stream, .. }, (sequence, event))| (stream, sequence, event));
                wanted.eq(there.map(|event| (&event.stream, event.sequence, &event.event)))
            }
            Content::Decided(parts) => {
                let wanted = parts.iter().map(|(stream, events)| (stream.as_str(), *events));
                let mut counts: HashMap<&str, usize> = HashMap::new();
                there.for_each(|event| *counts.entry(&event.stream).or_default() += 1);
                counts == wanted.collect()
            }
        }
    }

    /// What is wrong with events of a command that are no attempt's.
    fn what_else(&self) -> Kind {
        let there = self.command.places.len();
        let wanted = self.command.attempts.iter().map(|attempt| attempt.asked.content.events());
        match wanted.max() {
            Some(most) if most > 0 && there > most => Kind::Twice,
            Some(most) if most > 0 => Kind::Torn,
            Some(_) | None => Kind::Unasked,
        }
    }

    fn answer(&mut self, attempt: &Attempt, effective: Option<&Attempt>) {
        let is_effective = effective.is_some_and(|other| other.asked == attempt.asked);
        let changes = attempt.asked.content.events() > 0;
        match &attempt.told {
            Told::Done { .. } if changes && !is_effective => {
                self.fault(Kind::Lost, "it was answered as done");
            }
            Told::Done { position, version } if changes => {
                self.done(attempt, effective, (*position, *version));
            }
            Told::Done { position, version } if attempt.asked.recorded && self.remembers => {
                self.remembered(*position, *version, "it was answered otherwise");
            }
            Told::Replayed { position, version, input } => {
                self.remembered(*position, *version, "it was answered otherwise when it was repeated");
                let there = self.command.recorded.map(|recorded| recorded.input);
                if there != Some(Some(attempt.asked.input)) || there != Some(*input) {
                    self.fault(Kind::Misplaced, "a repetition was not told what was stored");
                }
            }
            Told::Mismatch => {
                let there = self.command.recorded.and_then(|recorded| recorded.input);
                if there.is_none_or(|input| input == attempt.asked.input) {
                    self.fault(Kind::Misplaced, "it was answered that its id was used otherwise");
                }
            }
            Told::Conflict if self.was_answered_before(attempt) => {
                self.fault(Kind::Forgotten, "it was not known when it was sent again");
            }
            Told::Done { .. } | Told::Conflict | Told::NotDone | Told::Unknown => {}
        }
        if attempt.told.is_nothing() && is_effective && changes && !self.may_be_anothers(attempt) {
            self.fault(Kind::Undone, "it was answered as not done");
        }
    }

    /// Whether it was known to have taken effect before this attempt began.
    fn was_answered_before(&self, attempt: &Attempt) -> bool {
        self.command.attempts.iter().any(|other| {
            let took_effect = matches!(other.told, Told::Done { .. } | Told::Replayed { .. });
            took_effect && other.asked.recorded && other.to < attempt.from
        })
    }

    /// Whether another attempt at the same may have done it.
    fn may_be_anothers(&self, attempt: &Attempt) -> bool {
        self.command.attempts.iter().any(|other| {
            !std::ptr::eq(*other, attempt) && !other.told.is_nothing() && other.asked == attempt.asked
        })
    }

    fn done(&mut self, attempt: &Attempt, effective: Option<&Attempt>, told: (i64, Option<i64>)) {
        if !effective.is_some_and(|other| std::ptr::eq(other, attempt)) {
            self.fault(Kind::Twice, "it was answered as done twice");
        }
        let last = self.command.places.last().map(|place| self.index.log[*place].position);
        let version = self.version(&attempt.asked.content);
        if last != Some(told.0) || told.1.is_some_and(|told| Some(told) != version) {
            self.fault(Kind::Misplaced, "it was answered with another place");
        }
    }

    /// The version that the first stream of these events has with them.
    fn version(&self, content: &Content) -> Option<i64> {
        match content {
            Content::Exact(parts) => {
                parts.first().map(|part| part.expected + i64::try_from(part.events.len()).unwrap_or(i64::MAX))
            }
            Content::Decided(parts) => {
                let (stream, _) = parts.first()?;
                let there = self.command.places.iter().map(|place| &self.index.log[*place]);
                there.filter(|event| event.stream == *stream).map(|event| event.sequence).max()
            }
        }
    }

    /// Whether the store remembers this of the command.
    fn remembered(&mut self, position: i64, version: Option<i64>, otherwise: &str) {
        let is_so = self.command.recorded.is_some_and(|recorded| {
            recorded.position == position && version.is_none_or(|version| recorded.version == version)
        });
        if !is_so {
            self.fault(Kind::Misplaced, otherwise);
        }
    }

    fn memory(&mut self, effective: Option<&Attempt>) {
        if !self.remembers {
            return;
        }
        match (self.command.recorded, effective) {
            (None, Some(attempt)) if attempt.asked.recorded => {
                self.fault(Kind::Memory, "the store does not remember it");
            }
            (Some(recorded), Some(attempt)) => {
                let last = self.command.places.last().map(|place| self.index.log[*place].position);
                let is_same = recorded.input == Some(attempt.asked.input)
                    && last == Some(recorded.position)
                    && self.first_version(attempt).is_none_or(|version| version == recorded.version);
                if !is_same {
                    self.fault(Kind::Memory, "the store remembers it otherwise");
                }
            }
            (Some(recorded), None) => {
                let may_be = self.command.attempts.iter().any(|attempt| {
                    attempt.asked.recorded
                        && attempt.asked.content.events() == 0
                        && recorded.input == Some(attempt.asked.input)
                        && !attempt.told.is_nothing()
                });
                if !may_be {
                    self.fault(Kind::Memory, "the store remembers what did not take effect");
                }
            }
            (None, Some(_) | None) => {}
        }
    }

    /// The same where the order of the streams is known: a decision's is that of their names.
    fn first_version(&self, attempt: &Attempt) -> Option<i64> {
        match &attempt.asked.content {
            Content::Decided(parts) if parts.len() > 1 => None,
            content @ (Content::Exact(_) | Content::Decided(_)) => self.version(content),
        }
    }
}
