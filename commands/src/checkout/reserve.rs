//! From the submitted cart to held stock and a requested payment, and what happens when either runs out of time.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::TimeDelta;
use daybook_domain::cart::CartEvent;
use daybook_domain::catalogue::DomainEvent;
use daybook_domain::inventory::{Claim, Inventory, InventoryCommand, InventoryRefusal, StockItem};
use daybook_domain::order::{CancelReason, OrderCommand, StockHold};
use daybook_domain::payment::{Authorisation, PaymentCommand, PaymentRefusal};
use daybook_domain::sourcing::{Sourced, candidates, choose};
use daybook_domain::{OrderId, Quantity, Timestamp, VariantId};
use futures::future::try_join_all;

use super::{Checkout, PlacedOrder};
use crate::process::{Due, ProcessError, Progress, Reaction, ask, begin, tell};
use crate::related::payment_of;

/// What is due when the holds run out.
pub(super) const HOLDS: &str = "holds";
/// What is due when the payment's deadline has passed.
pub(super) const PAYMENT: &str = "payment";

impl Checkout {
    /// Cart submitted: the order is placed as it was quoted.
    pub(super) async fn place(&self, order_id: OrderId, reaction: &Reaction) -> Result<(), ProcessError> {
        let DomainEvent::Cart(CartEvent::Submitted { contact, address, quote, payment_token, .. }) =
            &reaction.event
        else {
            return Ok(());
        };
        let cart = self.shop.carts.recall(&reaction.aggregate_id).await?.state;
        let Some(terms) = cart.terms() else { return Ok(()) };
        let command = OrderCommand::Place {
            order_id,
            cart_id: terms.cart_id,
            customer_id: terms.customer_id,
            contact: contact.clone(),
            address: address.clone(),
            quote: quote.clone(),
            payment_token: payment_token.clone(),
        };
        let context = reaction.context("place", self.shop.clock.now());
        begin(&self.shop.orders, &order_id.to_string(), command, &context, |_| false).await
    }

    /// Order placed: all of its stock is held and the payment requested, or it is cancelled.
    pub(super) async fn reserve(&self, order_id: OrderId, reaction: &Reaction) -> Result<(), ProcessError> {
        let Some(order) = self.order(order_id).await?.filter(PlacedOrder::is_open) else { return Ok(()) };
        let now = self.shop.clock.now();
        let holds_until = now + bounded(self.policy.hold_for);
        let deadline = now + bounded(self.policy.pay_within);
        let due = [Due { what: HOLDS, at: holds_until }, Due { what: PAYMENT, at: deadline }];
        let timers = due.map(|due| due.timer(self, reaction));

        let sourced = self.source(&order).await?;
        let reserve =
            |item, quantity| InventoryCommand::Reserve { item, order_id, quantity, expires_at: holds_until };
        let holding =
            try_join_all(sourced.iter().map(|one| self.first_that_has(one, "reserve", reserve, reaction)));
        // After a crash in between, this step is run again and does what is missing.
        let timed = async { Ok(self.timers.schedule(&timers).await?) };
        let (held, ()) = tokio::try_join!(holding, timed)?;
        let short = held.contains(&None);
        let holds: Vec<StockHold> = held.into_iter().flatten().collect();
        if short {
            return self.cancel(order_id, CancelReason::OutOfStock, holds, reaction).await;
        }
        let noted = self.note(order_id, "note holds", OrderCommand::RecordReserved { holds }, reaction);
        let requested = self.request_payment(&order, deadline, reaction);
        let (stands, ()) = tokio::try_join!(noted, requested)?;
        if stands { Ok(()) } else { self.compensate(order_id, reaction).await }
    }

    /// Where to try to get each variant, in one look at the stock. A location where the order has it already (an
    /// earlier run of this step or of the one before) comes first, or it would be taken twice.
    pub(super) async fn source(&self, order: &PlacedOrder) -> Result<Vec<Sourced>, ProcessError> {
        let quote = &order.placement.quote;
        let demand: Vec<(VariantId, Quantity)> =
            quote.lines.iter().map(|line| (line.variant_id, line.quantity)).collect();
        let locations = candidates(&self.shop.locations, &quote.country);
        let items = self.items(order);
        let stock: HashMap<StockItem, Arc<Inventory>> =
            items.iter().cloned().zip(self.stock(&items).await?).collect();
        let claimed =
            |item: &StockItem| stock.get(item).is_some_and(|one| one.claim(order.order_id).is_some());
        let available = |item: &StockItem| {
            if claimed(item) { i64::MAX } else { stock.get(item).map_or(0, |one| one.available()) }
        };
        let mut sourced =
            choose(&demand, &locations, available).map_err(|error| ProcessError::refused(&error))?;
        for Sourced { variant_id, locations, .. } in &mut sourced {
            let variant_id = *variant_id;
            locations.sort_by_key(|location| !claimed(&StockItem { variant_id, location: location.clone() }));
        }
        Ok(sourced)
    }

