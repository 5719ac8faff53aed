//! What can have happened to an order.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::inventory::StockItem;
use crate::kernel::{
    CartId, CustomerId, LineId, Money, OrderId, Quantity, ReturnId, Sealed, ShipmentId, VariantId,
    event_types,
};
use crate::pricing::Quote;

/// Units of one stock item that an order holds or was promised.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StockHold {
    /// The variant and where it is.
    pub item: StockItem,
    /// How many.
    pub quantity: Quantity,
}

/// Units of one order line in a shipment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ShippedLine {
    /// The order line.
    pub line_id: LineId,
    /// Its variant.
    pub variant_id: VariantId,
    /// How many.
    pub quantity: Quantity,
}

/// Why an order was cancelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CancelReason {
    /// The shopper asked for it.
    Customer,
    /// The shop's staff decided it.
    Staff,
    /// There was not enough stock.
    OutOfStock,
    /// The payment was declined.
    PaymentDeclined,
    /// The payment did not come in time.
    PaymentExpired,
    /// It looks like a fraud.
    Fraud,
    /// Anything else; the note may say what.
    Other,
}

/// A fact about an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[expect(missing_docs, reason = "the fields' meaning is their name; the catalogue says each event's")]
#[expect(clippy::large_enum_variant, reason = "every order has the large one, and it moves once")]
pub enum OrderEvent {
    Placed {
        order_id: OrderId,
        cart_id: CartId,
        customer_id: Option<CustomerId>,
        contact: Sealed,
        address: Sealed,
        quote: Quote,
        payment_token: String,
    },
    StockReserved {
        holds: Vec<StockHold>,
    },
    Confirmed {
        allocations: Vec<StockHold>,
    },
    Cancelled {
        reason: CancelReason,
        holds: Vec<StockHold>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        note: Option<Sealed>,
    },
    Dispatched {
        shipment_id: ShipmentId,
        lines: Vec<ShippedLine>,
        carrier: String,
        tracking: String,
        to_capture: Money,
    },
    Delivered {
        shipment_id: ShipmentId,
    },
    Returned {
        return_id: ReturnId,
        variant_id: VariantId,
        quantity: Quantity,
    },
    Completed {},
}

event_types!(OrderEvent, "Order", {
    Placed = "1": "a submitted cart became an order at its quoted total",
    StockReserved = "1": "every line's stock is held, to be paid for in time",
    Confirmed = "1": "the money is authorised and the stock promised: it will be shipped",
    Cancelled = "1": "it will not be shipped; what was held and authorised is given back; `note`, if there is one, is what staff sealed about why",
    Dispatched = "1": "a shipment may leave, and its part of the total is to be captured",
    Delivered = "1": "a shipment reached the shopper",
    Returned = "1": "units that had left came back",
    Completed = "1": "everything was delivered and paid",
});
