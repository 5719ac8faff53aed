//! An order's row.

use daybook_domain::order::{CancelReason, ShippedLine};
use daybook_domain::pricing::{Quote, QuotedLine};
use daybook_domain::shipment::CarrierStatus;
use daybook_domain::{
    CartId, Currency, CustomerId, LineId, LocationCode, Money, OrderId, PaymentId, RefundId, Sealed,
    ShipmentId, Timestamp,
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! status {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $text:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum $name {
            $($(#[$variant_doc])* #[serde(rename = $text)] $variant,)+
        }

        impl $name {
            /// Its stored name.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)+ }
            }
        }
    };
}

status! {
    /// How far the order is.
    OrderStatus {
        /// Placed; stock and payment are being arranged.
        Placed = "placed",
        /// Paid for and promised.
        Confirmed = "confirmed",
        /// It will not be shipped.
        Cancelled = "cancelled",
        /// Delivered and paid, all of it.
        Completed = "completed",
    }
}

status! {
    /// How far the payment is.
    PaymentStatus {
        /// Not asked for yet, or the gateway has not answered.
        Pending = "pending",
        /// The shopper must take a second step with the bank.
        ActionRequired = "action_required",
        /// The gateway holds the amount.
        Authorised = "authorised",
        /// The gateway refused.
        Declined = "declined",
        /// No authorisation came in time.
        Expired = "expired",
        /// The gateway holds another amount than was asked.
        Conflicted = "conflicted",
        /// A part was taken.
        PartiallyCaptured = "partially_captured",
        /// All of it was taken.
        Captured = "captured",
        /// A part of what was taken went back.
        PartiallyRefunded = "partially_refunded",
        /// All that was taken went back.
        Refunded = "refunded",
        /// What was held was let go.
        Voided = "voided",
    }
}

status! {
    /// How far the goods are.
    FulfilmentStatus {
        /// No shipment was opened.
        Unfulfilled = "unfulfilled",
        /// A location is packing.
        InProgress = "in_progress",
        /// Some units left.
        PartiallyDispatched = "partially_dispatched",
        /// All units left.
        Dispatched = "dispatched",
        /// Some units are with the shopper, and all left.
        PartiallyDelivered = "partially_delivered",
        /// All units are with the shopper.
        Delivered = "delivered",
        /// All units left, none could be delivered, and they come back.
        DeliveryFailed = "delivery_failed",
        /// Nothing will be sent.
        Cancelled = "cancelled",
    }
}

status! {
    /// How far one shipment is.
    ShipmentStatus {
        /// To be packed.
        Open = "open",
        /// Packed.
        Packed = "packed",
        /// On its way.
        Dispatched = "dispatched",
        /// With the shopper.
        Delivered = "delivered",
        /// It comes back.
        Failed = "failed",
        /// It will not be sent.
        Cancelled = "cancelled",
    }
}

status! {
    /// How far a request to the gateway is.
    Progress {
        /// Asked for.
        Requested = "requested",
        /// Done.
        Succeeded = "succeeded",
        /// Refused.
        Failed = "failed",
    }
}

/// One line of an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderLine {
    /// What was bought at which price.
    #[serde(flatten)]
    pub quoted: QuotedLine,
    /// How many units left.
    pub dispatched: u32,
}

impl OrderLine {
    /// The line's id.
    pub const fn id(&self) -> LineId {
        self.quoted.line_id
    }
}

/// A part of the amount taken, or asked to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields' meaning is their name")]
pub struct Capture {
    pub capture_id: Uuid,
    pub amount: Money,
    pub progress: Progress,
    pub failure: Option<String>,
}

/// An uncaptured rest that was let go, or asked to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields' meaning is their name")]
pub struct Void {
    pub amount: Money,
    pub progress: Progress,
}

/// A part of the amount paid back, or asked to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields' meaning is their name")]
pub struct Refund {
    pub refund_id: RefundId,
    pub amount: Money,
    pub reason: String,
    pub progress: Progress,
    pub failure: Option<String>,
    pub requested_at: Timestamp,
}

/// The order's payment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PaymentView {
    /// The payment; nothing until it was asked for.
    pub payment_id: Option<PaymentId>,
    /// What the gateway holds or held.
    pub authorised: Money,
    /// What it took.
    pub captured: Money,
    /// What went back.
    pub refunded: Money,
    /// What is due and cannot be taken, because it is not held any more.
    pub shortfall: Money,
    /// What the gateway holds or took instead of what was asked, when the two differ.
    pub conflict: Option<Money>,
    /// Whether the uncaptured rest was let go.
    pub voided: bool,
    /// How it ended or what it waits for, when that is not told by the amounts.
    pub outcome: Option<PaymentStatus>,
    /// Where the shopper takes the second step.
    pub action_url: Option<String>,
    /// Why the gateway refused.
    pub decline_code: Option<String>,
    /// Captures, oldest first.
    pub captures: Vec<Capture>,
    /// What was let go, oldest first. Rows of an earlier revision have none.
    #[serde(default)]
    pub voids: Vec<Void>,
    /// Refunds, oldest first.
    pub refunds: Vec<Refund>,
}

impl PaymentView {
    /// What can still be captured: held, not let go, and not yet asked for.
    pub fn capturable(&self) -> Money {
        let captures = self.captures.iter().map(|one| (one.amount, one.progress));
        less(self.authorised, captures.chain(self.voids.iter().map(|one| (one.amount, one.progress))))
    }

