//! Shipments as clients see them.

use std::sync::Arc;

use async_graphql::{ComplexObject, Context, Enum, ID, SimpleObject};
use daybook_domain::order::ShippedLine;
use daybook_domain::shipment::{self, Shipment as Aggregate};

use crate::graphql::error::ApiError;
use crate::graphql::id::global;
use crate::graphql::order::{self, Order};

/// How far a shipment is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub(crate) enum ShipmentStatus {
    /// To be packed.
    Open,
    /// Packed.
    Packed,
    /// On its way.
    Dispatched,
    /// With the shopper.
    Delivered,
    /// It comes back.
    Failed,
    /// It will not be sent.
    Cancelled,
}

/// What a carrier says of a parcel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "shipment::CarrierStatus")]
pub(crate) enum CarrierStatus {
    /// The carrier has it.
    PickedUp,
    /// It travels.
    InTransit,
    /// It is on the van.
    OutForDelivery,
    /// The carrier tried in vain, and will try again.
    AttemptFailed,
    /// The shopper has it.
    Delivered,
    /// It comes back.
    Failed,
}

/// Units of one order line in a shipment.
#[derive(Debug, Clone, SimpleObject)]
pub(crate) struct ShipmentLine {
    /// The order line.
    line_id: ID,
    /// How many.
    quantity: i64,
}

impl From<&ShippedLine> for ShipmentLine {
    fn from(line: &ShippedLine) -> Self {
        Self { line_id: global(&line.line_id), quantity: line.quantity.count() }
    }
}

/// A parcel from one location to a shopper.
#[derive(Debug, Clone, SimpleObject)]
#[graphql(complex)]
pub(crate) struct Shipment {
    /// Its id.
    #[graphql(owned)]
    pub(crate) id: ID,
    /// The order it is for.
    pub(crate) order_id: ID,
    /// The code of the location it leaves from.
    pub(crate) location: String,
    /// How far it is.
    pub(crate) status: ShipmentStatus,
    /// What is in it.
    pub(crate) lines: Vec<ShipmentLine>,
    /// Who carries it.
    pub(crate) carrier: Option<String>,
    /// The carrier's number for it.
    pub(crate) tracking: Option<String>,
    /// The furthest that the carrier has reported.
    pub(crate) carrier_status: Option<CarrierStatus>,
}

#[ComplexObject]
impl Shipment {
    /// The order it is for.
    async fn order(&self, ctx: &Context<'_>) -> Result<Option<Order>, ApiError> {
        order::order_of(ctx, Some(&self.order_id)).await
    }
}

impl From<shipment::ShipmentStatus> for ShipmentStatus {
    fn from(status: shipment::ShipmentStatus) -> Self {
        match status {
            shipment::ShipmentStatus::Unopened | shipment::ShipmentStatus::Open => Self::Open,
            shipment::ShipmentStatus::Packed => Self::Packed,
            shipment::ShipmentStatus::Dispatched => Self::Dispatched,
            shipment::ShipmentStatus::Delivered => Self::Delivered,
            shipment::ShipmentStatus::Failed => Self::Failed,
            shipment::ShipmentStatus::Cancelled => Self::Cancelled,
        }
    }
}

impl From<Arc<Aggregate>> for Shipment {
    fn from(shipment: Arc<Aggregate>) -> Self {
        let text = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        Self {
            id: global(&shipment.shipment_id()),
            order_id: global(&shipment.order_id()),
            location: shipment.location().map(ToString::to_string).unwrap_or_default(),
            status: shipment.status().into(),
            lines: shipment.lines().iter().map(ShipmentLine::from).collect(),
            carrier: text(shipment.carrier()),
            tracking: text(shipment.tracking()),
            carrier_status: shipment.carrier_status().map(CarrierStatus::from),
        }
    }
}
