//! The checkout process: from a submitted cart to a delivered and paid order, with a compensation for everything
//! that can go wrong on the way. It never calls out; the settlement process talks to the gateway.

mod cancel;
mod confirm;
mod fulfil;
mod reserve;
mod stock;

use std::time::Duration;

use async_trait::async_trait;
use cqrs_es::Aggregate;
use daybook_domain::OrderId;
use daybook_domain::cart::{Cart, CartEvent};
use daybook_domain::catalogue::DomainEvent;
use daybook_domain::order::{CancelReason, Order, OrderEvent, OrderStatus, Placement};
use daybook_domain::payment::{Payment, PaymentEvent};
use daybook_domain::shipment::{Shipment, ShipmentEvent};
use daybook_eventstore::RecordedEvent;
use uuid::Uuid;

use crate::process::{Process, ProcessError, Progress, Reaction};
use crate::shop::Shop;
use crate::timers::Timers;

/// How long the steps of a checkout may take.
#[derive(Debug, Clone, Copy)]
pub struct CheckoutPolicy {
    /// How long stock is held for an order that is not paid yet.
    pub hold_for: Duration,
    /// How long the payment may take to be authorised.
    pub pay_within: Duration,
}

impl Default for CheckoutPolicy {
    fn default() -> Self {
        Self { hold_for: Duration::from_mins(15), pay_within: Duration::from_mins(30) }
    }
}

/// The checkout process.
#[derive(Clone)]
pub struct Checkout {
    shop: Shop,
    timers: Timers,
    policy: CheckoutPolicy,
}

impl Checkout {
    /// Its name.
    pub const NAME: &'static str = "checkout";

    /// The checkout of this shop.
    pub const fn new(shop: Shop, timers: Timers, policy: CheckoutPolicy) -> Self {
        Self { shop, timers, policy }
    }

    /// The order as of the event that is reacted to, or later, when it was placed.
    async fn order(&self, order_id: OrderId) -> Result<Option<PlacedOrder>, ProcessError> {
        let state = self.shop.orders.recall(&order_id.to_string()).await?.state;
        Ok(state.placement().cloned().map(|placement| PlacedOrder { order_id, placement, state }))
    }
}

/// An order that exists.
struct PlacedOrder {
    order_id: OrderId,
    placement: Placement,
    state: std::sync::Arc<Order>,
}

impl PlacedOrder {
    /// Whether nothing was decided about it yet.
    fn is_open(&self) -> bool {
        self.state.status() == OrderStatus::Placed
    }

    /// Whether it was promised and not called off since.
    fn may_leave(&self) -> bool {
        matches!(self.state.status(), OrderStatus::Confirmed | OrderStatus::Completed)
    }
}

/// The order that an event is about.
pub(crate) fn order_of(reaction: &Reaction) -> Option<OrderId> {
    match &reaction.event {
        DomainEvent::Cart(CartEvent::Submitted { order_id, .. }) => Some(*order_id),
        DomainEvent::Order(_) => reaction.aggregate_id.parse().ok(),
        DomainEvent::Payment(event) => Some(event.order_id()),
        DomainEvent::Shipment(event) => Some(event.order_id()),
        DomainEvent::Cart(_)
        | DomainEvent::Inventory(_)
        | DomainEvent::Product(_)
        | DomainEvent::Person(_)
        | DomainEvent::Inspection(_) => None,
    }
}

#[async_trait]
impl Process for Checkout {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn hear(&self, event: &RecordedEvent) {
        self.shop.hear(event);
    }

    fn follows(&self, aggregate_type: &str) -> bool {
        [Cart::TYPE, Order::TYPE, Payment::TYPE, Shipment::TYPE].contains(&aggregate_type)
    }

    fn key(&self, reaction: &Reaction) -> Option<Uuid> {
        order_of(reaction).map(OrderId::uuid)
    }

    async fn react(&self, reaction: &Reaction) -> Result<Progress, ProcessError> {
        if let Some(order_id) = order_of(reaction) {
            self.follow(order_id, reaction).await?;
        }
        Ok(Progress::Done)
    }

    async fn due(&self, what: &str, reaction: &Reaction) -> Result<Progress, ProcessError> {
        let Some(order_id) = order_of(reaction) else { return Ok(Progress::Done) };
        match what {
            reserve::HOLDS => self.expire_holds(order_id, reaction).await,
            reserve::PAYMENT => self.expire_payment(order_id, reaction).await,
            _ => Err(ProcessError::Unknown(what.to_owned())),
        }
    }
}

impl Checkout {
    /// What follows from an event of this order: one line a step.
    #[expect(clippy::wildcard_enum_match_arm, reason = "every other event ends its thread of the process")]
    async fn follow(&self, order_id: OrderId, reaction: &Reaction) -> Result<(), ProcessError> {
        match &reaction.event {
            DomainEvent::Cart(CartEvent::Submitted { .. }) => self.place(order_id, reaction).await,
            DomainEvent::Payment(PaymentEvent::Authorised { .. }) => self.confirm(order_id, reaction).await,
            DomainEvent::Payment(PaymentEvent::Declined { .. }) => {
                self.cancel(order_id, CancelReason::PaymentDeclined, Vec::new(), reaction).await
            }
            DomainEvent::Payment(PaymentEvent::Expired { .. }) => {
                self.cancel(order_id, CancelReason::PaymentExpired, Vec::new(), reaction).await
            }
            DomainEvent::Payment(PaymentEvent::Conflicted { .. }) => {
                self.return_money_if_off(order_id, reaction).await
            }
            DomainEvent::Order(OrderEvent::Cancelled { .. }) => self.compensate(order_id, reaction).await,
            DomainEvent::Shipment(ShipmentEvent::Packed { remaining, .. }) if !remaining.is_empty() => {
                self.open_rest(order_id, remaining, reaction).await
            }
            DomainEvent::Order(OrderEvent::Dispatched { shipment_id, lines, carrier, tracking, .. }) => {
                let leaving = fulfil::Leaving { shipment_id: *shipment_id, lines, carrier, tracking };
                self.dispatch(order_id, leaving, reaction).await
            }
            DomainEvent::Shipment(ShipmentEvent::Delivered { .. }) => self.deliver(order_id, reaction).await,
            DomainEvent::Shipment(ShipmentEvent::Failed { .. }) => {
                fulfil::note_failed(order_id, reaction);
                Ok(())
            }
            DomainEvent::Order(OrderEvent::Delivered { .. })
            | DomainEvent::Payment(PaymentEvent::Captured { .. }) => self.complete(order_id, reaction).await,
            _ => Ok(()),
        }
    }
}
