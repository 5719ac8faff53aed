//! Watching an order.

use std::collections::HashSet;
use std::sync::Arc;

use async_graphql::{Context, Subscription};
use daybook_commands::use_cases::Scope;
use daybook_domain::{OrderId, PaymentId, ShipmentId};
use daybook_eventstore::{Position as At, RecordedEvent, StreamId};
use futures::stream::{BoxStream, SelectAll, once, unfold};
use futures::{Stream, StreamExt};

use super::Order;
use crate::graphql::context::request;
use crate::graphql::error::ApiError;
use crate::graphql::id::IdOf;
use crate::graphql::scalar::Position;
use crate::graphql::services::{Services, services};

/// The subscriptions of orders.
#[derive(Default)]
pub(crate) struct OrderSubscription;

#[Subscription]
impl OrderSubscription {
    /// The order as it is, and again after each event of it, its payment and its parcels. It may be watched
    /// before it is placed. The stream ends when the watcher falls behind: subscribe again.
    async fn order_updated(
        &self,
        ctx: &Context<'_>,
        id: IdOf<OrderId>,
    ) -> impl Stream<Item = Result<Order, ApiError>> + use<> {
        let watching = Watching::begin(services(ctx).clone(), request(ctx).identity.scope(), id.0);
        unfold(watching, |mut watching| async move {
            let next = watching.next().await?;
            Some((next, watching))
        })
    }
}

type Events = BoxStream<'static, Option<Arc<RecordedEvent>>>;

/// Someone who watches an order.
struct Watching {
    services: Services,
    scope: Scope,
    order_id: OrderId,
    events: SelectAll<Events>,
    parcels: HashSet<ShipmentId>,
    /// The position to read at next; nothing means wait for an event.
    due: Option<At>,
}

impl Watching {
    /// Watches first and reads then, so that nothing in between is missed.
    fn begin(services: Services, scope: Scope, order_id: OrderId) -> Self {
        let payment_id = PaymentId::derived(order_id.uuid(), "payment");
        let mut watching = Self {
            services,
            scope,
            order_id,
            events: SelectAll::new(),
            parcels: HashSet::new(),
            due: Some(0),
        };
        watching.watch("Order", order_id.to_string());
        watching.watch("Payment", payment_id.to_string());
        watching
    }

    fn watch(&mut self, aggregate_type: &str, aggregate_id: String) {
        let stream = StreamId { aggregate_type: aggregate_type.to_owned(), aggregate_id };
        // Its end must be seen: among several, one that ends would go unnoticed.
        let events = self.services.live.watch(stream).map(Some).chain(once(async { None }));
        self.events.push(events.boxed());
    }

    async fn next(&mut self) -> Option<Result<Order, ApiError>> {
        loop {
            let at = match self.due.take() {
                Some(at) => at,
                None => self.events.next().await??.position,
            };
            match read(&self.services, self.order_id, at).await {
                Ok(Some(order)) if self.scope.covers(order.0.customer_id) => {
                    self.watch_parcels(&order);
                    return Some(Ok(order));
                }
                Ok(Some(_)) => return None,
                Ok(None) => {}
                Err(error) => return Some(Err(error)),
            }
        }
    }

    fn watch_parcels(&mut self, order: &Order) {
        for parcel in &order.0.shipments {
            if self.parcels.insert(parcel.shipment_id) {
                self.watch("Shipment", parcel.shipment_id.to_string());
            }
        }
    }
}

async fn read(services: &Services, order_id: OrderId, at: At) -> Result<Option<Order>, ApiError> {
    services.reads.reach(&["orders"], Position(at)).await?;
    Ok(services.reads.load.orders.get(order_id).await?.map(Order))
}
