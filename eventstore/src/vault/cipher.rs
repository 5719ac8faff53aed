//! AES-256-GCM with a random nonce in front, and HMAC-SHA-256: the only code that touches key bytes.

use std::sync::Arc;

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hmac;
use ring::rand::{SecureRandom, SystemRandom};

use super::VaultError;
use crate::append::Fingerprint;

/// An AES-256-GCM key.
pub(super) struct Key(LessSafeKey);

/// The length of a key, in bytes.
const KEY_LEN: usize = 32;
/// What the key of fingerprints is derived for. It never changes: another one would know no earlier input again.
const FINGERPRINTS: &[u8] = b"daybook input fingerprints";

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
pub struct VaultKey(Arc<Master>);

struct Master {
    key: Key,
    fingerprints: hmac::Key,
}

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
        let derived = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, bytes), FINGERPRINTS);
        let fingerprints = hmac::Key::new(hmac::HMAC_SHA256, derived.as_ref());
        Ok(Self(Arc::new(Master { key: Key::new(bytes)?, fingerprints })))
    }

    pub(super) fn key(&self) -> &Key {
        &self.0.key
    }

    /// The fingerprint that only whoever has the master key can make of this one.
    pub(super) fn keyed(&self, Fingerprint(plain): Fingerprint) -> Fingerprint {
        let tag = hmac::sign(&self.0.fingerprints, &plain);
        let mut keyed = [0; 32];
        keyed.iter_mut().zip(tag.as_ref()).for_each(|(to, from)| *to = *from);
        Fingerprint(keyed)
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
