//! A unit of work (Fowler, "Patterns of Enterprise Application Architecture"): the aggregates that one decision turns
//! to, as it sees and changes them, until all of it is appended.

use std::any::Any;
use std::sync::Arc;

use async_trait::async_trait;
use cqrs_es::Aggregate;
use cqrs_es::event_sink::EventSink;
use futures::executor::block_on;
use tokio::sync::OwnedMutexGuard;

use super::Repository;
use super::entry::{Entry, Slot, Versioned};
use crate::append::{Chain, Part};
use crate::command::CommandContext;
use crate::error::StoreError;
use crate::event::StreamId;

/// The aggregates of one decision.
pub struct Unit<'a> {
    context: &'a CommandContext,
    /// In the order of their streams, which is the order they are locked in.
    joined: Vec<Box<dyn Member>>,
    /// Those that were turned to and are to be joined.
    missing: Vec<Box<dyn Member>>,
}

impl std::fmt::Debug for Unit<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Unit").field("command", &self.context.command_id).finish_non_exhaustive()
    }
}

impl<'a> Unit<'a> {
    pub(super) const fn new(context: &'a CommandContext) -> Self {
        Self { context, joined: Vec::new(), missing: Vec::new() }
    }

    pub(super) const fn context(&self) -> &'a CommandContext {
        self.context
    }

    /// The aggregate as it is after what was decided so far. That it is so is a condition from now on.
    ///
    /// # Errors
    /// When it is not at hand yet; to be passed on.
    pub fn state<A>(&mut self, repository: &Repository<A>, id: &str) -> Result<Arc<A>, StoreError>
    where
        A: Aggregate<Services = ()> + Clone + 'static,
    {
        Ok(Arc::clone(&self.member(repository, id, false)?.state))
    }

    /// The same for several aggregates, which are turned to all at once.
    ///
    /// # Errors
    /// When one of them is not at hand yet; to be passed on.
    pub fn states<A>(
        &mut self,
        repository: &Repository<A>,
        ids: impl Iterator<Item = String>,
    ) -> Result<Vec<Arc<A>>, StoreError>
    where
        A: Aggregate<Services = ()> + Clone + 'static,
    {
        let states: Vec<_> = ids.map(|id| self.state(repository, &id)).collect();
        states.into_iter().collect()
    }

    /// Executes a command on what was decided so far. A refusal leaves the aggregate as it was.
    ///
    /// # Errors
    /// When the aggregate is not at hand yet; to be passed on.
    pub fn execute<A>(
        &mut self,
        repository: &Repository<A>,
        id: &str,
        command: A::Command,
    ) -> Result<Result<Arc<A>, A::Error>, StoreError>
    where
        A: Aggregate<Services = ()> + Clone + 'static,
    {
        Ok(self.member(repository, id, false)?.decide(command))
    }

    /// The same for a command that usually makes the aggregate, which is presumed to be new.
    ///
    /// # Errors
    /// Those of [`Unit::execute`].
    pub fn create<A>(
        &mut self,
        repository: &Repository<A>,
        id: &str,
        command: A::Command,
    ) -> Result<Result<Arc<A>, A::Error>, StoreError>
    where
        A: Aggregate<Services = ()> + Clone + 'static,
    {
        Ok(self.member(repository, id, true)?.decide(command))
    }

    fn member<A>(
        &mut self,
        repository: &Repository<A>,
        id: &str,
        presumed_new: bool,
    ) -> Result<&mut Joined<A>, StoreError>
    where
        A: Aggregate<Services = ()> + Clone + 'static,
    {
        let found = self.joined.binary_search_by(|member| {
            let stream = member.stream();
            (stream.aggregate_type.as_str(), stream.aggregate_id.as_str()).cmp(&(A::TYPE, id))
        });
        let member = found.ok().and_then(|index| {
            let member: &mut dyn Any = self.joined.get_mut(index)?.as_mut();
            member.downcast_mut::<Joined<A>>()
        });
        let Some(member) = member else {
            let mut missing = self.missing.iter().map(|member| member.stream());
            if !missing.any(|stream| stream.aggregate_type == A::TYPE && stream.aggregate_id == id) {
                self.missing.push(Box::new(Joined::<A>::new(repository, id, presumed_new)));
            }
            return Err(StoreError::NotAtHand);
        };
        member.turned_to = true;
        Ok(member)
    }

    /// Joins what the decision turned to in vain, and takes the decision back; false when there was nothing.
    pub(super) async fn join_missing(&mut self) -> Result<bool, StoreError> {
        if self.missing.is_empty() {
            return Ok(false);
        }
        for mut member in self.missing.drain(..) {
            member.join().await?;
            self.joined.push(member);
        }
        self.joined.sort_unstable_by(|a, b| a.stream().cmp(b.stream()));
        self.joined.iter_mut().for_each(|member| member.forget());
        Ok(true)
    }

    /// Sees everything anew.
    pub(super) async fn start_again(&mut self) -> Result<(), StoreError> {
        for member in &mut self.joined {
            member.join().await?;
            member.forget();
        }
        Ok(())
    }

    /// Whether the decision turned to nothing.
    pub(super) fn is_idle(&self) -> bool {
        !self.joined.iter().any(|member| member.turned_to())
    }

    /// Takes back what was decided; what was looked at stays a condition.
    pub(super) fn take_back(&mut self) {
        self.joined.iter_mut().for_each(|member| member.take_back());
    }

    /// Locks what the decision turned to, always in the same order; false when some of it has changed.
    pub(super) async fn lock(&mut self) -> bool {
        for member in self.joined.iter_mut().filter(|member| member.turned_to()) {
            if !member.lock().await {
                return false;
            }
        }
        true
    }

    /// What the decision wants of each stream.
    pub(super) fn parts(&mut self) -> Result<Vec<Part>, StoreError> {
        let context = self.context;
        let members = self.joined.iter_mut().filter(|member| member.turned_to());
        members.map(|member| member.part(context)).collect()
    }

    /// Lets later decisions see this one.
    pub(super) fn advance(&mut self) {
        self.joined.iter_mut().for_each(|member| member.advance());
    }

    pub(super) fn unlock(&mut self) {
        self.joined.iter_mut().for_each(|member| member.unlock());
    }

    /// Notes that the store has what was decided.
    pub(super) async fn settle(&mut self) {
        for member in self.joined.iter_mut().filter(|member| member.turned_to()) {
            member.settle().await;
        }
    }
}

