//! What the warehouse and the carriers do with parcels.

use std::sync::Arc;

use async_graphql::{ComplexObject, Context, ID, InputObject, Object, SimpleObject};
use daybook_commands::use_cases::{self, Dispatching};
use daybook_domain::shipment::Shipment as Aggregate;
use daybook_domain::{LineId, OrderId, ShipmentId, Timestamp};

use super::{CarrierStatus, Shipment};
use crate::auth::Permission;
use crate::graphql::error::ApiError;
use crate::graphql::id::{IdOf, global, key};
use crate::graphql::input::parse_quantity;
use crate::graphql::order::{Order, order_of};
use crate::graphql::payload::{Mutated, UserError, mutate, payload};
use crate::graphql::scalar::Position;

payload! {
    /// A shipment that is packed.
    ShipmentPackPayload {
        /// The shipment.
        shipment: Shipment
    } from Arc<Aggregate>;
    /// A shipment of which the carrier said something.
    ShipmentCarrierReportPayload {
        /// The shipment.
        shipment: Shipment
    } from Arc<Aggregate>;
}

/// A shipment that leaves.
#[derive(SimpleObject)]
#[graphql(complex)]
pub(crate) struct ShipmentDispatchPayload {
    /// The order it is for.
    order_id: Option<ID>,
    /// Which shipment it is.
    shipment_id: Option<ID>,
    /// Why nothing was done; empty when it was.
    user_errors: Vec<UserError>,
    /// The position the mutation reached: give it to a query as `after` to read at least this.
    position: Option<Position>,
    /// Whether this had been done before under the same idempotency key, and this is its repetition.
    replayed: bool,
}

#[ComplexObject]
impl ShipmentDispatchPayload {
    /// The order, as it is now.
    async fn order(&self, ctx: &Context<'_>) -> Result<Option<Order>, ApiError> {
        order_of(ctx, self.order_id.as_ref()).await
    }

    /// The shipment, as it is now: on its way as soon as the order's word has reached it.
    async fn shipment(&self, ctx: &Context<'_>) -> Result<Option<Shipment>, ApiError> {
        let order = order_of(ctx, self.order_id.as_ref()).await?;
        let id = self.shipment_id.as_ref().and_then(|id| key(id));
        Ok(order.zip(id).and_then(|(order, id)| order.shipment(id)))
    }
}

impl From<Mutated<(OrderId, ShipmentId)>> for ShipmentDispatchPayload {
    fn from(mutated: Mutated<(OrderId, ShipmentId)>) -> Self {
        let Mutated { value, user_errors, position, replayed } = mutated;
        let (order_id, shipment_id) = value.unzip();
        Self {
            order_id: order_id.as_ref().map(global),
            shipment_id: shipment_id.as_ref().map(global),
            user_errors,
            position,
            replayed,
        }
    }
}

/// Units of one order line to pack.
#[derive(Debug, Clone, InputObject)]
pub(crate) struct ShipmentLineInput {
    /// The order line.
    line_id: IdOf<LineId>,
    /// How many.
    quantity: i32,
}

/// A parcel that leaves.
#[derive(Debug, Clone, InputObject)]
pub(crate) struct ShipmentDispatchInput {
    /// The shipment.
    shipment_id: IdOf<ShipmentId>,
    /// Who carries it.
    carrier: String,
    /// The carrier's number for it.
    #[graphql(default)]
    tracking: String,
}

/// What a carrier said.
#[derive(Debug, Clone, InputObject)]
pub(crate) struct ShipmentCarrierReportInput {
    /// The shipment.
    shipment_id: IdOf<ShipmentId>,
    /// The carrier's id of this saying: the same one twice counts once.
    report_id: String,
    /// What it said.
    status: CarrierStatus,
    /// Of which moment; now when it does not say.
    at: Option<Timestamp>,
}

/// The mutations of shipments.
#[derive(Default)]
pub(crate) struct ShipmentMutation;

#[Object]
impl ShipmentMutation {
    /// Packs a shipment: these lines, or without any all of it. What is left goes with another shipment.
    async fn shipment_pack(
        &self,
        ctx: &Context<'_>,
        shipment_id: IdOf<ShipmentId>,
        lines: Option<Vec<ShipmentLineInput>>,
    ) -> Result<Option<ShipmentPackPayload>, ApiError> {
        let mutated = mutate(ctx, Permission::Fulfil, async |shop, context| {
            let line = |(index, line): (usize, ShipmentLineInput)| {
                let quantity = parse_quantity(line.quantity, &["lines", &index.to_string(), "quantity"]);
                quantity.map(|quantity| (line.line_id.0, quantity))
            };
            let parse = |lines: Vec<_>| lines.into_iter().enumerate().map(line).collect::<Result<_, _>>();
            let lines = lines.map(parse).transpose()?;
            use_cases::pack_shipment(shop, &context, shipment_id.0, lines).await
        });
        Ok(Some(mutated.await?.into()))
    }

    /// Lets a packed shipment leave, unless the order was called off before. Its part of the total is captured.
    async fn shipment_dispatch(
        &self,
        ctx: &Context<'_>,
        input: ShipmentDispatchInput,
    ) -> Result<Option<ShipmentDispatchPayload>, ApiError> {
        let mutated = mutate(ctx, Permission::Fulfil, async |shop, context| {
            let ShipmentDispatchInput { shipment_id, carrier, tracking } = input;
            let dispatching = Dispatching { shipment_id: shipment_id.0, carrier, tracking };
            let done = use_cases::dispatch_shipment(shop, &context, dispatching).await?;
            Ok(done.map(|order| {
                let order_id = order.placement().map(|placement| placement.order_id);
                (order_id.unwrap_or_default(), shipment_id.0)
            }))
        });
        Ok(Some(mutated.await?.into()))
    }

    /// Notes what a carrier said of a parcel. Twice, late or out of order does no harm.
    async fn shipment_carrier_report(
        &self,
        ctx: &Context<'_>,
        input: ShipmentCarrierReportInput,
    ) -> Result<Option<ShipmentCarrierReportPayload>, ApiError> {
        let mutated = mutate(ctx, Permission::Fulfil, async |shop, context| {
            let ShipmentCarrierReportInput { shipment_id, report_id, status, at } = input;
            let report = (report_id, status.into(), at.unwrap_or(context.occurred_at));
            use_cases::report_carrier(shop, &context, shipment_id.0, report).await
        });
        Ok(Some(mutated.await?.into()))
    }
}
