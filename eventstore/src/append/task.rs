//! The task that turns waiting appends into batches. One task a process: what it sends is serial, so a chain's
//! commands reach the store in the order they were decided in.

use std::collections::{HashMap, HashSet};
use std::hash::BuildHasher as _;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use super::line::{Line, is_refusal};
use super::{Append, Appended, DEADLINE, Queued};
use crate::error::StoreError;

/// The most commands in one batch: beyond this, the commit's cost is spread thin already.
const MAX_BATCH: usize = 512;
/// The most parts and events in one batch, unless a single command has more: it must be done long before its time is over.
const MAX_ROWS: usize = 8_192;
/// The first pause before a failed batch is tried again; it doubles up to [`MAX_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(20);
const MAX_PAUSE: Duration = Duration::from_secs(1);

pub(super) async fn run(mut line: Line, mut waiting: mpsc::Receiver<Queued>) {
    let mut taken = Vec::with_capacity(MAX_BATCH);
    let mut held_back = Vec::new();
    loop {
        taken.append(&mut held_back);
        if taken.is_empty() && waiting.recv_many(&mut taken, MAX_BATCH).await == 0 {
            return;
        }
        while taken.len() < MAX_BATCH {
            let Ok(more) = waiting.try_recv() else { break };
            taken.push(more);
        }
        let batch = select(&mut taken, &mut held_back);
        if !batch.is_empty() {
            send(&mut line, batch).await;
        }
    }
}

/// Takes from `taken` what may go into one batch. What rests on a broken chain or has waited too long is answered at
/// once. A second command with the same id, or one that touches a stream of the batch from another state in memory,
/// waits for the first one's outcome. So does what is too much for one batch.
fn select(taken: &mut Vec<Queued>, held_back: &mut Vec<Queued>) -> Vec<Queued> {
    let mut batch = Vec::with_capacity(taken.len());
    let mut ids = HashSet::with_capacity(taken.len());
    // By the stream's hash: two streams that share one only wait for each other.
    let mut chains: HashMap<u64, usize> = HashMap::with_capacity(taken.len());
    let mut waiting: HashSet<usize> = HashSet::new();
    let mut rows = 0;
    for queued in taken.drain(..) {
        let parts = &queued.append.parts;
        let touched =
            || parts.iter().map(|part| (chains.hasher().hash_one(&part.stream), part.chain.address()));
        if queued.append.is_unfounded() {
            answer(queued, Ok(Appended::Unfounded));
        } else if queued.since.elapsed() > DEADLINE {
            answer(queued, Err(StoreError::Overloaded));
        } else if rows >= MAX_ROWS
            || ids.contains(&queued.append.command_id)
            // What follows a held-back command of its chain waits with it.
            || touched().any(|(_, chain)| waiting.contains(&chain))
            || touched().any(|(stream, chain)| chains.get(&stream).is_some_and(|first| *first != chain))
        {
            let changed = parts.iter().filter(|part| !part.is_condition());
            waiting.extend(changed.map(|part| part.chain.address()));
            held_back.push(queued);
        } else {
            let touched: Vec<(u64, usize)> = touched().collect();
            chains.extend(touched);
            ids.insert(queued.append.command_id);
            rows += queued.append.rows();
            batch.push(queued);
        }
    }
    batch
}

async fn send(line: &mut Line, queued: Vec<Queued>) {
    metrics::histogram!("daybook_append_batch_commands")
        .record(u32::try_from(queued.len()).unwrap_or(u32::MAX));
    let deadline = queued.iter().map(|q| q.since).min().unwrap_or_else(Instant::now) + DEADLINE;
    let appends: Vec<&Append> = queued.iter().map(|q| &q.append).collect();
    match try_until(line, &appends, deadline).await {
        Ok(outcomes) => {
            for (queued, outcome) in queued.into_iter().zip(outcomes) {
                answer(queued, Ok(outcome));
            }
        }
        // The database refuses something in the batch: find out what, so that its neighbours do not fail with it.
        Err(error) if is_refusal(&error) && queued.len() > 1 => {
            for queued in queued {
                let outcome = if queued.append.is_unfounded() {
                    Ok(Appended::Unfounded)
                } else {
                    one(line, &queued.append, deadline).await
                };
                answer(queued, outcome);
            }
        }
        Err(error) => {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                commands = queued.len(),
                "append failed"
            );
            let mut refusal = Some(error).filter(is_refusal);
            for queued in queued {
                answer(queued, Err(refusal.take().unwrap_or(StoreError::TimedOut)));
            }
        }
    }
}

