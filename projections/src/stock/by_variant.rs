//! The levels of one variant at all its locations in one row: what a shop page asks for.

use daybook_domain::catalogue::DomainEvent;
use daybook_domain::inventory::StockItem;
use daybook_eventstore::RecordedEvent;
use serde::{Deserialize, Serialize};

use super::fold::{StockLevel, item, level};
use crate::runtime::{Envelope, FoldError, ReadModel};

/// The read model of stock by variant.
pub struct StockByVariant;

/// A variant's levels, by location.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct VariantStock {
    /// One level per location.
    pub levels: Vec<StockLevel>,
}

impl ReadModel for StockByVariant {
    type Row = VariantStock;
    const SOURCES: &'static [&'static str] = &["Inventory"];
    const REVISION: i32 = 1;

    fn key(event: &Envelope) -> Option<String> {
        let DomainEvent::Inventory(happened) = &event.event else { return None };
        Some(item(happened).variant_id.to_string())
    }

    fn key_of_unreadable(recorded: &RecordedEvent) -> String {
        let item: Option<StockItem> = recorded.aggregate_id.parse().ok();
        item.map_or_else(|| recorded.aggregate_id.clone(), |item| item.variant_id.to_string())
    }

    fn fold(row: Option<VariantStock>, event: &Envelope) -> Result<Option<VariantStock>, FoldError> {
        let DomainEvent::Inventory(happened) = &event.event else { return Ok(row) };
        let mut row = row.unwrap_or_default();
        let location = &item(happened).location;
        let (here, mut elsewhere): (Vec<_>, Vec<_>) =
            row.levels.into_iter().partition(|level| level.location == *location);
        elsewhere.push(level(here.into_iter().next(), happened));
        elsewhere.sort_by(|a, b| a.location.cmp(&b.location));
        row.levels = elsewhere;
        Ok(Some(row))
    }
}
