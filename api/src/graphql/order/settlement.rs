//! An order's money and parcels as clients see them.

use async_graphql::{ID, SimpleObject};
use daybook_domain::{OrderId, RefundId, Timestamp};
use daybook_projections::orders::{self, OrderRow, OrderShipment};

use super::status::{PaymentStatus, TransactionStatus};
use crate::graphql::id::global;
use crate::graphql::money::MoneyV2;
use crate::graphql::shipment::{CarrierStatus, Shipment, ShipmentLine, ShipmentStatus};

/// An order's payment.
#[derive(Debug, Clone, SimpleObject)]
pub(crate) struct OrderPayment {
    /// Its id; nothing until it was asked for.
    id: Option<ID>,
    /// How far it is.
    status: PaymentStatus,
    /// What the gateway holds or held, captured parts included.
    authorised: MoneyV2,
    /// What it took.
    captured: MoneyV2,
    /// What went back.
    refunded: MoneyV2,
    /// What is due for what left and cannot be taken, because the gateway does not hold it any more. Somebody must see to it.
    shortfall: MoneyV2,
    /// What the gateway holds or took instead of what was asked, when the payment is in conflict. Nothing is shipped on it;
    /// somebody must see to it.
    conflicting_amount: Option<MoneyV2>,
    /// Where the shopper takes a second step with the bank, when one is needed.
    action_url: Option<String>,
    /// Why the gateway refused.
    decline_code: Option<String>,
    /// What was taken or asked to be, oldest first.
    captures: Vec<Capture>,
    /// What was paid back or asked to be, oldest first.
    refunds: Vec<Refund>,
}

/// A part of the amount that was taken, or asked to be.
#[derive(Debug, Clone, SimpleObject)]
pub(crate) struct Capture {
    /// How much.
    amount: MoneyV2,
    /// How far it is.
    status: TransactionStatus,
    /// Why the gateway refused.
    failure: Option<String>,
}

/// A part of the amount that was paid back, or asked to be.
#[derive(Debug, Clone, SimpleObject)]
pub(crate) struct Refund {
    /// Its id.
    #[graphql(owned)]
    pub(crate) id: ID,
    /// How much.
    amount: MoneyV2,
    /// Why.
    reason: String,
    /// How far it is.
    status: TransactionStatus,
    /// Why the gateway refused.
    failure: Option<String>,
    /// When it was asked for.
    requested_at: Timestamp,
}

impl Refund {
    /// An order's refund with this id.
    pub(crate) fn find(order: &OrderRow, id: RefundId) -> Option<Self> {
        order.payment.refunds.iter().find(|refund| refund.refund_id == id).map(Self::from)
    }
}

impl From<&OrderRow> for OrderPayment {
    fn from(order: &OrderRow) -> Self {
        let payment = &order.payment;
        Self {
            id: payment.payment_id.as_ref().map(global),
            status: order.payment_status().into(),
            authorised: payment.authorised.into(),
            captured: payment.captured.into(),
            refunded: payment.refunded.into(),
            shortfall: payment.shortfall.into(),
            conflicting_amount: payment.conflict.map(MoneyV2::from),
            action_url: payment.action_url.clone(),
            decline_code: payment.decline_code.clone(),
            captures: payment.captures.iter().map(Capture::from).collect(),
            refunds: payment.refunds.iter().map(Refund::from).collect(),
        }
    }
}

impl From<&orders::Capture> for Capture {
    fn from(capture: &orders::Capture) -> Self {
        let (amount, status) = (capture.amount.into(), capture.progress.into());
        Self { amount, status, failure: capture.failure.clone() }
    }
}

impl From<&orders::Refund> for Refund {
    fn from(refund: &orders::Refund) -> Self {
        Self {
            id: global(&refund.refund_id),
            amount: refund.amount.into(),
            reason: refund.reason.clone(),
            status: refund.progress.into(),
            failure: refund.failure.clone(),
            requested_at: refund.requested_at,
        }
    }
}

/// One of an order's shipments.
pub(super) fn shipment(order_id: OrderId, parcel: &OrderShipment) -> Shipment {
    Shipment {
        id: global(&parcel.shipment_id),
        order_id: global(&order_id),
        location: parcel.location.to_string(),
        status: status(parcel.status),
        lines: parcel.lines.iter().map(ShipmentLine::from).collect(),
        carrier: parcel.carrier.clone(),
        tracking: parcel.tracking.clone(),
        carrier_status: parcel.carrier_status.map(CarrierStatus::from),
    }
}

const fn status(status: orders::ShipmentStatus) -> ShipmentStatus {
    match status {
        orders::ShipmentStatus::Open => ShipmentStatus::Open,
        orders::ShipmentStatus::Packed => ShipmentStatus::Packed,
        orders::ShipmentStatus::Dispatched => ShipmentStatus::Dispatched,
        orders::ShipmentStatus::Delivered => ShipmentStatus::Delivered,
        orders::ShipmentStatus::Failed => ShipmentStatus::Failed,
        orders::ShipmentStatus::Cancelled => ShipmentStatus::Cancelled,
    }
}
