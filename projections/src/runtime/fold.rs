//! Folding a batch in memory, key by key. Pure: rows and events in, rows and parked events out.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use daybook_eventstore::{Position, RecordedEvent, Trace, Upcasters};
use serde::de::DeserializeOwned;

use super::envelope::{Arrived, Envelope, chain, said};
use super::model::ReadModel;

/// Why an event is parked that may well be good.
pub(crate) const EARLIER: &str = "an earlier event of its key is parked";

/// The events of one key in a batch, in order.
#[derive(Debug)]
pub(crate) struct Keyed {
    /// The key.
    pub(crate) key: String,
    /// Its events.
    pub(crate) events: Vec<Arrived>,
}

/// A row as it is stored.
#[derive(Debug)]
pub(crate) struct Stored {
    /// The position of the last event in it.
    pub(crate) position: Position,
    /// The row, as JSON.
    pub(crate) doc: String,
}

/// A row in memory.
#[derive(Debug)]
pub(crate) struct Kept<R> {
    /// The position of the last event in it.
    pub(crate) position: Position,
    /// The row.
    pub(crate) row: R,
}

impl<R: DeserializeOwned> Kept<R> {
    /// Reads a stored row.
    pub(crate) fn try_new(stored: &Stored) -> Result<Self, serde_json::Error> {
        Ok(Self { position: stored.position, row: serde_json::from_str(&stored.doc)? })
    }
}

/// An event that is not applied, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Parked {
    /// The key that stops.
    pub(crate) key: String,
    /// Which event.
    pub(crate) event: Trace,
    /// Why.
    pub(crate) error: String,
}

/// What the events of one key come to.
#[derive(Debug)]
pub(crate) struct Folded<'a, R> {
    /// The key.
    pub(crate) key: &'a str,
    /// Its row; nothing when the events took it away.
    pub(crate) row: Option<R>,
    /// The events that are in the row.
    pub(crate) applied: &'a [Arrived],
    /// Those that are not.
    pub(crate) parked: Vec<Parked>,
}

impl Keyed {
    /// The events after a position.
    fn after(&self, position: Position) -> &[Arrived] {
        &self.events[self.events.partition_point(|event| event.position() <= position)..]
    }
}

impl<'a, R> Folded<'a, R> {
    /// Nothing of it is applied, for this reason.
    pub(crate) fn parked(keyed: &'a Keyed, error: &str) -> Self {
        let parked = park(&keyed.key, &keyed.events, error);
        Self { key: &keyed.key, row: None, applied: &[], parked }
    }

    /// The position of the last event in the row; nothing when none is.
    pub(crate) fn position(&self) -> Option<Position> {
        self.applied.last().map(Arrived::position)
    }

    /// The events that are in the row.
    pub(crate) fn envelopes(&self) -> impl Iterator<Item = &'a Envelope> + use<'a, R> {
        self.applied.iter().filter_map(|event| match event {
            Arrived::Readable(envelope) => Some(envelope.as_ref()),
            Arrived::Unreadable { .. } => None,
        })
    }
}

/// Sorts a batch's events by key, keeping their order; those that the model does not read are left out.
pub(crate) fn by_key<M: ReadModel>(events: Vec<RecordedEvent>, upcasters: &Upcasters) -> Vec<Keyed> {
    let mut keyed: Vec<Keyed> = Vec::new();
    let mut index: HashMap<String, usize> = HashMap::new();
    for recorded in events {
        if !M::SOURCES.contains(&recorded.aggregate_type.as_str()) {
            continue;
        }
        let event = Arrived::from_log(recorded, upcasters);
        let key = match &event {
            Arrived::Readable(envelope) => M::key(envelope),
            Arrived::Unreadable { recorded, .. } => Some(M::key_of_unreadable(recorded)),
        };
        let Some(key) = key else { continue };
        if let Some(at) = index.get(&key) {
            keyed[*at].events.push(event);
        } else {
            index.insert(key.clone(), keyed.len());
            keyed.push(Keyed { key, events: vec![event] });
        }
    }
    keyed
}

