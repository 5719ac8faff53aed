//! Given what happened, when a person is to be forgotten: what follows.

use super::{Person, PersonCommand, PersonEvent, samples};
use crate::kernel::{SubjectId, sample};

#[test]
fn a_person_is_forgotten_once() {
    let subject_id = SubjectId::new(sample::id(1));
    let mut person = Person::default();
    let events = person.decide(PersonCommand::Forget { subject_id }).unwrap_or_default();
    assert_eq!(events, [PersonEvent::Forgotten { subject_id }]);
    for event in events {
        person.evolve(event);
    }
    assert!(person.is_forgotten());
    assert_eq!(person.decide(PersonCommand::Forget { subject_id }), Ok(Vec::new()));
}

#[test]
fn what_is_stored_is_what_was_agreed() {
    for (name, event) in sample::checked(PersonEvent::TYPES, samples()) {
        insta::assert_json_snapshot!(name, event);
    }
}
