//! What is to be captured when a part of an order leaves.
//!
//! A shopper pays for what has left: each unit its share of its line's gross amount, the first shipment the
//! shipping too. Each capture is the sum due so far less what was asked for before, so that rounding
//! never adds up and the last shipment completes the total.

use super::{Order, Placement, ShippedLine};
use crate::kernel::{Money, MoneyError};

impl Order {
    /// What is to be captured when `lines` leave now.
    pub(super) fn to_capture(
        &self,
        placement: &Placement,
        lines: &[ShippedLine],
    ) -> Result<Money, MoneyError> {
        let asked = self.dispatches.iter().map(|dispatch| dispatch.to_capture);
        let asked = Money::sum(placement.quote.currency(), asked)?;
        self.due_with(placement, lines)?.checked_sub(asked)
    }

    fn due_with(&self, placement: &Placement, leaving: &[ShippedLine]) -> Result<Money, MoneyError> {
        let quote = &placement.quote;
        let shipping = quote.shipping.price.checked_add(quote.shipping_tax)?;
        quote.lines.iter().try_fold(shipping, |due, line| {
            let now = leaving.iter().filter(|one| one.line_id == line.line_id);
            let now: u64 = now.map(|one| u64::from(one.quantity.get())).sum();
            let left = self.dispatched(line.line_id).saturating_add(now);
            let left = u32::try_from(left).unwrap_or(u32::MAX);
            due.checked_add(line.gross.first_of_equal_parts(left, line.quantity.get()))
        })
    }
}
