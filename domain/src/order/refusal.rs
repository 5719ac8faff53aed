//! Why an order says no.

use crate::kernel::{LineId, MoneyError, Refusal, ReturnId, ShipmentId, TextError, VariantId};

/// An order's refusal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OrderRefusal {
    /// It was never placed.
    #[error("there is no such order")]
    NotFound,
    /// It was placed with other content.
    #[error("the order was placed with other content")]
    AlreadyExists,
    /// There is nothing to order.
    #[error("an order has at least one line")]
    NoLines,
    /// Other stock is held for it already.
    #[error("other stock is held for the order already")]
    AlreadyReserved,
    /// Other stock was promised to it already.
    #[error("other stock is allocated to the order already")]
    AlreadyConfirmed,
    /// What is held or promised is less than what was ordered.
    #[error("{ordered} units of variant {variant_id} were ordered, and {covered} are covered")]
    StockNotCovered {
        /// The variant.
        variant_id: VariantId,
        /// How many were ordered.
        ordered: u32,
        /// How many are held or promised.
        covered: u64,
    },
    /// It will not be shipped.
    #[error("the order is cancelled")]
    Cancelled,
    /// It is not yet promised.
    #[error("the order is not confirmed yet")]
    NotConfirmed,
    /// A part of it has left.
    #[error("a part of the order has left, what is delivered can be returned")]
    AlreadyDispatched,
    /// Nothing is to leave.
    #[error("a dispatch has at least one line")]
    NothingToDispatch,
    /// No such line with this variant.
    #[error("line {line_id} with this variant is not in the order")]
    LineNotFound {
        /// The line.
        line_id: LineId,
    },
    /// More than what is still to leave.
    #[error("{remaining} units of line {line_id} are still to be dispatched, not {asked}")]
    DispatchExceedsOrdered {
        /// The line.
        line_id: LineId,
        /// How many are still to leave.
        remaining: u32,
        /// How many were asked for.
        asked: u64,
    },
    /// This shipment left with other lines.
    #[error("shipment {shipment_id} was dispatched with other content")]
    ShipmentAlreadyDispatched {
        /// The shipment.
        shipment_id: ShipmentId,
    },
    /// No such shipment left.
    #[error("shipment {shipment_id} was not dispatched for this order")]
    ShipmentNotFound {
        /// The shipment.
        shipment_id: ShipmentId,
    },
    /// More came back than left and is not back yet.
    #[error("{remaining} units of variant {variant_id} can still come back, not {asked}")]
    ReturnExceedsDispatched {
        /// The variant.
        variant_id: VariantId,
        /// How many left and are not back.
        remaining: u64,
        /// How many were said to be back.
        asked: u32,
    },
    /// The return was noted with other content.
    #[error("return {return_id} was noted with other content")]
    ReturnIdUsed {
        /// The return.
        return_id: ReturnId,
    },
    /// A text is too long or holds what it may not.
    #[error(transparent)]
    Text(#[from] TextError),
    /// The quote's numbers cannot be summed.
    #[error(transparent)]
    Money(#[from] MoneyError),
    /// The quote's parts are not its total.
    #[error("the quote's lines and shipping do not sum to its total")]
    QuoteDoesNotAddUp,
}

impl Refusal for OrderRefusal {
    fn code(&self) -> &'static str {
        match self {
            Self::NotFound => "NOT_FOUND",
            Self::AlreadyExists => "ALREADY_EXISTS",
            Self::NoLines => "NO_LINES",
            Self::AlreadyReserved => "ALREADY_RESERVED",
            Self::AlreadyConfirmed => "ALREADY_CONFIRMED",
            Self::StockNotCovered { .. } => "STOCK_NOT_COVERED",
            Self::Cancelled => "ORDER_CANCELLED",
            Self::NotConfirmed => "ORDER_NOT_CONFIRMED",
            Self::AlreadyDispatched => "ALREADY_DISPATCHED",
            Self::NothingToDispatch => "NOTHING_TO_DISPATCH",
            Self::LineNotFound { .. } => "LINE_NOT_FOUND",
            Self::DispatchExceedsOrdered { .. } => "DISPATCH_EXCEEDS_ORDERED",
            Self::ShipmentAlreadyDispatched { .. } => "SHIPMENT_ALREADY_DISPATCHED",
            Self::ShipmentNotFound { .. } => "SHIPMENT_NOT_FOUND",
            Self::ReturnExceedsDispatched { .. } => "RETURN_EXCEEDS_DISPATCHED",
            Self::ReturnIdUsed { .. } => "RETURN_ID_USED",
            Self::Text(_) => "TEXT_INVALID",
            Self::Money(MoneyError::CurrencyMismatch { .. }) => "CURRENCY_MISMATCH",
            Self::Money(MoneyError::OutOfRange | MoneyError::NotAnAmount) => "TOTAL_OUT_OF_RANGE",
            Self::QuoteDoesNotAddUp => "QUOTE_DOES_NOT_ADD_UP",
        }
    }
}
