//! The vault: personal data is encrypted under a key of its own for each person before it reaches an event.
//! Forgetting a person destroys the key; history, hashes and totals stay valid.
//!
//! Envelope encryption: AES-256-GCM (NIST SP 800-38D) with random 96-bit nonces under the subject's key, which
//! is itself wrapped by a key-encryption key that the [`Keyring`] keeps. The subject's id is authenticated with every
//! ciphertext, so a sealed value moved to another person does not open.

mod check;
mod cipher;
mod configured;
mod error;
mod forget;
mod keyring;
mod rewrap;
mod secret;
mod subject;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use daybook_domain::{Sealed, SubjectId};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use quick_cache::sync::Cache;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::postgres::PgRow;
use sqlx::{PgPool, Row};
use tokio::sync::OnceCell;

use self::cipher::Key;
use self::secret::Secrets;
use self::subject::NoKey;
use crate::append::Fingerprint;

pub use self::cipher::PlainKey;
pub use self::configured::ConfiguredKeys;
pub use self::error::VaultError;
pub use self::keyring::{KeyId, Keyring, KeyringError, Unwrapped, Wrapped};
pub use self::rewrap::{Census, Rewrapped};
pub use self::subject::SubjectKey;

/// How many subjects' keys stay in memory. A key destroyed elsewhere is used at most [`KEY_LIFETIME`] longer.
const CACHED_KEYS: usize = 10_000;
/// How long a key is used without asking whether it still exists.
const KEY_LIFETIME: Duration = Duration::from_secs(5);
/// How long the database, or whoever keeps the keys, may take.
const TIMEOUT: Duration = Duration::from_secs(5);
/// How many keys are wrapped or unwrapped at once.
const AT_ONCE: usize = 16;

#[derive(Clone)]
struct CachedKey {
    key: Arc<Key>,
    /// What it came out of: while that is there, nobody has to unwrap it again.
    wrapped: Arc<Wrapped>,
    /// A moment at which it was there: before it was asked for, since who asks may get the answer much later.
    checked: Instant,
}

/// Seals and opens personal data. Cloning shares the cache of keys.
#[derive(Clone)]
pub struct Vault {
    pool: PgPool,
    keyring: Arc<dyn Keyring>,
    keys: Arc<Cache<SubjectId, CachedKey>>,
    secrets: Arc<OnceCell<Secrets>>,
}

impl std::fmt::Debug for Vault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Vault").field("key", self.keyring.current()).finish_non_exhaustive()
    }
}

impl Vault {
    /// A vault in this database, under these key-encryption keys.
    pub fn new(pool: PgPool, keyring: impl Keyring + 'static) -> Self {
        let (keys, secrets) = (Arc::new(Cache::new(CACHED_KEYS)), Arc::default());
        Self { pool, keyring: Arc::new(keyring), keys, secrets }
    }

    /// The fingerprint of an input with personal data in it, of these parts in this order. Without the vault's secret
    /// nobody can confirm a guess of the input by it; equal inputs have equal fingerprints for ever, whatever key the
    /// secret is wrapped by.
    ///
    /// # Errors
    /// When the secret has to be looked up and the database fails, or it does not open.
    pub async fn fingerprint(&self, parts: &[&[u8]]) -> Result<Fingerprint, VaultError> {
        let Fingerprint(plain) = Fingerprint::of(parts);
        Ok(Fingerprint(self.secrets().await?.fingerprints.sign(&plain)))
    }

    /// Seals a value for a subject, who gets a key with the first one.
    ///
    /// # Errors
    /// [`VaultError::Forgotten`] when the subject was forgotten.
    pub async fn seal<T: Serialize + Sync>(
        &self,
        subject: SubjectId,
        value: &T,
    ) -> Result<Sealed, VaultError> {
        let key = match self.find_key(subject).await? {
            Some(key) => key,
            None => self.make_key(subject).await?,
        };
        subject::seal(&key, subject, value)
    }

    /// Opens a sealed value.
    ///
    /// # Errors
    /// [`VaultError::Forgotten`] when the subject was forgotten.
    pub async fn open<T: DeserializeOwned>(&self, sealed: &Sealed) -> Result<T, VaultError> {
        match self.keys(&[sealed.subject]).await?.remove(&sealed.subject) {
            Some(key) => key.open(sealed),
            None => Err(VaultError::Broken),
        }
    }

    /// What opens the sealed values of these subjects, for those that were ever seen; in one statement, whatever
    /// their number.
    ///
    /// # Errors
    /// When the database fails, or whoever keeps the keys.
    pub async fn keys(&self, subjects: &[SubjectId]) -> Result<HashMap<SubjectId, SubjectKey>, VaultError> {
        let cached = |subject: &SubjectId| Some((*subject, SubjectKey(Ok(self.cached(*subject)?))));
        let mut keys: HashMap<_, _> = subjects.iter().filter_map(cached).collect();
        let missing: Vec<_> = subjects
            .iter()
            .filter(|subject| !keys.contains_key(subject))
            .map(|subject| subject.uuid())
            .collect();
        if missing.is_empty() {
            return Ok(keys);
        }
        let statement =
            sqlx::query("SELECT subject_id, wrapped_key, key_id FROM vault_keys WHERE subject_id = ANY($1)")
                .bind(missing);
        let asked = Instant::now();
        let rows = in_time(statement.fetch_all(&self.pool)).await?;
        let found = rows.iter().map(read).collect::<Result<Vec<_>, _>>()?;
        let opened = stream::iter(found).map(|(subject, wrapped)| self.subject_key(subject, wrapped, asked));
        let opened: Vec<_> = opened.buffer_unordered(AT_ONCE).try_collect().await?;
        keys.extend(opened);
        Ok(keys)
    }

