//! One reader against the log: each event that it wants, once, in order, as it is.

use std::collections::{BTreeSet, HashMap};

use super::super::history::{Reading, Seen};
use super::log::Index;
use super::{Faults, Kind};

pub(super) fn check(reading: &Reading, index: &Index<'_>, faults: &mut Faults) {
    let reader = &reading.reader;
    for _ in 0..reading.diverged {
        faults.add(Kind::Diverged, || format!("{reader} was told that the log is another one"));
    }
    let mut walk = Walk::default();
    for seen in &reading.seen {
        let Some(place) = place_of(seen, index) else {
            faults.add(Kind::Foreign, || format!("{reader} saw {seen:?}, which is not in the log"));
            continue;
        };
        let event = &index.log[place];
        if !reading.wants.includes(&event.stream) {
            faults.add(Kind::Foreign, || format!("{reader} saw {seen:?} of {}, unasked", event.stream));
            continue;
        }
        if seen.digest != event.digest || seen.position != event.position {
            faults.add(Kind::Altered, || format!("{reader} saw {seen:?} for {event:?}"));
        }
        match walk.step(place) {
            Step::On => {}
            Step::Again => {
                faults.add(Kind::Doubled, || format!("{reader} saw {} again", seen.position));
                continue;
            }
            Step::Back => faults.add(Kind::Reordered, || format!("{reader} saw {} late", seen.position)),
        }
        let last = walk.streams.entry(&event.stream).or_default();
        if event.sequence < *last {
            let (stream, sequence) = (&event.stream, event.sequence);
            faults.add(Kind::StreamReordered, || format!("{reader} saw {sequence} of {stream} after {last}"));
        }
        *last = event.sequence.max(*last);
    }
    for place in walk.skipped.iter().copied().chain(walk.next..index.log.len()) {
        let event = &index.log[place];
        if !reading.wants.includes(&event.stream) {
            continue;
        }
        faults.add(Kind::Missing, || format!("{reader} never saw {} of {}", event.position, event.stream));
    }
}

/// Where in the log the event is that was seen.
fn place_of(seen: &Seen, index: &Index<'_>) -> Option<usize> {
    if let Some(event) = seen.event {
        return index.events.get(&event).copied();
    }
    // Only its place was told.
    index.log.binary_search_by_key(&seen.position, |event| event.position).ok()
}

/// A reader's way through the log.
#[derive(Default)]
struct Walk<'a> {
    /// What is to come.
    next: usize,
    /// What was passed over.
    skipped: BTreeSet<usize>,
    /// The last sequence number of each stream.
    streams: HashMap<&'a str, i64>,
}

enum Step {
    On,
    Again,
    Back,
}

impl Walk<'_> {
    fn step(&mut self, place: usize) -> Step {
        if place >= self.next {
            self.skipped.extend(self.next..place);
            self.next = place + 1;
            Step::On
        } else if self.skipped.remove(&place) {
            Step::Back
        } else {
            Step::Again
        }
    }
}
