//! Aggregates: load, decide, append. Commands for one aggregate are decided one after another against the
//! in-memory state and ride in the same batch; another process's writes show as a conflict, and the decision
//! is taken again on what is there.

mod catch_up;
mod entry;
mod recall;
mod settle;
mod together;
mod unit;

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use cqrs_es::event_sink::EventSink;
use cqrs_es::{Aggregate, DomainEvent};
use daybook_domain::IdSource;
use metrics::{Counter, counter};

use self::entry::{Entry, Slot, Tip, Versioned};
pub use self::together::Together;
pub use self::unit::Unit;
use crate::append::{Append, Appended, Part, Pending};
use crate::command::{CommandContext, CommandError, Executed};
use crate::error::StoreError;
use crate::event::{NewEvent, StreamId};
use crate::memory::Room;
use crate::snapshot::SnapshotPolicy;
use crate::store::EventStore;

/// How often a decision is taken again after another process was quicker.
const MAX_CONFLICTS: u32 = 32;
/// How often it is taken again because what it was decided on did not take effect. Each time at least one command
/// of the aggregate was answered, so this bounds how many of them may fail in a row.
const MAX_UNFOUNDED: u32 = 4_096;
/// The unit of the pause between attempts; it grows with each and is spread by chance.
const PAUSE: Duration = Duration::from_millis(2);

/// An aggregate as it is in the store.
#[derive(Debug, Clone)]
pub struct Loaded<A> {
    /// The stream's version; 0 when there is no such aggregate.
    pub version: i64,
    /// The state.
    pub state: Arc<A>,
}

/// The aggregates of one type. Cloning shares what it remembers.
pub struct Repository<A: Aggregate> {
    store: EventStore,
    policy: SnapshotPolicy,
    room: Room,
    hearing: bool,
    meters: Meters,
    aggregate: PhantomData<fn() -> A>,
}

impl<A: Aggregate> Clone for Repository<A> {
    fn clone(&self) -> Self {
        Self {
            store: self.store.clone(),
            policy: self.policy,
            room: self.room.clone(),
            hearing: self.hearing,
            meters: self.meters.clone(),
            aggregate: PhantomData,
        }
    }
}

impl<A: Aggregate> fmt::Debug for Repository<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Repository").field("aggregate", &A::TYPE).finish_non_exhaustive()
    }
}

/// Whether what was to be decided on was in memory; looked up once, which costs more than to count.
#[derive(Clone)]
struct Meters {
    hits: Counter,
    misses: Counter,
}

/// A decision that was taken and queued, or one to be taken again.
struct Decided<A: Aggregate> {
    pending: Pending,
    before: i64,
    after: Versioned<A>,
    /// The domain's answer: nothing, or a refusal that stands if the condition holds.
    refusal: Option<A::Error>,
}

