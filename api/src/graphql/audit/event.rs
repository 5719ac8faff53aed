//! An event as auditors see it: as the log has it, whatever the read models say.

use std::sync::Arc;

use async_graphql::{Context, ID, Object};
use daybook_domain::Timestamp;
use daybook_eventstore::proof::InclusionProof;
use daybook_eventstore::{Metadata, RecordedEvent};
use daybook_projections::audit::query::Extent;
use daybook_projections::notary::Proved;

use super::lookups::Evidence;
use crate::auth::Permission;
use crate::graphql::context::request;
use crate::graphql::error::ApiError;
use crate::graphql::order::redacted;
use crate::graphql::reads::connection;
use crate::graphql::scalar::{Json, Position};

/// An event of the log.
#[derive(Debug, Clone)]
pub(crate) struct AuditEvent {
    recorded: Arc<RecordedEvent>,
    /// Nothing when it cannot be read.
    metadata: Option<Arc<Metadata>>,
}

impl AuditEvent {
    pub(super) fn new(recorded: Arc<RecordedEvent>) -> Self {
        let metadata = recorded.metadata().ok().map(Arc::new);
        Self { recorded, metadata }
    }

    fn number(&self) -> daybook_eventstore::Position {
        self.recorded.position
    }
}

#[Object]
impl AuditEvent {
    /// Its id.
    async fn id(&self) -> ID {
        ID(self.recorded.event_id.to_string())
    }

    /// Its place in the log: 1, 2, 3 and so on, with no hole.
    async fn position(&self) -> Position {
        Position(self.recorded.position)
    }

    /// What happened, such as `OrderPlaced`.
    #[graphql(name = "type")]
    async fn event_type(&self) -> &str {
        &self.recorded.event_type
    }

    /// The version of the payload's fields.
    async fn version(&self) -> &str {
        &self.recorded.event_version
    }

    /// The type of what it happened to, such as `Order`.
    async fn aggregate_type(&self) -> &str {
        &self.recorded.aggregate_type
    }

    /// What it happened to.
    async fn aggregate_id(&self) -> &str {
        &self.recorded.aggregate_id
    }

    /// Its place among all that happened to that, from 1.
    async fn sequence(&self) -> i64 {
        self.recorded.sequence
    }

    /// When it happened; nothing when its metadata cannot be read.
    async fn occurred_at(&self) -> Option<Timestamp> {
        self.metadata.as_ref().map(|cause| cause.occurred_at)
    }

    /// When it was recorded.
    async fn recorded_at(&self) -> Timestamp {
        self.recorded.recorded_at
    }

    /// Who caused it.
    async fn actor(&self) -> Option<&str> {
        self.metadata.as_ref().map(|cause| cause.actor.as_str())
    }

    /// The command that caused it.
    async fn command_id(&self) -> Option<String> {
        self.metadata.as_ref().map(|cause| cause.command_id.to_string())
    }

    /// The event that the command was an answer to; nothing when a person asked.
    async fn causation_id(&self) -> Option<String> {
        self.metadata.as_ref()?.causation_id.map(|id| id.to_string())
    }

    /// What all that followed from one request has in common.
    async fn correlation_id(&self) -> Option<String> {
        self.metadata.as_ref().map(|cause| cause.correlation_id.to_string())
    }

    /// What happened, with all its facts. Personal data in it is sealed, and what was paid with is left out for those who may
    /// not know.
    async fn payload(&self, ctx: &Context<'_>) -> Json {
        let payload = &self.recorded.payload;
        let whole = request(ctx).identity.may(Permission::SeePaymentTokens);
        Json(if whole { payload.clone() } else { redacted(payload) })
    }

    /// The proof that it is in the log as it was signed last, as a file that `daybook-replay check` and others' tools read
    /// (C2SP `tlog-proof`); nothing as long as it is not signed. The event is in it whole, so it is only for those who may see
    /// all of it.
    #[graphql(complexity = "10")]
    async fn proof(&self, ctx: &Context<'_>) -> Result<Option<String>, ApiError> {
        Ok(proof(ctx, self.number()).await?.map(|proof| proof.to_string()))
    }
}

/// The proof of an event, with the event in it; nothing as long as it is not signed.
pub(super) async fn proof(
    ctx: &Context<'_>,
    position: daybook_eventstore::Position,
) -> Result<Option<InclusionProof>, ApiError> {
    if !request(ctx).identity.may(Permission::SeePaymentTokens) {
        return Err(ApiError::Forbidden);
    }
    match ctx.data_unchecked::<Evidence>().proofs.get(position).await?.as_deref() {
        Some(Proved::Signed(proof)) => Ok(Some(proof.as_ref().clone())),
        Some(Proved::NotYet) | None => Ok(None),
        Some(Proved::Unknown) => {
            let message = "the tree is being made again, and proves nothing there now";
            Err(ApiError::bad_input("PROOF_NOT_AVAILABLE", message))
        }
        Some(Proved::Contradicted) => {
            let message =
                format!("what the log has at position {position}, or the tree, is not what was signed");
            Err(ApiError::bad_input("NOT_AS_SIGNED", message))
        }
    }
}

connection! {
    /// A part of the log's events.
    AuditEventConnection { extent: Extent, }, AuditEventEdge of AuditEvent;

    /// Up to where the index knows the log: later events are not here.
    async fn as_of(&self) -> Position {
        Position(self.extent.as_of)
    }

    /// How many events of the log are not in the index and may be missing here, because one beside them cannot be read. It is
    /// nothing but while somebody has to see to that.
    async fn unindexed(&self) -> i64 {
        self.extent.unindexed
    }
}
