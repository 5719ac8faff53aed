//! An aggregate from its first command to a reader of its history:
//! `cargo run --package daybook-eventstore --example account postgres://user:password@host/database`, with a database of
//! its own.

#![expect(clippy::print_stdout, reason = "it shows what happens")]

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use cqrs_es::event_sink::EventSink;
use cqrs_es::{Aggregate, DomainEvent};
use daybook_eventstore::process::{SystemClock, SystemIds};
use daybook_eventstore::{
    Clock as _, CommandContext, CommandError, CommandId, EventStore, Fingerprint, Repository, Selection,
    SnapshotPolicy, Upcasters,
};
use serde::{Deserialize, Serialize};
use sqlx::PgPool;

/// An account at a bank.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Account {
    pence: i64,
}

/// What can be asked of it.
#[derive(Debug, Clone, Serialize)]
enum Ask {
    Deposit { pence: i64 },
    Withdraw { pence: i64 },
}

/// What happened to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
enum Happened {
    Deposited { pence: i64 },
    Withdrew { pence: i64 },
}

/// Why something was refused.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("there are only {pence} pence")]
struct TooLittle {
    pence: i64,
}

impl DomainEvent for Happened {
    fn event_type(&self) -> String {
        match self {
            Self::Deposited { .. } => "AccountDeposited".to_owned(),
            Self::Withdrew { .. } => "AccountWithdrew".to_owned(),
        }
    }

    fn event_version(&self) -> String {
        "1".to_owned()
    }
}

impl Aggregate for Account {
    const TYPE: &'static str = "Account";
    type Command = Ask;
    type Event = Happened;
    type Error = TooLittle;
    type Services = ();

    async fn handle(&mut self, command: Ask, (): &(), sink: &EventSink<Self>) -> Result<(), TooLittle> {
        match command {
            Ask::Deposit { pence } => sink.write(Happened::Deposited { pence }, self).await,
            Ask::Withdraw { pence } if pence > self.pence => return Err(TooLittle { pence: self.pence }),
            Ask::Withdraw { pence } => sink.write(Happened::Withdrew { pence }, self).await,
        }
        Ok(())
    }

    fn apply(&mut self, event: Happened) {
        match event {
            Happened::Deposited { pence } => self.pence += pence,
            Happened::Withdrew { pence } => self.pence -= pence,
        }
    }
}

/// Who asks, and the id under which that takes effect once.
fn context(command_id: CommandId, ask: &Ask) -> Result<CommandContext, serde_json::Error> {
    Ok(CommandContext {
        command_id,
        fingerprint: Fingerprint::of(&[&serde_json::to_vec(ask)?]),
        actor: "customer:ada".to_owned(),
        correlation_id: command_id.uuid(),
        causation_id: None,
        traceparent: None,
        occurred_at: SystemClock.now(),
    })
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let url = std::env::args().nth(1).ok_or("which database?")?;
    let pool = PgPool::connect(&url).await?;
    daybook_eventstore::migrate(&pool).await?;

    let store = EventStore::new(pool, Arc::new(SystemIds), Upcasters::default());
    let policy = SnapshotPolicy { state_version: 1, every: 100, older_than: Duration::from_hours(24) };
    let accounts: Repository<Account> = Repository::new(store.clone(), policy);
    let id = CommandId::generate(&SystemIds).to_string();

    let deposit = Ask::Deposit { pence: 10_000 };
    let first = context(CommandId::generate(&SystemIds), &deposit)?;
    let done = accounts.execute(&id, deposit.clone(), &first, "\"thank you\"").await?;
    println!("deposited at position {}: {} pence", done.position, done.state.pence);

    // The network was slow, and the same is asked again.
    let again = accounts.execute(&id, deposit, &first, "\"thank you\"").await?;
    println!("asked again: it was done at {}, {} pence", again.position, again.state.pence);
    assert!(again.replayed && again.position == done.position && again.state.pence == 10_000);

    let withdraw = Ask::Withdraw { pence: 10_001 };
    let second = context(CommandId::generate(&SystemIds), &withdraw)?;
    match accounts.execute(&id, withdraw, &second, "null").await {
        Err(CommandError::Refused(TooLittle { pence: 10_000 })) => {
            println!("refused: there are only 10000 pence");
        }
        other => return Err(format!("{other:?}").into()),
    }

    // Anybody reads the log, or what they want of it, from wherever they are.
    let mut deposits = store.reader().scan(Selection::after(0).of_types(["AccountDeposited"]), 1_000);
    while let Some(batch) = deposits.next().await? {
        for event in batch.events() {
            println!("{}: {} {}", event.position()?, event.aggregate_id()?, event.payload()?);
        }
    }
    Ok(())
}