impl<A> Repository<A>
where
    A: Aggregate<Services = ()> + Clone + 'static,
    A::Command: Clone + Send + Sync,
    A::Error: Send + 'static,
{
    /// The aggregates of type `A` in this store. It has a memory of its own within the store's.
    pub fn new(store: EventStore, policy: SnapshotPolicy) -> Self {
        let meters = Meters {
            hits: counter!("daybook_cache_hits_total", "aggregate" => A::TYPE),
            misses: counter!("daybook_cache_misses_total", "aggregate" => A::TYPE),
        };
        Self {
            policy: policy.with(store.upcasters()),
            room: store.memory().room(),
            store,
            hearing: false,
            meters,
            aggregate: PhantomData,
        }
    }

    /// Takes a stream that this process does not know for a new one, so that its first command is decided without
    /// asking the store. When it is not new, that command conflicts, and is decided again on what is there.
    pub async fn presume_new(&self, id: &str) {
        self.slot(id).lock().await.presume_new();
    }

    /// Executes a command that usually makes the aggregate, which is presumed to be new.
    ///
    /// # Errors
    /// Those of [`Repository::execute`].
    pub async fn create(
        &self,
        id: &str,
        command: A::Command,
        context: &CommandContext,
        outcome: &str,
    ) -> Result<Executed<A>, CommandError<A::Error>> {
        self.execute_or_create(id, &[command], context, outcome, true).await
    }

    /// Executes a command. `outcome` is what a repetition is to be told, as JSON.
    ///
    /// A refusal, too, is decided on the primary: it stands only if the aggregate is still as it was seen.
    ///
    /// # Errors
    /// [`CommandError::Refused`] when the domain refuses; the others when it could not be decided.
    pub async fn execute(
        &self,
        id: &str,
        command: A::Command,
        context: &CommandContext,
        outcome: &str,
    ) -> Result<Executed<A>, CommandError<A::Error>> {
        self.execute_all(id, &[command], context, outcome).await
    }

    /// Executes several commands as one, each on what those before it came to: all of them take effect, or none.
    ///
    /// # Errors
    /// Those of [`Repository::execute`], for the first that is refused.
    pub async fn execute_all(
        &self,
        id: &str,
        commands: &[A::Command],
        context: &CommandContext,
        outcome: &str,
    ) -> Result<Executed<A>, CommandError<A::Error>> {
        self.execute_or_create(id, commands, context, outcome, false).await
    }

    async fn execute_or_create(
        &self,
        id: &str,
        commands: &[A::Command],
        context: &CommandContext,
        outcome: &str,
        mut presumed_new: bool,
    ) -> Result<Executed<A>, CommandError<A::Error>> {
        let (mut conflicts, mut unfounded) = (0, 0);
        while conflicts < MAX_CONFLICTS && unfounded < MAX_UNFOUNDED {
            let slot = self.slot(id);
            let mut entry = slot.lock().await;
            // A presumption that was wrong is not made twice.
            if std::mem::take(&mut presumed_new) {
                entry.presume_new();
            }
            let decided = self.decide(id, &slot, &mut entry, commands, context, outcome).await?;
            drop(entry);
            let Decided { pending, before, after, refusal } = decided;
            match pending.outcome().await? {
                Appended::Done { position, version } => {
                    self.settle(id, &slot, &after).await;
                    if let Some(refusal) = refusal {
                        return Err(CommandError::Refused(refusal));
                    }
                    return Ok(Executed {
                        position,
                        version,
                        replayed: false,
                        appended: u64::try_from(version - before).unwrap_or(0),
                        outcome: outcome.to_owned(),
                        state: after.state,
                    });
                }
                Appended::Replayed { position, version, outcome } => {
                    let state = self.load(id).await?.state;
                    return Ok(Executed { position, version, replayed: true, appended: 0, outcome, state });
                }
                Appended::Mismatch => return Err(CommandError::KeyReused),
                Appended::Conflict { .. } => {
                    conflicts += 1;
                    pause(self.store.ids(), A::TYPE, conflicts).await;
                }
                Appended::Unfounded => unfounded += 1,
            }
        }
        Err(CommandError::Conflict)
    }

    /// The aggregate as the primary has it now.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn load(&self, id: &str) -> Result<Loaded<A>, StoreError> {
        let mut loaded = self.load_many(&[id]).await?;
        loaded.pop().ok_or(StoreError::Closed)
    }

    /// Several aggregates as the primary has them now, in the order asked for: one statement, whatever their number.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn load_many(&self, ids: &[&str]) -> Result<Vec<Loaded<A>>, StoreError> {
        let mut each: Vec<&str> = ids.to_vec();
        each.sort_unstable();
        each.dedup();
        // They are held meanwhile: what is heard of an aggregate that was left behind would be lost.
        let slots: Vec<Arc<Slot<A>>> = each.iter().map(|id| self.slot(id)).collect();
        let mut known = Vec::with_capacity(each.len());
        for slot in &slots {
            known.push(slot.lock().await.committed().cloned());
        }
        let fresh = self.catch_up(&each, known).await?;
        for ((id, slot), versioned) in each.iter().zip(&slots).zip(&fresh) {
            slot.hear(versioned.version);
            let mut entry = slot.lock().await;
            entry.commit(versioned);
            self.weigh(id, slot, &mut entry);
        }
        let loaded = |id: &&str| {
            let index = each.binary_search(id).ok()?;
            let one = fresh.get(index)?;
            Some(Loaded { version: one.version, state: Arc::clone(&one.state) })
        };
        Ok(ids.iter().filter_map(loaded).collect())
    }

    /// Decides on the tip of the in-memory state and queues the result, all under the aggregate's own lock, so that
    /// the queue has the decisions in the order they were taken in.
    async fn decide(
        &self,
        id: &str,
        slot: &Arc<Slot<A>>,
        entry: &mut Entry<A>,
        commands: &[A::Command],
        context: &CommandContext,
        outcome: &str,
    ) -> Result<Decided<A>, CommandError<A::Error>> {
        let tip = self.tip(id, slot, entry).await?;
        let (seen, chain) = (tip.at.clone(), Arc::clone(&tip.chain));

        let mut state = A::clone(&seen.state);
        let sink = EventSink::default();
        let mut refusal = None;
        for command in commands {
            refusal = A::handle(&mut state, command.clone(), &(), &sink).await.err();
            if refusal.is_some() {
                break;
            }
        }
        let events = if refusal.is_some() { Vec::new() } else { sink.collect().await };
        let state = if events.is_empty() { Arc::clone(&seen.state) } else { Arc::new(state) };
        let events = self.encode(&events, context)?;
        let after = seen.after(&events, state);

        let append = Append {
            command_id: context.command_id,
            fingerprint: context.fingerprint,
            parts: vec![Part {
                stream: StreamId { aggregate_type: A::TYPE.to_owned(), aggregate_id: id.to_owned() },
                expected: seen.version,
                events,
                chain,
            }],
            outcome: refusal.is_none().then(|| outcome.to_owned()),
        };
        let pending = self.store.appender().enqueue(append)?;
        entry.advance(after.clone());
        Ok(Decided { pending, before: seen.version, after, refusal })
    }
}

