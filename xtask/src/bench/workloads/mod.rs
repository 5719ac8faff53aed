//! What clients do under load: each workload is a folder entry here and a line in the list.

mod cart;
mod checkout;
mod read;
mod visible;

use crate::api::Shop;

use super::assortment::Assortment;
use super::load::Worker;

pub(super) use checkout::buy;
pub(super) use read::turn_pages;
pub(super) use visible::settle;

/// What all clients share.
#[derive(Debug)]
pub(super) struct Stage {
    /// The shop.
    pub(super) shop: Shop,
    /// What it sells.
    pub(super) assortment: Assortment,
    /// Where pages of products begin.
    pub(super) cursors: Vec<String>,
    /// Some orders that were bought.
    pub(super) orders: Vec<String>,
    /// What sets the idempotency keys of this run apart from those of all others.
    pub(super) run: String,
}

/// Which client of how many.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seat {
    pub(super) client: usize,
    pub(super) clients: usize,
}

/// A workload.
#[derive(Clone, Copy)]
pub(super) struct Workload {
    /// Its name in tables and JSON.
    pub(super) name: &'static str,
    /// Makes one of its clients.
    pub(super) make: for<'a> fn(&'a Stage, Seat) -> Box<dyn Worker + 'a>,
}

/// Every workload, in the order they are run: those that only read come first, while the log is short.
pub(super) const ALL: [Workload; 8] = [
    Workload { name: "product_list", make: read::product_list },
    Workload { name: "product", make: read::product },
    Workload { name: "search", make: read::search },
    Workload { name: "order_history", make: read::order_history },
    Workload { name: "cart_lines_add", make: cart::lines_add },
    Workload { name: "write_to_visible", make: visible::write_to_visible },
    Workload { name: "submit_to_confirmed", make: checkout::submit_to_confirmed },
    Workload { name: "checkout", make: checkout::whole },
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_workload_has_a_name_of_its_own() {
        let names: BTreeSet<_> = ALL.iter().map(|workload| workload.name).collect();
        assert_eq!(names.len(), ALL.len());
    }
}