    /// Asks for one variant at one location after the other, and says where it was there.
    pub(super) async fn first_that_has(
        &self,
        wanted: &Sourced,
        step: &str,
        command: impl Fn(StockItem, Quantity) -> InventoryCommand,
        reaction: &Reaction,
    ) -> Result<Option<StockHold>, ProcessError> {
        let Sourced { variant_id, quantity, locations } = wanted;
        for location in locations {
            let item = StockItem { variant_id: *variant_id, location: location.clone() };
            let id = item.to_string();
            let context = reaction.context(&format!("{step} {id}"), self.shop.clock.now());
            match ask(&self.shop.inventory, &id, command(item.clone(), *quantity), &context).await? {
                Ok(_) => return Ok(Some(StockHold { item, quantity: *quantity })),
                Err(InventoryRefusal::OutOfStock { .. }) => {}
                Err(refusal) => return Err(ProcessError::refused(&refusal)),
            }
        }
        Ok(None)
    }

    async fn stock(&self, items: &[StockItem]) -> Result<Vec<Arc<Inventory>>, ProcessError> {
        let ids: Vec<String> = items.iter().map(ToString::to_string).collect();
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        Ok(self.shop.inventory.recall_many(&ids).await?.into_iter().map(|one| one.state).collect())
    }

    async fn request_payment(
        &self,
        order: &PlacedOrder,
        deadline: Timestamp,
        reaction: &Reaction,
    ) -> Result<(), ProcessError> {
        let payment_id = payment_of(order.order_id);
        let command = PaymentCommand::RequestAuthorisation {
            payment_id,
            order_id: order.order_id,
            amount: order.placement.quote.total,
            payment_token: order.placement.payment_token.clone(),
            deadline,
        };
        let context = reaction.context("request payment", self.shop.clock.now());
        begin(&self.shop.payments, &payment_id.to_string(), command, &context, |refusal| {
            matches!(refusal, PaymentRefusal::AlreadyExists)
        })
        .await
    }

    /// The holds have run out: what is still only held is free again. An order that is paid later takes it again.
    pub(super) async fn expire_holds(
        &self,
        order_id: OrderId,
        reaction: &Reaction,
    ) -> Result<Progress, ProcessError> {
        let Some(order) = self.order(order_id).await? else { return Ok(Progress::Done) };
        let items = self.items(&order);
        let stock = self.stock(&items).await?;
        let expired = items.into_iter().zip(stock).map(|(item, stock)| async move {
            match stock.claim(order_id) {
                Some(Claim::Reserved { expires_at, .. }) => {
                    self.expire(order_id, item, *expires_at, reaction).await
                }
                Some(Claim::Allocated { .. }) | None => Ok(Progress::Done),
            }
        });
        let waiting = try_join_all(expired).await?.contains(&Progress::Waiting);
        Ok(if waiting { Progress::Waiting } else { Progress::Done })
    }

    async fn expire(
        &self,
        order_id: OrderId,
        item: StockItem,
        expires_at: Timestamp,
        reaction: &Reaction,
    ) -> Result<Progress, ProcessError> {
        let (now, id) = (self.shop.clock.now(), item.to_string());
        if expires_at > now {
            return Ok(Progress::Waiting);
        }
        let context = reaction.context(&format!("expire {id}"), now);
        let command = InventoryCommand::Expire { item, order_id, at: now };
        // Nothing else can be refused here, and released in between is as good as expired.
        drop(ask(&self.shop.inventory, &id, command, &context).await?);
        Ok(Progress::Done)
    }

    /// The payment's deadline has passed: without an authorisation, it is given up.
    pub(super) async fn expire_payment(
        &self,
        order_id: OrderId,
        reaction: &Reaction,
    ) -> Result<Progress, ProcessError> {
        let id = payment_of(order_id).to_string();
        let payment = self.shop.payments.recall(&id).await?.state;
        let Some(request) = payment.request() else { return Ok(Progress::Done) };
        let now = self.shop.clock.now();
        match payment.authorisation() {
            Authorisation::Held { .. } | Authorisation::Declined { .. } | Authorisation::Expired => {
                return Ok(Progress::Done);
            }
            Authorisation::Pending | Authorisation::ActionRequired { .. } if request.deadline > now => {
                return Ok(Progress::Waiting);
            }
            Authorisation::Pending | Authorisation::ActionRequired { .. } => {}
        }
        let context = reaction.context("expire payment", now);
        tell(&self.shop.payments, &id, PaymentCommand::Expire { at: now }, &context, |_| false).await?;
        Ok(Progress::Done)
    }

    /// Every stock item that an order may have something of: each of its variants at each location.
    pub(super) fn items(&self, order: &PlacedOrder) -> Vec<StockItem> {
        let mut variants: Vec<VariantId> =
            order.placement.quote.lines.iter().map(|line| line.variant_id).collect();
        variants.sort_unstable();
        variants.dedup();
        let at = |variant_id: VariantId| {
            self.shop.locations.iter().map(move |one| StockItem { variant_id, location: one.code.clone() })
        };
        variants.into_iter().flat_map(at).collect()
    }
}

/// A configured duration, as the calendar counts it.
fn bounded(duration: std::time::Duration) -> TimeDelta {
    TimeDelta::from_std(duration).unwrap_or(TimeDelta::MAX)
}
