//! The port to what keeps the key-encryption keys: it wraps and unwraps subjects' keys, and knows nothing of subjects. A key
//! management service can stand behind it; the keys it has need never be in this process.

use std::fmt;

use async_trait::async_trait;

use super::cipher::{Broken, PlainKey};

/// The name of a key-encryption key. It says nothing of the key.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct KeyId(String);

impl KeyId {
    /// The key of this name.
    pub fn new(name: impl Into<String>) -> Self {
        Self(name.into())
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A key that is wrapped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrapped {
    /// By which key; nothing when a program did it that had only one.
    pub key_id: Option<KeyId>,
    /// The wrapping with the key inside.
    pub data: Vec<u8>,
}

/// A key out of its wrapping.
#[derive(Debug)]
pub struct Unwrapped {
    /// The key.
    pub key: PlainKey,
    /// What it was wrapped by.
    pub key_id: KeyId,
}

/// Why a key could not be wrapped or unwrapped.
#[derive(Debug, thiserror::Error)]
pub enum KeyringError {
    /// It is wrapped by a key that is not there.
    #[error("there is no key {0}")]
    Unknown(KeyId),
    /// No key that is there opens it: it was wrapped by another one, for something else, or altered.
    #[error("no key opens it")]
    Broken,
    /// Whoever keeps the keys failed.
    #[error("the keys cannot be used")]
    Failed(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl From<Broken> for KeyringError {
    fn from(Broken: Broken) -> Self {
        Self::Broken
    }
}

/// The key-encryption keys. Whoever asks gives each call a time-out.
#[async_trait]
pub trait Keyring: Send + Sync {
    /// The key that wraps now.
    fn current(&self) -> &KeyId;

    /// Wraps a key by the current one. The context must be given again to unwrap it.
    ///
    /// # Errors
    /// When the keys cannot be used.
    async fn wrap(&self, key: &PlainKey, context: &[u8]) -> Result<Wrapped, KeyringError>;

    /// Unwraps a key, whichever of the keys it is wrapped by.
    ///
    /// # Errors
    /// When none of them opens it with this context.
    async fn unwrap(&self, wrapped: &Wrapped, context: &[u8]) -> Result<Unwrapped, KeyringError>;

    /// What follows from one of the keys for a purpose, always the same; nothing where the keys never leave their keeper.
    fn derived(&self, _key: &KeyId, _purpose: &[u8]) -> Option<PlainKey> {
        None
    }
}
