//! Why an operation was not done.

use daybook_domain::{Refusal, Sku};
use daybook_eventstore::{CommandError, StoreError, VaultError};

use super::pricing::VariantRef;

/// What the shop's rules say no with: data for whoever asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// The stable code.
    pub code: &'static str,
    /// Why, for people.
    pub message: String,
    /// Which part of the input it is about: field names and indices from the outside in.
    pub field: Vec<String>,
}

/// An operation that was not done.
#[derive(Debug, thiserror::Error)]
pub enum UseCaseError {
    /// It may not be.
    #[error("refused: {}", .0.message)]
    Refused(Refused),
    /// Its command id was used before with another input.
    #[error("the command id was used with another input")]
    KeyReused,
    /// Others wrote to the aggregate faster than it could be decided.
    #[error("too many conflicting commands")]
    Conflict,
    /// The store failed.
    #[error("the event store failed")]
    Store(#[from] StoreError),
    /// The vault failed.
    #[error("the vault failed")]
    Vault(#[source] VaultError),
    /// What was stored with a command is not what this program stores.
    #[error("a stored outcome cannot be read")]
    Outcome(#[source] serde_json::Error),
}

impl<R: Refusal + 'static> From<CommandError<R>> for UseCaseError {
    fn from(error: CommandError<R>) -> Self {
        match error {
            CommandError::Refused(refusal) => Self::refused(&refusal),
            CommandError::KeyReused => Self::KeyReused,
            CommandError::Conflict => Self::Conflict,
            CommandError::Store(source) => Self::Store(source),
        }
    }
}

impl From<VaultError> for UseCaseError {
    fn from(error: VaultError) -> Self {
        match error {
            VaultError::Forgotten => Self::refused(&Unavailable::Forgotten),
            VaultError::Broken
            | VaultError::UnknownKey(_)
            | VaultError::OtherKey
            | VaultError::Keyring(_)
            | VaultError::Database(_)
            | VaultError::TimedOut
            | VaultError::Unserialisable(_) => Self::Vault(error),
        }
    }
}

impl UseCaseError {
    pub(super) fn refused(refusal: &impl Refusal) -> Self {
        Self::Refused(Refused { code: refusal.code(), message: refusal.to_string(), field: Vec::new() })
    }

    /// The same refusal, about this part of the input.
    pub(super) fn about(self, field: &[&str]) -> Self {
        match self {
            Self::Refused(refused) => {
                let field = field.iter().map(|part| (*part).to_owned()).collect();
                Self::Refused(Refused { field, ..refused })
            }
            Self::KeyReused | Self::Conflict | Self::Store(_) | Self::Vault(_) | Self::Outcome(_) => self,
        }
    }
}

/// What an operation finds missing before an aggregate is asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unavailable {
    /// There is none, or it is someone else's.
    #[error("there is no such {0}")]
    NotFound(&'static str),
    /// The product is not for sale, or has no such variant.
    #[error("variant {} is not for sale", .0.variant_id)]
    NotForSale(VariantRef),
    /// It is for sale, but not in the cart's currency.
    #[error("{sku} is not sold in {currency}")]
    NotSoldIn {
        /// The variant's sku.
        sku: Sku,
        /// The cart's currency.
        currency: &'static str,
    },
    /// The shop does not ship this way.
    #[error("this way of shipping is not offered for the country and currency")]
    Shipping,
    /// No lines at all.
    #[error("give at least one line")]
    NoLines,
    /// More lines than an operation takes.
    #[error("give at most {max} lines at once")]
    TooManyLines {
        /// The most it takes.
        max: usize,
    },
    /// A text of the contact or address is not usable.
    #[error("{field} must have {min} to {max} characters, none of them a control character")]
    Text {
        /// Which.
        field: &'static str,
        /// The fewest characters.
        min: usize,
        /// The most.
        max: usize,
    },
    /// It is not an address that mail could go to.
    #[error("the e-mail address is not one")]
    Email,
    /// Only the shop's people say this.
    #[error("the {0} is for the shop's staff to give")]
    ForStaff(&'static str),
    /// The person asked to be forgotten.
    #[error("the person was forgotten")]
    Forgotten,
}

impl Refusal for Unavailable {
    fn code(&self) -> &'static str {
        match self {
            Self::NotFound(_) => "NOT_FOUND",
            Self::NotForSale(_) => "NOT_FOR_SALE",
            Self::NotSoldIn { .. } => "NOT_SOLD_IN_CURRENCY",
            Self::Shipping => "SHIPPING_UNAVAILABLE",
            Self::NoLines => "NO_LINES",
            Self::TooManyLines { .. } => "TOO_MANY_LINES",
            Self::Text { .. } => "TEXT_INVALID",
            Self::Email => "EMAIL_INVALID",
            Self::ForStaff(_) => "STAFF_ONLY",
            Self::Forgotten => "FORGOTTEN",
        }
    }
}
