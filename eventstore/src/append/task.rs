//! The task that turns waiting appends into batches: one task a process. While one batch is being written the next is
//! put together and sent after it, so that the store never waits for this process. Neither of the two rests on the other.

use std::time::{Duration, Instant};

use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use tokio::sync::mpsc;

use super::directory::Keeper;
use super::line::{Line, is_refusal};
use super::meters::Meters;
use super::select::{Claims, MAX_BATCH, take};
use super::{Append, Appended, DEADLINE, Queued, answer};
use crate::error::StoreError;

/// How many commands are looked at at once.
const MAX_WAITING: usize = 2 * MAX_BATCH;
/// The fewest commands that are sent after another batch before that one is done. Fewer are cheaper in the batch that
/// comes then: a batch costs as much as thirty commands.
const WORTHWHILE: usize = 96;
/// The first pause before a failed batch is tried again; it doubles up to [`MAX_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(20);
const MAX_PAUSE: Duration = Duration::from_secs(1);

/// A batch that is on its way.
struct Aloft {
    line: usize,
    commands: usize,
    claims: Claims,
}

pub(super) async fn run(lines: Vec<Line>, mut queue: mpsc::Receiver<Queued>, keeper: Keeper) {
    let mut idle: Vec<(usize, Line)> = lines.into_iter().enumerate().collect();
    let meters = Meters::new();
    let (mut sending, mut aloft) = (FuturesUnordered::new(), Vec::new());
    let (mut waiting, mut closed) = (Vec::with_capacity(MAX_WAITING), false);
    // How many of those that wait have not been looked at since something changed.
    let mut news = 0;
    loop {
        while waiting.len() < MAX_WAITING
            && let Ok(more) = queue.try_recv()
        {
            waiting.push(more);
            news += 1;
        }
        if news >= worthwhile(&aloft)
            && let Some((number, line)) = idle.pop()
        {
            news = 0;
            let claimed = aloft.iter().map(|other: &Aloft| &other.claims);
            let (batch, claims) = take(&meters, &mut waiting, &claimed);
            if batch.is_empty() {
                idle.push((number, line));
            } else {
                let beside = !aloft.is_empty();
                aloft.push(Aloft { line: number, commands: batch.len(), claims });
                let (meters, keeper) = (&meters, &keeper);
                sending.push(async move { (number, send(line, batch, beside, meters, keeper).await) });
                continue;
            }
        }
        if closed && waiting.is_empty() && sending.is_empty() {
            return;
        }
        tokio::select! {
            Some((number, line)) = sending.next(), if !sending.is_empty() => {
                aloft.retain(|batch| batch.line != number);
                idle.push((number, line));
                news = waiting.len();
            }
            more = queue.recv_many(&mut waiting, MAX_BATCH), if !closed && waiting.len() < MAX_WAITING => {
                closed = more == 0;
                news += more;
            }
        }
    }
}

/// How many commands must wait for a batch of theirs: any number when nothing is on its way. Otherwise few of them wait
/// for that, and go in one batch with those that come meanwhile.
fn worthwhile(aloft: &[Aloft]) -> usize {
    aloft.iter().map(|batch| batch.commands / 2).max().map_or(1, |half| half.max(WORTHWHILE))
}

async fn send(mut line: Line, queued: Vec<Queued>, beside: bool, meters: &Meters, keeper: &Keeper) -> Line {
    metrics::histogram!("daybook_append_batch_commands")
        .record(u32::try_from(queued.len()).unwrap_or(u32::MAX));
    let deadline = queued.iter().map(|q| q.since).min().unwrap_or_else(Instant::now) + DEADLINE;
    let appends: Vec<&Append> = queued.iter().map(|q| &q.append).collect();
    match try_until(&mut line, &appends, beside, deadline).await {
        Ok(outcomes) => {
            let last = outcomes.iter().rev().find_map(Appended::reached);
            for (queued, outcome) in queued.into_iter().zip(outcomes) {
                answer(meters, queued, Ok(outcome));
            }
            if let Some(position) = last {
                keeper.reached(position);
            }
        }
        // The database refuses something in the batch, or a key does that has been there since it looked: find out what, so
        // that its neighbours do not fail with it.
        Err(error) if is_refusal(&error) && (queued.len() > 1 || beside) => {
            for queued in queued {
                let outcome = if queued.append.is_unfounded() {
                    Ok(Appended::Unfounded)
                } else {
                    one(&mut line, &queued.append, deadline).await
                };
                answer(meters, queued, outcome);
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
                answer(meters, queued, Err(refusal.take().unwrap_or(StoreError::TimedOut)));
            }
        }
    }
    line
}

async fn one(line: &mut Line, append: &Append, deadline: Instant) -> Result<Appended, StoreError> {
    let outcomes = try_until(line, &[append], false, deadline).await?;
    outcomes.into_iter().next().ok_or(StoreError::TimedOut)
}

/// Tries until the database answers. Whether an attempt without an answer took effect does not matter: the
/// command ids make the repetition harmless.
async fn try_until(
    line: &mut Line,
    appends: &[&Append],
    mut beside: bool,
    deadline: Instant,
) -> Result<Vec<Appended>, StoreError> {
    let mut pause = FIRST_PAUSE;
    loop {
        let error = match line.append(appends, std::mem::take(&mut beside)).await {
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
