//! Stock: what arrives, is corrected, is kept back and comes back.

use std::sync::Arc;

use daybook_domain::inventory::{Inventory, InventoryCommand, StockItem};
use daybook_domain::{OrderId, Quantity, ReturnId};
use daybook_eventstore::CommandContext;
use serde_json::json;

use super::error::{Unavailable, UseCaseError};
use super::outcome::Done;
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
    if !shop.locations.iter().any(|location| location.code == item.location) {
        let refused = UseCaseError::refused(&Unavailable::NotFound("location"));
        return Err(refused.about(&["input", "location"]));
    }
    Ok(shop.inventory.execute(&item.to_string(), command, context, "{}").await?.into())
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

/// Takes returned units back in.
///
/// # Errors
/// When the stock item refuses.
pub async fn return_stock(
    shop: &Shop,
    context: &CommandContext,
    returned: Returned,
) -> Result<Done<Arc<Inventory>>, UseCaseError> {
    let Returned { item, order_id, quantity } = returned;
    // The same command is the same return.
    let return_id = ReturnId::derived(context.command_id.uuid(), "return");
    let order = shop.orders.load(&order_id.to_string()).await?.state;
    if order.placement().is_none() {
        return Err(UseCaseError::refused(&Unavailable::NotFound("order")).about(&["input", "orderId"]));
    }
    let command = InventoryCommand::Return { item: item.clone(), order_id, return_id, quantity };
    let outcome = json!({ "return_id": return_id }).to_string();
    Ok(shop.inventory.execute(&item.to_string(), command, context, &outcome).await?.into())
}
