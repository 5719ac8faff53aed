//! The vault: personal data is encrypted under a key of its own for each person before it reaches an event.
//! Forgetting a person destroys the key; history, hashes and totals stay valid.
//!
//! Envelope encryption: AES-256-GCM (NIST SP 800-38D) with random 96-bit nonces under the subject's key, which
//! is itself wrapped so under the master key. The subject's id is authenticated with every ciphertext, so a sealed
//! value moved to another person does not open.

mod cipher;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use daybook_domain::{Sealed, SubjectId};
use quick_cache::sync::Cache;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::{PgPool, Row};

use self::cipher::DataKey;
pub use self::cipher::VaultKey;
use crate::append::Fingerprint;

/// How many subjects' keys stay in memory. A key destroyed elsewhere is used at most [`KEY_LIFETIME`] longer.
const CACHED_KEYS: usize = 10_000;
/// How long a key is used without asking whether it still exists.
const KEY_LIFETIME: Duration = Duration::from_secs(5);
/// How long the database may take.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Why a value could not be sealed or opened.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// The subject was forgotten: what was sealed for them can never be read again.
    #[error("the subject was forgotten")]
    Forgotten,
    /// The value was not sealed for this subject under this vault's master key, or was altered.
    #[error("the sealed value does not open")]
    Broken,
    /// The vault's database failed.
    #[error("the vault's database failed")]
    Database(#[from] sqlx::Error),
    /// The vault's database did not answer in time.
    #[error("the vault's database did not answer in time")]
    TimedOut,
    /// The value has no JSON form.
    #[error("the value cannot be serialised")]
    Unserialisable(#[source] serde_json::Error),
}

#[derive(Clone)]
struct CachedKey {
    key: Arc<DataKey>,
    checked: std::time::Instant,
}

/// Why there is no key.
#[derive(Debug, Clone, Copy)]
enum NoKey {
    Destroyed,
    Broken,
}

/// What opens a subject's sealed values, or why they cannot be opened. It is not for keeping.
#[derive(Clone)]
pub struct SubjectKey(Result<Arc<DataKey>, NoKey>);

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

    fn held(self) -> Result<Arc<DataKey>, VaultError> {
        self.0.map_err(|missing| match missing {
            NoKey::Destroyed => VaultError::Forgotten,
            NoKey::Broken => VaultError::Broken,
        })
    }
}

/// Seals and opens personal data. Cloning shares the cache of keys.
#[derive(Clone)]
pub struct Vault {
    pool: PgPool,
    master: VaultKey,
    keys: Arc<Cache<SubjectId, CachedKey>>,
}

impl std::fmt::Debug for Vault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Vault").finish_non_exhaustive()
    }
}

impl Vault {
    /// A vault in this database, under this master key.
    pub fn new(pool: PgPool, master: VaultKey) -> Self {
        Self { pool, master, keys: Arc::new(Cache::new(CACHED_KEYS)) }
    }

    /// The fingerprint of an input with personal data in it, of these parts in this order. Without the master key nobody
    /// can confirm a guess of the input by it; with the same one, equal inputs have equal fingerprints for ever.
    pub fn fingerprint(&self, parts: &[&[u8]]) -> Fingerprint {
        self.master.keyed(Fingerprint::of(parts))
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
        let plain = serde_json::to_vec(value).map_err(VaultError::Unserialisable)?;
        let sealed = key.seal(plain, subject.uuid().as_bytes())?;
        Ok(Sealed { subject, data: URL_SAFE_NO_PAD.encode(sealed) })
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
    /// When the database fails.
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
            sqlx::query("SELECT subject_id, wrapped_key FROM vault_keys WHERE subject_id = ANY($1)")
                .bind(missing);
        for row in in_time(statement.fetch_all(&self.pool)).await? {
            let subject = SubjectId::new(row.try_get(0)?);
            let key = match row.try_get::<Option<Vec<u8>>, _>(1)? {
                None => Err(NoKey::Destroyed),
                Some(wrapped) => self.unwrap_key(subject, wrapped).map_err(|_broken| NoKey::Broken),
            };
            keys.insert(subject, SubjectKey(key));
        }
        Ok(keys)
    }

    /// Forgets a subject: destroys the key, for ever. Forgetting twice, or someone never seen, is no error.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn forget(&self, subject: SubjectId) -> Result<(), VaultError> {
        let statement = sqlx::query(
            "INSERT INTO vault_keys (subject_id, wrapped_key, destroyed_at) VALUES ($1, NULL, now()) \
             ON CONFLICT (subject_id) DO UPDATE SET wrapped_key = NULL, destroyed_at = now() \
             WHERE vault_keys.destroyed_at IS NULL",
        )
        .bind(subject.uuid());
        in_time(statement.execute(&self.pool)).await?;
        self.keys.remove(&subject);
        Ok(())
    }

    async fn find_key(&self, subject: SubjectId) -> Result<Option<Arc<DataKey>>, VaultError> {
        self.keys(&[subject]).await?.remove(&subject).map(SubjectKey::held).transpose()
    }

    fn cached(&self, subject: SubjectId) -> Option<Arc<DataKey>> {
        let cached = self.keys.get(&subject)?;
        (cached.checked.elapsed() < KEY_LIFETIME).then_some(cached.key)
    }

    /// Makes the subject's key; when another process was quicker, takes that one.
    async fn make_key(&self, subject: SubjectId) -> Result<Arc<DataKey>, VaultError> {
        let wrapped = DataKey::generate()?.wrap(self.master.key(), subject.uuid().as_bytes())?;
        let statement = sqlx::query(
            "INSERT INTO vault_keys (subject_id, wrapped_key) VALUES ($1, $2) ON CONFLICT (subject_id) DO NOTHING",
        )
        .bind(subject.uuid())
        .bind(&wrapped);
        if in_time(statement.execute(&self.pool)).await?.rows_affected() == 1 {
            return self.unwrap_key(subject, wrapped);
        }
        self.find_key(subject).await?.ok_or(VaultError::Forgotten)
    }

    fn unwrap_key(&self, subject: SubjectId, wrapped: Vec<u8>) -> Result<Arc<DataKey>, VaultError> {
        let key = Arc::new(DataKey::unwrap(self.master.key(), wrapped, subject.uuid().as_bytes())?);
        self.keys.insert(subject, CachedKey { key: Arc::clone(&key), checked: std::time::Instant::now() });
        Ok(key)
    }
}

async fn in_time<T>(query: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, VaultError> {
    Ok(tokio::time::timeout(TIMEOUT, query).await.map_err(|_elapsed| VaultError::TimedOut)??)
}
