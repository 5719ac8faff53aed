//! What a writer does everything with: the store through its public interface, each call noted before and after.

use std::collections::HashMap;
use std::str::FromStr as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::DateTime;
use daybook_domain::{CommandId, IdSource as _};
use daybook_eventstore::process::SystemIds;
use daybook_eventstore::{
    Archives, Chain, CommandContext, CommandError, EventStore, Executed, Pending, Repository, SnapshotPolicy,
    StoreError, Together, Upcasters,
};
use sqlx::PgPool;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use uuid::Uuid;

use super::super::Failed;
use super::super::history::{Asked, Content, Part, Told};
use super::super::scribe::Scribe;
use super::tally::{Note, Refusal, Tally};
use super::{Orders, order};

/// The name under which the database sees writers.
pub(crate) const APPLICATION: &str = "oracle writer";
/// How many bytes of aggregates it remembers.
const REMEMBERED: u64 = 64 * 1_024;

/// How many parts and events are brought in at once: little, so that an import is several chunks.
const CHUNK: usize = 24;

/// The store, the history, and what this process knows of streams.
pub(super) struct Hands {
    pub(super) store: EventStore,
    pub(super) tallies: Repository<Tally>,
    scribe: Scribe,
    versions: Mutex<HashMap<String, i64>>,
}

/// Something that was sent and not answered yet.
pub(super) struct Sent {
    number: u64,
    asked: Asked,
    pending: Result<Pending, StoreError>,
}

impl Hands {
    pub(super) fn new(orders: &Orders) -> Result<Self, Failed> {
        let options = PgConnectOptions::from_str(&orders.database)?;
        let options = options.application_name(&format!("{APPLICATION} {}", orders.number));
        let pool: PgPool = PgPoolOptions::new().max_connections(4).connect_lazy_with(options);
        // Few, so that the others are loaded again and again.
        let store = EventStore::new(pool, Arc::new(SystemIds), Upcasters::default()).remembering(REMEMBERED);
        let store = store.with_archives(Some(Archives::in_folder(&orders.archives)));
        let policy = SnapshotPolicy { state_version: 1, every: 40, older_than: Duration::MAX };
        Ok(Self {
            tallies: Repository::new(store.clone(), policy),
            store,
            scribe: Scribe::new(&orders.history)?,
            versions: Mutex::default(),
        })
    }

    /// Asks for something, and waits for the answer.
    pub(super) async fn ask(&self, asked: Asked) -> Result<Told, Failed> {
        match &asked.content {
            Content::Exact(_) => {
                let sent = self.send(asked, None)?;
                self.answer(sent).await
            }
            Content::Decided(parts) => {
                let parts = parts.clone();
                self.decide(asked, &parts, None).await
            }
        }
    }

    /// Sends an append whose events are known.
    pub(super) fn send(&self, asked: Asked, chain: Option<&Arc<Chain>>) -> Result<Sent, Failed> {
        let append = order::append(&asked, chain)?.ok_or("its events are not known")?;
        let number = self.scribe.ask(&asked)?;
        Ok(Sent { number, asked, pending: self.store.appender().enqueue(append) })
    }

    /// Waits for its answer.
    pub(super) async fn answer(&self, sent: Sent) -> Result<Told, Failed> {
        let answer = match sent.pending {
            Ok(pending) => pending.outcome().await,
            Err(refused) => Err(refused),
        };
        let told = order::told(answer);
        self.scribe.tell(sent.number, told.clone())?;
        if let Content::Exact(parts) = &sent.asked.content {
            match told {
                Told::Done { .. } => parts.iter().for_each(|part| self.learn(part)),
                Told::Conflict => self.look(parts).await,
                Told::Replayed { .. } | Told::Mismatch | Told::NotDone | Told::Unknown => {}
            }
        }
        Ok(told)
    }

    /// Brings in commands whose events are known, all at once, and waits for the answers.
    pub(super) async fn import(&self, commands: Vec<Asked>) -> Result<Vec<Told>, Failed> {
        let (mut numbers, mut appends) = (Vec::with_capacity(commands.len()), Vec::new());
        for asked in &commands {
            appends.push(order::append(asked, None)?.ok_or("its events are not known")?);
            numbers.push(self.scribe.ask(asked)?);
        }
        let mut importing = self.store.import(futures::stream::iter(appends)).in_chunks_of(CHUNK);
        let mut answers = Vec::with_capacity(commands.len());
        loop {
            match importing.next().await {
                Ok(Some(next)) => answers.extend(next.into_iter().map(order::told)),
                Ok(None) if answers.len() == commands.len() => break,
                Ok(None) => return Err("an import ended before it had answered".into()),
                // What was not answered is not known.
                Err(_) => {
                    answers.resize(commands.len(), Told::Unknown);
                    break;
                }
            }
        }
        for (number, told) in numbers.into_iter().zip(&answers) {
            self.scribe.tell(number, told.clone())?;
        }
        Ok(answers)
    }

