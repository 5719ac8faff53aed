//! The parcel of an invoice: packed, sent off, paid for and delivered.

use daybook_domain::order::{OrderCommand, ShippedLine};
use daybook_domain::payment::PaymentCommand;
use daybook_domain::shipment::{CarrierStatus, ShipmentCommand};
use daybook_domain::{Money, ShipmentId};
use futures::future::try_join_all;
use futures::try_join;

use super::error::ImportError;
use super::sell::{Bought, Placed};
use super::stock;
use super::story::Story;

/// Who carried it: the file does not say.
const CARRIER: &str = "not recorded";

/// The commands of every parcel.
pub(super) const STEPS: [&str; 9] = [
    OPEN_SHIPMENT,
    PACK_SHIPMENT,
    DISPATCH_ORDER,
    DISPATCH_SHIPMENT,
    REQUEST_CAPTURE,
    RECORD_CAPTURED,
    DELIVER_SHIPMENT,
    RECORD_DELIVERED,
    COMPLETE_ORDER,
];
const OPEN_SHIPMENT: &str = "open shipment";
const PACK_SHIPMENT: &str = "pack shipment";
const DISPATCH_ORDER: &str = "dispatch order";
const DISPATCH_SHIPMENT: &str = "dispatch shipment";
const REQUEST_CAPTURE: &str = "request capture";
const RECORD_CAPTURED: &str = "record captured";
const DELIVER_SHIPMENT: &str = "deliver shipment";
const RECORD_DELIVERED: &str = "record delivered";
const COMPLETE_ORDER: &str = "complete order";

/// Sends everything that the order is of.
pub(super) async fn ship(story: &Story<'_>, bought: Bought, placed: &Placed) -> Result<(), ImportError> {
    let shipment_id = ShipmentId::derived(story.id, "shipment");
    pack(story, bought, shipment_id, &placed.lines).await?;
    let to_capture = let_leave(story, bought, shipment_id, &placed.lines).await?;
    let shipped = placed.holds.iter().map(|hold| stock::ship(story, bought.order, shipment_id, hold));
    let ((), _, captured) = try_join!(
        dispatch(story, shipment_id),
        try_join_all(shipped),
        capture(story, bought, shipment_id, to_capture),
    )?;
    deliver(story, bought, shipment_id, captured).await
}

async fn pack(
    story: &Story<'_>,
    bought: Bought,
    shipment_id: ShipmentId,
    lines: &[ShippedLine],
) -> Result<(), ImportError> {
    let (shipments, id) = (&story.shop().shipments, shipment_id.to_string());
    let open = ShipmentCommand::Open {
        shipment_id,
        order_id: bought.order,
        location: story.location(),
        lines: lines.to_vec(),
    };
    story.begins(shipments, &id).await;
    story.tell(shipments, &id, OPEN_SHIPMENT, open).await?;
    story.tell(shipments, &id, PACK_SHIPMENT, ShipmentCommand::Pack { lines: None }).await
}

/// Has the order let the parcel leave; returns what is to be captured for it.
async fn let_leave(
    story: &Story<'_>,
    bought: Bought,
    shipment_id: ShipmentId,
    lines: &[ShippedLine],
) -> Result<Money, ImportError> {
    let leave = OrderCommand::Dispatch {
        shipment_id,
        lines: lines.to_vec(),
        carrier: CARRIER.to_owned(),
        tracking: String::new(),
    };
    let left = story.see(&story.shop().orders, &bought.order.to_string(), DISPATCH_ORDER, leave).await?;
    let ours = left.dispatches().iter().find(|dispatch| dispatch.shipment_id == shipment_id);
    Ok(ours.ok_or_else(|| story.vanished("the dispatch"))?.to_capture)
}

async fn dispatch(story: &Story<'_>, shipment_id: ShipmentId) -> Result<(), ImportError> {
    let dispatched = ShipmentCommand::Dispatch { carrier: CARRIER.to_owned(), tracking: String::new() };
    story.tell(&story.shop().shipments, &shipment_id.to_string(), DISPATCH_SHIPMENT, dispatched).await
}

/// Takes the money for the parcel; returns what the order has paid.
async fn capture(
    story: &Story<'_>,
    bought: Bought,
    shipment_id: ShipmentId,
    amount: Money,
) -> Result<Money, ImportError> {
    let (payments, id) = (&story.shop().payments, bought.payment.to_string());
    let capture_id = shipment_id.uuid();
    let request = PaymentCommand::RequestCapture { capture_id, amount };
    story.tell(payments, &id, REQUEST_CAPTURE, request).await?;
    let captured = PaymentCommand::RecordCaptured { capture_id, amount };
    Ok(story.see(payments, &id, RECORD_CAPTURED, captured).await?.captured())
}

async fn deliver(
    story: &Story<'_>,
    bought: Bought,
    shipment_id: ShipmentId,
    captured: Money,
) -> Result<(), ImportError> {
    let (orders, order) = (&story.shop().orders, bought.order.to_string());
    let report = ShipmentCommand::RecordCarrierReport {
        report_id: "delivered".to_owned(),
        status: CarrierStatus::Delivered,
        at: story.at,
    };
    story.tell(&story.shop().shipments, &shipment_id.to_string(), DELIVER_SHIPMENT, report).await?;
    story.tell(orders, &order, RECORD_DELIVERED, OrderCommand::RecordDelivered { shipment_id }).await?;
    story.tell(orders, &order, COMPLETE_ORDER, OrderCommand::Complete { captured }).await
}