    async fn subject_key(
        &self,
        subject: SubjectId,
        wrapped: Option<Wrapped>,
        asked: Instant,
    ) -> Result<(SubjectId, SubjectKey), VaultError> {
        let key = match wrapped {
            None => {
                self.keys.remove(&subject);
                Err(NoKey::Destroyed)
            }
            Some(wrapped) => match self.unwrap_key(subject, wrapped, asked).await {
                Ok(key) => Ok(key),
                Err(VaultError::UnknownKey(key_id)) => Err(NoKey::Unknown(key_id)),
                Err(VaultError::Broken) => Err(NoKey::Broken),
                Err(error) => return Err(error),
            },
        };
        Ok((subject, SubjectKey(key)))
    }

    async fn find_key(&self, subject: SubjectId) -> Result<Option<Arc<Key>>, VaultError> {
        self.keys(&[subject]).await?.remove(&subject).map(SubjectKey::held).transpose()
    }

    fn cached(&self, subject: SubjectId) -> Option<Arc<Key>> {
        let cached = self.keys.get(&subject)?;
        (cached.checked.elapsed() < KEY_LIFETIME).then_some(cached.key)
    }

    /// Makes the subject's key; when another process was quicker, takes that one.
    async fn make_key(&self, subject: SubjectId) -> Result<Arc<Key>, VaultError> {
        let plain = PlainKey::generate()?;
        let wrapped = in_time(self.keyring.wrap(&plain, subject.uuid().as_bytes())).await?;
        let statement = sqlx::query(
            "INSERT INTO vault_keys (subject_id, wrapped_key, key_id) VALUES ($1, $2, $3) \
             ON CONFLICT (subject_id) DO NOTHING",
        )
        .bind(subject.uuid())
        .bind(&wrapped.data)
        .bind(name(wrapped.key_id.as_ref()));
        let asked = Instant::now();
        if in_time(statement.execute(&self.pool)).await?.rows_affected() == 1 {
            return Ok(self.remember(subject, &plain, wrapped, asked)?);
        }
        self.find_key(subject).await?.ok_or(VaultError::Forgotten)
    }

    async fn unwrap_key(
        &self,
        subject: SubjectId,
        wrapped: Wrapped,
        asked: Instant,
    ) -> Result<Arc<Key>, VaultError> {
        if let Some(known) = self.keys.get(&subject).filter(|known| *known.wrapped == wrapped) {
            self.keys.insert(subject, CachedKey { checked: asked, ..known.clone() });
            return Ok(known.key);
        }
        let plain = in_time(self.keyring.unwrap(&wrapped, subject.uuid().as_bytes())).await?.key;
        Ok(self.remember(subject, &plain, wrapped, asked)?)
    }

    fn remember(
        &self,
        subject: SubjectId,
        plain: &PlainKey,
        wrapped: Wrapped,
        checked: Instant,
    ) -> Result<Arc<Key>, cipher::Broken> {
        let key = Arc::new(Key::new(plain)?);
        self.keys.insert(subject, CachedKey { key: Arc::clone(&key), wrapped: wrapped.into(), checked });
        Ok(key)
    }
}

/// The subject of a row and their key, unless it was destroyed.
fn read(row: &PgRow) -> Result<(SubjectId, Option<Wrapped>), sqlx::Error> {
    let (data, key_id): (Option<Vec<u8>>, String) = (row.try_get(1)?, row.try_get(2)?);
    let key_id = named(key_id);
    Ok((SubjectId::new(row.try_get(0)?), data.map(|data| Wrapped { key_id, data })))
}

/// The name of a key as it is stored.
fn name(key_id: Option<&KeyId>) -> &str {
    key_id.map_or("", KeyId::as_str)
}

/// The key of a stored name.
fn named(name: String) -> Option<KeyId> {
    (!name.is_empty()).then(|| KeyId::new(name))
}

/// What the database or whoever keeps the keys answers, if it does so in time.
async fn in_time<T, E>(answer: impl Future<Output = Result<T, E>>) -> Result<T, VaultError>
where
    VaultError: From<E>,
{
    within(TIMEOUT, answer).await
}

/// The same, with another time.
async fn within<T, E>(limit: Duration, answer: impl Future<Output = Result<T, E>>) -> Result<T, VaultError>
where
    VaultError: From<E>,
{
    Ok(tokio::time::timeout(limit, answer).await.map_err(|_elapsed| VaultError::TimedOut)??)
}
