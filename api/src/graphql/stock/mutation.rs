//! What the warehouse does with stock.

use std::sync::Arc;

use async_graphql::{Context, Enum, InputObject, Object};
use daybook_commands::use_cases::{self, Returned, UseCaseError, VariantRef};
use daybook_domain::inventory::{AdjustmentReason, Inventory, InventoryCommand, StockItem};
use daybook_domain::{LocationCode, OrderId};

use super::StockLevel;
use crate::auth::Permission;
use crate::graphql::error::ApiError;
use crate::graphql::id::IdOf;
use crate::graphql::input::parse_quantity;
use crate::graphql::payload::{Mutated, invalid, mutate, payload};

payload! {
    /// Stock that was taken in.
    StockReceivePayload {
        /// The stock now.
        stock: StockLevel
    } from (StockItem, Arc<Inventory>);
    /// Stock that was corrected.
    StockAdjustPayload {
        /// The stock now.
        stock: StockLevel
    } from (StockItem, Arc<Inventory>);
    /// Stock of which some is kept back.
    StockSafetySetPayload {
        /// The stock now.
        stock: StockLevel
    } from (StockItem, Arc<Inventory>);
    /// Stock that came back.
    StockReturnPayload {
        /// The stock now.
        stock: StockLevel
    } from (StockItem, Arc<Inventory>);
}

/// Which stock.
#[derive(Debug, Clone, InputObject)]
pub(crate) struct StockItemInput {
    /// The variant.
    variant_id: IdOf<VariantRef>,
    /// The code of the location.
    location: String,
}

impl StockItemInput {
    fn parse(self) -> Result<StockItem, UseCaseError> {
        let location = LocationCode::try_new(self.location)
            .map_err(|error| invalid("LOCATION_INVALID", error, &["input", "item", "location"]))?;
        Ok(StockItem { variant_id: self.variant_id.0.variant_id, location })
    }
}

/// Units that arrived.
#[derive(Debug, Clone, InputObject)]
pub(crate) struct StockReceiveInput {
    /// Which stock.
    item: StockItemInput,
    /// How many.
    quantity: i32,
    /// The delivery note or purchase order.
    #[graphql(default)]
    reference: String,
}

/// Why stock is corrected by hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "AdjustmentReason", name = "StockAdjustmentReason")]
pub(crate) enum Reason {
    /// A count found another number.
    Counted,
    /// Broken or spoiled.
    Damaged,
    /// Gone.
    Lost,
    /// Found again.
    Found,
    /// Anything else; the note says what.
    Other,
}

/// A correction.
#[derive(Debug, Clone, InputObject)]
pub(crate) struct StockAdjustInput {
    /// Which stock.
    item: StockItemInput,
    /// How many more there are, or fewer.
    delta: i32,
    /// Why.
    reason: Reason,
    /// More about why.
    #[graphql(default)]
    note: String,
}

/// Units to keep back.
#[derive(Debug, Clone, InputObject)]
pub(crate) struct StockSafetySetInput {
    /// Which stock.
    item: StockItemInput,
    /// How many.
    quantity: i32,
}

/// Units that came back.
#[derive(Debug, Clone, InputObject)]
pub(crate) struct StockReturnInput {
    /// Which stock they go to.
    item: StockItemInput,
    /// The order they were sent for.
    order_id: IdOf<OrderId>,
    /// How many.
    quantity: i32,
}

/// The mutations of stock.
#[derive(Default)]
pub(crate) struct StockMutation;

#[Object]
impl StockMutation {
    /// Takes units in.
    async fn stock_receive(
        &self,
        ctx: &Context<'_>,
        input: StockReceiveInput,
    ) -> Result<Option<StockReceivePayload>, ApiError> {
        let command = |item| {
            let quantity = parse_quantity(input.quantity, &["input", "quantity"])?;
            Ok(InventoryCommand::Receive { item, quantity, reference: input.reference })
        };
        Ok(Some(change(ctx, input.item, command).await?.into()))
    }

    /// Corrects the number on hand, never below what is held and promised.
    async fn stock_adjust(
        &self,
        ctx: &Context<'_>,
        input: StockAdjustInput,
    ) -> Result<Option<StockAdjustPayload>, ApiError> {
        let (delta, reason, note) = (i64::from(input.delta), input.reason.into(), input.note);
        let command = |item| Ok(InventoryCommand::Adjust { item, delta, reason, note });
        Ok(Some(change(ctx, input.item, command).await?.into()))
    }

    /// Keeps units back from sale.
    async fn stock_safety_set(
        &self,
        ctx: &Context<'_>,
        input: StockSafetySetInput,
    ) -> Result<Option<StockSafetySetPayload>, ApiError> {
        let command = |item| {
            let quantity = u32::try_from(input.quantity).map_err(|_| {
                invalid("QUANTITY_INVALID", "the quantity is not below 0", &["input", "quantity"])
            })?;
            Ok(InventoryCommand::SetSafetyStock { item, quantity })
        };
        Ok(Some(change(ctx, input.item, command).await?.into()))
    }

    /// Takes returned units back in, at most as many as left for the order and are not back yet.
    async fn stock_return(
        &self,
        ctx: &Context<'_>,
        input: StockReturnInput,
    ) -> Result<Option<StockReturnPayload>, ApiError> {
        let mutated = mutate(ctx, Permission::ManageStock, async |shop, context| {
            let item = input.item.parse()?;
            let quantity = parse_quantity(input.quantity, &["input", "quantity"])?;
            let returned = Returned { item: item.clone(), order_id: input.order_id.0, quantity };
            let done = use_cases::return_stock(shop, &context, returned).await?;
            Ok(done.map(|stock| (item, stock)))
        });
        Ok(Some(mutated.await?.into()))
    }
}

/// Asks one thing of a stock item.
async fn change(
    ctx: &Context<'_>,
    item: StockItemInput,
    command: impl FnOnce(StockItem) -> Result<InventoryCommand, UseCaseError>,
) -> Result<Mutated<(StockItem, Arc<Inventory>)>, ApiError> {
    mutate(ctx, Permission::ManageStock, async |shop, context| {
        let item = item.parse()?;
        let done = use_cases::change_stock(shop, &context, &item, command(item.clone())?).await?;
        Ok(done.map(|stock| (item, stock)))
    })
    .await
}
