//! The commands of one invoice: each has an id that follows from the invoice and the step, so that sending it again
//! changes nothing.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use cqrs_es::Aggregate;
use daybook_commands::Shop;
use daybook_domain::{CommandId, LocationCode, Timestamp};
use daybook_eventstore::{CommandContext, CommandError, EventStore, Executed, Fingerprint, Repository};
use tokio::sync::Semaphore;
use uuid::Uuid;

use super::error::ImportError;

/// Who every event of the import is by. Processes leave events of such actors alone: the import is the process that
/// answers them.
pub(super) const ACTOR: &str = "import:online-retail";
/// What a repetition of a command is told.
const OUTCOME: &str = "null";
/// How often a command that was crowded out is sent again; each time, the store has tried several times itself.
const PATIENCE: usize = 64;

/// How many commands are on their way at most: well below what the store lets wait.
const SENDING: usize = 1_024;
/// How many invoices and products of a run ask which of their commands took effect before: those that an interrupted run can have
/// begun are among the first. For all others, the store finds out command by command, if need be.
const ASKING: u32 = 2_000;

/// What every invoice's commands are sent with.
pub(super) struct Desk {
    pub(super) shop: Shop,
    store: EventStore,
    /// Where all of the import's stock is.
    location: LocationCode,
    /// Bounds the commands on their way.
    sending: Semaphore,
    /// How many events were appended.
    appended: AtomicU64,
    /// How many invoices and products were begun.
    begun: AtomicU32,
}

impl Desk {
    /// A desk at this shop, with the stock at this location.
    pub(super) fn new(shop: Shop, store: EventStore, location: LocationCode) -> Self {
        let (appended, begun) = (AtomicU64::new(0), AtomicU32::new(0));
        Self { shop, store, location, sending: Semaphore::new(SENDING), appended, begun }
    }

    /// How many events were appended.
    pub(super) fn appended(&self) -> u64 {
        self.appended.load(Ordering::Relaxed)
    }
}

/// One document's commands.
pub(super) struct Story<'a> {
    desk: &'a Desk,
    /// The document, in messages.
    name: String,
    /// What the ids of everything in the document follow from.
    pub(super) id: Uuid,
    content: Fingerprint,
    pub(super) at: Timestamp,
    /// The commands that are known to have taken effect before.
    known: HashMap<CommandId, Fingerprint>,
}

impl<'a> Story<'a> {
    /// The commands of the document with this name and content. `steps` are those it has.
    pub(super) async fn begin(
        desk: &'a Desk,
        name: String,
        (content, at): (Fingerprint, Timestamp),
        steps: impl IntoIterator<Item = String>,
    ) -> Result<Self, ImportError> {
        let id = super::document_id(&name);
        let mut known = HashMap::new();
        if desk.begun.fetch_add(1, Ordering::Relaxed) < ASKING {
            let ids: Vec<CommandId> = steps.into_iter().map(|step| CommandId::derived(id, &step)).collect();
            known = desk.store.known_commands(&ids).await?;
        }
        Ok(Self { desk, name, id, content, at, known })
    }

    pub(super) fn shop(&self) -> &'a Shop {
        &self.desk.shop
    }

    /// Notes that nothing can have happened yet to the aggregate that the document begins, unless some of the document
    /// is known to have happened.
    pub(super) async fn begins<A>(&self, repository: &Repository<A>, id: &str)
    where
        A: Aggregate<Services = ()> + Clone + 'static,
        A::Command: Clone + Send + Sync,
        A::Error: Send + Sync + 'static,
    {
        if self.known.is_empty() {
            repository.presume_new(id).await;
        }
    }

    /// Sends a command that the plan says must take effect.
    pub(super) async fn tell<A>(
        &self,
        repository: &Repository<A>,
        id: &str,
        step: &str,
        command: A::Command,
    ) -> Result<(), ImportError>
    where
        A: Aggregate<Services = ()> + Clone + 'static,
        A::Command: Clone + Send + Sync,
        A::Error: Send + Sync + 'static,
    {
        let told = self.ask(repository, id, step, command).await;
        told.map(drop).map_err(|error| self.refused(error, step))
    }

    /// Sends such a command, and returns the aggregate after it.
    pub(super) async fn see<A>(
        &self,
        repository: &Repository<A>,
        id: &str,
        step: &str,
        command: A::Command,
    ) -> Result<Arc<A>, ImportError>
    where
        A: Aggregate<Services = ()> + Clone + 'static,
        A::Command: Clone + Send + Sync,
        A::Error: Send + Sync + 'static,
    {
        match self.ask(repository, id, step, command).await {
            Ok(Some(executed)) => Ok(executed.state),
            Ok(None) => Ok(repository.load(id).await?.state),
            Err(error) => Err(self.refused(error, step)),
        }
    }

    /// Sends a command that may be refused; nothing is sent when it is known to have taken effect before.
    pub(super) async fn ask<A>(
        &self,
        repository: &Repository<A>,
        id: &str,
        step: &str,
        command: A::Command,
    ) -> Result<Option<Executed<A>>, CommandError<A::Error>>
    where
        A: Aggregate<Services = ()> + Clone + 'static,
        A::Command: Clone + Send + Sync,
        A::Error: Send + Sync + 'static,
    {
        let context = self.context(step);
        match self.known.get(&context.command_id) {
            Some(input) if *input == context.fingerprint => return Ok(None),
            Some(_) => return Err(CommandError::KeyReused),
            None => {}
        }
        // Never closed; were it, there would be nothing to bound.
        let _sending = self.desk.sending.acquire().await;
        let mut tries = 0;
        loop {
            let told = repository.execute(id, command.clone(), &context, OUTCOME).await;
            if matches!(told, Err(CommandError::Conflict)) && tries < PATIENCE {
                tries += 1;
                continue;
            }
            let executed = told?;
            self.desk.appended.fetch_add(executed.appended, Ordering::Relaxed);
            return Ok(Some(executed));
        }
    }

    /// The location that holds the import's stock: the shop's first.
    pub(super) fn location(&self) -> LocationCode {
        self.desk.location.clone()
    }

    /// Why something that a command left cannot be seen after it.
    pub(super) fn vanished(&self, what: &str) -> ImportError {
        ImportError::Vanished { document: self.name.clone(), what: what.to_owned() }
    }

    /// Why a command was refused, as what stops the import.
    pub(super) fn refused<R>(&self, error: CommandError<R>, step: &str) -> ImportError
    where
        R: std::error::Error + Send + Sync + 'static,
    {
        ImportError::of(error, &self.name, step)
    }

    fn context(&self, step: &str) -> CommandContext {
        CommandContext {
            command_id: CommandId::derived(self.id, step),
            fingerprint: Fingerprint::of(&[step.as_bytes(), &self.content.0]),
            actor: ACTOR.to_owned(),
            correlation_id: self.id,
            causation_id: None,
            traceparent: None,
            occurred_at: self.at,
        }
    }
}
