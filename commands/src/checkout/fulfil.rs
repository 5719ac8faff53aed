//! From the confirmed order to the shopper's door: shipments, stock that leaves, money that is captured.

use std::collections::BTreeMap;

use daybook_domain::inventory::{InventoryCommand, StockItem};
use daybook_domain::order::{OrderCommand, OrderRefusal, ShippedLine, StockHold};
use daybook_domain::payment::PaymentCommand;
use daybook_domain::pricing::QuotedLine;
use daybook_domain::shipment::ShipmentCommand;
use daybook_domain::{LocationCode, OrderId, Quantity, ShipmentId, VariantId};
use daybook_eventstore::Unit;
use futures::future::try_join_all;

use super::{Checkout, PlacedOrder};
use crate::process::{ProcessError, Reaction, begin, must, tell};
use crate::related::{payment_of, rest_of, shipment_of};

/// A shipment that may leave.
#[derive(Clone, Copy)]
pub(super) struct Leaving<'a> {
    pub(super) shipment_id: ShipmentId,
    pub(super) lines: &'a [ShippedLine],
    pub(super) carrier: &'a str,
    pub(super) tracking: &'a str,
}

impl Checkout {
    /// A location that promised stock opens a shipment.
    pub(super) fn open(
        &self,
        unit: &mut Unit<'_>,
        order_id: OrderId,
        location: LocationCode,
        lines: Vec<ShippedLine>,
    ) -> Result<(), ProcessError> {
        let shipment_id = shipment_of(order_id, &location);
        let command = ShipmentCommand::Open { shipment_id, order_id, location, lines };
        must(unit.create(&self.shop.shipments, &shipment_id.to_string(), command)?)
    }

    /// Shipment packed with something missing: another one carries the rest. What cancelled the order has gone along the
    /// shipments there were, so from then on there is no other one.
    pub(super) async fn open_rest(
        &self,
        order_id: OrderId,
        remaining: &[ShippedLine],
        reaction: &Reaction,
    ) -> Result<(), ProcessError> {
        let order = self.order(order_id).await?;
        if !order.as_ref().is_some_and(PlacedOrder::may_leave) {
            return Ok(());
        }
        let shipment = self.shop.shipments.recall(&reaction.aggregate_id).await?.state;
        let Some(location) = shipment.location().cloned() else { return Ok(()) };
        let rest = rest_of(shipment.shipment_id());
        let id = rest.to_string();
        let context = reaction.context(&format!("open {id}"), self.shop.clock.now());
        let lines = remaining.to_vec();
        let command = ShipmentCommand::Open { shipment_id: rest, order_id, location, lines };
        begin(&self.shop.shipments, &id, command, &context, |_| false).await
    }

    /// The order let a shipment leave: it leaves, its stock with it, and its part of the total is captured.
    pub(super) async fn dispatch(
        &self,
        order_id: OrderId,
        leaving: Leaving<'_>,
        reaction: &Reaction,
    ) -> Result<(), ProcessError> {
        let left = self.send_off(leaving, reaction);
        let shipped = self.ship_stock(order_id, leaving, reaction);
        let captured = self.capture(order_id, leaving.shipment_id, reaction);
        // What cannot be captured holds up neither the parcel nor the stock.
        let (left, shipped, captured) = tokio::join!(left, shipped, captured);
        left.and(shipped).and(captured)
    }

    async fn send_off(&self, leaving: Leaving<'_>, reaction: &Reaction) -> Result<(), ProcessError> {
        let context = reaction.context("dispatch", self.shop.clock.now());
        let (carrier, tracking) = (leaving.carrier.to_owned(), leaving.tracking.to_owned());
        let command = ShipmentCommand::Dispatch { carrier, tracking };
        tell(&self.shop.shipments, &leaving.shipment_id.to_string(), command, &context, |_| false).await
    }

