//! Why a value could not be sealed or opened.

use super::cipher::Broken;
use super::keyring::{KeyId, KeyringError};

/// Why a value could not be sealed or opened.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// The subject was forgotten: what was sealed for them can never be read again.
    #[error("the subject was forgotten")]
    Forgotten,
    /// The value was not sealed for this subject in this vault, or was altered.
    #[error("the sealed value does not open")]
    Broken,
    /// The subject's key is wrapped by a key that the process does not have.
    #[error("the vault has keys that are wrapped by {0}, which is none of the keys that are configured")]
    UnknownKey(KeyId),
    /// What the vault has was wrapped by a key that the process does not have, before keys had names.
    #[error("the vault has keys that are wrapped by none of the keys that are configured")]
    OtherKey,
    /// Whoever keeps the keys failed.
    #[error("the vault's keys cannot be used")]
    Keyring(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The vault's database failed.
    #[error("the vault's database failed")]
    Database(#[from] sqlx::Error),
    /// The vault's database, or whoever keeps its keys, did not answer in time.
    #[error("the vault did not answer in time")]
    TimedOut,
    /// The value has no JSON form.
    #[error("the value cannot be serialised")]
    Unserialisable(#[source] serde_json::Error),
}

impl VaultError {
    /// Whether the process has not the keys that this vault needs: a matter of its configuration, which no waiting mends.
    pub const fn is_of_configuration(&self) -> bool {
        matches!(self, Self::UnknownKey(_) | Self::OtherKey)
    }
}

impl From<Broken> for VaultError {
    fn from(Broken: Broken) -> Self {
        Self::Broken
    }
}

impl From<KeyringError> for VaultError {
    fn from(error: KeyringError) -> Self {
        match error {
            KeyringError::Unknown(key_id) => Self::UnknownKey(key_id),
            KeyringError::Broken => Self::Broken,
            KeyringError::Failed(source) => Self::Keyring(source),
        }
    }
}
