//! Reading the log by position, on the primary or on a replica.

use std::collections::VecDeque;
use std::num::NonZeroU16;

use daybook_eventstore::{LogReader, RecordedEvent, Selection, Slice, StoreError};

use super::super::dice::Dice;
use super::super::history::Reading;
use super::{Notes, PAUSE, seen};

/// Scans from where it is to the end, again and again, in batches of all sizes.
pub(crate) async fn scan(reader: LogReader, mut dice: Dice, notes: Notes) {
    let mut at = 0;
    loop {
        let batch = usize::try_from(1 + dice.below(700)).unwrap_or(1);
        match scan_on(&reader, &mut at, batch, &notes).await {
            Ok(()) => tokio::time::sleep(dice.between(0, 40)).await,
            Err(error) => {
                notes.failed(&error);
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

async fn scan_on(reader: &LogReader, at: &mut i64, batch: usize, notes: &Notes) -> Result<(), StoreError> {
    let mut scan = reader.scan(Selection::after(*at), batch);
    while let Some(batch) = scan.next().await? {
        for event in batch.events() {
            let event = event.to_recorded()?;
            *at = event.position;
            notes.saw([&event]);
        }
    }
    Ok(())
}

/// Reads the whole log in slices of its streams, and puts them together without changing the order in any of them.
pub(crate) async fn slices(reader: &LogReader, name: &str, of: NonZeroU16) -> Result<Reading, StoreError> {
    let mut parts = Vec::new();
    for slice in Slice::all(of) {
        let mut events = VecDeque::new();
        let mut scan = reader.scan(Selection::after(0).in_slice(slice), 1_000);
        while let Some(batch) = scan.next().await? {
            for event in batch.events() {
                let event: RecordedEvent = event.to_recorded()?;
                events.push_back(seen(&event));
            }
        }
        parts.push(events);
    }
    let mut reading = Reading { reader: name.to_owned(), ..Reading::default() };
    let first = |parts: &mut Vec<VecDeque<super::Seen>>| {
        let parts = parts.iter_mut().filter(|part| !part.is_empty());
        parts.min_by_key(|part| part.front().map(|seen| seen.position)).and_then(VecDeque::pop_front)
    };
    while let Some(next) = first(&mut parts) {
        reading.seen.push(next);
    }
    Ok(reading)
}
