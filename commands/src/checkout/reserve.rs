//! From the submitted cart to held stock and a requested payment, and what happens when either runs out of time.

use chrono::TimeDelta;
use daybook_domain::cart::CartEvent;
use daybook_domain::catalogue::DomainEvent;
use daybook_domain::inventory::{Claim, InventoryCommand, StockItem};
use daybook_domain::order::{OrderCommand, StockHold};
use daybook_domain::payment::{Authorisation, PaymentCommand};
use daybook_domain::pricing::Quote;
use daybook_domain::{OrderId, Timestamp};
use daybook_eventstore::Unit;
use futures::future::try_join_all;

use super::Checkout;
use crate::process::{Due, ProcessError, Progress, Reaction, ask, must, tell, together};
use crate::related::payment_of;

/// What is due when the holds run out.
pub(super) const HOLDS: &str = "holds";
/// What is due when the payment's deadline has passed.
pub(super) const PAYMENT: &str = "payment";

impl Checkout {
    /// Cart submitted: in one append the order is placed as it was quoted, all of its stock is held and the payment is
    /// requested; or, short of stock, it is placed and called off.
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
        let now = self.shop.clock.now();
        let holds_until = now + bounded(self.policy.hold_for);
        let deadline = now + bounded(self.policy.pay_within);
        let due = [Due { what: HOLDS, at: holds_until }, Due { what: PAYMENT, at: deadline }];
        let timers = due.map(|due| due.timer(self, reaction));

        let sourced = self.source(order_id, quote).await?;
        let context = reaction.context("place", now);
        let placed = together(&self.shop.store, &context, |unit| {
            let id = order_id.to_string();
            must(unit.create(&self.shop.orders, &id, command.clone())?)?;
            let Some(holds) = self.first_that_have(unit, order_id, &sourced)? else {
                return self.call_off(unit, order_id);
            };
            self.hold(unit, order_id, holds, holds_until)?;
            self.request_payment(unit, order_id, (quote, payment_token), deadline)
        });
        // After a crash in between, this step is run again and does what is missing.
        let timed = async { Ok(self.timers.schedule(&timers).await?) };
        tokio::try_join!(timed, placed).map(|_| ())
    }

    fn hold(
        &self,
        unit: &mut Unit<'_>,
        order_id: OrderId,
        holds: Vec<StockHold>,
        expires_at: Timestamp,
    ) -> Result<(), ProcessError> {
        for StockHold { item, quantity } in &holds {
            let (id, item, quantity) = (item.to_string(), item.clone(), *quantity);
            let command = InventoryCommand::Reserve { item, order_id, quantity, expires_at };
            must(unit.execute(&self.shop.inventory, &id, command)?)?;
        }
        must(unit.execute(
            &self.shop.orders,
            &order_id.to_string(),
            OrderCommand::RecordReserved { holds },
        )?)
    }

    fn request_payment(
        &self,
        unit: &mut Unit<'_>,
        order_id: OrderId,
        (quote, payment_token): (&Quote, &str),
        deadline: Timestamp,
    ) -> Result<(), ProcessError> {
        let payment_id = payment_of(order_id);
        let command = PaymentCommand::RequestAuthorisation {
            payment_id,
            order_id,
            amount: quote.total,
            payment_token: payment_token.to_owned(),
            deadline,
        };
        must(unit.create(&self.shop.payments, &payment_id.to_string(), command)?)
    }

    /// The holds have run out: what is still only held is free again. An order that is paid later takes it again.
    pub(super) async fn expire_holds(
        &self,
        order_id: OrderId,
        reaction: &Reaction,
    ) -> Result<Progress, ProcessError> {
        let Some(order) = self.order(order_id).await? else { return Ok(Progress::Done) };
        let items = self.items(&order.placement.quote);
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
}

/// A configured duration, as the calendar counts it.
fn bounded(duration: std::time::Duration) -> TimeDelta {
    TimeDelta::from_std(duration).unwrap_or(TimeDelta::MAX)
}
