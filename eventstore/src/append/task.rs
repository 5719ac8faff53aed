//! The task that turns waiting appends into batches. One task a process: what it sends is serial, so a chain's
//! commands reach the store in the order they were decided in.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use sqlx::PgPool;
use tokio::sync::mpsc;

use super::{Append, Appended, DEADLINE, Queued, batch};
use crate::error::StoreError;

/// The most commands in one batch: beyond this, the commit's cost is spread thin already.
const MAX_BATCH: usize = 512;
/// The first pause before a failed batch is tried again; it doubles up to [`MAX_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(20);
const MAX_PAUSE: Duration = Duration::from_secs(1);

pub(super) async fn run(pool: PgPool, mut waiting: mpsc::Receiver<Queued>) {
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
            send(&pool, batch).await;
        }
    }
}

/// Takes from `taken` what may go into one batch: broken chains are answered at once, and a second command
/// with the same id waits for the first one's outcome.
fn select(taken: &mut Vec<Queued>, held_back: &mut Vec<Queued>) -> Vec<Queued> {
    let mut ids = HashSet::with_capacity(taken.len());
    let mut batch = Vec::with_capacity(taken.len());
    for queued in taken.drain(..) {
        // What follows a held-back command of its chain waits with it.
        let waits =
            held_back.iter().any(|held| std::sync::Arc::ptr_eq(&held.append.chain, &queued.append.chain));
        if queued.append.chain.is_broken() {
            answer(queued, Ok(Appended::Unfounded));
        } else if waits || !ids.insert(queued.append.command_id) {
            held_back.push(queued);
        } else {
            batch.push(queued);
        }
    }
    batch
}

async fn send(pool: &PgPool, queued: Vec<Queued>) {
    metrics::histogram!("daybook_append_batch_commands")
        .record(u32::try_from(queued.len()).unwrap_or(u32::MAX));
    let deadline = Instant::now() + DEADLINE;
    let appends: Vec<&Append> = queued.iter().map(|q| &q.append).collect();
    match try_until(pool, &appends, deadline).await {
        Ok(outcomes) => {
            for (queued, outcome) in queued.into_iter().zip(outcomes) {
                answer(queued, Ok(outcome));
            }
        }
        // The database refuses something in the batch: find out what, so that its neighbours do not fail with it.
        Err(StoreError::Database(error)) if queued.len() > 1 && error.as_database_error().is_some() => {
            for queued in queued {
                let outcome = if queued.append.chain.is_broken() {
                    Ok(Appended::Unfounded)
                } else {
                    one(pool, &queued.append, deadline).await
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
            for queued in queued {
                answer(queued, Err(StoreError::TimedOut));
            }
        }
    }
}

async fn one(pool: &PgPool, append: &Append, deadline: Instant) -> Result<Appended, StoreError> {
    let outcomes = try_until(pool, &[append], deadline).await?;
    outcomes.into_iter().next().ok_or(StoreError::TimedOut)
}

/// Tries until the database answers. Whether an attempt without an answer took effect does not matter: the
/// command ids make the repetition harmless.
async fn try_until(
    pool: &PgPool,
    appends: &[&Append],
    deadline: Instant,
) -> Result<Vec<Appended>, StoreError> {
    let mut pause = FIRST_PAUSE;
    loop {
        let error = match batch::append(pool, appends).await {
            Ok(outcomes) => return Ok(outcomes),
            Err(error) => error,
        };
        if !is_transient(&error) || Instant::now() + pause > deadline {
            return Err(error);
        }
        metrics::counter!("daybook_append_retries_total").increment(1);
        tracing::warn!(error = &error as &dyn std::error::Error, "append will be tried again");
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(MAX_PAUSE);
    }
}

/// Whether the same batch may do better a moment later: the server is away, starting, stopping or full.
fn is_transient(error: &StoreError) -> bool {
    let StoreError::Database(error) = error else { return matches!(error, StoreError::TimedOut) };
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    // Classes 08 (connection), 40 (rollback), 53 (resources), 57 (operator intervention): PostgreSQL, appendix A.
    code.is_none_or(|code| ["08", "40", "53", "57"].iter().any(|class| code.starts_with(class)))
}

fn answer(queued: Queued, outcome: Result<Appended, StoreError>) {
    if !matches!(outcome, Ok(Appended::Done { .. })) {
        queued.append.chain.break_off();
    }
    let label = match &outcome {
        Ok(Appended::Done { .. }) => "done",
        Ok(Appended::Replayed { .. }) => "replayed",
        Ok(Appended::Mismatch) => "mismatch",
        Ok(Appended::Conflict) => "conflict",
        Ok(Appended::Unfounded) => "unfounded",
        Err(_) => "failed",
    };
    metrics::counter!("daybook_appends_total", "outcome" => label).increment(1);
    metrics::histogram!("daybook_append_seconds").record(queued.since.elapsed());
    // The caller may have gone; the append stands.
    let _ = queued.reply.send(outcome);
}
