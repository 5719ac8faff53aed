//! Bringing the version that is behind to where the other one is: which events it lacks.

use daybook_eventstore::{Checkpoint, Position, RecordedEvent};

use super::Comparing;
use crate::runtime::error::RuntimeError;
use crate::runtime::versions::Version;

/// How far apart two versions may be. A checkpoint that is kept in Meilisearch may be half of that behind.
const MOST: usize = 20_000;

/// What brings one of two versions to where the other is.
pub(super) struct Step {
    /// Which of them is behind.
    pub(super) side: usize,
    /// What it lacks.
    pub(super) events: Vec<RecordedEvent>,
    /// Where both are then.
    pub(super) to: Position,
}

/// The step between two versions that stand there; nothing as long as they are too far apart, in different logs, or the
/// one that is behind was folded by other code than `ours`.
pub(super) async fn step(
    within: &Comparing<'_>,
    versions: [&Version; 2],
    at: [Checkpoint; 2],
    ours: i32,
) -> Result<Option<Step>, RuntimeError> {
    let [first, second] = at;
    let side = usize::from(second.position < first.position);
    let (from, to) = (at[side].position, at[1 - side].position);
    let lacks = usize::try_from(to - from).unwrap_or(usize::MAX);
    if first.epoch != second.epoch || lacks > MOST || (lacks > 0 && versions[side].revision != ours) {
        return Ok(None);
    }
    if lacks == 0 {
        return Ok(Some(Step { side, events: Vec::new(), to }));
    }
    let events = within.log.reader.read(from, lacks).await?;
    let whole = events.last().is_some_and(|last| last.position == to) && events.len() == lacks;
    Ok(whole.then_some(Step { side, events, to }))
}
