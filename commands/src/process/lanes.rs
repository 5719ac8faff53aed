//! Lanes: reactions with the same key run one after another, those with different keys at once.

use std::collections::{HashMap, VecDeque};

use uuid::Uuid;

use super::Reaction;

/// The reactions that wait behind a running one of the same key.
#[derive(Debug, Default)]
pub(super) struct Lanes {
    waiting: HashMap<Uuid, VecDeque<Reaction>>,
}

impl Lanes {
    /// Takes a reaction in; returns it when its lane is free and it may run now.
    pub(super) fn enter(&mut self, key: Uuid, reaction: Reaction) -> Option<Reaction> {
        if let Some(queue) = self.waiting.get_mut(&key) {
            queue.push_back(reaction);
            return None;
        }
        self.waiting.insert(key, VecDeque::new());
        Some(reaction)
    }

    /// Notes that the running reaction of a lane has ended; returns the next one to run.
    pub(super) fn leave(&mut self, key: Uuid) -> Option<Reaction> {
        let next = self.waiting.get_mut(&key).and_then(VecDeque::pop_front);
        if next.is_none() {
            self.waiting.remove(&key);
        }
        next
    }
}
