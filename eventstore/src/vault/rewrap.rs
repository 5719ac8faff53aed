//! Rotation: subjects' keys are wrapped by the current key-encryption key. The keys themselves stay what they are, and so does
//! everything that is sealed under them.

use daybook_domain::SubjectId;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use sqlx::types::Uuid;
use sqlx::{Row, query_scalar};

use super::keyring::{KeyId, Wrapped};
use super::{AT_ONCE, Vault, VaultError, in_time, name, named, read};

/// How many keys are read and written at once.
const BATCH: i64 = 500;

/// What came of some of the keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rewrapped {
    /// The last subject that was looked at: the next batch begins after it.
    pub last: SubjectId,
    /// How many keys there were.
    pub seen: u64,
    /// How many of them are wrapped by the current key now. Others were changed by somebody else meanwhile, or do not open.
    pub done: u64,
    /// How many do not open, and stay as they are.
    pub damaged: u64,
}

/// Which keys are used for how much.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Census {
    /// How many subjects' keys are wrapped by each key; nothing stands for the one of programs that knew only one.
    pub wrapped: Vec<(Option<KeyId>, i64)>,
    /// What the vault's own secret is wrapped by, once there is one.
    pub secret: Option<KeyId>,
    /// How many subjects were forgotten.
    pub forgotten: i64,
}

/// A key in two wrappings.
struct Both {
    subject: SubjectId,
    was: Wrapped,
    now: Wrapped,
}

impl Vault {
    /// How many subjects' keys are not wrapped by the current key.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn to_rewrap(&self) -> Result<i64, VaultError> {
        let statement =
            query_scalar("SELECT count(*) FROM vault_keys WHERE wrapped_key IS NOT NULL AND key_id <> $1")
                .bind(self.keyring.current().as_str());
        in_time(statement.fetch_one(&self.pool)).await
    }

    /// Wraps the next subjects' keys by the current key, in the order of the subjects' ids, and before the first one the
    /// vault's own secret; nothing when there are none left. It may be given up anywhere, and begun again.
    ///
    /// # Errors
    /// When the database fails or whoever keeps the keys, or a key is wrapped by one that is not configured.
    pub async fn rewrap(&self, after: Option<SubjectId>) -> Result<Option<Rewrapped>, VaultError> {
        if after.is_none() {
            self.rewrap_secrets().await?;
        }
        let statement = sqlx::query(
            "SELECT subject_id, wrapped_key, key_id FROM vault_keys \
             WHERE wrapped_key IS NOT NULL AND key_id <> $1 AND ($2::uuid IS NULL OR subject_id > $2) \
             ORDER BY subject_id LIMIT $3",
        )
        .bind(self.keyring.current().as_str())
        .bind(after.map(SubjectId::uuid))
        .bind(BATCH);
        let rows = in_time(statement.fetch_all(&self.pool)).await?;
        let found = rows.iter().map(read).collect::<Result<Vec<_>, _>>()?;
        let Some((last, _)) = found.last() else { return Ok(None) };
        let (last, seen) = (*last, found.len());
        let both = stream::iter(found).map(|(subject, wrapped)| self.wrap_again(subject, wrapped));
        let both: Vec<Option<Both>> = both.buffer_unordered(AT_ONCE).try_collect().await?;
        let both: Vec<Both> = both.into_iter().flatten().collect();
        let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
        let damaged = count(seen - both.len());
        Ok(Some(Rewrapped { last, seen: count(seen), done: self.replace(&both).await?, damaged }))
    }

    async fn wrap_again(&self, subject: SubjectId, was: Option<Wrapped>) -> Result<Option<Both>, VaultError> {
        let Some(was) = was else { return Ok(None) };
        let context = subject.uuid();
        let key = match in_time(self.keyring.unwrap(&was, context.as_bytes())).await {
            Ok(opened) => opened.key,
            Err(VaultError::Broken) => {
                tracing::error!(%subject, "a key in the vault is damaged");
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        let now = in_time(self.keyring.wrap(&key, context.as_bytes())).await?;
        Ok(Some(Both { subject, was, now }))
    }

    /// Puts the new wrappings in the place of the old ones, where these still are: somebody may have been forgotten.
    async fn replace(&self, both: &[Both]) -> Result<u64, VaultError> {
        let subjects: Vec<Uuid> = both.iter().map(|one| one.subject.uuid()).collect();
        let was: Vec<&[u8]> = both.iter().map(|one| one.was.data.as_slice()).collect();
        let now: Vec<&[u8]> = both.iter().map(|one| one.now.data.as_slice()).collect();
        let names: Vec<&str> = both.iter().map(|one| name(one.now.key_id.as_ref())).collect();
        // Locked in order, as whoever forgets many does: neither ever waits for what the other one has.
        let statement = sqlx::query(
            "WITH locked AS ( \
                 SELECT subject_id FROM vault_keys WHERE subject_id = ANY($1) ORDER BY subject_id FOR UPDATE) \
             UPDATE vault_keys SET wrapped_key = next.now, key_id = next.key_id \
             FROM unnest($1::uuid[], $2::bytea[], $3::bytea[], $4::text[]) AS next (subject_id, was, now, key_id) \
             JOIN locked USING (subject_id) \
             WHERE vault_keys.subject_id = next.subject_id AND vault_keys.wrapped_key = next.was",
        )
        .bind(subjects)
        .bind(was)
        .bind(now)
        .bind(names);
        Ok(in_time(statement.execute(&self.pool)).await?.rows_affected())
    }

    /// Which keys are used for how much.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn census(&self) -> Result<Census, VaultError> {
        let counts = sqlx::query(
            "SELECT key_id, count(*) FROM vault_keys WHERE wrapped_key IS NOT NULL GROUP BY key_id ORDER BY key_id",
        );
        let rows = in_time(counts.fetch_all(&self.pool)).await?;
        let read = |row: &sqlx::postgres::PgRow| Ok((named(row.try_get(0)?), row.try_get(1)?));
        let wrapped = rows.iter().map(read).collect::<Result<_, sqlx::Error>>()?;
        let secret = in_time(query_scalar("SELECT key_id FROM vault_secrets").fetch_optional(&self.pool));
        let forgotten = query_scalar("SELECT count(*) FROM vault_keys WHERE destroyed_at IS NOT NULL");
        Ok(Census {
            wrapped,
            secret: secret.await?.and_then(named),
            forgotten: in_time(forgotten.fetch_one(&self.pool)).await?,
        })
    }
}
