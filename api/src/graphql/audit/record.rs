//! Recording what is read. Nothing is shown before that has succeeded: a shop whose log cannot be written to shows nothing to
//! auditors.

use std::collections::HashMap;
use std::sync::Arc;

use async_graphql::Context;
use daybook_commands::Shop;
use daybook_commands::use_cases::{UseCaseError, record_inspection};
use daybook_domain::inspection::Inspected;
use daybook_domain::{CommandId, InspectionId};
use daybook_eventstore::{CommandContext, Fingerprint};
use futures::future::join_all;
use uuid::Uuid;

use crate::auth::Permission;
use crate::graphql::context::request;
use crate::graphql::error::ApiError;
use crate::graphql::reads::{Batch, Loader};

/// Whoever looks, and for which request.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Looker {
    actor: String,
    correlation_id: Uuid,
    traceparent: String,
}

/// A look at something.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Look {
    who: Arc<Looker>,
    of: Inspected,
}

/// What was looked at, recorded one event for each request.
pub(crate) struct Looks(Shop);

impl Batch for Looks {
    type Key = Look;
    /// What went wrong with one request is nobody's business who made another.
    type Value = Result<(), ApiError>;

    async fn find(&self, looks: Vec<Look>) -> Result<HashMap<Look, Self::Value>, ApiError> {
        let mut requests: HashMap<Arc<Looker>, Vec<Inspected>> = HashMap::new();
        for look in &looks {
            requests.entry(Arc::clone(&look.who)).or_default().push(look.of.clone());
        }
        let record = async |(who, of): (Arc<Looker>, _)| (Arc::clone(&who), self.record(who, of).await);
        let recorded: HashMap<_, _> = join_all(requests.into_iter().map(record)).await.into_iter().collect();
        let of = |look: Look| Some((look.clone(), recorded.get(&look.who)?.clone()));
        Ok(looks.into_iter().filter_map(of).collect())
    }
}

impl Looks {
    async fn record(&self, who: Arc<Looker>, of: Vec<Inspected>) -> Result<(), ApiError> {
        let shop = &self.0;
        let id = InspectionId::generate(&*shop.ids);
        let context = CommandContext {
            command_id: CommandId::generate(&*shop.ids),
            // The command is never given twice.
            fingerprint: Fingerprint::of(&[id.uuid().as_bytes()]),
            actor: who.actor.clone(),
            correlation_id: who.correlation_id,
            causation_id: None,
            traceparent: Some(who.traceparent.clone()),
            occurred_at: shop.clock.now(),
        };
        match record_inspection(shop, &context, id, of).await {
            Ok(_recorded) => Ok(()),
            Err(UseCaseError::Conflict) => Err(ApiError::Overloaded),
            Err(UseCaseError::Store(error)) => Err(error.into()),
            Err(
                error @ (UseCaseError::Refused(_)
                | UseCaseError::KeyReused
                | UseCaseError::Vault(_)
                | UseCaseError::Outcome(_)),
            ) => Err(ApiError::internal(error)),
        }
    }
}

/// What was looked at. Cloning shares it.
pub(crate) type Records = Loader<Looks>;

/// Records looks in this shop.
pub(crate) fn records(shop: Shop) -> Records {
    Loader::new(Looks(shop))
}

/// Records that the client is about to be shown this, which they must be allowed to see.
pub(crate) async fn record(ctx: &Context<'_>, of: Inspected) -> Result<(), ApiError> {
    let request = request(ctx);
    if !request.identity.may(Permission::Audit) {
        return Err(ApiError::Forbidden);
    }
    let who = Arc::new(Looker {
        actor: request.identity.actor().to_owned(),
        correlation_id: request.correlation_id,
        traceparent: request.traceparent.clone(),
    });
    // What is not known to be recorded is not shown.
    ctx.data_unchecked::<Records>().get(Look { who, of }).await?.unwrap_or(Err(ApiError::Overloaded))
}
