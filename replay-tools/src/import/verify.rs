//! Whether the money is right: what each order was paid and paid back, as the events have it and as the read model has
//! it, against the lines. To the penny, order by order.

use std::collections::HashMap;
use std::time::Duration;

use daybook_commands::Shop;
use daybook_domain::{Currency, Money, OrderId};
use daybook_eventstore::Position;
use daybook_projections::orders::query;
use daybook_projections::read::{Behind, ReadDb, ReplicaWatch};
use sqlx::PgPool;

use super::error::ImportError;
use super::plan::{Account, Document};
use super::sell::{Bought, name};

/// How many orders are looked at at once.
const BATCH: usize = 500;
/// The read model.
const ORDERS: &str = "orders";
/// How long a read model may stand still before it is not waited for any more.
const STILL: Duration = Duration::from_secs(5);
/// How long one question to the read model may take.
const LIMIT: Duration = Duration::from_secs(30);

/// What was paid and paid back, by somebody's account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Booked {
    pub(super) captured: Money,
    pub(super) refunded: Money,
}

/// What the lines say of every order.
pub(super) struct Books {
    expected: Vec<(Document, Account)>,
}

/// A comparison as it goes on.
#[derive(Default)]
struct Audit {
    captured: i64,
    refunded: i64,
    wrong: Vec<Document>,
}

impl Books {
    pub(super) fn new(accounts: &HashMap<Document, Account>) -> Self {
        let mut expected: Vec<_> = accounts.iter().map(|(document, account)| (*document, *account)).collect();
        expected.sort_unstable_by_key(|(document, _)| *document);
        Self { expected }
    }

    /// Compares them with the payments' events.
    pub(super) async fn against_events(&self, shop: &Shop) -> Result<Booked, ImportError> {
        let mut audit = Audit::default();
        for batch in self.expected.chunks(BATCH) {
            let ids = batch.iter().map(|(document, _)| Bought::of(*document).payment.to_string());
            let ids: Vec<String> = ids.collect();
            let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
            for (expected, payment) in batch.iter().zip(shop.payments.load_many(&ids).await?) {
                audit.compare(*expected, payment.state.captured(), payment.state.refunded());
            }
        }
        audit.end("the event store")
    }

    /// Compares them with the read model, once it has reached this position. When it stands still before that, there
    /// is nothing to compare, and it is told how far behind it is.
    pub(super) async fn against_read_model(
        &self,
        read: PgPool,
        position: Position,
    ) -> Result<Result<Booked, Behind>, ImportError> {
        if let Err(behind) = caught_up(&read, position).await {
            return Ok(Err(behind));
        }
        let (db, mut audit) = (ReadDb::new(read, LIMIT), Audit::default());
        for batch in self.expected.chunks(BATCH) {
            let ids: Vec<OrderId> = batch.iter().map(|(document, _)| Bought::of(*document).order).collect();
            let rows = query::by_ids(&db, &ids).await?;
            for (expected, id) in batch.iter().zip(&ids) {
                let nothing = Money::zero(Currency::GBP);
                let booked = rows.get(id).map(|row| (row.payment.captured, row.payment.refunded));
                let (captured, refunded) = booked.unwrap_or((nothing, nothing));
                audit.compare(*expected, captured, refunded);
            }
        }
        audit.end("the read model").map(Ok)
    }
}

/// Waits until the read model has this position, as long as it moves.
async fn caught_up(read: &PgPool, position: Position) -> Result<(), Behind> {
    let (watch, watching) = ReplicaWatch::start(read.clone());
    let mut stood = 0;
    let reached = loop {
        match watch.wait_for(ORDERS, position, STILL).await {
            Err(behind) if behind.position > stood => stood = behind.position,
            reached => break reached,
        }
    };
    watching.abort();
    reached
}

impl Audit {
    fn compare(&mut self, (document, account): (Document, Account), captured: Money, refunded: Money) {
        if (captured.minor(), refunded.minor()) != (account.paid, account.refunded) {
            self.wrong.push(document);
        }
        self.captured = self.captured.saturating_add(captured.minor());
        self.refunded = self.refunded.saturating_add(refunded.minor());
    }

    fn end(self, whose: &'static str) -> Result<Booked, ImportError> {
        let money = |minor| Money::new(minor, Currency::GBP);
        match self.wrong.first() {
            None => Ok(Booked { captured: money(self.captured), refunded: money(self.refunded) }),
            Some(first) => {
                Err(ImportError::MoneyDiffers { whose, wrong: self.wrong.len(), first: name(*first) })
            }
        }
    }
}
