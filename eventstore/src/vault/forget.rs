//! Forgetting: keys are destroyed, for ever. What was sealed under them is noise from then on.

use std::collections::BTreeSet;

use daybook_domain::SubjectId;
use sqlx::types::Uuid;

use super::{Vault, VaultError, in_time};

impl Vault {
    /// Forgets a subject: destroys the key, for ever. Forgetting twice, or someone never seen, is no error. Says whether
    /// they were not forgotten before.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn forget(&self, subject: SubjectId) -> Result<bool, VaultError> {
        Ok(self.forget_all(&[subject]).await? > 0)
    }

    /// Forgets subjects, in one statement whatever their number; says how many of them were not forgotten before.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn forget_all(&self, subjects: &[SubjectId]) -> Result<u64, VaultError> {
        let ids: BTreeSet<Uuid> = subjects.iter().map(|subject| subject.uuid()).collect();
        let statement = sqlx::query(
            "INSERT INTO vault_keys (subject_id, wrapped_key, destroyed_at) \
             SELECT id, NULL, now() FROM unnest($1::uuid[]) AS id \
             ON CONFLICT (subject_id) DO UPDATE SET wrapped_key = NULL, destroyed_at = now() \
             WHERE vault_keys.destroyed_at IS NULL",
        )
        .bind(ids.into_iter().collect::<Vec<_>>());
        let forgotten = in_time(statement.execute(&self.pool)).await?.rows_affected();
        for subject in subjects {
            self.keys.remove(subject);
        }
        Ok(forgotten)
    }
}
