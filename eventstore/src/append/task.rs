//! The task that turns waiting appends into batches: one task a process. While one batch is being written the next is
//! put together and sent after it, so that the store never waits for this process. Neither of the two rests on the other.

use std::future::ready;
use std::task::Poll;
use std::time::{Duration, Instant};

use futures::future::Either;
use futures::stream::FuturesUnordered;
use futures::{StreamExt as _, poll};
use tokio::sync::mpsc;

use super::directory::Keeper;
use super::line::{Line, is_refusal};
use super::meters::Meters;
use super::select::{Claims, MAX_BATCH, take};
use super::{Append, Appended, DEADLINE, Queued, answer};
use crate::error::StoreError;
use crate::event::Position;

/// How many commands are looked at at once.
const MAX_WAITING: usize = 2 * MAX_BATCH;
/// The fewest commands that are sent after another batch before that one is done. Fewer are cheaper in the batch that
/// comes then: a batch costs as much as thirty commands.
const WORTHWHILE: usize = 96;
/// So many that wait are sent before those of the last batch are answered, when the store would be idle meanwhile. Fewer are
/// sent after that, with those who ask again at once: they are given the processor so many times.
const MANY: usize = 24;
const YIELDS: usize = 8;
/// The first pause before a failed batch is tried again; it doubles up to [`MAX_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(20);
const MAX_PAUSE: Duration = Duration::from_secs(1);

/// A batch that is on its way.
struct Aloft {
    line: usize,
    commands: usize,
    claims: Claims,
}

/// A batch that is done: everything it broke knows, and nobody has been answered.
struct Done {
    number: usize,
    line: Line,
    answers: Vec<(Queued, Result<Appended, StoreError>)>,
}

pub(super) async fn run(lines: Vec<Line>, mut queue: mpsc::Receiver<Queued>, keeper: Keeper) {
    let mut idle: Vec<(usize, Line)> = lines.into_iter().enumerate().collect();
    let meters = Meters::new();
    let (mut sending, mut aloft) = (FuturesUnordered::new(), Vec::new());
    let (mut waiting, mut closed) = (Vec::with_capacity(MAX_WAITING), false);
    // How many of those that wait have not been looked at since something changed.
    let mut news = 0;
    let mut unanswered = Vec::new();
    loop {
        while waiting.len() < MAX_WAITING
            && let Ok(more) = queue.try_recv()
        {
            waiting.push(more);
            news += 1;
        }
        if news >= worthwhile(&aloft)
            && (unanswered.is_empty() || (aloft.is_empty() && waiting.len() >= MANY))
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
                let mut sent = Box::pin(send(number, line, batch, beside));
                // It is on its way before anybody is answered.
                match poll!(&mut sent) {
                    Poll::Pending => sending.push(Either::Left(sent)),
                    Poll::Ready(done) => sending.push(Either::Right(ready(done))),
                }
                continue;
            }
        }
        if !unanswered.is_empty() {
            let last = unanswered.iter().rev().find_map(|(_, outcome)| reached(outcome));
            let answered = unanswered.len();
            unanswered.drain(..).for_each(|(queued, outcome)| answer(&meters, queued, outcome));
            if let Some(position) = last {
                keeper.reached(position);
            }
            for _ in 0..YIELDS {
                if answered > MANY || queue.len() + waiting.len() >= answered {
                    break;
                }
                tokio::task::yield_now().await;
            }
            continue;
        }
        if closed && waiting.is_empty() && sending.is_empty() {
            return;
        }
        tokio::select! {
            Some(done) = sending.next(), if !sending.is_empty() => {
                aloft.retain(|batch| batch.line != done.number);
                idle.push((done.number, done.line));
                news = waiting.len();
                unanswered = done.answers;
            }
            more = queue.recv_many(&mut waiting, MAX_BATCH), if !closed && waiting.len() < MAX_WAITING => {
                closed = more == 0;
                news += more;
            }
        }
    }
}

fn reached(outcome: &Result<Appended, StoreError>) -> Option<Position> {
    outcome.as_ref().ok().and_then(Appended::reached)
}

/// How many commands must wait for a batch of theirs: any number when nothing is on its way. Otherwise few of them wait
/// for that, and go in one batch with those that come meanwhile.
fn worthwhile(aloft: &[Aloft]) -> usize {
    aloft.iter().map(|batch| batch.commands / 2).max().map_or(1, |half| half.max(WORTHWHILE))
}

async fn send(number: usize, mut line: Line, queued: Vec<Queued>, beside: bool) -> Done {
    metrics::histogram!("daybook_append_batch_commands")
        .record(u32::try_from(queued.len()).unwrap_or(u32::MAX));
    let deadline = queued.iter().map(|q| q.since).min().unwrap_or_else(Instant::now) + DEADLINE;
    let appends: Vec<&Append> = queued.iter().map(|q| &q.append).collect();
    let outcomes = match try_until(&mut line, &appends, beside, deadline).await {
        Ok(outcomes) => outcomes.into_iter().map(Ok).collect(),
        // The database refuses something in the batch, or a key does that has been there since it looked: find out what, so
        // that its neighbours do not fail with it.
        Err(error) if is_refusal(&error) && (queued.len() > 1 || beside) => {
            one_by_one(&mut line, &appends, deadline).await
        }
        Err(error) => {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                commands = queued.len(),
                "append failed"
            );
            let mut refusal = Some(error).filter(is_refusal);
            appends.iter().map(|_| Err(refusal.take().unwrap_or(StoreError::TimedOut))).collect()
        }
    };
    let outcomes: Vec<Result<Appended, StoreError>> = outcomes;
    for (append, outcome) in appends.iter().zip(&outcomes) {
        append.tell(outcome.as_ref().ok());
    }
    Done { number, line, answers: queued.into_iter().zip(outcomes).collect() }
}

async fn one_by_one(
    line: &mut Line,
    appends: &[&Append],
    deadline: Instant,
) -> Vec<Result<Appended, StoreError>> {
    let mut outcomes = Vec::with_capacity(appends.len());
    for append in appends {
        let outcome =
            if append.is_unfounded() { Ok(Appended::Unfounded) } else { one(line, append, deadline).await };
        append.tell(outcome.as_ref().ok());
        outcomes.push(outcome);
    }
    outcomes
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
