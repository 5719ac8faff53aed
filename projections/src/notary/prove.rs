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
    /// What was signed last cannot be read.
    #[error("the last checkpoint cannot be read")]
    Note(#[from] NoteError),
}

/// What is known of an event's place in the log.
#[derive(Debug, Clone, PartialEq)]
pub enum Proved {
    /// It is in the log as it was signed.
    Signed(Box<InclusionProof>),
    /// It is younger than what was signed last.
    NotYet,
    /// It, or the tree, is not what was signed.
    Contradicted,
}

/// What is known of these events, by their positions, each against what was signed last.
///
/// # Errors
/// When the tree cannot be read.
pub async fn prove(
    tree: &PgPool,
    events: Vec<RecordedEvent>,
) -> Result<BTreeMap<Position, Proved>, ProveError> {
    let Some(note) = query::checkpoint(tree).await? else {
        return Ok(events.into_iter().map(|event| (event.position, Proved::NotYet)).collect());
    };
    let note: Note = note.parse()?;
    let head: TreeHead = note.text().parse()?;
    let index =
        |event: &RecordedEvent| u64::try_from(event.position - 1).ok().filter(|index| *index < head.size);
    let ranges = events.iter().filter_map(index).map(|index| inclusion_path(index, head.size));
    let ranges: Vec<_> = ranges.collect();
    let mut hashes = query::paths(tree, &ranges).await?.into_iter();
    let mut proved = BTreeMap::new();
    for event in events {
        let (position, index) = (event.position, index(&event));
        let found = match index.map(|index| (index, hashes.next().flatten())) {
            None => Proved::NotYet,
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
