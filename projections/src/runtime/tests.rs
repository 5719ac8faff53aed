//! Given events of several keys and what is stored: what is written and what is parked.

use cqrs_es::persist::{EventUpcaster, SerializedEvent};
use daybook_domain::catalogue::DomainEvent;
use daybook_domain::product::ProductEvent;
use daybook_eventstore::{Position, RecordedEvent, Upcasters};

use super::fold::{EARLIER, Kept, Keyed, Stored, by_key as by_key_upcasting, fold_all, fold_key};
use super::recent::Recent;
use super::testing::envelope;
use super::{Envelope, FoldError, ReadModel};

/// Titles, one under the other; an empty one is an error, and unpublishing takes the row away.
struct Titles;

impl ReadModel for Titles {
    type Row = Vec<String>;
    const SOURCES: &'static [&'static str] = &["Product"];
    const REVISION: i32 = 1;

    fn key(event: &Envelope) -> Option<String> {
        Some(event.aggregate_id().to_owned())
    }

    fn fold(row: Option<Vec<String>>, event: &Envelope) -> Result<Option<Vec<String>>, FoldError> {
        let DomainEvent::Product(ProductEvent::Described { title, .. }) = &event.event else {
            return Ok(None);
        };
        if title.is_empty() {
            return Err(FoldError::Unknown("title"));
        }
        assert_ne!(title, "panic", "a fold with a mistake in it");
        let mut row = row.unwrap_or_default();
        row.push(title.clone());
        Ok(Some(row))
    }
}

fn described(position: Position, id: &str, title: &str) -> RecordedEvent {
    let fact = ProductEvent::Described { title: title.to_owned(), description: String::new() };
    envelope(position, id, DomainEvent::Product(fact)).recorded
}

fn by_key(events: Vec<RecordedEvent>) -> Vec<Keyed> {
    by_key_upcasting::<Titles>(events, &Upcasters::default())
}

fn stored(position: Position, titles: &[&str]) -> Stored {
    Stored { position, doc: serde_json::to_string(titles).expect("JSON") }
}

fn positions(parked: &[super::fold::Parked]) -> Vec<Position> {
    parked.iter().map(|parked| parked.event.position).collect()
}

#[test]
fn a_batch_is_sorted_by_key_and_keeps_the_order_within() {
    let keyed = by_key(vec![described(1, "a", "x"), described(2, "b", "y"), described(3, "a", "z")]);
    let keys: Vec<_> = keyed.iter().map(|keyed| (keyed.key.as_str(), keyed.events.len())).collect();
    assert_eq!(keys, [("a", 2), ("b", 1)]);
}

#[test]
fn events_that_are_in_the_row_already_change_nothing() {
    let keyed = &by_key(vec![described(3, "a", "x"), described(4, "a", "y")])[0];
    let stored = stored(3, &["x"]);
    let folded = fold_key::<Titles>(Some(&stored), keyed, None);
    assert_eq!(folded.row, Some(vec!["x".to_owned(), "y".to_owned()]));
    assert_eq!((folded.applied.len(), folded.position()), (1, Some(4)));
}

#[test]
fn a_key_stops_at_the_first_event_that_cannot_be_folded() {
    let events = vec![described(5, "a", "x"), described(6, "a", ""), described(7, "a", "z")];
    let keyed = &by_key(events)[0];
    let folded = fold_key::<Titles>(None, keyed, None);
    assert_eq!(folded.row, Some(vec!["x".to_owned()]));
    assert_eq!(positions(&folded.parked), [6, 7]);
    assert_eq!(folded.parked[0].error, "there is no such title");
}

#[test]
fn a_key_stops_at_the_event_that_makes_its_fold_panic() {
    let keyed = &by_key(["x", "panic", "z"].map(|title| described(5, "a", title)).into())[0];
    let folded = fold_key::<Titles>(None, keyed, None);
    assert_eq!((folded.row, folded.parked.len()), (Some(vec!["x".to_owned()]), 2));
    let error = &folded.parked[0].error;
    assert!(error.starts_with("its fold panicked: ") && error.contains("a mistake"), "{error}");
    assert!(fold_all::<Titles>(None, keyed).is_none());
}

