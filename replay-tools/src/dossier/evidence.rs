//! What there is to show of an order: its events as they are, what is known of their places in the log, and its books.

use std::collections::BTreeMap;
use std::time::Duration;

use daybook_domain::ledger::Ledger;
use daybook_domain::{Money, MoneyError, OrderId};
use daybook_eventstore::process::Failure;
use daybook_eventstore::proof::TreeHead;
use daybook_eventstore::{LogReader, Position, Upcasters};
use daybook_projections::audit::Dossier;
use daybook_projections::notary::{self, Proved};
use daybook_projections::read::{ReadDb, ReplicaWatch};
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
    pub(super) async fn find(sources: &Sources, order_id: OrderId) -> Result<Option<Self>, Failure> {
        let Sources { log, read, upcasters } = sources;
        let as_of = log.head().await?.position;
        let (watch, asking) = ReplicaWatch::start(read.clone());
        let behind = watch.wait_for("audit", as_of, PATIENCE).await;
        asking.abort();
        behind.map_err(|behind| {
            format!(
                "the index of events (the read model `audit`) is {} events behind the log",
                behind.distance
            )
        })?;
        let index = ReadDb::new(read.clone(), LIMIT);
        let Some(dossier) = Dossier::find(&index, log, &[order_id]).await?.remove(&order_id) else {
            return Ok(None);
        };
        let ledger = dossier.ledger(upcasters)?;
        let note = tokio::time::timeout(LIMIT, notary::checkpoint(read)).await??;
        let proved = tokio::time::timeout(LIMIT, notary::prove(read, dossier.events.clone())).await??;
        let seen: Vec<Seen> =
            dossier.events.iter().map(|event| Seen::of_recorded(event, upcasters)).collect();
        Ok(Some(Self {
            order_id,
            as_of,
            unindexed: dossier.unindexed,
            checkpoint: note.map(Signed::parse).transpose()?,
            facts: facts(seen, &proved),
            ledger: ledger_lines(&ledger),
            balances: balances(&ledger)?,
            totals: totals(&ledger)?,
        }))
    }

    /// Whether nothing of it is other than it was signed.
    pub(super) fn is_as_signed(&self) -> bool {
        self.facts.iter().all(|fact| fact.standing != Standing::NotAsSigned)
    }
}

impl Signed {
    fn parse(note: String) -> Result<Self, Failure> {
        let head: TreeHead = note.parse::<daybook_eventstore::proof::Note>()?.text().parse()?;
        Ok(Self { origin: head.origin, size: head.size, note })
    }
}

fn facts(seen: Vec<Seen>, proved: &BTreeMap<Position, Proved>) -> Vec<Fact> {
    let places: BTreeMap<_, _> = seen.iter().map(|event| (event.event_id, event.position)).collect();
    let fact = |event: Seen| {
        let cause = event.metadata.as_ref().and_then(|metadata| metadata.causation_id);
        let (standing, proof) = match proved.get(&event.position) {
            Some(Proved::Signed(proof)) => (Standing::Proved, Some(proof.to_string())),
            Some(Proved::NotYet) | None => (Standing::NotSignedYet, None),
            Some(Proved::Contradicted) => (Standing::NotAsSigned, None),
        };
        Fact { caused_by: cause.and_then(|id| places.get(&id).copied()), event, standing, proof }
    };
    seen.into_iter().map(fact).collect()
}

fn ledger_lines(ledger: &Ledger) -> Vec<Line> {
    let entries = ledger.entries().iter().flat_map(|entry| {
        entry.postings().iter().map(|posting| {
            let side = |is_this: bool| is_this.then(|| posting.amount.to_string());
            Line {
                position: Some(entry.position),
                account: posting.account.as_str(),
                currency: posting.amount.currency().code(),
                debit: side(posting.is_debit),
                credit: side(!posting.is_debit),
            }
        })
    });
    entries.collect()
}

fn balances(ledger: &Ledger) -> Result<Vec<Line>, MoneyError> {
    let line = |balance: daybook_domain::ledger::Balance| {
        let currency = balance.amount.currency();
        let negated = Money::zero(currency).checked_sub(balance.amount)?;
        let side = |amount: Money| (amount.minor() > 0).then(|| amount.to_string());
        Ok(Line {
            position: None,
            account: balance.account.as_str(),
            currency: currency.code(),
            debit: side(balance.amount),
            credit: side(negated),
        })
    };
    ledger.balances().map(line).collect()
}

fn totals(ledger: &Ledger) -> Result<Vec<Total>, MoneyError> {
    let mut sums: BTreeMap<&'static str, (Money, Money)> = BTreeMap::new();
    for posting in ledger.entries().iter().flat_map(daybook_domain::ledger::Entry::postings) {
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
