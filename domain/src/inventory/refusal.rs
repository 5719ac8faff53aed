//! Why a stock item says no.

use super::{MAX_ADJUSTMENT, MAX_ON_HAND, MAX_SAFETY_STOCK};
use crate::kernel::{Refusal, TextError};

/// A stock item's refusal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InventoryRefusal {
    /// There is not enough to hold or promise.
    #[error("only {available} available")]
    OutOfStock {
        /// What could be had.
        available: i64,
    },
    /// The order holds another number of units here.
    #[error("the order holds {reserved} units here, and holds only once")]
    ReservationDiffers {
        /// How many it holds.
        reserved: u32,
    },
    /// The order was promised another number of units here.
    #[error("the order was promised {allocated} units here, and is promised only once")]
    AllocationDiffers {
        /// How many it was promised.
        allocated: u32,
    },
    /// The order was promised nothing here, or all of it has left.
    #[error("nothing here is promised to the order")]
    NotAllocated,
    /// More would leave than was promised.
    #[error("only {outstanding} of the promised units are still here")]
    ExceedsAllocation {
        /// How many are still to leave.
        outstanding: u32,
    },
    /// The shipment took another number of units.
    #[error("the shipment took {shipped} units already")]
    ShipmentDiffers {
        /// How many it took.
        shipped: u32,
    },
    /// One correction may not be that large.
    #[error("a correction moves at most {MAX_ADJUSTMENT} units")]
    AdjustmentTooLarge,
    /// Units that are held or promised would vanish.
    #[error("at most {free} units are neither held nor promised")]
    AdjustmentBelowCommitted {
        /// How many may go.
        free: i64,
    },
    /// So much is never kept back.
    #[error("at most {MAX_SAFETY_STOCK} units are kept back")]
    SafetyStockTooLarge,
    /// So much is never on hand.
    #[error("at most {MAX_ON_HAND} units are on hand, and {on_hand} are")]
    StockLimitExceeded {
        /// How many are on hand.
        on_hand: i64,
    },
    /// A text is too long or holds what it may not.
    #[error(transparent)]
    Text(#[from] TextError),
}

impl Refusal for InventoryRefusal {
    fn code(&self) -> &'static str {
        match self {
            Self::OutOfStock { .. } => "OUT_OF_STOCK",
            Self::ReservationDiffers { .. } => "RESERVATION_DIFFERS",
            Self::AllocationDiffers { .. } => "ALLOCATION_DIFFERS",
            Self::NotAllocated => "NOT_ALLOCATED",
            Self::ExceedsAllocation { .. } => "EXCEEDS_ALLOCATION",
            Self::ShipmentDiffers { .. } => "SHIPMENT_DIFFERS",
            Self::AdjustmentTooLarge => "ADJUSTMENT_TOO_LARGE",
            Self::AdjustmentBelowCommitted { .. } => "ADJUSTMENT_BELOW_COMMITTED",
            Self::SafetyStockTooLarge => "SAFETY_STOCK_TOO_LARGE",
            Self::StockLimitExceeded { .. } => "STOCK_LIMIT_EXCEEDED",
            Self::Text(_) => "TEXT_INVALID",
        }
    }
}