#[test]
fn a_key_that_stands_still_has_what_came_before_its_stop() {
    let keyed = &by_key((4..8).map(|at| described(at, "a", "x")).collect())[0];
    let folded = fold_key::<Titles>(Some(&stored(4, &["x"])), keyed, Some(6));
    assert_eq!((folded.row.as_ref().map(Vec::len), folded.position()), (Some(2), Some(5)));
    assert_eq!(positions(&folded.parked), [6, 7]);
    assert!(folded.parked.iter().all(|event| event.error == EARLIER), "{:?}", folded.parked);
}

#[test]
fn an_event_that_cannot_be_decoded_stops_its_key() {
    let mut poison = described(6, "a", "y");
    poison.payload = "{}".to_owned();
    let keyed = &by_key(vec![described(5, "a", "x"), poison])[0];
    assert_eq!(positions(&fold_key::<Titles>(None, keyed, None).parked), [6]);
}

#[test]
fn a_stored_row_that_cannot_be_read_stops_its_key() {
    let keyed = &by_key(vec![described(5, "a", "x")])[0];
    let stored = Stored { position: 1, doc: "{}".to_owned() };
    assert_eq!(positions(&fold_key::<Titles>(Some(&stored), keyed, None).parked), [5]);
}

#[test]
fn a_key_in_memory_is_folded_whole_or_not_at_all() {
    let kept = || Some(Kept { position: 5, row: vec!["x".to_owned()] });
    let good = &by_key(vec![described(5, "a", "x"), described(6, "a", "y")])[0];
    let folded = fold_all::<Titles>(kept(), good).expect("all of it can be folded");
    assert_eq!((folded.row, folded.applied.len()), (Some(vec!["x".to_owned(), "y".to_owned()]), 1));
    let bad = &by_key(vec![described(6, "a", "y"), described(7, "a", "")])[0];
    assert!(fold_all::<Titles>(kept(), bad).is_none());
}

#[test]
fn the_rows_written_last_are_remembered_and_those_before_are_not() {
    let mut recent = Recent::new();
    for position in 0..5_000 {
        recent.put(position.to_string(), Kept { position, row: () });
    }
    let there: Vec<Position> =
        (0..5_000).filter(|position| recent.take(&position.to_string()).is_some()).collect();
    assert!((1_024..=2_048).contains(&there.len()), "{}", there.len());
    assert_eq!((there.last(), there.is_sorted()), (Some(&4_999), true));
    assert!(recent.take("4999").is_none(), "a row is given away once");
}

/// What was "named" once is described today; a name that is no text is too much for it.
struct Named;

impl EventUpcaster for Named {
    fn can_upcast(&self, event_type: &str, _event_version: &str) -> bool {
        event_type == "ProductNamed"
    }

    fn upcast(&self, mut event: SerializedEvent) -> SerializedEvent {
        let title = event.payload["Named"].as_str().expect("a text").to_owned();
        event.payload = serde_json::json!({ "Described": { "title": title, "description": "" } });
        event
    }
}

fn named(position: Position, id: &str, payload: &str) -> RecordedEvent {
    let (event_type, payload) = ("ProductNamed".to_owned(), payload.to_owned());
    RecordedEvent { event_type, payload, ..described(position, id, "") }
}

#[test]
fn an_old_event_is_folded_in_todays_shape_and_kept_as_it_is_stored() {
    let old = named(5, "a", r#"{"Named":"x"}"#);
    let upcasters = Upcasters::new(vec![Box::new(Named)]);
    let keyed = &by_key_upcasting::<Titles>(vec![old.clone(), described(6, "a", "y")], &upcasters)[0];
    let folded = fold_key::<Titles>(None, keyed, None);
    assert_eq!(folded.row, Some(vec!["x".to_owned(), "y".to_owned()]));
    assert_eq!(folded.envelopes().next().map(|event| &event.recorded), Some(&old));
}

#[test]
fn an_old_event_that_no_step_can_read_stops_its_key_and_no_other() {
    let bad = named(6, "a", r#"{"Named":6}"#);
    let upcasters = Upcasters::new(vec![Box::new(Named)]);
    let events = vec![described(5, "a", "x"), bad, described(7, "b", "y")];
    let keyed = by_key_upcasting::<Titles>(events, &upcasters);
    let (a, b) = (fold_key::<Titles>(None, &keyed[0], None), fold_key::<Titles>(None, &keyed[1], None));
    assert_eq!((positions(&a.parked), positions(&b.parked)), (vec![6], vec![]));
    assert!(a.parked[0].error.ends_with("its upcaster panicked"), "{}", a.parked[0].error);
}
