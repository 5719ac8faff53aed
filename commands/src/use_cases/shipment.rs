//! Shipments: packing, and what the carrier says.

use std::sync::Arc;

use daybook_domain::order::ShippedLine;
use daybook_domain::shipment::{CarrierStatus, Shipment, ShipmentCommand};
use daybook_domain::{LineId, Quantity, ShipmentId, Timestamp};
use daybook_eventstore::CommandContext;

use super::error::{Unavailable, UseCaseError};
use super::outcome::Done;
use crate::shop::Shop;

/// Packs a shipment: these lines, or without any all of it. What is not packed goes with another shipment.
///
/// # Errors
/// When the shipment refuses.
pub async fn pack_shipment(
    shop: &Shop,
    context: &CommandContext,
    shipment_id: ShipmentId,
    lines: Option<Vec<(LineId, Quantity)>>,
) -> Result<Done<Arc<Shipment>>, UseCaseError> {
    let id = shipment_id.to_string();
    let lines = match lines {
        None => None,
        Some(lines) => {
            let shipment = shop.shipments.load(&id).await?.state;
            let line = |(line_id, quantity)| {
                let opened = shipment.lines().iter().find(|line| line.line_id == line_id);
                opened
                    .map(|line| ShippedLine { line_id, variant_id: line.variant_id, quantity })
                    .ok_or_else(|| UseCaseError::refused(&Unavailable::NotFound("line")))
            };
            Some(lines.into_iter().map(line).collect::<Result<_, _>>()?)
        }
    };
    Ok(shop.shipments.execute(&id, ShipmentCommand::Pack { lines }, context, "{}").await?.into())
}

/// Notes what the carrier said of a parcel.
///
/// # Errors
/// When the shipment refuses.
pub async fn report_carrier(
    shop: &Shop,
    context: &CommandContext,
    shipment_id: ShipmentId,
    (report_id, status, at): (String, CarrierStatus, Timestamp),
) -> Result<Done<Arc<Shipment>>, UseCaseError> {
    let command = ShipmentCommand::RecordCarrierReport { report_id, status, at };
    Ok(shop.shipments.execute(&shipment_id.to_string(), command, context, "{}").await?.into())
}
