//! The money of an order as double-entry bookkeeping: every event that moves money, or the promise of it, becomes an entry
//! whose debits are its credits, so the whole table sums to zero whatever happened. It is made of the events alone, and decides
//! nothing.

mod account;
mod entry;
#[cfg(test)]
mod tests;

pub use account::Account;
pub use entry::{Balance, Entry, Posting};

use std::collections::{BTreeMap, BTreeSet};

use cqrs_es::Aggregate as _;

use crate::catalogue::DomainEvent;
use crate::kernel::{Currency, Money, MoneyError, RefundId};
use crate::order::OrderEvent;
use crate::payment::{Payment, PaymentEvent, Progress};
use crate::pricing::Quote;

/// An order's books, up to the last event they were told of.
#[derive(Debug, Clone, Default)]
pub struct Ledger {
    entries: Vec<Entry>,
    /// Debits less credits.
    balances: BTreeMap<(Account, Currency), Money>,
    /// What was sold, to be taken back when the order comes to nothing.
    sold: Option<Quote>,
    payment: Payment,
    /// What each refund that went back was entered as.
    refunds: BTreeMap<RefundId, Vec<Posting>>,
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
                    let mut back: Vec<_> = sale(&quote)?.into_iter().map(Posting::reversed).collect();
                    // What went back already was of a sale that stood then, and now of what was paid too much.
                    let refunds = self.balance(Account::Refunds, quote.total.currency());
                    back.extend([
                        Posting::debit(Account::Customer, refunds),
                        Posting::credit(Account::Refunds, refunds),
                    ]);
                    for posting in self.refunds.values_mut().flatten() {
                        if posting.account == Account::Refunds {
                            posting.account = Account::Customer;
                        }
                    }
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

    /// The payment's own rules say what is held and what was taken, so the books never have another mind.
    fn payment(&mut self, position: i64, event: &PaymentEvent) -> Result<(), MoneyError> {
        let before = self.payment.clone();
        self.payment.apply(event.clone());
        let mut postings = held(&before, &self.payment)?;
        let (was, is) = (before.captured(), self.payment.captured());
        if was != is {
            // Of a payment that nobody asked for there is no currency.
            let taken =
                Money::new(is.minor(), is.currency()).checked_sub(Money::new(was.minor(), is.currency()))?;
            postings
                .extend([Posting::debit(Account::Gateway, taken), Posting::credit(Account::Customer, taken)]);
        }
        if let PaymentEvent::Refunded { refund_id, amount, .. } = event
            && before.refunded() != self.payment.refunded()
        {
            let back = self.pay_back(*amount)?;
            postings.extend(&back);
            self.refunds.insert(*refund_id, back);
        }
        if let PaymentEvent::RefundFailed { refund_id, .. } = event {
            // Where it had gone back already, the gateway took its word back.
            let back = self.refunds.remove(refund_id).unwrap_or_default();
            postings.extend(back.into_iter().map(Posting::reversed));
        }
        self.post(position, postings)
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

/// What the gateway holds more, or less, than before, against what the customer has promised.
fn held(before: &Payment, after: &Payment) -> Result<Vec<Posting>, MoneyError> {
    let (was, is) = (holds(before), holds(after));
    let mut postings = Vec::new();
    for currency in was.keys().chain(is.keys()).collect::<BTreeSet<_>>() {
        let held = |holds: &BTreeMap<Currency, Money>| {
            holds.get(currency).copied().unwrap_or(Money::zero(*currency))
        };
        let more = held(&is).checked_sub(held(&was))?;
        let begun = [Posting::debit(Account::Held, more), Posting::credit(Account::Promised, more)];
        let less = Money::zero(*currency).checked_sub(more)?;
        let ended = [Posting::credit(Account::Held, less), Posting::debit(Account::Promised, less)];
        postings.extend(if more.is_negative() { ended } else { begun });
    }
    Ok(postings)
}

/// What the gateway holds and has neither taken nor let go, second holds included.
fn holds(payment: &Payment) -> BTreeMap<Currency, Money> {
    let done = |(amount, progress): (Money, Progress)| (progress == Progress::Done).then_some(amount);
    let captures = payment.captures().iter().filter_map(|one| done((one.amount, one.progress)));
    let voids = payment.voids().iter().filter_map(|one| done((one.amount, one.progress)));
    let authorised = payment.authorised();
    let gone = captures.chain(voids).filter(|amount| amount.currency() == authorised.currency());
    let left = gone.fold(authorised.minor(), |left, amount| left.saturating_sub(amount.minor())).max(0);
    let mut holds = BTreeMap::from([(authorised.currency(), Money::new(left, authorised.currency()))]);
    for extra in payment.extras().iter().filter(|extra| extra.progress != Progress::Done) {
        let held = holds.entry(extra.amount.currency()).or_insert(Money::zero(extra.amount.currency()));
        *held = Money::new(held.minor().saturating_add(extra.amount.minor()), held.currency());
    }
    holds
}