async fn one(line: &mut Line, append: &Append, deadline: Instant) -> Result<Appended, StoreError> {
    let outcomes = try_until(line, &[append], deadline).await?;
    outcomes.into_iter().next().ok_or(StoreError::TimedOut)
}

/// Tries until the database answers. Whether an attempt without an answer took effect does not matter: the
/// command ids make the repetition harmless.
async fn try_until(
    line: &mut Line,
    appends: &[&Append],
    deadline: Instant,
) -> Result<Vec<Appended>, StoreError> {
    let mut pause = FIRST_PAUSE;
    loop {
        let error = match line.append(appends).await {
            Ok(outcomes) => return Ok(outcomes),
            Err(error) => error,
        };
        if is_refusal(&error) || Instant::now() + pause > deadline {
            return Err(error);
        }
        metrics::counter!("daybook_append_retries_total").increment(1);
        tracing::warn!(error = &error as &dyn std::error::Error, "append will be tried again");
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(MAX_PAUSE);
    }
}

fn answer(queued: Queued, outcome: Result<Appended, StoreError>) {
    match &outcome {
        Ok(Appended::Done { .. }) => {}
        Ok(Appended::Conflict { part }) => {
            queued.append.break_off();
            queued.append.doubt(*part);
        }
        Ok(Appended::Replayed { .. } | Appended::Mismatch | Appended::Unfounded) | Err(_) => {
            queued.append.break_off();
        }
    }
    let label = match &outcome {
        Ok(Appended::Done { .. }) => "done",
        Ok(Appended::Replayed { .. }) => "replayed",
        Ok(Appended::Mismatch) => "mismatch",
        Ok(Appended::Conflict { .. }) => "conflict",
        Ok(Appended::Unfounded) => "unfounded",
        Err(_) => "failed",
    };
    metrics::counter!("daybook_appends_total", "outcome" => label).increment(1);
    metrics::histogram!("daybook_append_seconds").record(queued.since.elapsed());
    // The caller may have gone; the append stands.
    let _ = queued.reply.send(outcome);
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use daybook_domain::CommandId;
    use tokio::sync::oneshot;
    use uuid::Uuid;

    use super::*;
    use crate::append::{Chain, Fingerprint, Part};
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
        Queued { append, since: Instant::now(), reply: oneshot::channel().0 }
    }

    #[test]
    fn a_conflict_puts_in_doubt_what_it_is_about_and_what_would_have_changed() {
        let parts = vec![part(1, 1), part(2, 0), part(3, 0)];
        let chains: Vec<Arc<Chain>> = parts.iter().map(|part| Arc::clone(&part.chain)).collect();
        answer(queued(1, parts), Ok(Appended::Conflict { part: 2 }));
        assert_eq!(chains.iter().map(|chain| chain.is_broken()).collect::<Vec<_>>(), [true, false, true]);
    }

    #[test]
    fn a_batch_is_done_long_before_its_time_is_over_however_large_its_commands_are() {
        let many = MAX_ROWS / 2 + 1;
        let mut taken: Vec<Queued> = (1..=4).map(|n| queued(n, vec![part(n, many)])).collect();
        let mut held_back = Vec::new();
        assert_eq!(select(&mut taken, &mut held_back).len(), 2);
        assert_eq!((taken.len(), held_back.len()), (0, 2));
        let mut alone = vec![queued(5, vec![part(5, 3 * MAX_ROWS)])];
        assert_eq!(select(&mut alone, &mut Vec::new()).len(), 1);
    }
}
