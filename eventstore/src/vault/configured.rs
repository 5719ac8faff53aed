//! Key-encryption keys from the configuration: one that wraps, and others that only unwrap. They are never stored in the
//! database.

use std::fmt::Write as _;
use std::sync::Arc;

use async_trait::async_trait;

use super::cipher::{KEY_LEN, Key, Keyed, PlainKey};
use super::keyring::{KeyId, Keyring, KeyringError, Unwrapped, Wrapped};
use crate::process::config::{ConfigError, Settings, keys};

/// What a key's name is derived for.
const NAMES: &[u8] = b"daybook key id";
/// How many bytes of what is derived are in a name.
const NAME_LEN: usize = 8;

/// The keys.
#[derive(Clone)]
pub struct ConfiguredKeys(Arc<Keys>);

struct Keys {
    current: Named,
    others: Vec<Named>,
}

struct Named {
    id: KeyId,
    key: Key,
    derives: Keyed,
}

impl std::fmt::Debug for ConfiguredKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.ids()).finish()
    }
}

impl Named {
    fn new(bytes: [u8; KEY_LEN]) -> Result<Self, KeyringError> {
        let plain = PlainKey::new(bytes);
        let derives = Keyed::new(&plain);
        // The name follows from the key, so that nobody has to give one, and the key not from the name.
        let mut name = "local-".to_owned();
        for byte in derives.sign(NAMES).iter().take(NAME_LEN) {
            // Writing to a string does not fail.
            let _ = write!(name, "{byte:02x}");
        }
        Ok(Self { id: KeyId::new(name), key: Key::new(&plain)?, derives })
    }
}

impl ConfiguredKeys {
    /// The key that wraps, and others that only unwrap: earlier ones, and one that is to wrap later.
    ///
    /// # Errors
    /// When the cipher refuses a key.
    pub fn try_new(current: [u8; KEY_LEN], others: &[[u8; KEY_LEN]]) -> Result<Self, KeyringError> {
        let others = others.iter().map(|bytes| Named::new(*bytes)).collect::<Result<_, _>>()?;
        Ok(Self(Arc::new(Keys { current: Named::new(current)?, others })))
    }

    /// The keys that the settings give.
    ///
    /// # Errors
    /// When one of them is missing or wrong.
    pub fn load(settings: &Settings) -> Result<Self, ConfigError> {
        let current = settings.required(keys::VAULT_KEY)?;
        let others = settings.optional(keys::VAULT_OTHER_KEYS)?;
        let others = others.as_ref().map_or(&[][..], |others| others.expose());
        Self::try_new(*current.expose(), others)
            .map_err(|error| ConfigError::Invalid { name: keys::VAULT_KEY.name(), reason: error.to_string() })
    }

    /// The names of the keys; the first one wraps.
    pub fn ids(&self) -> impl Iterator<Item = &KeyId> {
        self.all().map(|named| &named.id)
    }

    fn all(&self) -> impl Iterator<Item = &Named> {
        std::iter::once(&self.0.current).chain(&self.0.others)
    }

    fn find(&self, id: &KeyId) -> Option<&Named> {
        self.all().find(|named| named.id == *id)
    }
}

#[async_trait]
impl Keyring for ConfiguredKeys {
    fn current(&self) -> &KeyId {
        &self.0.current.id
    }

    async fn wrap(&self, key: &PlainKey, context: &[u8]) -> Result<Wrapped, KeyringError> {
        let Named { id, key: current, .. } = &self.0.current;
        Ok(Wrapped { key_id: Some(id.clone()), data: current.wrap(key, context)? })
    }

    async fn unwrap(&self, wrapped: &Wrapped, context: &[u8]) -> Result<Unwrapped, KeyringError> {
        let open = |named: &Named| {
            let key = named.key.unwrap(&wrapped.data, context)?;
            Ok(Unwrapped { key, key_id: named.id.clone() })
        };
        match &wrapped.key_id {
            Some(id) => open(self.find(id).ok_or_else(|| KeyringError::Unknown(id.clone()))?),
            // Authenticated encryption opens with no other key than its own.
            None => self.all().find_map(|named| open(named).ok()).ok_or(KeyringError::Broken),
        }
    }

    fn derived(&self, key: &KeyId, purpose: &[u8]) -> Option<PlainKey> {
        Some(PlainKey::new(self.find(key)?.derives.sign(purpose)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_key_opens_what_it_wrapped_for_the_same_and_nothing_else() {
        let (old, new) = ([1; KEY_LEN], [2; KEY_LEN]);
        let before = ConfiguredKeys::try_new(old, &[]).unwrap();
        let after = ConfiguredKeys::try_new(new, &[old]).unwrap();
        let only_new = ConfiguredKeys::try_new(new, &[]).unwrap();
        let wrapped = before.wrap(&PlainKey::new([9; KEY_LEN]), b"ada").await.unwrap();
        let nameless = Wrapped { key_id: None, ..wrapped.clone() };
        for wrapped in [&wrapped, &nameless] {
            let opened = after.unwrap(wrapped, b"ada").await.unwrap();
            assert_eq!((opened.key.expose(), &opened.key_id), (&[9; KEY_LEN], before.current()));
            assert!(matches!(after.unwrap(wrapped, b"bob").await, Err(KeyringError::Broken)));
        }
        assert!(matches!(only_new.unwrap(&wrapped, b"ada").await, Err(KeyringError::Unknown(_))));
        assert!(matches!(only_new.unwrap(&nameless, b"ada").await, Err(KeyringError::Broken)));
    }

    #[test]
    fn a_name_stays_the_same_and_no_debug_output_shows_a_key() {
        let keys = ConfiguredKeys::try_new([7; KEY_LEN], &[[8; KEY_LEN]]).unwrap();
        assert_eq!(keys.current().as_str(), "local-e529837a7f9fb66e");
        assert!(!format!("{keys:?} {:?}", PlainKey::new([7; KEY_LEN])).contains("7, 7"));
    }
}