/// One aggregate of a unit, of whatever type.
#[async_trait]
trait Member: Any + Send + Sync {
    fn stream(&self) -> &StreamId;
    fn turned_to(&self) -> bool;
    /// Sees the aggregate as it is now.
    async fn join(&mut self) -> Result<(), StoreError>;
    /// Forgets that it was turned to.
    fn forget(&mut self);
    fn take_back(&mut self);
    /// Locks the aggregate; false when it is not as it was seen any more.
    async fn lock(&mut self) -> bool;
    fn part(&mut self, context: &CommandContext) -> Result<Part, StoreError>;
    fn advance(&mut self);
    fn unlock(&mut self);
    async fn settle(&mut self);
}

struct Joined<A: Aggregate> {
    repository: Repository<A>,
    stream: StreamId,
    presumed_new: bool,
    slot: Arc<Slot<A>>,
    /// What was seen, and the run of decisions that it is the outcome of.
    seen: Versioned<A>,
    chain: Arc<Chain>,
    /// What was decided on it.
    state: Arc<A>,
    events: Vec<A::Event>,
    /// What that comes to, once it is to be appended.
    after: Versioned<A>,
    turned_to: bool,
    locked: Option<OwnedMutexGuard<Entry<A>>>,
}

impl<A> Joined<A>
where
    A: Aggregate<Services = ()> + Clone + 'static,
{
    fn new(repository: &Repository<A>, id: &str, presumed_new: bool) -> Self {
        Self {
            repository: repository.clone(),
            stream: StreamId { aggregate_type: A::TYPE.to_owned(), aggregate_id: id.to_owned() },
            presumed_new,
            slot: repository.slot(id),
            seen: Versioned::default(),
            chain: Arc::default(),
            state: Arc::default(),
            events: Vec::new(),
            after: Versioned::default(),
            turned_to: false,
            locked: None,
        }
    }

    fn decide(&mut self, command: A::Command) -> Result<Arc<A>, A::Error> {
        let mut state = A::clone(&self.state);
        let sink = EventSink::default();
        at_once(A::handle(&mut state, command, &(), &sink))?;
        let events = at_once(sink.collect());
        if !events.is_empty() {
            self.events.extend(events);
            self.state = Arc::new(state);
        }
        Ok(Arc::clone(&self.state))
    }
}

#[async_trait]
impl<A> Member for Joined<A>
where
    A: Aggregate<Services = ()> + Clone + 'static,
{
    fn stream(&self) -> &StreamId {
        &self.stream
    }

    fn turned_to(&self) -> bool {
        self.turned_to
    }

    async fn join(&mut self) -> Result<(), StoreError> {
        // A presumption that was wrong is not made twice.
        let presumed_new = std::mem::take(&mut self.presumed_new);
        self.slot = self.repository.slot(&self.stream.aggregate_id);
        let mut entry = self.slot.lock().await;
        if presumed_new {
            entry.presume_new();
        }
        let tip = self.repository.tip(&self.stream.aggregate_id, &self.slot, &mut entry).await?;
        self.seen = tip.at.clone();
        self.chain = Arc::clone(&tip.chain);
        Ok(())
    }

    fn forget(&mut self) {
        self.take_back();
        self.turned_to = false;
    }

    fn take_back(&mut self) {
        self.state = Arc::clone(&self.seen.state);
        self.events.clear();
    }

    async fn lock(&mut self) -> bool {
        let entry = self.slot.lock_owned().await;
        let unchanged = entry
            .tip(self.slot.heard())
            .is_some_and(|tip| tip.at.version == self.seen.version && Arc::ptr_eq(&tip.chain, &self.chain));
        self.locked = Some(entry);
        unchanged
    }

    fn part(&mut self, context: &CommandContext) -> Result<Part, StoreError> {
        let events = self.repository.encode(&self.events, context)?;
        self.after = self.seen.after(&events, Arc::clone(&self.state));
        let (stream, chain) = (self.stream.clone(), Arc::clone(&self.chain));
        Ok(Part { stream, expected: self.seen.version, events, chain })
    }

    fn advance(&mut self) {
        if let Some(entry) = &mut self.locked {
            entry.advance(self.after.clone());
        }
    }

    fn unlock(&mut self) {
        self.locked = None;
    }

    async fn settle(&mut self) {
        self.repository.settle(&self.stream.aggregate_id, &self.slot, &self.after).await;
    }
}

/// The outcome of a handler: an aggregate without services has nothing to wait for. The runtime must not make it
/// wait either, which it does with whoever has had more than its share.
fn at_once<T>(handler: impl Future<Output = T>) -> T {
    block_on(tokio::task::unconstrained(handler))
}
