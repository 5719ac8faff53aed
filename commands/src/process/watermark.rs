//! How far a process is when its reactions end in any order: everything up to the watermark is done.

use std::collections::VecDeque;

use daybook_eventstore::Checkpoint;

/// The events that were begun, in the log's order, and which of them are done.
#[derive(Debug)]
pub(super) struct Watermark {
    done: Checkpoint,
    begun: VecDeque<(Checkpoint, bool)>,
}

impl Watermark {
    pub(super) const fn new(done: Checkpoint) -> Self {
        Self { done, begun: VecDeque::new() }
    }

    /// The last event that is done with all before it.
    pub(super) const fn done(&self) -> Checkpoint {
        self.done
    }

    /// How many events there are from the first that is not done to the last that was begun.
    pub(super) fn span(&self) -> usize {
        self.begun.len()
    }

    /// Begins the next event.
    pub(super) fn begin(&mut self, event: Checkpoint) {
        self.begun.push_back((event, false));
    }

    /// Ends the event at this position.
    pub(super) fn end(&mut self, position: i64) {
        let index = self.begun.binary_search_by_key(&position, |(event, _)| event.position);
        if let Some((_, done)) = index.ok().and_then(|index| self.begun.get_mut(index)) {
            *done = true;
        }
        while let Some((event, true)) = self.begun.front() {
            self.done = *event;
            self.begun.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use daybook_eventstore::{Checkpoint, EventHash};

    use super::Watermark;

    fn at(position: i64) -> Checkpoint {
        Checkpoint { epoch: uuid::Uuid::nil(), position, hash: EventHash::GENESIS }
    }

    #[test]
    fn the_watermark_waits_for_the_slowest_reaction() {
        let mut watermark = Watermark::new(at(4));
        for position in 5..=7 {
            watermark.begin(at(position));
        }
        watermark.end(7);
        watermark.end(6);
        assert_eq!((watermark.done(), watermark.span()), (at(4), 3));
        watermark.end(5);
        assert_eq!((watermark.done(), watermark.span()), (at(7), 0));
    }
}
