//! A subject's key, and what it opens.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use daybook_domain::{Sealed, SubjectId};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::cipher::Key;
use super::error::VaultError;
use super::keyring::KeyId;

/// Why there is no key.
#[derive(Debug, Clone)]
pub(super) enum NoKey {
    Destroyed,
    Broken,
    Unknown(KeyId),
}

/// What opens a subject's sealed values, or why they cannot be opened. It is not for keeping.
#[derive(Clone)]
pub struct SubjectKey(pub(super) Result<Arc<Key>, NoKey>);

impl std::fmt::Debug for SubjectKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SubjectKey").finish_non_exhaustive()
    }
}

impl SubjectKey {
    /// Opens a sealed value of the subject.
    ///
    /// # Errors
    /// [`VaultError::Forgotten`] when the subject was forgotten.
    pub fn open<T: DeserializeOwned>(self, sealed: &Sealed) -> Result<T, VaultError> {
        let data = URL_SAFE_NO_PAD.decode(&sealed.data).map_err(|_| VaultError::Broken)?;
        let plain = self.held()?.open(data, sealed.subject.uuid().as_bytes())?;
        serde_json::from_slice(&plain).map_err(|_| VaultError::Broken)
    }

    /// Whether the subject was forgotten.
    pub const fn is_forgotten(&self) -> bool {
        matches!(self.0, Err(NoKey::Destroyed))
    }

    pub(super) fn held(self) -> Result<Arc<Key>, VaultError> {
        self.0.map_err(|missing| match missing {
            NoKey::Destroyed => VaultError::Forgotten,
            NoKey::Broken => VaultError::Broken,
            NoKey::Unknown(key_id) => VaultError::UnknownKey(key_id),
        })
    }
}

/// A value sealed under a subject's key.
pub(super) fn seal<T: Serialize>(key: &Key, subject: SubjectId, value: &T) -> Result<Sealed, VaultError> {
    let plain = serde_json::to_vec(value).map_err(VaultError::Unserialisable)?;
    let sealed = key.seal(plain, subject.uuid().as_bytes())?;
    Ok(Sealed { subject, data: URL_SAFE_NO_PAD.encode(sealed) })
}
