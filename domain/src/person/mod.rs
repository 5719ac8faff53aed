//! A person whose data is sealed: a customer, or the guest of a cart. All that is ever recorded is that they were
//! forgotten; who they are is nobody's to know from here.

mod event;
mod samples;
#[cfg(test)]
mod tests;

use std::convert::Infallible;

use serde::{Deserialize, Serialize};

use crate::kernel::{Decision, Refusal, SubjectId, aggregate, already, happened};

pub use event::PersonEvent;
pub use samples::samples;

/// A request to a person's record.
#[derive(Debug, Clone, Copy)]
pub enum PersonCommand {
    /// Forget them.
    Forget {
        /// Whom.
        subject_id: SubjectId,
    },
}

/// A person, as far as it matters.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    forgotten: bool,
}

impl Person {
    /// Whether they were forgotten.
    pub const fn is_forgotten(&self) -> bool {
        self.forgotten
    }

    /// What a command comes to. It is never refused, and forgetting twice is forgetting once.
    pub fn decide(&self, command: PersonCommand) -> Decision<PersonEvent, Infallible> {
        match command {
            PersonCommand::Forget { .. } if self.forgotten => already(),
            PersonCommand::Forget { subject_id } => happened(PersonEvent::Forgotten { subject_id }),
        }
    }

    fn evolve(&mut self, event: PersonEvent) {
        match event {
            PersonEvent::Forgotten { .. } => self.forgotten = true,
        }
    }
}

impl Refusal for Infallible {
    fn code(&self) -> &'static str {
        match *self {}
    }
}

aggregate!(Person, "Person", PersonCommand, PersonEvent, Infallible);
