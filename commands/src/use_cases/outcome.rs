//! What every operation has in common: how far it reached, for whom it may be done, and how one command is put to several
//! aggregates.

use std::sync::Arc;

use daybook_domain::CustomerId;
use daybook_eventstore::{CommandContext, CommandError, Executed, Position, Together, Unit};
use serde::de::DeserializeOwned;

use super::error::UseCaseError;
use crate::shop::Shop;

/// What an operation came to.
#[derive(Debug, Clone)]
pub struct Done<T> {
    /// What it was done to, as it is now.
    pub value: T,
    /// The position it reached; nothing when no event came of it.
    pub position: Option<Position>,
    /// Whether it had been done before, and this is only its repetition.
    pub replayed: bool,
}

impl<T> Done<T> {
    /// The same with another value.
    pub fn map<U>(self, to: impl FnOnce(T) -> U) -> Done<U> {
        Done { value: to(self.value), position: self.position, replayed: self.replayed }
    }
}

impl<T> From<Together<T>> for Done<Option<T>> {
    /// Of a repetition it is not known any more what was decided.
    fn from(together: Together<T>) -> Self {
        match together {
            Together::Done { position, decided } => {
                Self { value: Some(decided), position: Some(position), replayed: false }
            }
            Together::Replayed { position, .. } => {
                Self { value: None, position: Some(position), replayed: true }
            }
        }
    }
}

impl<A> From<Executed<A>> for Done<Arc<A>> {
    fn from(executed: Executed<A>) -> Self {
        Self { value: executed.state, position: Some(executed.position), replayed: executed.replayed }
    }
}

/// Whose carts and orders may be seen and changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Everyone's.
    All,
    /// Those of this customer, and those of nobody, whose ids only their shoppers know.
    Of(Option<CustomerId>),
}

impl Scope {
    /// Whether what belongs to `owner` is in it.
    pub fn covers(self, owner: Option<CustomerId>) -> bool {
        match self {
            Self::All => true,
            Self::Of(customer) => owner.is_none() || owner == customer,
        }
    }
}

/// Executes one command on as many aggregates as `decide` turns to: all of it takes effect, or none of it.
pub(super) async fn together<T: Send>(
    shop: &Shop,
    context: &CommandContext,
    outcome: &str,
    decide: impl Fn(&mut Unit<'_>) -> Result<T, UseCaseError> + Sync,
) -> Result<Together<T>, UseCaseError> {
    match shop.store.together(context, outcome, decide).await {
        Ok(done) => Ok(done),
        Err(CommandError::Refused(error)) => Err(error),
        Err(CommandError::KeyReused) => Err(UseCaseError::KeyReused),
        Err(CommandError::Conflict) => Err(UseCaseError::Conflict),
        Err(CommandError::Store(error)) => Err(UseCaseError::Store(error)),
    }
}

/// Reads the outcome that was stored with a command.
pub(super) fn recorded<T: DeserializeOwned>(outcome: &str) -> Result<T, UseCaseError> {
    serde_json::from_str(outcome).map_err(UseCaseError::Outcome)
}
