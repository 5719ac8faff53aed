//! Why a shipment says no.

use super::MAX_LINES;
use crate::kernel::{LineId, QuantityError, Refusal, TextError};

/// A shipment's refusal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ShipmentRefusal {
    /// It was never opened.
    #[error("there is no such shipment")]
    NotFound,
    /// It was opened with other content.
    #[error("the shipment was opened with other lines")]
    AlreadyExists,
    /// There is nothing to send.
    #[error("a shipment or parcel has at least one line")]
    NoLines,
    /// There is too much to list.
    #[error("a shipment has at most {MAX_LINES} lines, not {given}")]
    TooManyLines {
        /// How many were given.
        given: usize,
    },
    /// The line belongs to another shipment.
    #[error("line {line_id} is not in the shipment")]
    LineNotInShipment {
        /// The line.
        line_id: LineId,
    },
    /// More of a line than there is to send.
    #[error("only {quantity} of line {line_id} are to be sent")]
    QuantityExceedsLine {
        /// The line.
        line_id: LineId,
        /// How many are to be sent.
        quantity: u32,
    },
    /// One line's quantities sum up to no quantity.
    #[error(transparent)]
    Quantity(#[from] QuantityError),
    /// It was packed with other content.
    #[error("the parcel is packed with other lines")]
    AlreadyPacked,
    /// Nothing is in the parcel yet.
    #[error("the parcel is not packed yet")]
    NotPacked,
    /// The carrier cannot know it yet.
    #[error("the parcel has not left yet")]
    NotDispatched,
    /// It has left.
    #[error("the parcel has left")]
    AlreadyDispatched,
    /// It will not be sent.
    #[error("the shipment is cancelled")]
    Cancelled,
    /// A text is too long or holds what it may not.
    #[error(transparent)]
    Text(#[from] TextError),
}

impl Refusal for ShipmentRefusal {
    fn code(&self) -> &'static str {
        match self {
            Self::NotFound => "NOT_FOUND",
            Self::AlreadyExists => "ALREADY_EXISTS",
            Self::NoLines => "NO_LINES",
            Self::TooManyLines { .. } => "TOO_MANY_LINES",
            Self::LineNotInShipment { .. } => "LINE_NOT_IN_SHIPMENT",
            Self::QuantityExceedsLine { .. } => "QUANTITY_EXCEEDS_LINE",
            Self::Quantity(_) => "QUANTITY_INVALID",
            Self::AlreadyPacked => "ALREADY_PACKED",
            Self::NotPacked => "NOT_PACKED",
            Self::NotDispatched => "NOT_DISPATCHED",
            Self::AlreadyDispatched => "ALREADY_DISPATCHED",
            Self::Cancelled => "CANCELLED",
            Self::Text(_) => "TEXT_INVALID",
        }
    }
}
