//! Stock: what arrives, is corrected, is kept back and comes back.

use std::sync::Arc;

use daybook_domain::inventory::{Inventory, InventoryCommand, StockItem};
use daybook_domain::order::{OrderCommand, OrderRefusal, ReturnedUnits};
use daybook_domain::{OrderId, Quantity, ReturnId};
use daybook_eventstore::CommandContext;
use serde_json::json;

use super::error::{Unavailable, UseCaseError};
use super::outcome::{Done, together};
use crate::shop::Shop;

/// Asks one thing of a stock item at one of the shop's locations.
///
/// # Errors
/// When the stock item refuses, or the shop has no such location.
pub async fn change_stock(
    shop: &Shop,
    context: &CommandContext,
    item: &StockItem,
    command: InventoryCommand,
) -> Result<Done<Arc<Inventory>>, UseCaseError> {
    check_location(shop, item)?;
    Ok(shop.inventory.execute(&item.to_string(), command, context, "{}").await?.into())
}

fn check_location(shop: &Shop, item: &StockItem) -> Result<(), UseCaseError> {
    if shop.locations.iter().any(|location| location.code == item.location) {
        return Ok(());
    }
    Err(UseCaseError::refused(&Unavailable::NotFound("location")).about(&["input", "location"]))
}

/// Units that came back.
#[derive(Debug, Clone)]
pub struct Returned {
    /// What and where to.
    pub item: StockItem,
    /// The order they were sent for.
    pub order_id: OrderId,
    /// How many.
    pub quantity: Quantity,
}

/// Takes returned units back in: the order notes that they are back, and the stock item has them, in one append.
///
/// # Errors
/// When fewer units left for the order than would be back, the stock item refuses, or the shop has no such location.
pub async fn return_stock(
    shop: &Shop,
    context: &CommandContext,
    returned: Returned,
) -> Result<Done<Arc<Inventory>>, UseCaseError> {
    let Returned { item, order_id, quantity } = returned;
    check_location(shop, &item)?;
    // The same command is the same return.
    let return_id = ReturnId::derived(context.command_id.uuid(), "return");
    let (id, variant_id) = (item.to_string(), item.variant_id);
    let outcome = json!({ "return_id": return_id }).to_string();
    let done = together(shop, context, &outcome, |unit| {
        let units = ReturnedUnits { return_id, variant_id, quantity };
        let noted = unit.execute(&shop.orders, &order_id.to_string(), OrderCommand::TakeBack { units })?;
        noted.map_err(|refusal| not_returned(&refusal))?;
        let command = InventoryCommand::Return { item: item.clone(), order_id, return_id, quantity };
        let taken = unit.execute(&shop.inventory, &id, command)?;
        taken.map_err(|refusal| UseCaseError::refused(&refusal))?;
        Ok(())
    })
    .await?;
    let stock = shop.inventory.load(&id).await?.state;
    Ok(Done::from(done).map(|_| stock))
}

fn not_returned(refusal: &OrderRefusal) -> UseCaseError {
    let field = if *refusal == OrderRefusal::NotFound { "orderId" } else { "quantity" };
    UseCaseError::refused(refusal).about(&["input", field])
}