    /// What can still be refunded: captured, not paid back, and not being paid back.
    pub fn refundable(&self) -> Money {
        less(self.captured, self.refunds.iter().map(|one| (one.amount, one.progress)))
    }
}

/// What is left of `whole` without the parts that are taken or may yet be.
fn less(whole: Money, parts: impl Iterator<Item = (Money, Progress)>) -> Money {
    let taken = parts.filter(|(_, progress)| *progress != Progress::Failed);
    let left = taken.fold(whole.minor(), |left, (amount, _)| left.saturating_sub(amount.minor()));
    Money::new(left.max(0), whole.currency())
}

/// One shipment of the order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderShipment {
    /// The shipment.
    pub shipment_id: ShipmentId,
    /// From where.
    pub location: LocationCode,
    /// How far it is.
    pub status: ShipmentStatus,
    /// What the carrier said last.
    pub carrier_status: Option<CarrierStatus>,
    /// What is in it.
    pub lines: Vec<ShippedLine>,
    /// Who carries it.
    pub carrier: Option<String>,
    /// Under which number.
    pub tracking: Option<String>,
    /// When it left.
    pub dispatched_at: Option<Timestamp>,
    /// When it arrived.
    pub delivered_at: Option<Timestamp>,
}

/// An order with its payment and its shipments.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderRow {
    /// The order.
    pub order_id: OrderId,
    /// The cart it was.
    pub cart_id: CartId,
    /// Whose it is; nothing for a guest.
    pub customer_id: Option<CustomerId>,
    /// How far the order is.
    pub status: OrderStatus,
    /// Why it was cancelled.
    pub cancel_reason: Option<CancelReason>,
    /// What staff noted about why, sealed.
    pub cancel_note: Option<Sealed>,
    /// Who bought, sealed.
    pub contact: Sealed,
    /// Where to, sealed.
    pub address: Sealed,
    /// What was bought; the quote below has no lines.
    pub lines: Vec<OrderLine>,
    /// Every number of the total.
    pub quote: Quote,
    /// Its payment.
    pub payment: PaymentView,
    /// Its shipments, oldest first.
    pub shipments: Vec<OrderShipment>,
    /// When it was placed.
    pub placed_at: Timestamp,
    /// When anything about it changed last.
    pub updated_at: Timestamp,
}

impl OrderRow {
    /// The currency of all its amounts.
    pub const fn currency(&self) -> Currency {
        self.quote.total.currency()
    }

    /// The ids of what is looked up by its own id: its payment, its refunds and its shipments.
    pub(super) fn part_ids(&self) -> impl Iterator<Item = Uuid> + '_ {
        let payment = self.payment.payment_id.iter().map(|id| id.uuid());
        let refunds = self.payment.refunds.iter().map(|refund| refund.refund_id.uuid());
        payment.chain(refunds).chain(self.shipments.iter().map(|parcel| parcel.shipment_id.uuid()))
    }

    /// How far the payment is.
    pub fn payment_status(&self) -> PaymentStatus {
        let payment = &self.payment;
        let (captured, refunded) = (payment.captured.minor(), payment.refunded.minor());
        match payment.outcome {
            // Whatever was taken: a person must look first.
            Some(PaymentStatus::Conflicted) => PaymentStatus::Conflicted,
            Some(outcome) if captured == 0 => outcome,
            _ if captured == 0 && payment.voided => PaymentStatus::Voided,
            _ if captured == 0 && payment.authorised.is_zero() => PaymentStatus::Pending,
            _ if captured == 0 => PaymentStatus::Authorised,
            _ if refunded >= captured => PaymentStatus::Refunded,
            _ if refunded > 0 => PaymentStatus::PartiallyRefunded,
            _ if captured < self.quote.total.minor() => PaymentStatus::PartiallyCaptured,
            _ => PaymentStatus::Captured,
        }
    }

    /// How far the goods are.
    pub fn fulfilment_status(&self) -> FulfilmentStatus {
        let delivered = self.shipments.iter().any(|parcel| parcel.status == ShipmentStatus::Delivered);
        let active = self.shipments.iter().any(|parcel| parcel.status != ShipmentStatus::Cancelled);
        let all_left = self.lines.iter().all(|line| line.dispatched >= line.quoted.quantity.get());
        let some_left = self.lines.iter().any(|line| line.dispatched > 0);
        match (all_left, some_left) {
            (true, _) if self.is_all(ShipmentStatus::Delivered) => FulfilmentStatus::Delivered,
            (true, _) if delivered => FulfilmentStatus::PartiallyDelivered,
            (true, _) if self.is_all(ShipmentStatus::Failed) => FulfilmentStatus::DeliveryFailed,
            (true, _) => FulfilmentStatus::Dispatched,
            (_, true) => FulfilmentStatus::PartiallyDispatched,
            _ if self.status == OrderStatus::Cancelled => FulfilmentStatus::Cancelled,
            _ if active => FulfilmentStatus::InProgress,
            _ => FulfilmentStatus::Unfulfilled,
        }
    }

    /// Whether every unit of the order is in a parcel of this status.
    fn is_all(&self, status: ShipmentStatus) -> bool {
        let parcels = self.shipments.iter().filter(|parcel| parcel.status == status);
        let sent: Vec<&ShippedLine> = parcels.flat_map(|parcel| &parcel.lines).collect();
        self.lines.iter().all(|line| {
            let units =
                sent.iter().filter(|sent| sent.line_id == line.id()).map(|sent| sent.quantity.count());
            units.sum::<i64>() >= line.quoted.quantity.count()
        })
    }
}
