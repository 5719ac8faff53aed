//! What there is to show of an order: its events as they are, what is known of their places in the log, and its books.

use std::collections::BTreeMap;
use std::time::Duration;

use daybook_domain::ledger::{Balance, Entry, Ledger, Posting};
use daybook_domain::{Money, MoneyError, OrderId};
use daybook_eventstore::process::Failure;
use daybook_eventstore::proof::{Note, TreeHead, VerifyingKey};
use daybook_eventstore::{LogReader, Position, Upcasters};
use daybook_projections::audit::{Dossier, query};
use daybook_projections::notary::{self, Proved};
use daybook_projections::read::ReadDb;
use serde::Serialize;
use sqlx::PgPool;

use crate::look::seen::Seen;

/// How long a query may take.
const LIMIT: Duration = Duration::from_secs(30);
/// How long the index may take to know what the log has.
const PATIENCE: Duration = Duration::from_secs(10);

/// Where it is looked for.
pub(super) struct Sources {
    pub(super) log: LogReader,
    pub(super) read: PgPool,
    pub(super) upcasters: Upcasters,
}

/// An order's story, and what it is worth.
#[derive(Debug, Serialize)]
pub(super) struct Evidence {
    pub(super) order_id: OrderId,
    /// Up to where the log was looked at.
    pub(super) as_of: Position,
    /// How many events of the log are not in the index, and may be missing here.
    pub(super) unindexed: i64,
    /// What was signed last.
    pub(super) checkpoint: Option<Signed>,
    pub(super) facts: Vec<Fact>,
    /// Where there was an event, and is none any more.
    pub(super) missing: Vec<Position>,
    /// The books; nothing when they cannot be made, and then why.
    pub(super) books: Option<Books>,
    pub(super) no_books: Option<String>,
}

/// The money.
#[derive(Debug, Serialize)]
pub(super) struct Books {
    pub(super) ledger: Vec<Line>,
    pub(super) balances: Vec<Line>,
    /// What the debits and the credits come to, in each currency.
    pub(super) totals: Vec<Total>,
}

/// What the notary signed.
#[derive(Debug, Serialize)]
pub(super) struct Signed {
    pub(super) origin: String,
    pub(super) size: u64,
    pub(super) note: String,
    pub(super) signature: Signature,
}

/// Whether it is certain who signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Signature {
    /// Nobody said whose it must be.
    NotChecked,
    /// It is of the key that was given.
    Right,
    /// It is not.
    Wrong,
}

/// An event, and whether it is in the log as it was signed.
#[derive(Debug, Serialize)]
pub(super) struct Fact {
    #[serde(flatten)]
    pub(super) event: Seen,
    /// The event that it was an answer to, when that is part of the story.
    pub(super) caused_by: Option<Position>,
    pub(super) standing: Standing,
    pub(super) proof: Option<String>,
}

/// Whether an event is in the log as it was signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Standing {
    /// It is.
    Proved,
    /// Nothing is signed up to there yet.
    NotSignedYet,
    /// The tree is being made again, and proves nothing there now.
    NotKnown,
    /// It is not.
    NotAsSigned,
}

/// A line of the books: one of the two amounts is nothing.
#[derive(Debug, Serialize)]
pub(super) struct Line {
    /// The event that it is of; nothing for what an account comes to.
    pub(super) position: Option<Position>,
    pub(super) account: &'static str,
    pub(super) currency: &'static str,
    pub(super) debit: Option<String>,
    pub(super) credit: Option<String>,
}

/// What all debits and all credits come to.
#[derive(Debug, Serialize)]
pub(super) struct Total {
    pub(super) currency: &'static str,
    pub(super) debit: String,
    pub(super) credit: String,
}

impl Evidence {
    /// All that there is of an order; nothing when there is none.
    pub(super) async fn find(
        sources: &Sources,
        order_id: OrderId,
        key: Option<&VerifyingKey>,
    ) -> Result<Option<Self>, Failure> {
        let Sources { log, read, upcasters } = sources;
        sources.index_is_up_to_date().await?;
        let index = ReadDb::new(read.clone(), LIMIT);
        let found = Dossier::find(&index, log, &[order_id], u32::MAX - 1).await?.remove(&order_id);
        let Some(dossier) = found.transpose()? else { return Ok(None) };
        let note = tokio::time::timeout(LIMIT, notary::checkpoint(read)).await??;
        let note: Option<Note> = note.map(|note| note.parse()).transpose()?;
        let proved = match &note {
            Some(note) => {
                let positions = dossier.positions();
                let proving = notary::prove(read, note, &positions, dossier.events.clone());
                tokio::time::timeout(LIMIT, proving).await??
            }
            None => BTreeMap::new(),
        };
        let (books, no_books) = match dossier.ledger(upcasters) {
            Ok(ledger) => (Some(Books::of(&ledger)?), None),
            Err(why) => (None, Some(why)),
        };
        let seen = dossier.events.iter().map(|event| Seen::of_recorded(event, upcasters)).collect();
        Ok(Some(Self {
            order_id,
            as_of: dossier.extent.as_of,
            unindexed: dossier.extent.unindexed,
            checkpoint: note.map(|note| Signed::check(&note, key)).transpose()?,
            facts: facts(seen, &proved),
            missing: dossier.missing,
            books,
            no_books,
        }))
    }

