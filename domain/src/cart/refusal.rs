//! Why a cart says no.

use super::{MAX_ATTRIBUTES, MAX_LINES};
use crate::kernel::{
    CountryCode, Currency, LineId, Money, OrderId, Quantity, Refusal, ShippingMethod, Sku, TextError,
};
use crate::pricing::QuoteError;

/// A cart's refusal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CartRefusal {
    /// It was never created.
    #[error("there is no such cart")]
    NotFound,
    /// It was created with other content.
    #[error("the cart was created with another owner, currency or tax treatment")]
    AlreadyExists,
    /// It was submitted, or its lines went into another cart.
    #[error("the cart is not open for changes")]
    NotOpen,
    /// No such line.
    #[error("line {line_id} is not in the cart")]
    LineNotFound {
        /// The line.
        line_id: LineId,
    },
    /// The line's id is another line's.
    #[error("line {line_id} is in the cart with another variant or other attributes")]
    LineIdTaken {
        /// The line.
        line_id: LineId,
    },
    /// There is too much to list.
    #[error("a cart has at most {MAX_LINES} lines")]
    TooManyLines,
    /// More units of one variant than one order may have.
    #[error("a cart has at most {max} units of a variant, not {asked}", max = Quantity::MAX)]
    QuantityTooLarge {
        /// How many it would have.
        asked: u64,
    },
    /// Too much is asked beside the variant.
    #[error("a line has at most {MAX_ATTRIBUTES} attributes, not {given}")]
    TooManyAttributes {
        /// How many were given.
        given: usize,
    },
    /// A text is too long or holds what it may not.
    #[error(transparent)]
    Text(#[from] TextError),
    /// A price in a currency that is not the cart's.
    #[error("the cart is in {c}, not {g}", c = .cart.code(), g = .given.code())]
    CurrencyMismatch {
        /// The cart's currency.
        cart: Currency,
        /// The price's.
        given: Currency,
    },
    /// Nothing costs less than nothing.
    #[error("a price cannot be negative")]
    NegativePrice,
    /// It has no line.
    #[error("the cart is empty")]
    Empty,
    /// Nobody said where to.
    #[error("the contact and delivery address are not set")]
    DeliveryNotSet,
    /// No way of shipping, or none yet for the country that was set last.
    #[error("no shipping is chosen for the country delivered to")]
    ShippingNotChosen,
    /// The chosen way of shipping is not offered any more.
    #[error("shipping by {method} is no longer offered")]
    ShippingUnavailable {
        /// The way of shipping.
        method: ShippingMethod,
    },
    /// The way of shipping was priced for another country than the one that was set last.
    #[error("shipping was priced for {offered}, and the cart goes to {country}")]
    ShippingForAnotherCountry {
        /// The country it was priced for.
        offered: CountryCode,
        /// The country delivered to.
        country: CountryCode,
    },
    /// A line's variant is not for sale any more.
    #[error("{sku} is no longer for sale")]
    LineUnavailable {
        /// The line.
        line_id: LineId,
        /// Its sku.
        sku: Sku,
    },
    /// The quote ran out, and today's total is another.
    #[error("the quote has expired: the total was {old_total} {c} and is now {new_total}", c = .old_total.currency().code())]
    QuoteExpired {
        /// What the shopper saw.
        old_total: Money,
        /// What it costs today.
        new_total: Money,
    },
    /// The shopper saw another total.
    #[error("the total is {actual} {a}, not {expected} {e}", a = .actual.currency().code(), e = .expected.currency().code())]
    TotalChanged {
        /// What the shopper saw.
        expected: Money,
        /// What it is.
        actual: Money,
    },
    /// No amount is that large.
    #[error("the total is too large")]
    TotalOutOfRange,
    /// Its lines cannot go into itself.
    #[error("a cart cannot be merged into itself")]
    MergeIntoItself,
    /// It was not submitted as this order.
    #[error("the cart was not submitted as order {order_id}")]
    NotSubmittedAs {
        /// The order.
        order_id: OrderId,
    },
    /// This order came to nothing; another submit needs another order.
    #[error("order {order_id} came to nothing, submit as another")]
    OrderIdUsed {
        /// The order.
        order_id: OrderId,
    },
}

impl From<QuoteError> for CartRefusal {
    fn from(error: QuoteError) -> Self {
        match error {
            QuoteError::NoLines => Self::Empty,
            // Every price was checked to be in the cart's currency, so only the size is left.
            QuoteError::Money(_) => Self::TotalOutOfRange,
        }
    }
}

impl Refusal for CartRefusal {
    fn code(&self) -> &'static str {
        match self {
            Self::NotFound => "NOT_FOUND",
            Self::AlreadyExists => "ALREADY_EXISTS",
            Self::NotOpen => "CART_NOT_OPEN",
            Self::LineNotFound { .. } => "LINE_NOT_FOUND",
            Self::LineIdTaken { .. } => "LINE_ID_TAKEN",
            Self::TooManyLines => "TOO_MANY_LINES",
            Self::QuantityTooLarge { .. } => "QUANTITY_TOO_LARGE",
            Self::TooManyAttributes { .. } => "TOO_MANY_ATTRIBUTES",
            Self::Text(_) => "TEXT_INVALID",
            Self::CurrencyMismatch { .. } => "CURRENCY_MISMATCH",
            Self::NegativePrice => "NEGATIVE_PRICE",
            Self::Empty => "EMPTY_CART",
            Self::DeliveryNotSet => "DELIVERY_NOT_SET",
            Self::ShippingNotChosen => "SHIPPING_NOT_CHOSEN",
            Self::ShippingUnavailable { .. } => "SHIPPING_UNAVAILABLE",
            Self::ShippingForAnotherCountry { .. } => "SHIPPING_FOR_ANOTHER_COUNTRY",
            Self::LineUnavailable { .. } => "LINE_UNAVAILABLE",
            Self::QuoteExpired { .. } => "QUOTE_EXPIRED",
            Self::TotalChanged { .. } => "TOTAL_CHANGED",
            Self::TotalOutOfRange => "TOTAL_OUT_OF_RANGE",
            Self::MergeIntoItself => "MERGE_INTO_ITSELF",
            Self::NotSubmittedAs { .. } => "NOT_SUBMITTED_AS",
            Self::OrderIdUsed { .. } => "ORDER_ID_USED",
        }
    }
}
