//! Which of the waiting appends may go together, and beside what is on its way.

use std::collections::{HashMap, HashSet};

use daybook_domain::CommandId;

use super::meters::Meters;
use super::{Appended, DEADLINE, Queued, answer};
use crate::error::StoreError;

/// The most commands in one batch: beyond this, the commit's cost is spread thin already.
pub(super) const MAX_BATCH: usize = 512;
/// The most parts and events in one batch, unless a single command has more: it must be done long before its time is over.
const MAX_ROWS: usize = 8_192;

/// What nothing may touch that is sent before a batch is done.
#[derive(Debug, Default)]
pub(super) struct Claims {
    ids: HashSet<CommandId>,
    /// The streams that it changes, by their hashes: two that share one only wait for each other.
    changes: HashSet<u64>,
}

/// Takes from `waiting`, in order, what may go into one batch beside those that are on their way. What rests on a
/// broken chain or has waited too long is answered at once. The rest stays: a second command with the same id; one
/// that touches a stream of this batch from another state in memory, or one that another batch is changing; what
/// follows one of these in its chain; and what is too much for one batch.
pub(super) fn take<'a>(
    meters: &Meters,
    waiting: &mut Vec<Queued>,
    on_their_way: &(impl Iterator<Item = &'a Claims> + Clone),
) -> (Vec<Queued>, Claims) {
    let mut batch = Vec::with_capacity(waiting.len());
    let mut claims = Claims::default();
    let mut chains: HashMap<u64, usize> = HashMap::with_capacity(waiting.len());
    let mut held_back = Vec::new();
    let mut waited_for: HashSet<usize> = HashSet::new();
    let mut rows = 0;
    for queued in waiting.drain(..) {
        let append = &queued.append;
        if append.is_unfounded() {
            answer(meters, queued, Ok(Appended::Unfounded));
        } else if queued.since.elapsed() > DEADLINE {
            answer(meters, queued, Err(StoreError::Overloaded));
        } else if rows >= MAX_ROWS
            || batch.len() >= MAX_BATCH
            || claims.ids.contains(&append.command_id)
            || on_their_way.clone().any(|other| other.ids.contains(&append.command_id))
            || queued.touched().any(|(stream, part)| {
                waited_for.contains(&part.chain.address())
                    || chains.get(&stream).is_some_and(|first| *first != part.chain.address())
                    || on_their_way.clone().any(|other| other.changes.contains(&stream))
            })
        {
            waited_for.extend(queued.changed().map(|(_, part)| part.chain.address()));
            held_back.push(queued);
        } else {
            chains.extend(queued.touched().map(|(stream, part)| (stream, part.chain.address())));
            claims.ids.insert(append.command_id);
            claims.changes.extend(queued.changed().map(|(stream, _)| stream));
            rows += append.rows();
            batch.push(queued);
        }
    }
    *waiting = held_back;
    (batch, claims)
}

