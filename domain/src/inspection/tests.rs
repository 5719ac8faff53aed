//! Given what was read, when it is to be recorded: what follows.

use super::{Inspected, Inspection, InspectionCommand, InspectionEvent, samples};
use crate::kernel::{InspectionId, sample};

#[test]
fn what_was_read_is_recorded_once() {
    let inspection_id = InspectionId::new(sample::id(1));
    let of = vec![Inspected::Proof { position: 7 }];
    let record = || InspectionCommand::Record { inspection_id, of: of.clone() };
    let mut inspection = Inspection::default();
    let events = inspection.decide(record()).unwrap_or_default();
    assert_eq!(events, [InspectionEvent::Made { inspection_id, of: of.clone() }]);
    for event in events {
        inspection.evolve(event);
    }
    assert_eq!(inspection.decide(record()), Ok(Vec::new()));
}

#[test]
fn what_is_stored_is_what_was_agreed() {
    for (name, event) in sample::checked(InspectionEvent::TYPES, samples()) {
        insta::assert_json_snapshot!(name, event);
    }
}