    /// Has the store's repositories decide on one or several tallies.
    pub(super) async fn decide(
        &self,
        asked: Asked,
        parts: &[(String, usize)],
        unless: Option<i64>,
    ) -> Result<Told, Failed> {
        let context = context(&asked);
        let outcome = asked.input.to_string();
        let number = self.scribe.ask(&asked)?;
        let note = |(stream, times): &(String, usize)| {
            let id = stream.split_once('/').map_or(stream.as_str(), |(_, id)| id).to_owned();
            Note { id, times: *times, saw: Vec::new(), unless }
        };
        let told = match parts {
            [one] => {
                let note = note(one);
                let id = note.id.clone();
                executed(self.tallies.execute(&id, note, &context, &outcome).await)
            }
            several => {
                let notes: Vec<Note> = several.iter().map(note).collect();
                together(self.together(&context, &outcome, &notes).await)
            }
        };
        self.scribe.tell(number, told.clone())?;
        Ok(told)
    }

    /// Decides on several tallies at once, and on what a neighbour of the first one is at.
    async fn together(
        &self,
        context: &CommandContext,
        outcome: &str,
        notes: &[Note],
    ) -> Result<Together<()>, CommandError<Refusal>> {
        let decide = |unit: &mut daybook_eventstore::Unit<'_>| {
            let seen = format!("{}-seen", notes.first().map_or("", |note| note.id.as_str()));
            let version = unit.state(&self.tallies, &seen)?.version;
            for note in notes {
                let saw = vec![(order::name("Tally", &seen), version)];
                unit.execute(&self.tallies, &note.id, Note { saw, ..note.clone() })??;
            }
            Ok(())
        };
        self.store.together(context, outcome, decide).await
    }

    /// The version that a stream is thought to be at.
    pub(super) fn version(&self, stream: &str) -> i64 {
        self.versions.lock().unwrap_or_else(PoisonError::into_inner).get(stream).copied().unwrap_or(0)
    }

    fn learn(&self, part: &Part) {
        let version = part.expected + i64::try_from(part.events.len()).unwrap_or(0);
        self.know(&part.stream, version);
    }

    fn know(&self, stream: &str, version: i64) {
        let mut versions = self.versions.lock().unwrap_or_else(PoisonError::into_inner);
        let known = versions.entry(stream.to_owned()).or_default();
        *known = version.max(*known);
    }

    /// Looks what these streams are at. It may be in vain: then it stays as it was thought to be.
    async fn look(&self, parts: &[Part]) {
        let ids: Vec<&str> =
            parts.iter().filter_map(|part| part.stream.split_once('/')).map(|(_, id)| id).collect();
        let versions = "SELECT id, greatest( \
                 (SELECT max(sequence) FROM events WHERE aggregate_type = $1 AND aggregate_id = id), \
                 (SELECT version FROM partitioned_streams WHERE aggregate_type = $1 AND aggregate_id = id)) \
             FROM unnest($2::text[]) AS id";
        let found: Result<Vec<(String, Option<i64>)>, _> =
            sqlx::query_as(versions).bind(order::LEDGER).bind(ids).fetch_all(self.store.pool()).await;
        for (id, version) in found.unwrap_or_default() {
            self.know(&order::name(order::LEDGER, &id), version.unwrap_or(0));
        }
    }
}

/// A new command.
pub(super) fn asked(input: u64, recorded: bool, content: Content) -> Asked {
    Asked { command: SystemIds.next(), input, recorded, content }
}

/// Ids for so many events.
pub(super) fn events(count: u64) -> Vec<Uuid> {
    (0..count).map(|_| SystemIds.next()).collect()
}

fn context(asked: &Asked) -> CommandContext {
    CommandContext {
        command_id: CommandId::new(asked.command),
        fingerprint: order::fingerprint(asked.input),
        actor: "process:oracle".to_owned(),
        correlation_id: asked.command,
        causation_id: None,
        traceparent: None,
        occurred_at: DateTime::UNIX_EPOCH,
    }
}

fn executed(answer: Result<Executed<Tally>, CommandError<Refusal>>) -> Told {
    match answer {
        Ok(Executed { position, version, replayed: true, outcome, .. }) => {
            Told::Replayed { position, version: Some(version), input: outcome.parse().ok() }
        }
        Ok(Executed { position, version, .. }) => Told::Done { position, version: Some(version) },
        Err(error) => failed(&error),
    }
}

fn together(answer: Result<Together<()>, CommandError<Refusal>>) -> Told {
    match answer {
        Ok(Together::Done { position, .. }) => Told::Done { position, version: None },
        Ok(Together::Replayed { position, outcome }) => {
            Told::Replayed { position, version: None, input: outcome.parse().ok() }
        }
        Err(error) => failed(&error),
    }
}

fn failed(error: &CommandError<Refusal>) -> Told {
    match error {
        CommandError::KeyReused => Told::Mismatch,
        CommandError::Conflict => Told::Conflict,
        CommandError::Refused(Refusal::NotNow) | CommandError::Store(StoreError::Overloaded) => Told::NotDone,
        // It may have been answered before the store failed.
        CommandError::Refused(Refusal::Store(_)) | CommandError::Store(_) => Told::Unknown,
    }
}
