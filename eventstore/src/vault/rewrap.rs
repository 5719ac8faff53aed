//! Rotation: subjects' keys are wrapped by the current key-encryption key. The keys themselves stay what they are, and so does
//! everything that is sealed under them.

use std::time::Duration;

use daybook_domain::SubjectId;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use sqlx::types::Uuid;
use sqlx::{Postgres, Row, Transaction, query_scalar};

use super::keyring::{KeyId, Wrapped};
use super::{AT_ONCE, Vault, VaultError, in_time, name, named, read, within};
use crate::begin_tx;

/// The next subjects, whichever key theirs are wrapped by: so a batch takes the same time wherever it begins and however much
/// is done already.
const NEXT: &str = "SELECT subject_id, wrapped_key, key_id FROM vault_keys \
     WHERE subject_id > $1 ORDER BY subject_id LIMIT 500";
/// How long counting may take: it reads the whole table.
const COUNTING: Duration = Duration::from_mins(10);
/// The same, for the server.
const COUNTING_THERE: &str = "SET LOCAL statement_timeout = '10min'";

/// What came of some of the keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rewrapped {
    /// The last subject that was looked at: the next batch begins after it.
    pub last: SubjectId,
    /// How many keys there were that were not wrapped by the current key.
    pub seen: u64,
    /// How many of them are wrapped by the current key now. Others were changed by somebody else meanwhile, are wrapped by
    /// a key that is not configured, or do not open.
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

/// What came of one key.
enum Again {
    Wrapped(Both),
    Unknown,
    Damaged,
}

impl Vault {
    /// How many subjects' keys are not wrapped by the current key. It reads them all, and may take minutes.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn to_rewrap(&self) -> Result<i64, VaultError> {
        let statement =
            query_scalar("SELECT count(*) FROM vault_keys WHERE wrapped_key IS NOT NULL AND key_id <> $1")
                .bind(self.keyring.current().as_str());
        let mut tx = self.counting().await?;
        within(COUNTING, statement.fetch_one(&mut *tx)).await
    }

    /// Wraps the next subjects' keys by the current key, in the order of the subjects' ids, and after the last one the
    /// vault's own secret: whoever lacks an earlier key cannot start until then. Nothing when there are none left. It may be
    /// given up anywhere, and begun again.
    ///
    /// # Errors
    /// When the database fails or whoever keeps the keys, or the secret is wrapped by a key that is not configured.
    pub async fn rewrap(&self, after: Option<SubjectId>) -> Result<Option<Rewrapped>, VaultError> {
        let statement = sqlx::query(NEXT).bind(after.map_or(Uuid::nil(), SubjectId::uuid));
        let rows = in_time(statement.fetch_all(&self.pool)).await?;
        let found = rows.iter().map(read).collect::<Result<Vec<_>, _>>()?;
        let Some((last, _)) = found.last() else {
            self.rewrap_secrets().await?;
            return Ok(None);
        };
        let last = *last;
        let current = Some(self.keyring.current());
        let others = found.into_iter().filter_map(|(subject, was)| Some((subject, was?)));
        let others = others.filter(|(_, was)| was.key_id.as_ref() != current);
        let again = stream::iter(others).map(|(subject, was)| self.wrap_again(subject, was));
        let again: Vec<Again> = again.buffer_unordered(AT_ONCE).try_collect().await?;
        let (mut seen, mut damaged, mut both) = (0, 0, Vec::with_capacity(again.len()));
        for one in again {
            seen += 1;
            match one {
                Again::Wrapped(one) => both.push(one),
                Again::Unknown => {}
                Again::Damaged => damaged += 1,
            }
        }
        let done = if both.is_empty() { 0 } else { self.replace(&both).await? };
        Ok(Some(Rewrapped { last, seen, done, damaged }))
    }

    async fn wrap_again(&self, subject: SubjectId, was: Wrapped) -> Result<Again, VaultError> {
        let context = subject.uuid();
        let key = match in_time(self.keyring.unwrap(&was, context.as_bytes())).await {
            Ok(opened) => opened.key,
            Err(VaultError::Broken) => {
                tracing::error!(%subject, "a key in the vault is damaged");
                return Ok(Again::Damaged);
            }
            // The census names it.
            Err(VaultError::UnknownKey(_)) => return Ok(Again::Unknown),
            Err(error) => return Err(error),
        };
        let now = in_time(self.keyring.wrap(&key, context.as_bytes())).await?;
        Ok(Again::Wrapped(Both { subject, was, now }))
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

    /// A transaction in which statements may take as long as counting does.
    async fn counting(&self) -> Result<Transaction<'static, Postgres>, VaultError> {
        let mut tx = in_time(begin_tx(&self.pool)).await?;
        in_time(sqlx::query(COUNTING_THERE).execute(&mut *tx)).await?;
        Ok(tx)
    }

    /// Which keys are used for how much. It reads all of them, and may take minutes.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn census(&self) -> Result<Census, VaultError> {
        let counts = sqlx::query(
            "SELECT key_id, count(*) FROM vault_keys WHERE wrapped_key IS NOT NULL GROUP BY key_id ORDER BY key_id",
        );
        let mut tx = self.counting().await?;
        let rows = within(COUNTING, counts.fetch_all(&mut *tx)).await?;
        let read = |row: &sqlx::postgres::PgRow| Ok((named(row.try_get(0)?), row.try_get(1)?));
        let wrapped = rows.iter().map(read).collect::<Result<_, sqlx::Error>>()?;
        let secret =
            in_time(query_scalar("SELECT key_id FROM vault_secrets").fetch_optional(&mut *tx)).await?;
        let forgotten = query_scalar("SELECT count(*) FROM vault_keys WHERE destroyed_at IS NOT NULL");
        Ok(Census {
            wrapped,
            secret: secret.and_then(named),
            forgotten: within(COUNTING, forgotten.fetch_one(&mut *tx)).await?,
        })
    }
}
