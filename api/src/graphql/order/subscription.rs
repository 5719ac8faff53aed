//! Watching an order.

use std::time::Duration;

use async_graphql::{Context, Subscription};
use daybook_commands::use_cases::Scope;
use daybook_domain::OrderId;
use daybook_eventstore::{Position as At, Watch};
use futures::stream::unfold;
use futures::{Stream, StreamExt};

use super::Order;
use crate::graphql::context::request;
use crate::graphql::error::ApiError;
use crate::graphql::id::IdOf;
use crate::graphql::scalar::Position;
use crate::graphql::services::{Services, services};

/// The pause after the order could not be read.
const PAUSE: Duration = Duration::from_secs(1);

/// The subscriptions of orders.
#[derive(Default)]
pub(crate) struct OrderSubscription;

#[Subscription]
impl OrderSubscription {
    /// The order as it is, and again after each event of it, its payment and its parcels. It may be watched
    /// before it is placed. `after` makes the first one wait until it shows at least what a mutation reached. The
    /// stream ends when the watcher falls behind: subscribe again. An order that cannot be read yet is told as an
    /// error, and then read again.
    async fn order_updated(
        &self,
        ctx: &Context<'_>,
        id: IdOf<OrderId>,
        after: Option<Position>,
    ) -> impl Stream<Item = Result<Order, ApiError>> + use<> {
        let (services, scope) = (services(ctx).clone(), request(ctx).identity.sight());
        let watching = Watching::begin(services, scope, id.0, after.map_or(0, |after| after.0));
        unfold(watching, |mut watching| async move {
            let next = watching.next().await?;
            Some((next, watching))
        })
    }
}

/// Someone who watches an order.
struct Watching {
    services: Services,
    scope: Scope,
    order_id: OrderId,
    events: Watch,
    /// The position to read at next; nothing means wait for an event.
    due: Option<At>,
    /// Whether the order could not be read the last time, and whether it may be tried again.
    failed: Option<bool>,
}

impl Watching {
    /// Watches first and reads then, no older than what the watch will not tell, so that nothing in between is missed.
    fn begin(services: Services, scope: Scope, order_id: OrderId, after: At) -> Self {
        let events = services.live.watch(order_id.to_string());
        let due = Some(events.begins().max(after));
        Self { services, scope, order_id, events, due, failed: None }
    }

    async fn next(&mut self) -> Option<Result<Order, ApiError>> {
        match self.failed.take() {
            Some(true) => tokio::time::sleep(PAUSE).await,
            Some(false) => return None,
            None => {}
        }
        loop {
            let at = match self.due {
                Some(at) => at,
                None => self.events.next().await?.position,
            };
            // Until it is read, it is to be read.
            self.due = Some(at);
            match read(&self.services, self.order_id, at).await {
                Ok(found) => {
                    self.due = None;
                    match found {
                        Some(order) if self.scope.covers(order.0.customer_id) => return Some(Ok(order)),
                        Some(_) => return None,
                        None => {}
                    }
                }
                Err(error) => {
                    self.failed = Some(error.is_temporary());
                    return Some(Err(error));
                }
            }
        }
    }
}

async fn read(services: &Services, order_id: OrderId, at: At) -> Result<Option<Order>, ApiError> {
    services.reads.reach(&["orders"], Position(at)).await?;
    Ok(services.reads.load.orders.get(order_id).await?.map(Order))
}
