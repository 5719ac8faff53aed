//! What every customer bought and can still return. A return is matched with the newest earlier orders first, and
//! never takes back more than was sold or more money than was paid.

use std::collections::HashMap;
use std::sync::Arc;

use daybook_domain::{Money, Quantity, VariantId};

use super::super::reject::Reason;
use super::{Document, Listing, Taken};

/// The units of one line of an order that were not taken back.
struct Sold {
    order: Document,
    left: u32,
}

/// What an order was paid and paid back, in pence.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(in crate::import) struct Account {
    pub(in crate::import) paid: i64,
    pub(in crate::import) refunded: i64,
}

/// Every sale to a known customer, and what every order was paid.
#[derive(Default)]
pub(super) struct Ledger {
    sold: HashMap<(u32, VariantId), Vec<Sold>>,
    accounts: HashMap<Document, Account>,
}

impl Ledger {
    /// Notes a sale.
    pub(super) fn sell(
        &mut self,
        order: Document,
        customer: Option<u32>,
        listing: &Arc<Listing>,
        quantity: Quantity,
        amount: Money,
    ) {
        let account = self.accounts.entry(order).or_default();
        account.paid = account.paid.saturating_add(amount.minor());
        if let Some(customer) = customer {
            let sold = self.sold.entry((customer, listing.variant_id)).or_default();
            sold.push(Sold { order, left: quantity.get() });
        }
    }

    /// Takes units back from the customer's earlier orders, all of them or none.
    pub(super) fn take_back(
        &mut self,
        customer: u32,
        listing: &Listing,
        quantity: Quantity,
        unit_price: Money,
    ) -> Result<Vec<Taken>, Reason> {
        let sold = self.sold.get_mut(&(customer, listing.variant_id)).ok_or(Reason::NoEarlierSale)?;
        let there: u64 = sold.iter().map(|sold| u64::from(sold.left)).sum();
        if there < u64::from(quantity.get()) {
            return Err(Reason::NoEarlierSale);
        }
        let parts = choose(sold, &self.accounts, quantity.get(), unit_price.minor())?;
        for (index, units) in &parts {
            let Some(sold) = sold.get_mut(*index) else { continue };
            sold.left -= units;
            let account = self.accounts.entry(sold.order).or_default();
            account.refunded += unit_price.minor() * i64::from(*units);
        }
        let mut taken: Vec<Taken> = Vec::with_capacity(parts.len());
        for (index, units) in parts {
            let order = sold[index].order;
            let units = Quantity::try_new(i64::from(units)).map_err(|_| Reason::NoEarlierSale)?;
            match taken.iter_mut().find(|taken| taken.order == order) {
                Some(taken) => taken.quantity = taken.quantity.saturating_add(units),
                None => taken.push(Taken { order, quantity: units }),
            }
        }
        Ok(taken)
    }

    pub(super) fn into_accounts(self) -> HashMap<Document, Account> {
        self.accounts
    }
}

/// Which of the sales to take how many units back from, newest first.
fn choose(
    sold: &[Sold],
    accounts: &HashMap<Document, Account>,
    quantity: u32,
    unit_price: i64,
) -> Result<Vec<(usize, u32)>, Reason> {
    let mut wanted = quantity;
    let mut parts = Vec::new();
    // What was chosen so far, for orders that have the product in several lines.
    let mut spent: HashMap<Document, i64> = HashMap::new();
    for (index, sold) in sold.iter().enumerate().rev() {
        let account = accounts.get(&sold.order).copied().unwrap_or_default();
        let spent = spent.entry(sold.order).or_default();
        let payable = (account.paid - account.refunded - *spent) / unit_price.max(1);
        let units = wanted.min(sold.left).min(u32::try_from(payable).unwrap_or(u32::MAX));
        if units > 0 {
            *spent += unit_price * i64::from(units);
            wanted -= units;
            parts.push((index, units));
        }
        if wanted == 0 {
            return Ok(parts);
        }
    }
    Err(Reason::MoreThanPaid)
}
