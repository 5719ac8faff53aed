//! One command for several aggregates: their events take effect in one commit or not at all, and all that the
//! decision looked at is a condition.

use super::unit::Unit;
use super::{MAX_CONFLICTS, MAX_UNFOUNDED, pause};
use crate::append::{Append, Appended, Pending};
use crate::command::{CommandContext, CommandError};
use crate::error::StoreError;
use crate::event::Position;
use crate::store::EventStore;

/// What became of a decision on several aggregates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Together<T> {
    /// It took effect now.
    Done {
        /// The position it reached; 0 when it turned to no aggregate.
        position: Position,
        /// What was decided.
        decided: T,
    },
    /// The command had taken effect before; nothing was done.
    Replayed {
        /// The position it had reached.
        position: Position,
        /// What it was told then, as JSON.
        outcome: String,
    },
}

impl EventStore {
    /// Executes one command on as many aggregates as `decide` turns to. It is called again whenever it turned to one
    /// that is not in memory yet or that has changed meanwhile, so it must do nothing but decide; it passes on every
    /// [`StoreError`] it is given. `outcome` is what a repetition is to be told, as JSON.
    ///
    /// A refusal, too, stands only if all that it was decided on is still so.
    ///
    /// # Errors
    /// [`CommandError::Refused`] with what `decide` returned; the others when it could not be decided.
    pub async fn together<T, E>(
        &self,
        context: &CommandContext,
        outcome: &str,
        decide: impl Fn(&mut Unit<'_>) -> Result<T, E> + Sync,
    ) -> Result<Together<T>, CommandError<E>>
    where
        T: Send,
        E: std::error::Error + From<StoreError> + Send + 'static,
    {
        let mut unit = Unit::new(context);
        let (mut conflicts, mut unfounded) = (0, 0);
        while conflicts < MAX_CONFLICTS && unfounded < MAX_UNFOUNDED {
            let decided = loop {
                let decided = decide(&mut unit);
                if !unit.join_missing().await? {
                    break decided;
                }
            };
            if decided.is_err() {
                unit.take_back();
            }
            if unit.is_idle() {
                let decided = decided.map_err(CommandError::Refused)?;
                return Ok(Together::Done { position: 0, decided });
            }
            let recorded = decided.is_ok().then(|| outcome.to_owned());
            let Some(pending) = unit.enqueue(self, recorded).await? else {
                unfounded += 1;
                unit.start_again().await?;
                continue;
            };
            match pending.outcome().await? {
                Appended::Done { position, .. } => {
                    unit.settle().await;
                    let decided = decided.map_err(CommandError::Refused)?;
                    return Ok(Together::Done { position, decided });
                }
                Appended::Replayed { position, outcome, .. } => {
                    return Ok(Together::Replayed { position, outcome });
                }
                Appended::Mismatch => return Err(CommandError::KeyReused),
                Appended::Conflict { .. } => {
                    conflicts += 1;
                    pause(self.ids(), "together", conflicts).await;
                }
                Appended::Unfounded => unfounded += 1,
            }
            unit.start_again().await?;
        }
        Err(CommandError::Conflict)
    }
}

impl Unit<'_> {
    /// Queues what was decided, if everything is still as it was seen; under the locks of all of its aggregates, so
    /// that the queue has the decisions on each of them in the order they were taken in.
    async fn enqueue(
        &mut self,
        store: &EventStore,
        outcome: Option<String>,
    ) -> Result<Option<Pending>, StoreError> {
        let queued = if self.lock().await { self.queue(store, outcome).map(Some) } else { Ok(None) };
        self.unlock();
        queued
    }
    fn queue(&mut self, store: &EventStore, outcome: Option<String>) -> Result<Pending, StoreError> {
        let CommandContext { command_id, fingerprint, .. } = *self.context();
        let append = Append { command_id, fingerprint, parts: self.parts()?, outcome };
        let pending = store.appender().enqueue(append)?;
        self.advance();
        Ok(pending)
    }
}
