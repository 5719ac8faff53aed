//! What each event of an order, its payment and its shipments does to the order's row.

use daybook_domain::catalogue::DomainEvent;
use daybook_domain::order::OrderEvent;
use daybook_domain::{Money, OrderId};
use daybook_eventstore::RecordedEvent;

use super::row::{OrderLine, OrderRow, OrderStatus, PaymentView, ShipmentStatus};
use super::{Orders, payment, shipment};
use crate::runtime::{Envelope, FoldError, ReadModel};

impl ReadModel for Orders {
    type Row = OrderRow;
    const SOURCES: &'static [&'static str] = &["Order", "Payment", "Shipment"];
    const REVISION: i32 = 3;

    fn key(event: &Envelope) -> Option<String> {
        order_of(&event.event, event.aggregate_id())
    }

    fn key_of_unreadable(recorded: &RecordedEvent) -> String {
        let payload: Option<serde_json::Value> = serde_json::from_str(&recorded.payload).ok();
        // {"Captured": {"order_id": "…", …}}
        let order_id =
            payload.as_ref().and_then(|payload| payload.as_object()?.values().next()?.get("order_id"));
        let order_id = order_id.and_then(|id| id.as_str()?.parse::<OrderId>().ok());
        order_id.map_or_else(|| recorded.aggregate_id.clone(), |id| id.to_string())
    }

    fn fold(row: Option<OrderRow>, event: &Envelope) -> Result<Option<OrderRow>, FoldError> {
        if let DomainEvent::Order(OrderEvent::Placed { .. }) = &event.event {
            return Ok(placed(event));
        }
        let mut row = row.ok_or(FoldError::NothingYet("order"))?;
        match &event.event {
            DomainEvent::Order(happened) => order(&mut row, happened, event)?,
            DomainEvent::Payment(happened) => payment::fold(&mut row, happened, event)?,
            DomainEvent::Shipment(happened) => shipment::fold(&mut row, happened, event)?,
            DomainEvent::Cart(_)
            | DomainEvent::Inventory(_)
            | DomainEvent::Product(_)
            | DomainEvent::Person(_)
            | DomainEvent::Inspection(_) => {}
        }
        row.updated_at = event.occurred_at();
        Ok(Some(row))
    }
}

/// The order that an event of this aggregate belongs to.
pub(super) fn order_of(event: &DomainEvent, aggregate_id: &str) -> Option<String> {
    match event {
        DomainEvent::Order(_) => Some(aggregate_id.to_owned()),
        DomainEvent::Payment(paid) => Some(payment::order_of(paid).to_string()),
        DomainEvent::Shipment(shipped) => Some(shipment::order_of(shipped).to_string()),
        DomainEvent::Cart(_)
        | DomainEvent::Inventory(_)
        | DomainEvent::Product(_)
        | DomainEvent::Person(_)
        | DomainEvent::Inspection(_) => None,
    }
}

fn placed(event: &Envelope) -> Option<OrderRow> {
    let DomainEvent::Order(OrderEvent::Placed {
        order_id,
        cart_id,
        customer_id,
        contact,
        address,
        quote,
        ..
    }) = &event.event
    else {
        return None;
    };
    let mut quote = quote.clone();
    let lines = std::mem::take(&mut quote.lines);
    let nothing = Money::zero(quote.total.currency());
    Some(OrderRow {
        order_id: *order_id,
        cart_id: *cart_id,
        customer_id: *customer_id,
        status: OrderStatus::Placed,
        cancel_reason: None,
        cancel_note: None,
        contact: contact.clone(),
        address: address.clone(),
        lines: lines.into_iter().map(|quoted| OrderLine { quoted, dispatched: 0 }).collect(),
        quote,
        payment: PaymentView {
            payment_id: None,
            authorised: nothing,
            captured: nothing,
            refunded: nothing,
            shortfall: nothing,
            conflict: None,
            voided: false,
            outcome: None,
            action_url: None,
            decline_code: None,
            captures: Vec::new(),
            voids: Vec::new(),
            refunds: Vec::new(),
        },
        shipments: Vec::new(),
        placed_at: event.occurred_at(),
        updated_at: event.occurred_at(),
    })
}

fn order(row: &mut OrderRow, happened: &OrderEvent, event: &Envelope) -> Result<(), FoldError> {
    match happened {
        // What came back is told by the history, and what went back by the payment.
        OrderEvent::Placed { .. } | OrderEvent::StockReserved { .. } | OrderEvent::Returned { .. } => {}
        OrderEvent::Confirmed { .. } => row.status = OrderStatus::Confirmed,
        OrderEvent::Cancelled { reason, note, .. } => {
            row.status = OrderStatus::Cancelled;
            row.cancel_reason = Some(*reason);
            row.cancel_note.clone_from(note);
        }
        OrderEvent::Dispatched { shipment_id, lines, carrier, tracking, .. } => {
            for left in lines {
                let line = row.lines.iter_mut().find(|line| line.id() == left.line_id);
                line.ok_or(FoldError::Unknown("line"))?.dispatched += left.quantity.get();
            }
            let parcel = shipment::find(row, *shipment_id)?;
            parcel.carrier = Some(carrier.clone());
            parcel.tracking = Some(tracking.clone());
        }
        OrderEvent::Delivered { shipment_id } => {
            let parcel = shipment::find(row, *shipment_id)?;
            parcel.status = ShipmentStatus::Delivered;
            parcel.delivered_at.get_or_insert(event.occurred_at());
        }
        OrderEvent::Completed {} => row.status = OrderStatus::Completed,
    }
    Ok(())
}
