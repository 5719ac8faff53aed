//! An inspection: an auditor read what happened. That is a fact like any other, so that who looked at what can be shown, and
//! proved, as everything else can.

mod event;
mod samples;
#[cfg(test)]
mod tests;

use std::convert::Infallible;

use serde::{Deserialize, Serialize};

use crate::kernel::{Decision, InspectionId, aggregate, already, happened};

pub use event::{Inspected, InspectionEvent, Sought};
pub use samples::samples;

/// A request to an inspection's record.
#[derive(Debug, Clone)]
pub enum InspectionCommand {
    /// Record it.
    Record {
        /// Which.
        inspection_id: InspectionId,
        /// What is read.
        of: Vec<Inspected>,
    },
}

/// An inspection, as far as it matters.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inspection {
    recorded: bool,
}

impl Inspection {
    /// What a command comes to. It is never refused, and recording twice is recording once.
    pub fn decide(&self, command: InspectionCommand) -> Decision<InspectionEvent, Infallible> {
        match command {
            InspectionCommand::Record { .. } if self.recorded => already(),
            InspectionCommand::Record { inspection_id, of } => {
                happened(InspectionEvent::Made { inspection_id, of })
            }
        }
    }

    #[expect(clippy::needless_pass_by_value, reason = "as every aggregate takes its events")]
    fn evolve(&mut self, event: InspectionEvent) {
        match event {
            InspectionEvent::Made { .. } => self.recorded = true,
        }
    }
}

aggregate!(Inspection, "Inspection", InspectionCommand, InspectionEvent, Infallible);
