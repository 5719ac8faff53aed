//! What comes back: never more of a variant than left.

use super::decide::Decision;
use super::{Order, OrderEvent, OrderRefusal, ReturnedUnits};
use crate::kernel::{Quantity, VariantId, already, happened, refuse};

impl Order {
    /// How many units of a variant left and have not come back.
    pub fn returnable(&self, variant_id: VariantId) -> u64 {
        let lines = self.dispatches.iter().flat_map(|dispatch| &dispatch.lines);
        let left = units_of(lines.map(|line| (line.variant_id, line.quantity)), variant_id);
        let back = units_of(self.returns.iter().map(|one| (one.variant_id, one.quantity)), variant_id);
        left.saturating_sub(back)
    }

    pub(super) fn take_back(&self, units: ReturnedUnits) -> Decision {
        self.placed()?;
        let ReturnedUnits { return_id, variant_id, quantity } = units;
        if let Some(known) = self.returns.iter().find(|one| one.return_id == return_id) {
            let refusal = OrderRefusal::ReturnIdUsed { return_id };
            return if *known == units { already() } else { refuse(refusal) };
        }
        let (remaining, asked) = (self.returnable(variant_id), quantity.get());
        if u64::from(asked) > remaining {
            return refuse(OrderRefusal::ReturnExceedsDispatched { variant_id, remaining, asked });
        }
        happened(OrderEvent::Returned { return_id, variant_id, quantity })
    }
}

fn units_of(parts: impl Iterator<Item = (VariantId, Quantity)>, variant_id: VariantId) -> u64 {
    parts.filter(|(of, _)| *of == variant_id).map(|(_, quantity)| u64::from(quantity.get())).sum()
}
