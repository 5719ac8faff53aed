//! The log by itself: dense, no event twice, every stream without a hole.

use std::collections::HashMap;

use uuid::Uuid;

use super::super::history::Logged;
use super::{Faults, Kind};

/// The log, to be looked up in.
pub(super) struct Index<'a> {
    pub(super) log: &'a [Logged],
    /// Where in the log each event is.
    pub(super) events: HashMap<Uuid, usize>,
    /// Where in the log each command's events are, in order.
    pub(super) commands: HashMap<Uuid, Vec<usize>>,
    /// The positions of each stream's events, in order.
    streams: HashMap<&'a str, Vec<i64>>,
}

impl<'a> Index<'a> {
    pub(super) fn of(log: &'a [Logged], faults: &mut Faults) -> Self {
        let mut index =
            Self { log, events: HashMap::new(), commands: HashMap::new(), streams: HashMap::new() };
        for ((place, event), position) in log.iter().enumerate().zip(1..) {
            if event.position != position {
                faults.add(Kind::Hole, || format!("position {} is in place {position}", event.position));
            }
            if index.events.insert(event.event, place).is_some() {
                faults.add(Kind::Twice, || format!("event {} at {} is there before", event.event, position));
            }
            if !event.intact {
                faults.add(Kind::Altered, || {
                    format!("event {} at {position} is not as asked for", event.event)
                });
            }
            index.commands.entry(event.command).or_default().push(place);
            let stream = index.streams.entry(&event.stream).or_default();
            stream.push(position);
            let (stream, sequence) = (&event.stream, i64::try_from(stream.len()).unwrap_or(i64::MAX));
            if event.sequence != sequence {
                let found = event.sequence;
                faults.add(Kind::StreamHole, || format!("{found} is {sequence}. of {stream}, at {position}"));
            }
        }
        index
    }

    /// How many events of a stream there are up to a position.
    pub(super) fn version(&self, stream: &str, position: i64) -> i64 {
        let before = self.streams.get(stream).map_or(0, |all| all.partition_point(|one| *one <= position));
        i64::try_from(before).unwrap_or(i64::MAX)
    }

    /// The positions between which a stream has this version: from the first, and before the second.
    pub(super) fn span(&self, stream: &str, version: i64) -> Option<(i64, i64)> {
        let all = self.streams.get(stream).map(Vec::as_slice).unwrap_or_default();
        let version = usize::try_from(version).ok()?;
        let from = if version == 0 { 0 } else { *all.get(version - 1)? };
        Some((from, all.get(version).copied().unwrap_or(i64::MAX)))
    }
}
