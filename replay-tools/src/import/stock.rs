//! The import's stock: all of it at one location, received when there is too little for a sale, so that nothing is
//! ever sold that is not there.

use daybook_domain::inventory::{InventoryCommand, InventoryRefusal, StockItem};
use daybook_domain::order::{OrderCommand, ReturnedUnits, StockHold};
use daybook_domain::{OrderId, Quantity, ReturnId, ShipmentId, Timestamp, VariantId};
use daybook_eventstore::CommandError;

use super::error::ImportError;
use super::story::Story;

/// The fewest units received at once.
const LOT: i64 = 1_000;
const RESERVE: &str = "reserve";
const ALLOCATE: &str = "allocate";
const SHIP: &str = "ship";
/// What a delivery is known by.
const REFERENCE: &str = "import";

/// The commands that move a product of an invoice.
pub(super) fn steps(variant_id: VariantId) -> impl Iterator<Item = String> {
    [RESERVE, ALLOCATE, SHIP].into_iter().map(move |what| step(what, variant_id))
}

fn step(what: &str, variant_id: VariantId) -> String {
    format!("{what} {variant_id}")
}

/// Holds units for an order; receives more as long as there are not enough.
pub(super) async fn reserve(
    story: &Story<'_>,
    order_id: OrderId,
    variant_id: VariantId,
    quantity: Quantity,
    expires_at: Timestamp,
) -> Result<StockHold, ImportError> {
    let item = StockItem { variant_id, location: story.location() };
    let (inventory, id, step) = (&story.shop().inventory, item.to_string(), step(RESERVE, variant_id));
    let mut deliveries = 0;
    loop {
        let reserve = InventoryCommand::Reserve { item: item.clone(), order_id, quantity, expires_at };
        let available = match story.ask(inventory, &id, &step, reserve).await {
            Ok(_) => return Ok(StockHold { item, quantity }),
            Err(CommandError::Refused(InventoryRefusal::OutOfStock { available })) => available,
            Err(error) => return Err(story.refused(error, &step)),
        };
        deliveries += 1;
        receive(story, &item, quantity.count() - available, deliveries).await?;
    }
}

/// Another invoice may be quicker to take what was received, so a delivery has its number; one that was told twice
/// counts once, and the next one makes up for it.
async fn receive(
    story: &Story<'_>,
    item: &StockItem,
    missing: i64,
    delivery: u32,
) -> Result<(), ImportError> {
    let lot = Quantity::try_new(missing.max(LOT)).unwrap_or(Quantity::ONE);
    let receive =
        InventoryCommand::Receive { item: item.clone(), quantity: lot, reference: REFERENCE.to_owned() };
    let step = format!("receive {} {delivery}", item.variant_id);
    story.tell(&story.shop().inventory, &item.to_string(), &step, receive).await
}

/// Promises the units held for an order.
pub(super) async fn allocate(
    story: &Story<'_>,
    order_id: OrderId,
    hold: &StockHold,
) -> Result<(), ImportError> {
    let (item, quantity) = (hold.item.clone(), hold.quantity);
    let (id, step) = (item.to_string(), step(ALLOCATE, item.variant_id));
    let allocate = InventoryCommand::Allocate { item, order_id, quantity };
    story.tell(&story.shop().inventory, &id, &step, allocate).await
}

/// Sends promised units off.
pub(super) async fn ship(
    story: &Story<'_>,
    order_id: OrderId,
    shipment_id: ShipmentId,
    hold: &StockHold,
) -> Result<(), ImportError> {
    let (item, quantity) = (hold.item.clone(), hold.quantity);
    let (id, step) = (item.to_string(), step(SHIP, item.variant_id));
    let ship = InventoryCommand::Ship { item, order_id, shipment_id, quantity };
    story.tell(&story.shop().inventory, &id, &step, ship).await
}

/// Takes returned units back in, once the order has noted that they are back.
pub(super) async fn restock(
    story: &Story<'_>,
    order_id: OrderId,
    variant_id: VariantId,
    quantity: Quantity,
    step: &str,
) -> Result<(), ImportError> {
    let item = StockItem { variant_id, location: story.location() };
    let (id, return_id) = (item.to_string(), ReturnId::derived(story.id, step));
    let units = ReturnedUnits { return_id, variant_id, quantity };
    let note = OrderCommand::TakeBack { units };
    story.tell(&story.shop().orders, &order_id.to_string(), &note_step(step), note).await?;
    let restock = InventoryCommand::Return { item, order_id, return_id, quantity };
    story.tell(&story.shop().inventory, &id, step, restock).await
}

/// The step in which the order notes what this one restocks.
pub(super) fn note_step(step: &str) -> String {
    format!("note {step}")
}