impl<A> Repository<A>
where
    A: Aggregate + Clone + 'static,
{
    fn slot(&self, id: &str) -> Arc<Slot<A>> {
        self.room.find_or_make(id)
    }

    /// What to decide on, brought up to the primary when it is not in memory.
    async fn tip<'e>(
        &self,
        id: &str,
        slot: &Arc<Slot<A>>,
        entry: &'e mut Entry<A>,
    ) -> Result<&'e Tip<A>, StoreError> {
        entry.start_from_memory(slot.heard());
        if entry.tip(slot.heard()).is_some() {
            self.meters.hits.increment(1);
        } else {
            self.meters.misses.increment(1);
            let known = entry.committed().cloned();
            let fresh = self.catch_up(&[id], vec![known]).await?;
            entry.start(fresh.into_iter().next().unwrap_or_default());
            self.weigh(id, slot, entry);
        }
        // It may come to nothing at any moment; what is decided on it then is decided again.
        entry.latest().ok_or(StoreError::Closed)
    }

    fn encode(&self, events: &[A::Event], context: &CommandContext) -> Result<Vec<NewEvent>, StoreError> {
        let undecodable =
            |what| move |source| StoreError::Undecodable { what, of: A::TYPE.to_owned(), source };
        let metadata = serde_json::to_string(&context.metadata()).map_err(undecodable("metadata"))?;
        events
            .iter()
            .map(|event| {
                Ok(NewEvent {
                    event_id: self.store.ids().next(),
                    event_type: event.event_type(),
                    event_version: event.event_version(),
                    payload: serde_json::to_string(event).map_err(undecodable("event"))?,
                    metadata: metadata.clone(),
                })
            })
            .collect()
    }
}

/// Waits before a decision is taken again: the longer the more often it was, and never as long as others.
async fn pause(ids: &dyn IdSource, aggregate: &'static str, conflicts: u32) {
    metrics::counter!("daybook_command_conflicts_total", "aggregate" => aggregate).increment(1);
    // The id's last byte is random (RFC 9562), which is all the chance that is needed here.
    let chance = u32::from(ids.next().as_bytes()[15]) + 1;
    tokio::time::sleep(PAUSE * conflicts * chance / 128).await;
}
