//! The money of an order as double-entry bookkeeping: every event that moves money, or the promise of it, becomes an entry
//! whose debits are its credits, so the whole table sums to zero whatever happened. It is made of the events alone, and decides
//! nothing.

mod account;
mod entry;
#[cfg(test)]
mod tests;

pub use account::Account;
pub use entry::{Balance, Entry, Posting};

use std::collections::BTreeMap;

use crate::catalogue::DomainEvent;
use crate::kernel::{Currency, Money, MoneyError};
use crate::order::OrderEvent;
use crate::payment::PaymentEvent;
use crate::pricing::Quote;

/// An order's books, up to the last event they were told of.
#[derive(Debug, Clone, Default)]
pub struct Ledger {
    entries: Vec<Entry>,
    /// Debits less credits.
    balances: BTreeMap<(Account, Currency), Money>,
    /// What was sold, to be taken back when the order comes to nothing.
    sold: Option<Quote>,
}

impl Ledger {
    /// The books of these events of one order, each with its position, in their order.
    ///
    /// # Errors
    /// When a sum does not fit.
    pub fn of<'a>(events: impl IntoIterator<Item = (i64, &'a DomainEvent)>) -> Result<Self, MoneyError> {
        let mut ledger = Self::default();
        for (position, event) in events {
            ledger.record(position, event)?;
        }
        Ok(ledger)
    }

    /// Every entry, in order.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// What every account that was ever touched comes to. Their sum is zero in each currency.
    pub fn balances(&self) -> impl Iterator<Item = Balance> + '_ {
        self.balances.iter().map(|((account, _), amount)| Balance { account: *account, amount: *amount })
    }

    /// Whether the debits are the credits, in every entry and altogether, recomputed from the entries.
    ///
    /// # Errors
    /// When a sum does not fit.
    pub fn is_balanced(&self) -> Result<bool, MoneyError> {
        let mut sums: BTreeMap<Currency, Money> = BTreeMap::new();
        for entry in &self.entries {
            if !entry.is_balanced()? {
                return Ok(false);
            }
            for posting in entry.postings() {
                let sum =
                    sums.entry(posting.amount.currency()).or_insert(Money::zero(posting.amount.currency()));
                *sum = sum.checked_add(posting.signed()?)?;
            }
        }
        Ok(sums.values().all(|sum| sum.is_zero()))
    }

    /// Takes note of an event.
    fn record(&mut self, position: i64, event: &DomainEvent) -> Result<(), MoneyError> {
        match event {
            DomainEvent::Order(event) => self.order(position, event),
            DomainEvent::Payment(event) => self.payment(position, event),
            DomainEvent::Cart(_)
            | DomainEvent::Inventory(_)
            | DomainEvent::Shipment(_)
            | DomainEvent::Product(_)
            | DomainEvent::Person(_)
            | DomainEvent::Inspection(_) => Ok(()),
        }
    }

    fn order(&mut self, position: i64, event: &OrderEvent) -> Result<(), MoneyError> {
        match event {
            OrderEvent::Placed { quote, .. } => {
                self.sold = Some(quote.clone());
                self.post(position, sale(quote)?)
            }
            OrderEvent::Cancelled { .. } => match self.sold.take() {
                Some(quote) => {
                    let back = sale(&quote)?.into_iter().map(Posting::reversed).collect();
                    self.post(position, back)
                }
                None => Ok(()),
            },
            OrderEvent::StockReserved { .. }
            | OrderEvent::Confirmed { .. }
            | OrderEvent::Dispatched { .. }
            | OrderEvent::Delivered { .. }
            | OrderEvent::Returned { .. }
            | OrderEvent::Completed {} => Ok(()),
        }
    }

    fn payment(&mut self, position: i64, event: &PaymentEvent) -> Result<(), MoneyError> {
        match event {
            PaymentEvent::Authorised { amount, .. }
            | PaymentEvent::Conflicted { got: amount, .. }
            | PaymentEvent::ExtraAuthorised { amount, .. } => self.post(position, hold(*amount)),
            PaymentEvent::Voided { amount, .. } | PaymentEvent::ExtraVoided { amount, .. } => {
                self.post(position, self.let_go(*amount))
            }
            PaymentEvent::Captured { amount, .. } => {
                let mut postings = self.let_go(*amount);
                postings.extend([
                    Posting::debit(Account::Gateway, *amount),
                    Posting::credit(Account::Customer, *amount),
                ]);
                self.post(position, postings)
            }
            PaymentEvent::Refunded { amount, .. } => self.post(position, self.pay_back(*amount)?),
            PaymentEvent::AuthorisationRequested { .. }
            | PaymentEvent::ActionRequired { .. }
            | PaymentEvent::Declined { .. }
            | PaymentEvent::Expired { .. }
            | PaymentEvent::CaptureRequested { .. }
            | PaymentEvent::CaptureFailed { .. }
            | PaymentEvent::CaptureFellShort { .. }
            | PaymentEvent::CancellationRequested { .. }
            | PaymentEvent::VoidRequested { .. }
            | PaymentEvent::VoidFailed { .. }
            | PaymentEvent::RefundRequested { .. }
            | PaymentEvent::RefundFailed { .. }
            | PaymentEvent::ExtraVoidRequested { .. }
            | PaymentEvent::ExtraVoidFailed { .. } => Ok(()),
        }
    }

    /// The hold on this much ends, as far as so much is held.
    fn let_go(&self, amount: Money) -> Vec<Posting> {
        let held = self.balance(Account::Held, amount.currency());
        let ends = if held.minor() < amount.minor() { held } else { amount };
        hold(ends).into_iter().map(Posting::reversed).collect()
    }

    /// This much goes back: first what the customer has paid too much, and the rest of what was sold.
    fn pay_back(&self, amount: Money) -> Result<Vec<Posting>, MoneyError> {
        let currency = amount.currency();
        let too_much = Money::zero(currency).checked_sub(self.balance(Account::Customer, currency))?;
        let too_much = Money::new(too_much.minor().clamp(0, amount.minor().max(0)), currency);
        Ok(vec![
            Posting::debit(Account::Customer, too_much),
            Posting::debit(Account::Refunds, amount.checked_sub(too_much)?),
            Posting::credit(Account::Gateway, amount),
        ])
    }

    fn balance(&self, account: Account, currency: Currency) -> Money {
        self.balances.get(&(account, currency)).copied().unwrap_or(Money::zero(currency))
    }

    /// Enters what is not nothing.
    fn post(&mut self, position: i64, postings: Vec<Posting>) -> Result<(), MoneyError> {
        let Some(entry) = Entry::of(position, postings) else { return Ok(()) };
        for posting in entry.postings() {
            let currency = posting.amount.currency();
            let sum = self.balance(posting.account, currency).checked_add(posting.signed()?)?;
            self.balances.insert((posting.account, currency), sum);
        }
        self.entries.push(entry);
        Ok(())
    }
}

/// The customer owes the total, which is for the goods, their shipping, and the tax.
fn sale(quote: &Quote) -> Result<Vec<Posting>, MoneyError> {
    let total = quote.total;
    let currency = total.currency();
    let goods = Money::sum(currency, quote.lines.iter().map(|line| line.net))?;
    let taxes = quote.lines.iter().map(|line| line.tax).chain([quote.shipping_tax]);
    Ok(vec![
        Posting::debit(Account::Customer, total),
        Posting::credit(Account::Goods, goods),
        Posting::credit(Account::Shipping, quote.shipping.price),
        Posting::credit(Account::Tax, Money::sum(currency, taxes)?),
    ])
}

/// The gateway holds this much for the shop, of what the customer has promised.
fn hold(amount: Money) -> Vec<Posting> {
    vec![Posting::debit(Account::Held, amount), Posting::credit(Account::Promised, amount)]
}
