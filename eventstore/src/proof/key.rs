//! Keys of who signs for a log: of the log itself and of its witnesses. As text they are those of others' tools
//! (C2SP `signed-note`, <https://c2sp.org/signed-note>).

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use sha2::{Digest as _, Sha256};

/// What a key's text begins with when it can sign.
const PRIVATE: &str = "PRIVATE+KEY+";
/// How many bytes of an Ed25519 key are told, of either half.
const KEY_LEN: usize = 32;

/// What a signature says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Signs {
    /// That this is what the log has: Ed25519 over the text.
    Log,
    /// That at a moment this was the largest tree its witness had seen, and agreed with all before (C2SP
    /// `tlog-cosignature`, Ed25519).
    Witness,
}

impl Signs {
    const fn byte(self) -> u8 {
        match self {
            Self::Log => 1,
            Self::Witness => 4,
        }
    }

    const fn of(byte: u8) -> Option<Self> {
        match byte {
            1 => Some(Self::Log),
            4 => Some(Self::Witness),
            _ => None,
        }
    }
}

/// Why a text is no key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// It has another form.
    #[error("must be a key such as shop.example/log+1a2b3c4d+AQ…")]
    Malformed,
    /// It is of a kind that nobody here can use.
    #[error("must be an Ed25519 key, for a log or for a witness")]
    Unsupported,
    /// Its number is not what its name and its bytes come to.
    #[error("the key was altered: its number does not fit it")]
    Altered,
    /// Nobody can be called so.
    #[error("the name must have no space and no plus sign, and not be empty")]
    Name,
}

/// Who may sign for a log, and how that is checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifyingKey {
    name: String,
    signs: Signs,
    key: [u8; KEY_LEN],
}

impl VerifyingKey {
    /// The name of who signs; of a log, its origin.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What its signatures say.
    pub const fn signs(&self) -> Signs {
        self.signs
    }

    /// What tells keys of one name apart.
    pub(super) fn number(&self) -> [u8; 4] {
        let hash = Sha256::new()
            .chain_update(&self.name)
            .chain_update([b'\n', self.signs.byte()])
            .chain_update(self.key)
            .finalize();
        [hash[0], hash[1], hash[2], hash[3]]
    }

    /// Whether it made this signature of these bytes.
    pub(super) fn is_signed(&self, bytes: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, self.key).verify(bytes, signature).is_ok()
    }
}

impl fmt::Display for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", text(&self.name, self.number(), self.signs, self.key))
    }
}

impl FromStr for VerifyingKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let (name, number, signs, key) = parse(text)?;
        let key = Self { name, signs, key };
        if key.number() == number { Ok(key) } else { Err(KeyError::Altered) }
    }
}

/// Who signs.
pub struct SigningKey {
    verifying: VerifyingKey,
    pair: Ed25519KeyPair,
    seed: [u8; KEY_LEN],
}

impl SigningKey {
    /// The key that follows from these bytes, which nobody else may know.
    ///
    /// # Errors
    /// When nobody can be called so.
    pub fn of(name: &str, signs: Signs, seed: [u8; KEY_LEN]) -> Result<Self, KeyError> {
        if !is_name(name) {
            return Err(KeyError::Name);
        }
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed).map_err(|_refused| KeyError::Malformed)?;
        let key = pair.public_key().as_ref().try_into().map_err(|_length| KeyError::Malformed)?;
        Ok(Self { verifying: VerifyingKey { name: name.to_owned(), signs, key }, pair, seed })
    }

    /// What everybody may know of it.
    pub const fn verifying(&self) -> &VerifyingKey {
        &self.verifying
    }

    /// The key as a text, which nobody else may see.
    pub fn secret(&self) -> String {
        let VerifyingKey { name, signs, .. } = &self.verifying;
        format!("{PRIVATE}{}", text(name, self.verifying.number(), *signs, self.seed))
    }

    pub(super) fn sign(&self, bytes: &[u8]) -> Vec<u8> {
        self.pair.sign(bytes).as_ref().to_vec()
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SigningKey").field(&self.verifying).finish()
    }
}

impl FromStr for SigningKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let (name, number, signs, seed) = parse(text.strip_prefix(PRIVATE).ok_or(KeyError::Malformed)?)?;
        let key = Self::of(&name, signs, seed)?;
        if key.verifying.number() == number { Ok(key) } else { Err(KeyError::Altered) }
    }
}

/// Whether somebody can be called so.
pub(super) fn is_name(name: &str) -> bool {
    !name.is_empty() && !name.contains(|c: char| c.is_whitespace() || c.is_control() || c == '+')
}

fn text(name: &str, number: [u8; 4], signs: Signs, key: [u8; KEY_LEN]) -> String {
    let material = BASE64.encode([&[signs.byte()], key.as_slice()].concat());
    format!("{name}+{:08x}+{material}", u32::from_be_bytes(number))
}

fn parse(text: &str) -> Result<(String, [u8; 4], Signs, [u8; KEY_LEN]), KeyError> {
    let mut parts = text.splitn(3, '+');
    let (Some(name), Some(number), Some(material)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(KeyError::Malformed);
    };
    let number = u32::from_str_radix(number, 16).map_err(|_digits| KeyError::Malformed)?.to_be_bytes();
    let material = BASE64.decode(material).map_err(|_letters| KeyError::Malformed)?;
    let (signs, key) = material.split_first().ok_or(KeyError::Malformed)?;
    let signs = Signs::of(*signs).ok_or(KeyError::Unsupported)?;
    let key = key.try_into().map_err(|_length| KeyError::Malformed)?;
    if is_name(name) { Ok((name.to_owned(), number, signs, key)) } else { Err(KeyError::Name) }
}