#[cfg(test)]
mod tests {
    use std::hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher};
    use std::sync::Arc;
    use std::time::Instant;

    use tokio::sync::oneshot;
    use uuid::Uuid;

    use super::*;
    use crate::append::{Append, Chain, Fingerprint, Part};
    use crate::event::{NewEvent, StreamId};

    fn part(stream: u128, events: usize) -> Part {
        let event = NewEvent {
            event_id: Uuid::nil(),
            event_type: "Happened".to_owned(),
            event_version: "1".to_owned(),
            payload: "{}".to_owned(),
            metadata: "{}".to_owned(),
        };
        let aggregate_id = Uuid::from_u128(stream).to_string();
        Part {
            stream: StreamId { aggregate_type: "Thing".to_owned(), aggregate_id },
            expected: 0,
            events: vec![event; events],
            chain: Arc::new(Chain::default()),
        }
    }

    fn queued(command: u128, parts: Vec<Part>) -> Queued {
        let command_id = CommandId::new(Uuid::from_u128(command));
        let append = Append { command_id, fingerprint: Fingerprint([0; 32]), parts, outcome: None };
        let hasher = BuildHasherDefault::<DefaultHasher>::new();
        let streams = append.parts.iter().map(|part| hasher.hash_one(&part.stream)).collect();
        Queued { append, streams, since: Instant::now(), reply: oneshot::channel().0 }
    }

    #[test]
    fn a_conflict_puts_in_doubt_what_it_is_about_and_what_would_have_changed() {
        let parts = vec![part(1, 1), part(2, 0), part(3, 0)];
        let chains: Vec<Arc<Chain>> = parts.iter().map(|part| Arc::clone(&part.chain)).collect();
        answer(&Meters::new(), queued(1, parts), Ok(Appended::Conflict { part: 2 }));
        assert_eq!(chains.iter().map(|chain| chain.is_broken()).collect::<Vec<_>>(), [true, false, true]);
    }

    /// How many of those that wait go into the next batch, beside others on their way.
    fn taken(waiting: &mut Vec<Queued>, on_their_way: &[Claims]) -> (usize, Claims) {
        let (batch, claims) = take(&Meters::new(), waiting, &on_their_way.iter());
        (batch.len(), claims)
    }

    #[test]
    fn a_batch_is_done_long_before_its_time_is_over_however_large_its_commands_are() {
        let many = MAX_ROWS / 2 + 1;
        let mut waiting: Vec<Queued> = (1..=4).map(|n| queued(n, vec![part(n, many)])).collect();
        assert_eq!(taken(&mut waiting, &[]).0, 2);
        assert_eq!(waiting.len(), 2);
        let mut alone = vec![queued(5, vec![part(5, 3 * MAX_ROWS)])];
        assert_eq!(taken(&mut alone, &[]).0, 1);
    }

    #[test]
    fn a_batch_has_no_more_commands_than_a_batch_may_have() {
        let mut waiting: Vec<Queued> = (1..=600).map(|n| queued(n, vec![part(n, 1)])).collect();
        assert_eq!(taken(&mut waiting, &[]).0, MAX_BATCH);
        assert_eq!(waiting.len(), 600 - MAX_BATCH);
    }

    #[test]
    fn nothing_is_sent_after_a_batch_that_rests_on_it() {
        let ids_of = |waiting: &mut Vec<Queued>, aloft: &[Claims]| {
            let (batch, claims) = take(&Meters::new(), waiting, &aloft.iter());
            let ids: Vec<u128> = batch.iter().map(|q| q.append.command_id.uuid().as_u128()).collect();
            (ids, claims)
        };
        let (changed, looked_at) = (part(1, 1), part(2, 0));
        let (_, aloft) = ids_of(&mut vec![queued(1, vec![changed.clone(), looked_at.clone()])], &[]);
        let mut waiting = vec![
            queued(1, vec![part(3, 1)]),
            queued(2, vec![part(4, 1), changed.clone()]),
            queued(3, vec![part(5, 1), Part { events: Vec::new(), ..changed }]),
            queued(4, vec![Part { events: part(9, 1).events, ..looked_at }]),
            queued(5, vec![part(6, 1)]),
        ];
        // What the first batch only looks at, the next one may change; its id and what it changes are its own.
        assert_eq!(ids_of(&mut waiting, &[aloft]).0, [4, 5]);
        assert_eq!(ids_of(&mut waiting, &[]).0, [1, 2, 3]);
    }

    #[test]
    fn what_follows_a_command_that_waits_waits_with_it() {
        let (_, aloft) = take(&Meters::new(), &mut vec![queued(1, vec![part(1, 1)])], &std::iter::empty());
        let chain = part(2, 1);
        let mut waiting =
            vec![queued(2, vec![part(1, 1), chain.clone()]), queued(3, vec![Part { expected: 1, ..chain }])];
        assert_eq!(take(&Meters::new(), &mut waiting, &std::iter::once(&aloft)).0.len(), 0);
        assert_eq!(waiting.len(), 2);
    }
}
