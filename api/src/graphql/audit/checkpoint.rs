//! What the notary signed last.

use async_graphql::{Context, SimpleObject};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use daybook_eventstore::proof::{Note, NoteError, TreeHead};
use daybook_projections::notary;
use daybook_projections::runtime::TargetError;

use super::lookups::{Evidence, within};
use crate::graphql::error::ApiError;
use crate::graphql::scalar::Position;

/// What the log's notary signed: that the log began with so many events, whose tree has this root.
#[derive(Debug, Clone, SimpleObject)]
pub(crate) struct LogCheckpoint {
    /// The log's name.
    origin: String,
    /// How many events there were: the position of the last of them.
    size: Position,
    /// The root of their tree (RFC 9162, SHA-256), in base64.
    root: String,
    /// All of it with the signatures, as they are checked: a C2SP checkpoint in a signed note.
    note: String,
}

impl LogCheckpoint {
    pub(super) fn parse(text: String) -> Result<Self, ApiError> {
        let head = text.parse::<Note>().and_then(|note| note.text().parse::<TreeHead>());
        let head = head.map_err(|error: NoteError| ApiError::internal(error))?;
        Ok(Self {
            origin: head.origin,
            size: Position(i64::try_from(head.size).unwrap_or(i64::MAX)),
            root: STANDARD.encode(head.root.0),
            note: text,
        })
    }

    /// What was signed last; nothing when nothing was yet.
    pub(super) async fn last(ctx: &Context<'_>) -> Result<Option<Self>, ApiError> {
        let tree = &ctx.data_unchecked::<Evidence>().tree;
        within(notary::checkpoint(tree)).await?.map(Self::parse).transpose()
    }
}

impl From<TargetError> for ApiError {
    fn from(error: TargetError) -> Self {
        Self::internal(error)
    }
}
