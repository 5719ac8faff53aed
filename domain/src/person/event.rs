//! What can have happened to a person's data.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::kernel::{SubjectId, event_types};

/// A fact about a person's data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[expect(missing_docs, reason = "the fields' meaning is their name; the catalogue says each event's")]
pub enum PersonEvent {
    Forgotten { subject_id: SubjectId },
}

event_types!(PersonEvent, "Person", {
    Forgotten = "1": "it was asked that what was sealed for this person can never be read again",
});
