//! Which stock an order is served from, and where it may have some.

use std::collections::HashMap;
use std::sync::Arc;

use daybook_domain::inventory::{Inventory, StockItem};
use daybook_domain::order::StockHold;
use daybook_domain::pricing::Quote;
use daybook_domain::sourcing::{Sourced, candidates, choose};
use daybook_domain::{OrderId, Quantity, VariantId};
use daybook_eventstore::Unit;

use super::Checkout;
use crate::process::ProcessError;

impl Checkout {
    /// Where to look for each variant, in one look at the stock as it is known: a hint, no more. A location where the
    /// order has it already comes first, or it would be taken twice.
    pub(super) async fn source(
        &self,
        order_id: OrderId,
        quote: &Quote,
    ) -> Result<Vec<Sourced>, ProcessError> {
        let demand: Vec<(VariantId, Quantity)> =
            quote.lines.iter().map(|line| (line.variant_id, line.quantity)).collect();
        let locations = candidates(&self.shop.locations, &quote.country);
        let items = self.items(quote);
        let stock: HashMap<StockItem, Arc<Inventory>> =
            items.iter().cloned().zip(self.stock(&items).await?).collect();
        let claimed = |item: &StockItem| stock.get(item).is_some_and(|one| one.claim(order_id).is_some());
        let available = |item: &StockItem| {
            if claimed(item) { i64::MAX } else { stock.get(item).map_or(0, |one| one.available()) }
        };
        let mut sourced =
            choose(&demand, &locations, available).map_err(|error| ProcessError::refused(&error))?;
        for Sourced { variant_id, locations, .. } in &mut sourced {
            let variant_id = *variant_id;
            locations.sort_by_key(|location| !claimed(&StockItem { variant_id, location: location.clone() }));
        }
        Ok(sourced)
    }

    /// The first location of each variant that has enough of it for this order; nothing when one of them has none.
    pub(super) fn first_that_have(
        &self,
        unit: &mut Unit<'_>,
        order_id: OrderId,
        sourced: &[Sourced],
    ) -> Result<Option<Vec<StockHold>>, ProcessError> {
        let mut found = Vec::with_capacity(sourced.len());
        for Sourced { variant_id, quantity, locations } in sourced {
            let before = found.len();
            for location in locations {
                let item = StockItem { variant_id: *variant_id, location: location.clone() };
                let stock = unit.state(&self.shop.inventory, &item.to_string())?;
                if stock.claim(order_id).is_some() || stock.available() >= quantity.count() {
                    found.push(StockHold { item, quantity: *quantity });
                    break;
                }
            }
            if found.len() == before {
                return Ok(None);
            }
        }
        Ok(Some(found))
    }

    /// These stock items as they are known.
    pub(super) async fn stock(&self, items: &[StockItem]) -> Result<Vec<Arc<Inventory>>, ProcessError> {
        let ids: Vec<String> = items.iter().map(ToString::to_string).collect();
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        Ok(self.shop.inventory.recall_many(&ids).await?.into_iter().map(|one| one.state).collect())
    }

    /// Every stock item that an order may have something of: each of its variants at each location.
    pub(super) fn items(&self, quote: &Quote) -> Vec<StockItem> {
        let mut variants: Vec<VariantId> = quote.lines.iter().map(|line| line.variant_id).collect();
        variants.sort_unstable();
        variants.dedup();
        let at = |variant_id: VariantId| {
            self.shop.locations.iter().map(move |one| StockItem { variant_id, location: one.code.clone() })
        };
        variants.into_iter().flat_map(at).collect()
    }
}
