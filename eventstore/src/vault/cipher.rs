//! AES-256-GCM with a random nonce in front, and HMAC-SHA-256: the only code that touches key bytes.

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hmac;
use ring::rand::{SecureRandom, SystemRandom};

/// The length of a key, in bytes.
pub(super) const KEY_LEN: usize = 32;

/// It does not open, or the machine has no randomness.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Broken;

/// The bytes of a key, which no debug output shows.
pub struct PlainKey([u8; KEY_LEN]);

impl PlainKey {
    /// The key with these bytes.
    pub const fn new(bytes: [u8; KEY_LEN]) -> Self {
        Self(bytes)
    }

    /// The bytes, for whatever wraps them.
    pub const fn expose(&self) -> &[u8; KEY_LEN] {
        &self.0
    }

    /// A new one.
    pub(super) fn generate() -> Result<Self, Broken> {
        Ok(Self(random()?))
    }
}

impl std::fmt::Debug for PlainKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PlainKey(…)")
    }
}

/// An AES-256-GCM key.
pub(super) struct Key(LessSafeKey);

impl Key {
    pub(super) fn new(plain: &PlainKey) -> Result<Self, Broken> {
        UnboundKey::new(&AES_256_GCM, plain.expose())
            .map(|key| Self(LessSafeKey::new(key)))
            .map_err(|_| Broken)
    }

    /// The nonce and the ciphertext of this data, with the context authenticated.
    pub(super) fn seal(&self, mut data: Vec<u8>, context: &[u8]) -> Result<Vec<u8>, Broken> {
        let nonce: [u8; NONCE_LEN] = random()?;
        self.0
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(context), &mut data)
            .map_err(|_| Broken)?;
        Ok([nonce.as_slice(), &data].concat())
    }

    /// The data again.
    pub(super) fn open(&self, mut sealed: Vec<u8>, context: &[u8]) -> Result<Vec<u8>, Broken> {
        let (nonce, data) = sealed.split_at_mut_checked(NONCE_LEN).ok_or(Broken)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| Broken)?;
        let plain = self.0.open_in_place(nonce, Aad::from(context), data).map_err(|_| Broken)?;
        Ok(plain.to_vec())
    }

    pub(super) fn wrap(&self, plain: &PlainKey, context: &[u8]) -> Result<Vec<u8>, Broken> {
        self.seal(plain.expose().to_vec(), context)
    }

    pub(super) fn unwrap(&self, wrapped: &[u8], context: &[u8]) -> Result<PlainKey, Broken> {
        let bytes = self.open(wrapped.to_vec(), context)?;
        bytes.try_into().map(PlainKey).map_err(|_| Broken)
    }
}

/// What signs with a key, so that only who has it can make or check a signature.
pub(super) struct Keyed(hmac::Key);

impl Keyed {
    pub(super) fn new(plain: &PlainKey) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, plain.expose()))
    }

    pub(super) fn sign(&self, data: &[u8]) -> [u8; KEY_LEN] {
        let tag = hmac::sign(&self.0, data);
        let mut bytes = [0; KEY_LEN];
        bytes.iter_mut().zip(tag.as_ref()).for_each(|(to, from)| *to = *from);
        bytes
    }
}

fn random<const N: usize>() -> Result<[u8; N], Broken> {
    let mut bytes = [0; N];
    SystemRandom::new().fill(&mut bytes).map_err(|_| Broken)?;
    Ok(bytes)
}
