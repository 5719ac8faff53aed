//! Proofs that events are in the log as it was signed, many at a time.

use std::collections::BTreeMap;

use daybook_eventstore::proof::{
    Facts, InclusionProof, Note, NoteError, TreeHead, inclusion_path, is_included,
};
use daybook_eventstore::{Position, RecordedEvent};
use sqlx::PgPool;

use super::query;
use crate::runtime::TargetError;

/// Why nothing can be proved.
#[derive(Debug, thiserror::Error)]
pub enum ProveError {
    /// The tree could not be read.
    #[error("the tree could not be read")]
    Kept(#[from] TargetError),
    /// What was signed cannot be read.
    #[error("the checkpoint cannot be read")]
    Note(#[from] NoteError),
}

/// What is known of what the log has at a position.
#[derive(Debug, Clone, PartialEq)]
pub enum Proved {
    /// The event is in the log as it was signed.
    Signed(Box<InclusionProof>),
    /// It is younger than what was signed.
    NotYet,
    /// The tree is not kept there, as while it is made again: nothing can be said now.
    Unknown,
    /// The event, or the tree, is not what was signed; or there is no event any more.
    Contradicted,
}

/// What is known of these positions, at which the log has these events, against a checkpoint. Who signed that is for whoever
/// is given the proofs to check.
///
/// # Errors
/// When the tree cannot be read.
pub async fn prove(
    tree: &PgPool,
    note: &Note,
    positions: &[Position],
    events: Vec<RecordedEvent>,
) -> Result<BTreeMap<Position, Proved>, ProveError> {
    let head: TreeHead = note.text().parse()?;
    let index = |position: Position| u64::try_from(position - 1).ok().filter(|index| *index < head.size);
    let signed = events.iter().filter_map(|event| index(event.position));
    let ranges: Vec<_> = signed.map(|index| inclusion_path(index, head.size)).collect();
    let mut paths = query::paths(tree, &ranges).await?.into_iter();
    // Where the log has nothing it must have had something, as far as it is signed.
    let nothing = |position: Position| index(position).map_or(Proved::NotYet, |_| Proved::Contradicted);
    let mut proved: BTreeMap<_, _> =
        positions.iter().map(|position| (*position, nothing(*position))).collect();
    for event in events {
        let (position, index) = (event.position, index(event.position));
        let found = match index.map(|index| (index, paths.next().flatten())) {
            None => Proved::NotYet,
            Some((_, None)) => Proved::Unknown,
            Some((index, Some(path)))
                if is_included(Facts::from(&event).hash(), index, head.size, &path, head.root) =>
            {
                Proved::Signed(Box::new(InclusionProof { event, path, checkpoint: note.clone() }))
            }
            Some(_) => Proved::Contradicted,
        };
        proved.insert(position, found);
    }
    Ok(proved)
}