    async fn ship_stock(
        &self,
        order_id: OrderId,
        leaving: Leaving<'_>,
        reaction: &Reaction,
    ) -> Result<(), ProcessError> {
        let shipment_id = leaving.shipment_id;
        let shipment = self.shop.shipments.recall(&shipment_id.to_string()).await?.state;
        let Some(location) = shipment.location() else { return Ok(()) };
        let shipped = per_variant(leaving.lines).into_iter().map(|(variant_id, quantity)| async move {
            let item = StockItem { variant_id, location: location.clone() };
            let id = item.to_string();
            let context = reaction.context(&format!("ship {id}"), self.shop.clock.now());
            let command = InventoryCommand::Ship { item, order_id, shipment_id, quantity };
            tell(&self.shop.inventory, &id, command, &context, |_| false).await
        });
        try_join_all(shipped).await?;
        Ok(())
    }

    /// Takes what is due for all that left so far, as far as it is held; the payment says what is missing.
    async fn capture(
        &self,
        order_id: OrderId,
        shipment_id: ShipmentId,
        reaction: &Reaction,
    ) -> Result<(), ProcessError> {
        let due = self.shop.orders.recall(&order_id.to_string()).await?.state.due();
        let context = reaction.context("capture", self.shop.clock.now());
        let command = PaymentCommand::CaptureDue { capture_id: shipment_id.uuid(), due };
        tell(&self.shop.payments, &payment_of(order_id).to_string(), command, &context, |_| false).await
    }

    /// Shipment delivered: the order knows.
    pub(super) async fn deliver(&self, order_id: OrderId, reaction: &Reaction) -> Result<(), ProcessError> {
        let Ok(shipment_id) = reaction.aggregate_id.parse() else { return Ok(()) };
        let context = reaction.context("deliver", self.shop.clock.now());
        let command = OrderCommand::RecordDelivered { shipment_id };
        tell(&self.shop.orders, &order_id.to_string(), command, &context, |_| false).await
    }

    /// Something arrived or was paid: if that was the last of it, the order is complete.
    pub(super) async fn complete(&self, order_id: OrderId, reaction: &Reaction) -> Result<(), ProcessError> {
        let captured = self.shop.payments.recall(&payment_of(order_id).to_string()).await?.state.captured();
        let context = reaction.context("complete", self.shop.clock.now());
        let command = OrderCommand::Complete { captured };
        // A cancelled order's capture goes back; it is never complete.
        tell(&self.shop.orders, &order_id.to_string(), command, &context, |refusal| {
            matches!(refusal, OrderRefusal::Cancelled)
        })
        .await
    }
}

/// Shipment that comes back: somebody is told, and the order's parcel goes on saying it. What becomes of the goods and of
/// the money is for the shop's people to decide.
pub(super) fn note_failed(order_id: OrderId, reaction: &Reaction) {
    metrics::counter!("daybook_shipments_failed_total").increment(1);
    tracing::warn!(%order_id, shipment = reaction.aggregate_id, correlation_id = %reaction.correlation_id(),
        "a parcel could not be delivered and comes back; somebody must see to it");
}

/// The lines each location sends: every line goes where its variant was promised, several lines of one variant
/// sharing what was promised in their order.
pub(super) fn by_location(
    lines: &[QuotedLine],
    allocations: &[StockHold],
) -> BTreeMap<LocationCode, Vec<ShippedLine>> {
    let mut promised: Vec<(&StockItem, i64)> =
        allocations.iter().map(|one| (&one.item, one.quantity.count())).collect();
    let mut shipments: BTreeMap<LocationCode, Vec<ShippedLine>> = BTreeMap::new();
    for line in lines {
        let mut wanted = line.quantity.count();
        for (item, left) in promised.iter_mut().filter(|(item, _)| item.variant_id == line.variant_id) {
            let Ok(quantity) = Quantity::try_new(wanted.min(*left)) else { continue };
            *left -= quantity.count();
            wanted -= quantity.count();
            let shipped = ShippedLine { line_id: line.line_id, variant_id: line.variant_id, quantity };
            shipments.entry(item.location.clone()).or_default().push(shipped);
        }
    }
    shipments
}

fn per_variant(lines: &[ShippedLine]) -> BTreeMap<VariantId, Quantity> {
    let mut sums: BTreeMap<VariantId, Quantity> = BTreeMap::new();
    for line in lines {
        let sum = sums.get(&line.variant_id).and_then(|sum| sum.checked_add(line.quantity).ok());
        sums.insert(line.variant_id, sum.unwrap_or(line.quantity));
    }
    sums
}
