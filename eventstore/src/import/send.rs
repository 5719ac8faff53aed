//! The way of one chunk: made ready, waiting for its turn, written; tried again when the database fails, and divided when
//! it refuses something in it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::Landed;
use super::failure::Failure;
use super::judge::Before;
use super::line::{Line, Written};
use crate::append::{Append, Appended, DEADLINE, Meters};
use crate::error::StoreError;

/// The first pause before a chunk is tried again; it doubles up to [`MAX_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(20);
const MAX_PAUSE: Duration = Duration::from_secs(1);

/// An outcome for each command of a chunk.
pub(super) type Sent = Vec<Result<Appended, StoreError>>;

/// Has a chunk take effect after the one before, and tells the one after.
pub(super) async fn send(
    mut line: Line,
    chunk: Arc<Vec<Append>>,
    turn: Option<oneshot::Receiver<Option<Before>>>,
    done: oneshot::Sender<Option<Before>>,
) -> Landed {
    let sent = in_turn(&mut line, &chunk, turn).await;
    if let Ok((outcomes, head)) = &sent {
        let reached = outcomes.iter().enumerate().filter_map(|(index, outcome)| match outcome {
            Ok(Appended::Done { position, .. }) => Some((index, *position)),
            Ok(_) | Err(_) => None,
        });
        let before = Before { done: reached.collect(), head: *head, chunk };
        // Of a chunk that did nothing there is nothing to know. There may be no other, too.
        let _ = done.send(Some(before).filter(|before| !before.done.is_empty()));
    }
    (line, sent.map(|(outcomes, _)| outcomes))
}

/// An outcome for each command, and where the log stood before and after, when that is one stretch.
type InTurn = (Sent, Option<(i64, i64)>);

async fn in_turn(
    line: &mut Line,
    chunk: &[Append],
    turn: Option<oneshot::Receiver<Option<Before>>>,
) -> Result<InTurn, StoreError> {
    let ready = line.make_ready(chunk).await;
    let first = turn.is_none();
    let before = match turn {
        // Gone with a chunk that failed: nothing is to come after that.
        Some(turn) => turn.await.map_err(|_gone| StoreError::Closed)?,
        None => None,
    };
    let written = match ready {
        Ok(ready) if first => line.write(chunk, ready).await.map(Some),
        Ok(ready) => line.write_after(chunk, ready, before.as_ref()).await,
        Err(failure) => Err(failure),
    };
    let meters = Meters::new();
    match written {
        Ok(Some(Written { outcomes, head })) => return Ok((settle(&meters, chunk, outcomes), Some(head))),
        Ok(None) => {}
        Err(Failure { error, .. }) => note_retry(&error),
    }
    piecemeal(line, &meters, chunk).await
}

/// Has a chunk take effect as a whole or, when the database refuses something in it, in halves, down to what it is.
async fn piecemeal(line: &mut Line, meters: &Meters, chunk: &[Append]) -> Result<InTurn, StoreError> {
    let mut sent = Vec::with_capacity(chunk.len());
    let mut head = None;
    let mut pieces = vec![chunk];
    while let Some(piece) = pieces.pop() {
        match try_until(line, piece, Instant::now() + DEADLINE).await {
            Ok(written) => {
                head = (piece.len() == chunk.len()).then_some(written.head);
                sent.extend(settle(meters, piece, written.outcomes));
            }
            Err(Failure { error, is_refusal: false }) => return Err(error),
            Err(Failure { error, .. }) => match piece {
                [command] => sent.push(answer(meters, command, Err(error))),
                piece => {
                    let (first, second) = piece.split_at(piece.len() / 2);
                    pieces.extend([second, first]);
                }
            },
        }
    }
    Ok((sent, head))
}

/// Tries until the database answers. Whether an attempt without an answer took effect does not matter: the command ids
/// make the repetition harmless.
async fn try_until(line: &mut Line, chunk: &[Append], deadline: Instant) -> Result<Written, Failure> {
    let mut pause = FIRST_PAUSE;
    loop {
        let attempt = async {
            let ready = line.make_ready(chunk).await?;
            line.write(chunk, ready).await
        };
        let failure = match attempt.await {
            Ok(written) => return Ok(written),
            Err(failure) => failure,
        };
        if failure.is_refusal || Instant::now() + pause > deadline {
            return Err(failure);
        }
        note_retry(&failure.error);
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(MAX_PAUSE);
    }
}

fn note_retry(error: &StoreError) {
    metrics::counter!("daybook_append_retries_total").increment(1);
    tracing::warn!(error = error as &dyn std::error::Error, "a chunk of an import will be tried again");
}

fn settle(meters: &Meters, commands: &[Append], outcomes: Vec<Appended>) -> Sent {
    commands.iter().zip(outcomes).map(|(command, outcome)| answer(meters, command, Ok(outcome))).collect()
}

/// Counts an outcome, and tells those that rest on it.
fn answer(
    meters: &Meters,
    command: &Append,
    outcome: Result<Appended, StoreError>,
) -> Result<Appended, StoreError> {
    command.tell(outcome.as_ref().ok());
    meters.note(&outcome);
    outcome
}
