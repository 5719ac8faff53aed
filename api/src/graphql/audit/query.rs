//! The auditor's questions.

use std::sync::Arc;

use async_graphql::{Context, Object, SimpleObject};
use daybook_domain::OrderId;
use daybook_domain::inspection::Inspected;
use daybook_projections::audit::query::{self, AuditPage};
use futures::future::try_join_all;

use super::checkpoint::LogCheckpoint;
use super::dossier::OrderDossier;
use super::event::{AuditEvent, AuditEventConnection, proof};
use super::lookups::{Evidence, missing};
use super::record::record;
use super::sought::AuditEventFilterInput;
use crate::auth::Permission;
use crate::graphql::context::request;
use crate::graphql::error::ApiError;
use crate::graphql::id::IdOf;
use crate::graphql::reads::{self, Paging, Slice, cost};
use crate::graphql::scalar::Position;

/// The read model.
const MODEL: &str = "audit";
/// The lists' names, for cursors.
const OLDEST_FIRST: &str = "audit";
const NEWEST_FIRST: &str = "audit-newest-first";

/// An event with the proof that it is in the log.
#[derive(Debug, SimpleObject)]
pub(crate) struct EventProof {
    /// The event.
    event: AuditEvent,
    /// The proof, as a file that `daybook-replay check` and others' tools read (C2SP `tlog-proof`).
    proof: String,
    /// What the notary signed, which the proof leads to.
    checkpoint: LogCheckpoint,
}

/// The queries of auditors.
#[derive(Default)]
pub(crate) struct AuditQuery;

#[Object]
impl AuditQuery {
    /// The events of the log that are looked for, in the log's order, or with `newestFirst` in the opposite one. That they were
    /// shown is recorded. `afterPosition` makes it wait until it knows at least what a mutation reached.
    #[graphql(complexity = "cost(first, child_complexity)")]
    async fn audit_events(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        filter: Option<AuditEventFilterInput>,
        newest_first: Option<bool>,
        after_position: Option<Position>,
    ) -> Result<AuditEventConnection, ApiError> {
        allowed(ctx)?;
        let newest_first = newest_first.unwrap_or(false);
        let list = if newest_first { NEWEST_FIRST } else { OLDEST_FIRST };
        let (first, after) = Paging { first, after }.by_number(list)?;
        let sought = filter.unwrap_or_default().parse()?;
        let db = &reads::after(ctx, &[MODEL], after_position).await?.db;
        // One more than asked for says whether there are more.
        let page =
            AuditPage { first: first + 1, after: Some(after).filter(|after| *after > 0), newest_first };
        let query::Found { positions: mut found, extent } = query::find(db, &sought, page).await?;
        let total =
            if ctx.look_ahead().field("totalCount").exists() { query::count(db, &sought).await? } else { 0 };
        let has_next = found.len() > usize::try_from(first).unwrap_or(usize::MAX);
        found.truncate(usize::try_from(first).unwrap_or(usize::MAX));
        record(ctx, Inspected::Events { sought, shown: found.clone() }).await?;
        let evidence = ctx.data_unchecked::<Evidence>();
        let events = try_join_all(found.into_iter().map(async |position| {
            let event = evidence.events.get(position).await?.ok_or_else(|| missing(position))?;
            Ok::<_, ApiError>((position, AuditEvent::new(event)))
        }));
        let mut slice = Slice::by_number(list, events.await?, (first, after), total);
        slice.has_next = has_next;
        Ok(AuditEventConnection { slice, extent })
    }

    /// The whole story of an order; nothing when there is no such order. That it was shown is recorded.
    #[graphql(complexity = "child_complexity.saturating_add(500)")]
    async fn order_dossier(
        &self,
        ctx: &Context<'_>,
        order_id: IdOf<OrderId>,
        after_position: Option<Position>,
    ) -> Result<Option<OrderDossier>, ApiError> {
        allowed(ctx)?;
        reads::after(ctx, &[MODEL], after_position).await?;
        record(ctx, Inspected::Order { order_id: order_id.0 }).await?;
        let dossier = ctx.data_unchecked::<Evidence>().dossiers.get(order_id.0).await?;
        Ok(dossier.transpose()?.map(OrderDossier::new))
    }

    /// The event at this position with the proof that it is in the log; nothing as long as it is not signed, or when there is no
    /// such event. That it was shown is recorded. It is whole, so it is only for those who may see all of it.
    #[graphql(complexity = "child_complexity.saturating_add(10)")]
    async fn event_proof(
        &self,
        ctx: &Context<'_>,
        position: Position,
    ) -> Result<Option<EventProof>, ApiError> {
        allowed(ctx)?;
        if !request(ctx).identity.may(Permission::SeePaymentTokens) {
            return Err(ApiError::Forbidden);
        }
        record(ctx, Inspected::Proof { position: position.0 }).await?;
        let Some(proof) = proof(ctx, position.0).await? else { return Ok(None) };
        Ok(Some(EventProof {
            proof: proof.to_string(),
            checkpoint: LogCheckpoint::parse(proof.checkpoint.to_string())?,
            event: AuditEvent::new(Arc::new(proof.event)),
        }))
    }

    /// What the notary signed last of the log; nothing when nothing was signed yet. Anybody may keep it, and hold the shop to it
    /// later.
    async fn log_checkpoint(&self, ctx: &Context<'_>) -> Result<Option<LogCheckpoint>, ApiError> {
        LogCheckpoint::last(ctx).await
    }
}

fn allowed(ctx: &Context<'_>) -> Result<(), ApiError> {
    if request(ctx).identity.may(Permission::Audit) { Ok(()) } else { Err(ApiError::Forbidden) }
}