    /// Whether nothing of it is other than it was signed.
    pub(super) fn is_as_signed(&self) -> bool {
        let is_forged = |signed: &Signed| signed.signature == Signature::Wrong;
        !self.checkpoint.as_ref().is_some_and(is_forged)
            && self.missing.is_empty()
            && self.facts.iter().all(|fact| fact.standing != Standing::NotAsSigned)
    }
}

impl Sources {
    /// Waits until the index knows all that the log has now.
    async fn index_is_up_to_date(&self) -> Result<(), Failure> {
        let head = self.log.head().await?.position;
        query::reach(self.read.clone(), head, PATIENCE).await.map_err(|behind| {
            let distance = behind.distance;
            format!("the index of events (the read model `audit`) is {distance} events behind the log").into()
        })
    }
}

impl Signed {
    fn check(note: &Note, key: Option<&VerifyingKey>) -> Result<Self, Failure> {
        let TreeHead { origin, size, .. } = note.text().parse()?;
        let signature = match key.map(|key| TreeHead::of(note, key)) {
            None => Signature::NotChecked,
            Some(Ok(_)) => Signature::Right,
            Some(Err(_)) => Signature::Wrong,
        };
        Ok(Self { origin, size, note: note.to_string(), signature })
    }
}

impl Books {
    fn of(ledger: &Ledger) -> Result<Self, MoneyError> {
        Ok(Self { ledger: ledger_lines(ledger), balances: balances(ledger)?, totals: totals(ledger)? })
    }
}

fn facts(seen: Vec<Seen>, proved: &BTreeMap<Position, Proved>) -> Vec<Fact> {
    let places: BTreeMap<_, _> = seen.iter().map(|event| (event.event_id, event.position)).collect();
    let fact = |event: Seen| {
        let cause = event.metadata.as_ref().and_then(|metadata| metadata.causation_id);
        let (standing, proof) = match proved.get(&event.position) {
            Some(Proved::Signed(proof)) => (Standing::Proved, Some(proof.to_string())),
            Some(Proved::NotYet) | None => (Standing::NotSignedYet, None),
            Some(Proved::Unknown) => (Standing::NotKnown, None),
            Some(Proved::Contradicted) => (Standing::NotAsSigned, None),
        };
        Fact { caused_by: cause.and_then(|id| places.get(&id).copied()), event, standing, proof }
    };
    seen.into_iter().map(fact).collect()
}

fn ledger_lines(ledger: &Ledger) -> Vec<Line> {
    let of =
        |entry: &Entry| entry.postings().iter().map(|one| Line::of(Some(entry.position), *one)).collect();
    ledger.entries().iter().flat_map(|entry| -> Vec<Line> { of(entry) }).collect()
}

fn balances(ledger: &Ledger) -> Result<Vec<Line>, MoneyError> {
    let line = |balance: Balance| {
        let even = || Line {
            position: None,
            account: balance.account.as_str(),
            currency: balance.amount.currency().code(),
            debit: None,
            credit: None,
        };
        Ok(balance.posting()?.map_or_else(even, |posting| Line::of(None, posting)))
    };
    ledger.balances().map(line).collect()
}

impl Line {
    fn of(position: Option<Position>, posting: Posting) -> Self {
        let text = |amount: Option<Money>| amount.map(|amount| amount.to_string());
        Self {
            position,
            account: posting.account.as_str(),
            currency: posting.amount.currency().code(),
            debit: text(posting.debited()),
            credit: text(posting.credited()),
        }
    }
}

fn totals(ledger: &Ledger) -> Result<Vec<Total>, MoneyError> {
    let mut sums: BTreeMap<&'static str, (Money, Money)> = BTreeMap::new();
    for posting in ledger.entries().iter().flat_map(Entry::postings) {
        let zero = Money::zero(posting.amount.currency());
        let (debit, credit) = sums.entry(posting.amount.currency().code()).or_insert((zero, zero));
        let side = if posting.is_debit { debit } else { credit };
        *side = side.checked_add(posting.amount)?;
    }
    let total = |(currency, (debit, credit)): (_, (Money, Money))| Total {
        currency,
        debit: debit.to_string(),
        credit: credit.to_string(),
    };
    Ok(sums.into_iter().map(total).collect())
}
