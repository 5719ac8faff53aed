//! An order's dossier: its whole story, and its money as double-entry books.

use std::sync::Arc;

use async_graphql::{Context, ID, Object, SimpleObject};
use daybook_domain::ledger::{Balance, Entry, Ledger, Posting};
use daybook_domain::{Money, MoneyError};
use daybook_eventstore::Upcasters;
use daybook_projections::audit::Dossier;

use super::checkpoint::LogCheckpoint;
use super::event::{AuditEvent, AuditEventConnection};
use crate::graphql::error::ApiError;
use crate::graphql::id::global;
use crate::graphql::money::MoneyV2;
use crate::graphql::order::{self, Order};
use crate::graphql::reads::{Paging, Slice, cost};
use crate::graphql::scalar::Position;

/// The list's name, for cursors.
const LIST: &str = "dossier";

/// The whole story of one order: every event of its cart, the order, its payment, its parcels and the stock that was held for it,
/// with who caused it and why, and the money of it.
#[derive(Debug, Clone)]
pub(crate) struct OrderDossier {
    dossier: Arc<Dossier>,
    /// The books, or why there are none: the story is shown all the same.
    books: Arc<Result<Ledger, String>>,
}

impl OrderDossier {
    pub(super) fn new(dossier: Arc<Dossier>) -> Self {
        let books = Arc::new(dossier.ledger(&Upcasters::of_the_shop()));
        Self { dossier, books }
    }

    fn books(&self) -> Result<&Ledger, ApiError> {
        let why = |why: &String| ApiError::bad_input("NO_BOOKS", format!("there are no books: {why}"));
        self.books.as_ref().as_ref().map_err(why)
    }
}

#[Object]
impl OrderDossier {
    /// The order's id.
    async fn order_id(&self) -> ID {
        global(&self.dossier.order_id)
    }

    /// The order as it is now; nothing when it is not in the read model yet.
    async fn order(&self, ctx: &Context<'_>) -> Result<Option<Order>, ApiError> {
        order::linked(ctx, self.dossier.order_id).await
    }

    /// Its events, in the log's order.
    #[graphql(complexity = "cost(first, child_complexity)")]
    #[expect(clippy::unused_async, reason = "a field is resolved by an asynchronous function")]
    async fn events(
        &self,
        first: Option<i32>,
        after: Option<String>,
    ) -> Result<AuditEventConnection, ApiError> {
        let (first, after) = Paging { first, after }.by_number(LIST)?;
        let events = &self.dossier.events;
        let from = events.partition_point(|event| event.position <= after);
        let page = events[from..].iter().take(usize::try_from(first).unwrap_or(usize::MAX).saturating_add(1));
        let page = page.map(|event| (event.position, AuditEvent::new(Arc::new(event.clone()))));
        let total = u64::try_from(events.len()).unwrap_or(u64::MAX);
        Ok(AuditEventConnection {
            slice: Slice::by_number(LIST, page, (first, after), total),
            extent: self.dossier.extent,
        })
    }

    /// The positions at which the log has no event any more that there was: somebody took it away.
    async fn missing(&self) -> Vec<Position> {
        self.dossier.missing.iter().map(|position| Position(*position)).collect()
    }

    /// The order's money as double-entry books; nothing, and an error that says why, when they cannot be made: each event that moved money, or a promise of it, with its debits and credits.
    #[expect(clippy::unused_async, reason = "a field is resolved by an asynchronous function")]
    async fn ledger(&self) -> Result<Option<Vec<LedgerEntry>>, ApiError> {
        Ok(Some(self.books()?.entries().iter().map(LedgerEntry::from).collect()))
    }

    /// What every account comes to. Together they are nothing.
    #[expect(clippy::unused_async, reason = "a field is resolved by an asynchronous function")]
    async fn balances(&self) -> Result<Option<Vec<LedgerBalance>>, ApiError> {
        let balances = self.books()?.balances().map(LedgerBalance::of).collect::<Result<_, _>>();
        balances.map(Some).map_err(ApiError::internal)
    }

    /// Whether every entry's debits are its credits, and all of them together, counted anew.
    #[expect(clippy::unused_async, reason = "a field is resolved by an asynchronous function")]
    async fn is_balanced(&self) -> Result<Option<bool>, ApiError> {
        self.books()?.is_balanced().map(Some).map_err(ApiError::internal)
    }

    /// What the notary signed last, which the events' proofs go with; nothing when nothing was signed yet.
    async fn checkpoint(&self, ctx: &Context<'_>) -> Result<Option<LogCheckpoint>, ApiError> {
        LogCheckpoint::last(ctx).await
    }
}

/// What one event comes to in the books.
#[derive(Debug, Clone, SimpleObject)]
struct LedgerEntry {
    /// The event's place in the log.
    position: Position,
    /// What it comes to on each account.
    postings: Vec<LedgerPosting>,
}

/// So much to or from an account: one of the two is nothing.
#[derive(Debug, Clone, SimpleObject)]
struct LedgerPosting {
    /// The account: `customer` is what the customer owes, `gateway` the shop's money there, `goods`, `shipping` and `tax` what
    /// it is for, `refunds` what was paid back of a sale that stands, and `held` what the gateway holds against `promised`.
    account: &'static str,
    /// How much it is debited.
    debit: Option<MoneyV2>,
    /// How much it is credited.
    credit: Option<MoneyV2>,
}

/// What an account comes to.
#[derive(Debug, Clone, SimpleObject)]
struct LedgerBalance {
    /// The account.
    account: &'static str,
    /// Its debits less its credits, where that is more than nothing.
    debit: Option<MoneyV2>,
    /// Its credits less its debits, where that is more than nothing.
    credit: Option<MoneyV2>,
}

impl From<&Entry> for LedgerEntry {
    fn from(entry: &Entry) -> Self {
        let postings = entry.postings().iter().map(|posting| LedgerPosting::from(*posting)).collect();
        Self { position: Position(entry.position), postings }
    }
}

impl From<Posting> for LedgerPosting {
    fn from(posting: Posting) -> Self {
        let (debit, credit) = (posting.debited().map(Into::into), posting.credited().map(Into::into));
        Self { account: posting.account.as_str(), debit, credit }
    }
}

impl LedgerBalance {
    fn of(balance: Balance) -> Result<Self, MoneyError> {
        let posting = balance.posting()?;
        let side = |of: fn(Posting) -> Option<Money>| posting.and_then(of).map(MoneyV2::from);
        let (debit, credit) = (side(Posting::debited), side(Posting::credited));
        Ok(Self { account: balance.account.as_str(), debit, credit })
    }
}