/// Folds the events of one key into its stored row, without those it has already, up to the first that cannot
/// be: that one and all after it are parked. Where the key stands still already, those from its stop on are.
pub(crate) fn fold_key<'a, M: ReadModel>(
    stored: Option<&Stored>,
    keyed: &'a Keyed,
    stop: Option<Position>,
) -> Folded<'a, M::Row> {
    let has = stored.map_or(0, |stored| stored.position);
    let doc = stored.map(|stored| stored.doc.as_str());
    let key = keyed.key.as_str();
    let events = keyed.after(has);
    let open = stop.map_or(events.len(), |stop| events.partition_point(|event| event.position() < stop));
    let (before, stopped) = events.split_at(open);
    match try_fold::<M>(doc, before) {
        Ok(row) => Folded { key, row, applied: before, parked: park(key, stopped, EARLIER) },
        Err((good, error)) => {
            let (applied, rest) = events.split_at(good);
            // What was good a moment ago is good again: the fold is pure.
            let row = try_fold::<M>(doc, applied).unwrap_or_default();
            Folded { key, row, applied, parked: park(key, rest, &error) }
        }
    }
}

/// Folds all events of one key into its row, without those it has already; nothing when one cannot be.
pub(crate) fn fold_all<M: ReadModel>(
    kept: Option<Kept<M::Row>>,
    keyed: &Keyed,
) -> Option<Folded<'_, M::Row>> {
    let (has, row) = kept.map_or((0, None), |kept| (kept.position, Some(kept.row)));
    let events = keyed.after(has);
    let row = fold_on::<M>(row, events).ok()?;
    Some(Folded { key: &keyed.key, row, applied: events, parked: Vec::new() })
}

/// Folds a whole batch, given the stored rows and the stops of its keys.
pub(crate) fn fold_keys<'a, M: ReadModel>(
    keyed: &'a [Keyed],
    stored: &HashMap<String, Stored>,
    stops: &HashMap<String, Position>,
) -> Vec<Folded<'a, M::Row>> {
    let fold = |key: &'a Keyed| fold_key::<M>(stored.get(&key.key), key, stops.get(&key.key).copied());
    keyed.iter().map(fold).collect()
}

/// Parks a key's events: the first for this reason, the others because of the first.
fn park(key: &str, events: &[Arrived], error: &str) -> Vec<Parked> {
    let reasons = std::iter::once(error).chain(std::iter::repeat(EARLIER));
    let parked = events.iter().zip(reasons);
    parked
        .map(|(event, why)| Parked {
            key: key.to_owned(),
            event: event.recorded().trace(),
            error: why.to_owned(),
        })
        .collect()
}

fn try_fold<M: ReadModel>(
    stored: Option<&str>,
    events: &[Arrived],
) -> Result<Option<M::Row>, (usize, String)> {
    let row = stored.map(serde_json::from_str).transpose();
    let row = row.map_err(|error| (0, format!("its stored row cannot be read: {error}")))?;
    fold_on::<M>(row, events)
}

/// The row after these events, or how many of them are good and what is wrong with the next.
fn fold_on<M: ReadModel>(
    mut row: Option<M::Row>,
    events: &[Arrived],
) -> Result<Option<M::Row>, (usize, String)> {
    for (index, event) in events.iter().enumerate() {
        row = match event {
            Arrived::Readable(envelope) => fold_one::<M>(row, envelope).map_err(|error| (index, error))?,
            Arrived::Unreadable { reason, .. } => return Err((index, reason.clone())),
        };
    }
    Ok(row)
}

/// The row after one event. A fold that panics has failed at this event, like one that says so.
fn fold_one<M: ReadModel>(row: Option<M::Row>, event: &Envelope) -> Result<Option<M::Row>, String> {
    // Whatever it left half done went with the row.
    match catch_unwind(AssertUnwindSafe(|| M::fold(row, event))) {
        Ok(folded) => folded.map_err(|error| chain(&error)),
        Err(panic) => Err(format!("its fold panicked: {}", said(panic.as_ref()))),
    }
}
