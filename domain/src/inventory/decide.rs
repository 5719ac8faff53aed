//! What a stock item lets happen. Here nothing is sold twice: every hold and promise is checked against
//! what is available, and nothing that is held or promised can be corrected away.

use super::{
    AdjustmentReason, Claim, Inventory, InventoryCommand, InventoryEvent, InventoryRefusal, MAX_ADJUSTMENT,
    MAX_ON_HAND, MAX_SAFETY_STOCK, StockItem,
};
use crate::kernel::{
    self, OrderId, Quantity, ReturnId, ShipmentId, Timestamp, already, check_line, happened, refuse,
};

type Decision = kernel::Decision<InventoryEvent, InventoryRefusal>;

/// The longest reference of a delivery.
const MAX_REFERENCE: usize = 200;
/// The longest note to a correction.
const MAX_NOTE: usize = 500;

impl Inventory {
    /// What happens when `command` is asked of it.
    pub fn decide(&self, command: InventoryCommand) -> Decision {
        match command {
            InventoryCommand::Receive { item, quantity, reference } => {
                self.receive(item, quantity, reference)
            }
            InventoryCommand::Adjust { item, delta, reason, note } => self.adjust(item, delta, reason, note),
            InventoryCommand::SetSafetyStock { item, quantity } => self.keep_back(item, quantity),
            InventoryCommand::Reserve { item, order_id, quantity, expires_at } => {
                self.reserve(item, order_id, quantity, expires_at)
            }
            InventoryCommand::Expire { item, order_id, at } => self.expire(item, order_id, at),
            InventoryCommand::Allocate { item, order_id, quantity } => {
                self.allocate(item, order_id, quantity)
            }
            InventoryCommand::Release { item, order_id } => self.release(item, order_id),
            InventoryCommand::Ship { item, order_id, shipment_id, quantity } => {
                self.ship(item, order_id, shipment_id, quantity)
            }
            InventoryCommand::Return { item, order_id, return_id, quantity } => {
                self.take_back(item, order_id, return_id, quantity)
            }
        }
    }

    /// Two deliveries may bear one reference; a delivery told twice is known by its command id.
    fn receive(&self, item: StockItem, quantity: Quantity, reference: String) -> Decision {
        check_line("reference", &reference, 0..=MAX_REFERENCE)?;
        self.check_room(quantity.count())?;
        happened(InventoryEvent::Received { item, quantity, reference })
    }

    fn adjust(&self, item: StockItem, delta: i64, reason: AdjustmentReason, note: String) -> Decision {
        check_line("note", &note, 0..=MAX_NOTE)?;
        if delta == 0 {
            return already();
        }
        if !(-MAX_ADJUSTMENT..=MAX_ADJUSTMENT).contains(&delta) {
            return refuse(InventoryRefusal::AdjustmentTooLarge);
        }
        if self.free() + delta < 0 {
            return refuse(InventoryRefusal::AdjustmentBelowCommitted { free: self.free() });
        }
        self.check_room(delta)?;
        happened(InventoryEvent::Adjusted { item, delta, reason, note })
    }

    fn keep_back(&self, item: StockItem, quantity: u32) -> Decision {
        if quantity > MAX_SAFETY_STOCK {
            return refuse(InventoryRefusal::SafetyStockTooLarge);
        }
        if self.item.is_some() && self.safety_stock == quantity {
            return already();
        }
        happened(InventoryEvent::SafetyStockSet { item, quantity })
    }

    /// A hold asked for late, when the order has its promise, changes nothing.
    fn reserve(&self, item: StockItem, order_id: OrderId, quantity: Quantity, until: Timestamp) -> Decision {
        match self.claims.get(&order_id) {
            Some(Claim::Allocated { .. }) => already(),
            Some(Claim::Reserved { quantity: held, .. }) if *held == quantity => already(),
            Some(Claim::Reserved { quantity: held, .. }) => {
                refuse(InventoryRefusal::ReservationDiffers { reserved: held.get() })
            }
            None => {
                self.check_available(quantity)?;
                happened(InventoryEvent::Reserved { item, order_id, quantity, expires_at: until })
            }
        }
    }

    fn expire(&self, item: StockItem, order_id: OrderId, at: Timestamp) -> Decision {
        match self.claims.get(&order_id) {
            Some(Claim::Reserved { quantity, expires_at }) if at >= *expires_at => {
                happened(InventoryEvent::ReservationExpired { item, order_id, quantity: *quantity })
            }
            Some(Claim::Reserved { .. } | Claim::Allocated { .. }) | None => already(),
        }
    }

    /// A hold that ran out was free for others; the promise is then made from what is left, or not at all.
    fn allocate(&self, item: StockItem, order_id: OrderId, quantity: Quantity) -> Decision {
        let from_reservation = match self.claims.get(&order_id) {
            Some(Claim::Allocated { quantity: promised, .. }) if *promised == quantity => return already(),
            Some(Claim::Allocated { quantity: promised, .. }) => {
                return refuse(InventoryRefusal::AllocationDiffers { allocated: promised.get() });
            }
            Some(Claim::Reserved { quantity: held, .. }) if *held == quantity => true,
            Some(Claim::Reserved { quantity: held, .. }) => {
                return refuse(InventoryRefusal::ReservationDiffers { reserved: held.get() });
            }
            None => {
                self.check_available(quantity)?;
                false
            }
        };
        happened(InventoryEvent::Allocated { item, order_id, quantity, from_reservation })
    }

    fn release(&self, item: StockItem, order_id: OrderId) -> Decision {
        let (reserved, allocated) = match self.claims.get(&order_id) {
            Some(Claim::Reserved { quantity, .. }) => (quantity.get(), 0),
            Some(Claim::Allocated { outstanding, .. }) => (0, *outstanding),
            None => return already(),
        };
        happened(InventoryEvent::Released { item, order_id, reserved, allocated })
    }

    fn ship(&self, item: StockItem, order_id: OrderId, shipment: ShipmentId, quantity: Quantity) -> Decision {
        let Some(Claim::Allocated { outstanding, shipments, .. }) = self.claims.get(&order_id) else {
            return refuse(InventoryRefusal::NotAllocated);
        };
        match shipments.get(&shipment) {
            Some(took) if *took == quantity => return already(),
            Some(took) => return refuse(InventoryRefusal::ShipmentDiffers { shipped: took.get() }),
            None => {}
        }
        if quantity.get() > *outstanding {
            return refuse(InventoryRefusal::ExceedsAllocation { outstanding: *outstanding });
        }
        happened(InventoryEvent::Shipped { item, order_id, shipment_id: shipment, quantity })
    }

    /// Goods that came back are here whatever the books say, and may come back to another location than
    /// they left from: whether they may be returned is the order's question.
    fn take_back(
        &self,
        item: StockItem,
        order_id: OrderId,
        returned: ReturnId,
        quantity: Quantity,
    ) -> Decision {
        if self.returns.contains(&returned) {
            return already();
        }
        self.check_room(quantity.count())?;
        happened(InventoryEvent::Returned { item, order_id, return_id: returned, quantity })
    }

    fn check_available(&self, quantity: Quantity) -> Result<(), InventoryRefusal> {
        let available = self.available();
        if quantity.count() > available { Err(InventoryRefusal::OutOfStock { available }) } else { Ok(()) }
    }

    fn check_room(&self, more: i64) -> Result<(), InventoryRefusal> {
        let on_hand = self.on_hand;
        if on_hand + more > MAX_ON_HAND {
            return Err(InventoryRefusal::StockLimitExceeded { on_hand });
        }
        Ok(())
    }
}
