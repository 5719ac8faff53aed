//! The store as it is described: one command after another, in memory.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use daybook_domain::CommandId;
use daybook_eventstore::{Append, Appended, Chain, Fingerprint, Position, StreamId};

use super::log::{Command, Logged};

#[derive(Debug, Clone, Default)]
pub(super) struct Model {
    versions: HashMap<StreamId, i64>,
    pub(super) log: Vec<Logged>,
    pub(super) commands: HashMap<CommandId, Command>,
    broken: HashSet<*const Chain>,
}

impl Model {
    pub(super) fn version(&self, stream: &StreamId) -> i64 {
        self.versions.get(stream).copied().unwrap_or(0)
    }

    pub(super) fn head(&self) -> Position {
        Position::try_from(self.log.len()).expect("few")
    }

    /// What a command comes to that is the only one.
    pub(super) fn append(&mut self, command: &Append) -> Appended {
        let outcome = self.outcome(command);
        match &outcome {
            Appended::Done { .. } => drop(self.take_effect(command)),
            Appended::Conflict { part } => {
                self.broken.insert(Arc::as_ptr(&command.parts[*part].chain));
                self.break_chains(command);
            }
            Appended::Replayed { .. } | Appended::Mismatch | Appended::Unfounded => {
                self.break_chains(command);
            }
        }
        outcome
    }

    fn break_chains(&mut self, command: &Append) {
        let changed = command.parts.iter().filter(|part| !part.events.is_empty());
        self.broken.extend(changed.map(|part| Arc::as_ptr(&part.chain)));
    }

    fn outcome(&self, command: &Append) -> Appended {
        if command.parts.iter().any(|part| self.broken.contains(&Arc::as_ptr(&part.chain))) {
            return Appended::Unfounded;
        }
        if let Some(told) = self.told(command.command_id, command.fingerprint) {
            return told;
        }
        if let Some(part) = command.parts.iter().position(|part| self.version(&part.stream) != part.expected)
        {
            return Appended::Conflict { part };
        }
        let events: usize = command.parts.iter().map(|part| part.events.len()).sum();
        let first = &command.parts[0];
        let count = |n: usize| i64::try_from(n).expect("few");
        Appended::Done {
            position: self.head() + count(events),
            version: first.expected + count(first.events.len()),
        }
    }

    /// What a repetition is told.
    pub(super) fn told(&self, id: CommandId, fingerprint: Fingerprint) -> Option<Appended> {
        let known = self.commands.get(&id)?;
        let Command { position, version, outcome, .. } = known.clone();
        let same = known.fingerprint == fingerprint;
        Some(if same { Appended::Replayed { position, version, outcome } } else { Appended::Mismatch })
    }

    /// Has a command take effect, however the streams are; says how they were.
    pub(super) fn take_effect(&mut self, command: &Append) -> Vec<i64> {
        let mut were = Vec::new();
        for part in &command.parts {
            were.push(self.version(&part.stream));
            for (sequence, event) in (part.expected + 1..).zip(&part.events) {
                self.log.push(Logged::new(&part.stream, sequence, event, self.head() + 1));
                self.versions.insert(part.stream.clone(), sequence);
            }
        }
        if let Some(outcome) = &command.outcome {
            let first = &command.parts[0];
            let recorded = Command {
                fingerprint: command.fingerprint,
                position: self.head(),
                version: first.expected + i64::try_from(first.events.len()).expect("few"),
                outcome: outcome.clone(),
            };
            let before = self.commands.insert(command.command_id, recorded);
            assert_eq!(before, None, "a command takes effect once");
        }
        were
    }
}
