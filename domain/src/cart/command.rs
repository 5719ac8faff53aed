//! What can be asked of a cart.

use std::collections::BTreeMap;

use super::event::CartLine;
use crate::kernel::{
    CartId, CountryCode, Currency, CustomerId, LineId, Money, OrderId, Quantity, Sealed, Timestamp,
};
use crate::pricing::{PricedVariant, ShippingOffer, TaxTreatment};

/// A request to a cart.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the fields' meaning is their name")]
pub enum CartCommand {
    /// Take a cart.
    Create { cart_id: CartId, customer_id: Option<CustomerId>, currency: Currency, tax: TaxTreatment },
    /// Put a variant in; the same variant with the same attributes adds to its line at the newer price.
    AddLine { line_id: LineId, item: PricedVariant, quantity: Quantity, attributes: BTreeMap<String, String> },
    /// Have another number of a line.
    ChangeQuantity { line_id: LineId, quantity: Quantity },
    /// Take a line out.
    RemoveLine { line_id: LineId },
    /// Say who and where to deliver to.
    SetDelivery { contact: Sealed, address: Sealed, country: CountryCode },
    /// Choose a way of shipping, as it is offered for the country delivered to.
    ChooseShipping { offer: ShippingOffer },
    /// Take today's prices for all lines (and the shipping, when chosen).
    Reprice { prices: Vec<PricedVariant>, shipping: Option<ShippingOffer> },
    /// Add another cart's lines, as at sign-in; the newer price of a line wins.
    Merge { from: CartId, lines: Vec<CartLine> },
    /// Close this cart because its lines went into another.
    CloseInto { cart_id: CartId },
    /// Buy the cart. `expected_total` is the total the shopper saw; `current` are today's prices, which count
    /// only when the quote has expired.
    Submit {
        order_id: OrderId,
        payment_token: String,
        expected_total: Money,
        current: Vec<PricedVariant>,
        current_shipping: Option<ShippingOffer>,
        at: Timestamp,
    },
    /// Open it again because its order came to nothing.
    Reopen { order_id: OrderId },
}
