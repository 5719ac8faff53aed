//! What can have happened to a cart.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::kernel::{
    CartId, CountryCode, Currency, CustomerId, LineId, OrderId, Quantity, Sealed, event_types,
};
use crate::pricing::{PricedVariant, Quote, ShippingQuote, TaxTreatment};

/// A fact about a cart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[expect(missing_docs, reason = "the fields' meaning is their name; the catalogue says each event's")]
pub enum CartEvent {
    Created {
        cart_id: CartId,
        customer_id: Option<CustomerId>,
        #[schemars(with = "String")]
        currency: Currency,
        tax: TaxTreatment,
    },
    LineAdded {
        line: CartLine,
    },
    LineQuantityChanged {
        line_id: LineId,
        quantity: Quantity,
    },
    LineRemoved {
        line_id: LineId,
    },
    DeliverySet {
        contact: Sealed,
        address: Sealed,
        country: CountryCode,
    },
    ShippingChosen {
        shipping: ShippingQuote,
    },
    Repriced {
        prices: Vec<PricedVariant>,
        shipping: Option<ShippingQuote>,
    },
    Merged {
        from: CartId,
        lines: Vec<CartLine>,
    },
    MergedInto {
        cart_id: CartId,
    },
    Submitted {
        order_id: OrderId,
        contact: Sealed,
        address: Sealed,
        quote: Quote,
        payment_token: String,
    },
    Reopened {
        order_id: OrderId,
    },
}

/// One line of a cart: lines with the same variant and the same attributes are one line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CartLine {
    /// The line.
    pub line_id: LineId,
    /// The variant at the price it was quoted.
    pub item: PricedVariant,
    /// How many.
    pub quantity: Quantity,
    /// What the shopper asked for beside the variant, such as an engraving.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<String, String>,
}

event_types!(CartEvent, "Cart", {
    Created = "1": "a shopper took a cart",
    LineAdded = "1": "a line was put into the cart, or its quantity grew and its price became today's; `quantity` is what was added",
    LineQuantityChanged = "1": "a line's quantity became another",
    LineRemoved = "1": "a line was taken out",
    DeliverySet = "1": "the shopper said who and where to deliver to",
    ShippingChosen = "1": "the shopper chose a way of shipping at its price",
    Repriced = "1": "the cart's prices became today's, and the shopper was shown them",
    Merged = "1": "another cart's lines were added to this one",
    MergedInto = "1": "this cart's lines went into another, and it closed",
    Submitted = "1": "the shopper bought the cart for the quoted total",
    Reopened = "1": "the order came to nothing, and the cart may be changed and submitted again",
});
