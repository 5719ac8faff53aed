//! An order: what was bought, and how far it is. The order decides between a cancel and a dispatch.
//!
//! It knows what it promised, what left and what came back, never whether the money came or where the parcel is: those
//! are the payment's and the shipment's own axes.

mod capture;
mod command;
mod decide;
mod dispatch;
mod event;
mod refusal;
mod returns;
mod samples;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use crate::kernel::{
    CartId, Currency, CustomerId, LineId, Money, OrderId, Quantity, ReturnId, Sealed, ShipmentId, VariantId,
    aggregate,
};
use crate::pricing::{Quote, QuotedLine};

pub use command::OrderCommand;
pub use event::{CancelReason, OrderEvent, ShippedLine, StockHold};
pub use refusal::OrderRefusal;
pub use samples::samples;

/// An order.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    placement: Option<Placement>,
    status: OrderStatus,
    holds: Vec<StockHold>,
    allocations: Vec<StockHold>,
    cancel_reason: Option<CancelReason>,
    dispatches: Vec<Dispatch>,
    returns: Vec<ReturnedUnits>,
}

/// What was bought, by whom and for where; it never changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Placement {
    /// The order.
    pub order_id: OrderId,
    /// The cart it was.
    pub cart_id: CartId,
    /// Whose it is; nobody's when the shopper was not signed in.
    pub customer_id: Option<CustomerId>,
    /// Name, e-mail and the like.
    pub contact: Sealed,
    /// Where to deliver to.
    pub address: Sealed,
    /// Every number of it.
    pub quote: Quote,
    /// What the gateway knows the shopper's means of payment by.
    pub payment_token: String,
}

/// How far the promise is: the first of the three status axes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OrderStatus {
    /// Placed, and not yet promised.
    #[default]
    Placed,
    /// Promised.
    Confirmed,
    /// It will not be shipped.
    Cancelled,
    /// Delivered and paid.
    Completed,
}

/// How much of it left and arrived: the third of the three status axes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FulfilmentStatus {
    /// Nothing left.
    Unfulfilled,
    /// A part left.
    PartiallyFulfilled,
    /// Everything left.
    Fulfilled,
    /// Everything arrived.
    Delivered,
}

/// A shipment that was let go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dispatch {
    /// The shipment.
    pub shipment_id: ShipmentId,
    /// What is in it.
    pub lines: Vec<ShippedLine>,
    /// Its part of the total.
    pub to_capture: Money,
    /// Whether it reached the shopper.
    pub delivered: bool,
}

/// Units of a variant that came back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReturnedUnits {
    /// The return.
    pub return_id: ReturnId,
    /// What.
    pub variant_id: VariantId,
    /// How many.
    pub quantity: Quantity,
}

impl Order {
    /// What was bought; nothing before it was placed.
    pub fn placement(&self) -> Option<&Placement> {
        self.placement.as_ref()
    }

    /// How far the promise is.
    pub fn status(&self) -> OrderStatus {
        self.status
    }

    /// The stock noted as held for it.
    pub fn holds(&self) -> &[StockHold] {
        &self.holds
    }

    /// The stock promised to it.
    pub fn allocations(&self) -> &[StockHold] {
        &self.allocations
    }

    /// Why it was cancelled, when it was.
    pub fn cancel_reason(&self) -> Option<CancelReason> {
        self.cancel_reason
    }

    /// The shipments that were let go, in that order.
    pub fn dispatches(&self) -> &[Dispatch] {
        &self.dispatches
    }

    /// What came back, in the order in which it was noted.
    pub fn returns(&self) -> &[ReturnedUnits] {
        &self.returns
    }

    /// What is to be paid for what left so far; nothing in no currency before it was placed.
    pub fn due(&self) -> Money {
        let currency = self.placement.as_ref().map_or(Currency::XXX, |placement| placement.quote.currency());
        let parts = self.dispatches.iter().map(|dispatch| dispatch.to_capture.minor());
        // Each part is what was left of the total, so their sum is within it.
        Money::new(parts.fold(0, i64::saturating_add), currency)
    }

    /// How much of it left and arrived.
    pub fn fulfilment_status(&self) -> FulfilmentStatus {
        let arrived = |line: &QuotedLine| self.delivered(line.line_id) == u64::from(line.quantity.get());
        let left = |line: &QuotedLine| self.dispatched(line.line_id) == u64::from(line.quantity.get());
        match self.lines() {
            _ if self.dispatches.is_empty() => FulfilmentStatus::Unfulfilled,
            lines if lines.iter().all(arrived) => FulfilmentStatus::Delivered,
            lines if lines.iter().all(left) => FulfilmentStatus::Fulfilled,
            _ => FulfilmentStatus::PartiallyFulfilled,
        }
    }

    /// How many units of a line left.
    pub fn dispatched(&self, line_id: LineId) -> u64 {
        units(self.dispatches.iter(), line_id)
    }

    /// How many units of a line arrived.
    pub fn delivered(&self, line_id: LineId) -> u64 {
        units(self.dispatches.iter().filter(|dispatch| dispatch.delivered), line_id)
    }

    /// What is still to leave.
    pub fn remaining(&self) -> Vec<ShippedLine> {
        let still = |line: &QuotedLine| {
            let count = line.quantity.count() - i64::try_from(self.dispatched(line.line_id)).ok()?;
            let quantity = Quantity::try_new(count).ok()?;
            Some(ShippedLine { line_id: line.line_id, variant_id: line.variant_id, quantity })
        };
        self.lines().iter().filter_map(still).collect()
    }

    fn lines(&self) -> &[QuotedLine] {
        self.placement.as_ref().map_or(&[], |placement| &placement.quote.lines)
    }

    fn evolve(&mut self, event: OrderEvent) {
        match event {
            OrderEvent::Placed { order_id, cart_id, customer_id, contact, address, quote, payment_token } => {
                self.placement = Some(Placement {
                    order_id,
                    cart_id,
                    customer_id,
                    contact,
                    address,
                    quote,
                    payment_token,
                });
            }
            OrderEvent::StockReserved { holds } => self.holds = holds,
            OrderEvent::Confirmed { allocations } => {
                self.allocations = allocations;
                self.status = OrderStatus::Confirmed;
            }
            OrderEvent::Cancelled { reason, holds, .. } => {
                self.holds = holds;
                self.cancel_reason = Some(reason);
                self.status = OrderStatus::Cancelled;
            }
            OrderEvent::Dispatched { shipment_id, lines, to_capture, .. } => {
                self.dispatches.push(Dispatch { shipment_id, lines, to_capture, delivered: false });
            }
            OrderEvent::Delivered { shipment_id } => {
                for dispatch in self.dispatches.iter_mut().filter(|one| one.shipment_id == shipment_id) {
                    dispatch.delivered = true;
                }
            }
            OrderEvent::Returned { return_id, variant_id, quantity } => {
                self.returns.push(ReturnedUnits { return_id, variant_id, quantity });
            }
            OrderEvent::Completed {} => self.status = OrderStatus::Completed,
        }
    }
}

fn units<'a>(dispatches: impl Iterator<Item = &'a Dispatch>, line_id: LineId) -> u64 {
    let of_line = dispatches.flat_map(|dispatch| &dispatch.lines).filter(|line| line.line_id == line_id);
    of_line.map(|line| u64::from(line.quantity.get())).sum()
}

aggregate!(Order, "Order", OrderCommand, OrderEvent, OrderRefusal);
