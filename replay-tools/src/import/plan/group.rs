//! The lines of one invoice as they come.

use std::sync::Arc;

use daybook_domain::{CountryCode, Currency, Money, Quantity, Timestamp};

use super::super::line::{InvoiceNumber, Line};
use super::super::reject::Reason;
use super::{Document, Listing, Return, ReturnLine, Sale, SaleLine, Work};

/// An invoice that more lines may follow for. Its first line says whose it is, where it goes and when it was.
pub(super) struct Group {
    pub(super) document: Document,
    pub(super) at: Timestamp,
    customer: Option<u32>,
    country: CountryCode,
    sold: Vec<SaleLine>,
    total: Money,
    taken_back: Vec<ReturnLine>,
}

impl Group {
    pub(super) fn new(document: Document, first: &Line) -> Self {
        Self {
            document,
            at: first.at,
            customer: first.customer,
            country: first.country.clone(),
            sold: Vec::new(),
            total: Money::zero(Currency::GBP),
            taken_back: Vec::new(),
        }
    }

    pub(super) const fn invoice(&self) -> InvoiceNumber {
        self.document.invoice
    }

    /// How many lines it sells.
    pub(super) fn sold(&self) -> usize {
        self.sold.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.sold.is_empty() && self.taken_back.is_empty()
    }

    /// Whether the line is of the same customer and country. The time may differ: the clock went on while the invoice
    /// was written.
    pub(super) fn fits(&self, line: &Line) -> bool {
        self.customer == line.customer && self.country == line.country
    }

    /// Adds a line that sells, if an order may have it.
    pub(super) fn sell(&mut self, listing: Arc<Listing>, line: Line, amount: Money) -> Result<(), Reason> {
        let same = self.sold.iter().filter(|sold| Arc::ptr_eq(&sold.listing, &listing));
        let (repeats, units) =
            same.fold((0, 0), |(repeats, units), sold| (repeats + 1, units + sold.quantity.count()));
        let Line { title, quantity, unit_price, .. } = line;
        Quantity::try_new(units + quantity.count()).map_err(|_| Reason::BadQuantity)?;
        self.total = self.total.checked_add(amount).map_err(|_| Reason::BadPrice)?;
        self.sold.push(SaleLine { listing, title, quantity, unit_price, repeats });
        Ok(())
    }

    pub(super) fn take_back(&mut self, line: ReturnLine) {
        self.taken_back.push(line);
    }

    /// The plan, unless every line was rejected.
    pub(super) fn finish(self) -> Option<Work> {
        let Self { document, at, customer, country, sold, total, taken_back } = self;
        if !sold.is_empty() {
            return Some(Work::Sale(Sale { document, customer, country, at, lines: sold, total }));
        }
        let customer = customer.filter(|_| !taken_back.is_empty())?;
        Some(Work::Return(Return { document, customer, at, lines: taken_back }))
    }
}
