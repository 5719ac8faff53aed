//! One event of each kind, always the same: for golden files and the event catalogue.

use super::PersonEvent;
use crate::kernel::{SubjectId, sample};

/// One or more events of every type.
pub fn samples() -> Vec<PersonEvent> {
    vec![PersonEvent::Forgotten { subject_id: SubjectId::new(sample::id(0x70)) }]
}
