//! AES-256-GCM with a random nonce in front: the only code that touches key bytes.

use std::sync::Arc;

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::rand::{SecureRandom, SystemRandom};

use super::VaultError;

/// An AES-256-GCM key.
pub(super) struct Key(LessSafeKey);

/// The length of a key, in bytes.
const KEY_LEN: usize = 32;

impl Key {
    fn new(bytes: &[u8]) -> Result<Self, VaultError> {
        UnboundKey::new(&AES_256_GCM, bytes)
            .map(|key| Self(LessSafeKey::new(key)))
            .map_err(|_| VaultError::Broken)
    }

    fn seal(&self, mut data: Vec<u8>, context: &[u8]) -> Result<Vec<u8>, VaultError> {
        let nonce: [u8; NONCE_LEN] = random()?;
        self.0
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(context), &mut data)
            .map_err(|_| VaultError::Broken)?;
        Ok([nonce.as_slice(), &data].concat())
    }

    fn open(&self, mut sealed: Vec<u8>, context: &[u8]) -> Result<Vec<u8>, VaultError> {
        let (nonce, data) = sealed.split_at_mut_checked(NONCE_LEN).ok_or(VaultError::Broken)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| VaultError::Broken)?;
        let plain = self.0.open_in_place(nonce, Aad::from(context), data).map_err(|_| VaultError::Broken)?;
        Ok(plain.to_vec())
    }
}

fn random<const N: usize>() -> Result<[u8; N], VaultError> {
    let mut bytes = [0; N];
    SystemRandom::new().fill(&mut bytes).map_err(|_| VaultError::Broken)?;
    Ok(bytes)
}

/// The master key that wraps every subject's key. It is configuration, and never stored in the database.
#[derive(Clone)]
pub struct VaultKey(Arc<Key>);

impl std::fmt::Debug for VaultKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("VaultKey(…)")
    }
}

impl VaultKey {
    /// The master key with these bytes.
    ///
    /// # Errors
    /// When the cipher refuses them.
    pub fn try_new(bytes: &[u8; KEY_LEN]) -> Result<Self, VaultError> {
        Ok(Self(Arc::new(Key::new(bytes)?)))
    }

    pub(super) fn key(&self) -> &Key {
        &self.0
    }
}

/// A subject's key.
pub(super) struct DataKey {
    bytes: [u8; KEY_LEN],
    key: Key,
}

impl DataKey {
    pub(super) fn generate() -> Result<Self, VaultError> {
        Self::from_bytes(random()?)
    }

    fn from_bytes(bytes: [u8; KEY_LEN]) -> Result<Self, VaultError> {
        Ok(Self { bytes, key: Key::new(&bytes)? })
    }

    /// The key, encrypted under the master key.
    pub(super) fn wrap(&self, master: &Key, context: &[u8]) -> Result<Vec<u8>, VaultError> {
        master.seal(self.bytes.to_vec(), context)
    }

    /// The key out of its wrapping.
    pub(super) fn unwrap(master: &Key, wrapped: Vec<u8>, context: &[u8]) -> Result<Self, VaultError> {
        let bytes = master.open(wrapped, context)?;
        Self::from_bytes(bytes.try_into().map_err(|_| VaultError::Broken)?)
    }

    pub(super) fn seal(&self, plain: Vec<u8>, context: &[u8]) -> Result<Vec<u8>, VaultError> {
        self.key.seal(plain, context)
    }

    pub(super) fn open(&self, sealed: Vec<u8>, context: &[u8]) -> Result<Vec<u8>, VaultError> {
        self.key.open(sealed, context)
    }
}
