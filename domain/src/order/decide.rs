//! What an order lets happen, except letting a part of it leave (`dispatch`) and come back (`returns`).

use super::{CancelReason, Order, OrderCommand, OrderEvent, OrderRefusal, OrderStatus, Placement, StockHold};
use crate::kernel::{self, Money, Quantity, Sealed, VariantId, already, happened, refuse};
use crate::pricing::Quote;

pub(super) type Decision = kernel::Decision<OrderEvent, OrderRefusal>;

impl Order {
    /// What happens when `command` is asked of it.
    pub fn decide(&self, command: OrderCommand) -> Decision {
        match command {
            OrderCommand::Place {
                order_id,
                cart_id,
                customer_id,
                contact,
                address,
                quote,
                payment_token,
            } => self.place(Placement {
                order_id,
                cart_id,
                customer_id,
                contact,
                address,
                quote,
                payment_token,
            }),
            OrderCommand::RecordReserved { holds } => self.record_reserved(holds),
            OrderCommand::Confirm { allocations } => self.confirm(allocations),
            OrderCommand::Cancel { reason, holds, note } => self.cancel(reason, holds, note),
            OrderCommand::Dispatch { shipment_id, lines, carrier, tracking } => {
                self.dispatch(shipment_id, lines, carrier, tracking)
            }
            OrderCommand::RecordDelivered { shipment_id } => self.record_delivered(shipment_id),
            OrderCommand::TakeBack { units } => self.take_back(units),
            OrderCommand::Complete { captured } => self.complete(captured),
        }
    }

    /// What was bought, when anything was.
    pub(super) fn placed(&self) -> Result<&Placement, OrderRefusal> {
        self.placement.as_ref().ok_or(OrderRefusal::NotFound)
    }

    fn place(&self, placement: Placement) -> Decision {
        if let Some(existing) = &self.placement {
            return if *existing == placement { already() } else { refuse(OrderRefusal::AlreadyExists) };
        }
        check_quote(&placement.quote)?;
        let Placement { order_id, cart_id, customer_id, contact, address, quote, payment_token } = placement;
        happened(OrderEvent::Placed {
            order_id,
            cart_id,
            customer_id,
            contact,
            address,
            quote,
            payment_token,
        })
    }

    fn record_reserved(&self, holds: Vec<StockHold>) -> Decision {
        let placement = self.placed()?;
        match self.status {
            OrderStatus::Cancelled => refuse(OrderRefusal::Cancelled),
            OrderStatus::Confirmed | OrderStatus::Completed => already(),
            OrderStatus::Placed if self.holds.is_empty() => {
                check_covered(&placement.quote, &holds)?;
                happened(OrderEvent::StockReserved { holds })
            }
            OrderStatus::Placed if self.holds == holds => already(),
            OrderStatus::Placed => refuse(OrderRefusal::AlreadyReserved),
        }
    }

    fn confirm(&self, allocations: Vec<StockHold>) -> Decision {
        let placement = self.placed()?;
        match self.status {
            OrderStatus::Cancelled => refuse(OrderRefusal::Cancelled),
            OrderStatus::Confirmed | OrderStatus::Completed if self.allocations == allocations => already(),
            OrderStatus::Confirmed | OrderStatus::Completed => refuse(OrderRefusal::AlreadyConfirmed),
            OrderStatus::Placed => {
                check_covered(&placement.quote, &allocations)?;
                happened(OrderEvent::Confirmed { allocations })
            }
        }
    }

    fn cancel(&self, reason: CancelReason, holds: Vec<StockHold>, note: Option<Sealed>) -> Decision {
        self.placed()?;
        if self.status == OrderStatus::Cancelled {
            return already();
        }
        if !self.dispatches.is_empty() {
            return refuse(OrderRefusal::AlreadyDispatched);
        }
        happened(OrderEvent::Cancelled { reason, holds: self.all_holds(holds), note })
    }

    fn complete(&self, captured: Money) -> Decision {
        let placement = self.placed()?;
        let done = self.fulfilment_status() == super::FulfilmentStatus::Delivered
            && captured == placement.quote.total;
        match self.status {
            OrderStatus::Confirmed if done => happened(OrderEvent::Completed {}),
            OrderStatus::Confirmed
            | OrderStatus::Placed
            | OrderStatus::Cancelled
            | OrderStatus::Completed => already(),
        }
    }

    /// Everything that may be held or promised: what was noted and `given`. Units of one stock item are the same
    /// units at different moments, so the larger number stands.
    fn all_holds(&self, given: Vec<StockHold>) -> Vec<StockHold> {
        let mut all: Vec<StockHold> = Vec::new();
        for hold in self.holds.iter().chain(&self.allocations).cloned().chain(given) {
            match all.iter_mut().find(|one| one.item == hold.item) {
                Some(one) => one.quantity = one.quantity.max(hold.quantity),
                None => all.push(hold),
            }
        }
        all
    }
}

/// A quote whose parts are not its total would make the last capture wrong.
fn check_quote(quote: &Quote) -> Result<(), OrderRefusal> {
    if quote.lines.is_empty() {
        return Err(OrderRefusal::NoLines);
    }
    let goods = Money::sum(quote.currency(), quote.lines.iter().map(|line| line.gross))?;
    let total = goods.checked_add(quote.shipping.price)?.checked_add(quote.shipping_tax)?;
    if total == quote.total { Ok(()) } else { Err(OrderRefusal::QuoteDoesNotAddUp) }
}

/// Nothing is promised that is not there, for every variant of the order.
fn check_covered(quote: &Quote, stock: &[StockHold]) -> Result<(), OrderRefusal> {
    for (variant_id, ordered) in quote.demand() {
        let covered = covered_units(stock, variant_id);
        if covered < u64::from(ordered.get()) {
            return Err(OrderRefusal::StockNotCovered { variant_id, ordered: ordered.get(), covered });
        }
    }
    Ok(())
}

fn covered_units(stock: &[StockHold], variant_id: VariantId) -> u64 {
    let of_variant = stock.iter().filter(|hold| hold.item.variant_id == variant_id);
    of_variant.map(|hold| hold.quantity).map(Quantity::get).map(u64::from).sum()
}
