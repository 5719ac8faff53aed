//! What is to be done for each invoice, decided line by line as the file is read. A plan follows from the file alone:
//! the same file always gives the same plans, the same rejections and the same sums, which is what lets an
//! interrupted import go on. Nothing here touches a server.

mod document;
mod group;
mod ledger;
mod tally;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::Arc;

use csv::ByteRecord;
use daybook_domain::cart::MAX_LINES;
use daybook_domain::{Money, Sku};

use super::line::{self, Line};
use super::reject::Reason;

pub(super) use document::{Document, Listing, Return, ReturnLine, Sale, SaleLine, Taken, Unit, Work};
use group::Group;
pub(super) use ledger::Account;
use ledger::Ledger;
pub(super) use tally::{Side, Tally};

/// Turns lines into plans.
#[derive(Default)]
pub(super) struct Planner {
    /// The lines read.
    read: u64,
    /// The last line that a plan was made up to.
    planned: u64,
    open: Option<Group>,
    /// In how many parts each invoice came so far.
    parts: HashMap<line::InvoiceNumber, u16>,
    listings: HashMap<Sku, Arc<Listing>>,
    ledger: Ledger,
    tally: Tally,
}

/// What reading a line came to.
#[derive(Default)]
pub(super) struct Read {
    /// The plan for the invoice that ended before this line, if one did.
    pub(super) unit: Option<Unit>,
    /// Why the line was rejected, if it was.
    pub(super) rejected: Option<Reason>,
}

impl Planner {
    /// Reads the next line.
    pub(super) fn read(&mut self, record: &ByteRecord) -> Read {
        self.read += 1;
        self.tally.lines += 1;
        let read = match line::parse(record) {
            Ok(line) => self.take(line),
            Err(reason) => Read { unit: None, rejected: Some(reason) },
        };
        match read.rejected {
            Some(reason) => *self.tally.rejected.entry(reason).or_default() += 1,
            None => self.tally.imported += 1,
        }
        read
    }

    /// Whether an invoice is open that this line may belong to, or lie between the lines of: that it has ended is told by
    /// the first line of another one.
    pub(super) fn may_go_on_with(&self, record: &ByteRecord) -> bool {
        let Some(open) = &self.open else { return false };
        line::parse(record).map_or(true, |line| line.invoice == open.invoice())
    }

    /// The plan for the invoice that the file ended with, if there is one, and what it all came to.
    pub(super) fn finish(mut self) -> (Option<Unit>, Outcome) {
        let unit = self.close(self.read);
        (unit, Outcome { tally: self.tally, accounts: self.ledger.into_accounts() })
    }

    fn take(&mut self, line: Line) -> Read {
        let belongs = self.open.as_ref().is_some_and(|open| open.invoice() == line.invoice);
        let unit = if belongs && !self.is_full() { None } else { self.close(self.read - 1) };
        let group = match self.open.take() {
            Some(group) => group,
            None => Group::new(self.next_part(line.invoice), &line),
        };
        let rejected = self.add(group, line).err();
        Read { unit, rejected }
    }

    /// Whether the open invoice has as many lines as a cart: the rest of it is another part.
    fn is_full(&self) -> bool {
        self.open.as_ref().is_some_and(|open| open.sold() >= MAX_LINES)
    }

    fn next_part(&mut self, invoice: line::InvoiceNumber) -> Document {
        let part = self.parts.entry(invoice).or_default();
        *part = part.saturating_add(1);
        Document { invoice, part: *part }
    }

    fn add(&mut self, mut group: Group, line: Line) -> Result<(), Reason> {
        let added = self.add_to(&mut group, line);
        self.open = Some(group);
        added
    }

    fn add_to(&mut self, group: &mut Group, line: Line) -> Result<(), Reason> {
        if !group.fits(&line) {
            return Err(Reason::DiffersFromInvoice);
        }
        let amount = line.unit_price.checked_mul(line.quantity.count()).map_err(|_| Reason::BadPrice)?;
        if group.document.invoice.is_credit_note {
            let customer = line.customer.ok_or(Reason::NobodysReturn)?;
            let listing = self.listings.get(&line.sku).cloned().ok_or(Reason::NoEarlierSale)?;
            let from = self.ledger.take_back(customer, &listing, line.quantity, line.unit_price)?;
            self.tally.refunds.add(group.is_empty(), amount);
            group.take_back(ReturnLine { listing, unit_price: line.unit_price, from });
        } else {
            let (is_first, customer, quantity) = (group.is_empty(), line.customer, line.quantity);
            let listing = self.listing(&line, group.at);
            group.sell(Arc::clone(&listing), line, amount)?;
            self.ledger.sell(group.document, customer, &listing, quantity, amount);
            self.tally.sales.add(is_first, amount);
        }
        Ok(())
    }

    /// The product of this line, listed with the first line that sells it.
    fn listing(&mut self, line: &Line, at: daybook_domain::Timestamp) -> Arc<Listing> {
        let known = self.listings.entry(line.sku.clone());
        Arc::clone(known.or_insert_with(|| {
            Arc::new(Listing::new(line.sku.clone(), line.title.clone(), line.unit_price, at))
        }))
    }

    /// Ends the open invoice; the plan stands for every line up to `end`.
    fn close(&mut self, end: u64) -> Option<Unit> {
        let work = self.open.take()?.finish()?;
        let lines = end - self.planned;
        self.planned = end;
        Some(Unit { end, lines, work })
    }
}

/// What the whole file came to.
pub(super) struct Outcome {
    /// The counts and sums.
    pub(super) tally: Tally,
    /// What each order was paid and paid back.
    pub(super) accounts: HashMap<Document, Account>,
}

/// The sum of amounts that each were checked; what does not fit is the most there is.
fn saturating_add(sum: Money, amount: Money) -> Money {
    Money::new(sum.minor().saturating_add(amount.minor()), sum.currency())
}
