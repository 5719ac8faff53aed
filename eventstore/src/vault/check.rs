//! Whether the process has the keys that the vault needs, before anything rests on them.

use std::collections::BTreeMap;

use daybook_domain::SubjectId;
use sqlx::Row;

use super::keyring::{KeyId, Wrapped};
use super::{Vault, VaultError, in_time, named, read};

/// A few keys of subjects for each key that any is wrapped by: more than one, since a row may be damaged.
const SAMPLES: &str = "WITH RECURSIVE ids (key_id) AS ( \
         SELECT min(key_id) FROM vault_keys WHERE wrapped_key IS NOT NULL \
         UNION ALL \
         SELECT (SELECT min(v.key_id) FROM vault_keys v WHERE v.wrapped_key IS NOT NULL AND v.key_id > ids.key_id) \
         FROM ids WHERE ids.key_id IS NOT NULL) \
     SELECT samples.* FROM ids CROSS JOIN LATERAL ( \
         SELECT v.subject_id, v.wrapped_key, v.key_id FROM vault_keys v \
         WHERE v.key_id = ids.key_id AND v.wrapped_key IS NOT NULL LIMIT 3) AS samples";

impl Vault {
    /// Checks once that the configured keys open what is in the vault: the vault's own secrets, and a few subjects' keys
    /// of each key that any is wrapped by.
    ///
    /// # Errors
    /// [`VaultError::is_of_configuration`] when they do not; others when it cannot be told now.
    pub async fn check(&self) -> Result<(), VaultError> {
        self.secrets().await.map(drop)
    }

    /// The keys that subjects' keys are wrapped by: each opens some of them. Those that wrapped when keys had no names come
    /// first.
    pub(super) async fn keys_in_use(&self) -> Result<Vec<KeyId>, VaultError> {
        let rows = in_time(sqlx::query(SAMPLES).fetch_all(&self.pool)).await?;
        let mut samples: BTreeMap<String, Vec<(SubjectId, Wrapped)>> = BTreeMap::new();
        for row in &rows {
            if let (subject, Some(wrapped)) = read(row)? {
                samples.entry(row.try_get(2)?).or_default().push((subject, wrapped));
            }
        }
        let mut in_use = Vec::with_capacity(samples.len());
        for (name, samples) in samples {
            in_use.extend(self.opens(named(name), samples).await?);
        }
        Ok(in_use)
    }

    /// The key that opens one of these at least, which all are wrapped by the same.
    async fn opens(
        &self,
        key_id: Option<KeyId>,
        samples: Vec<(SubjectId, Wrapped)>,
    ) -> Result<Option<KeyId>, VaultError> {
        for (subject, wrapped) in samples {
            match in_time(self.keyring.unwrap(&wrapped, subject.uuid().as_bytes())).await {
                Ok(opened) => return Ok(Some(opened.key_id)),
                Err(VaultError::Broken) => {}
                Err(error) => return Err(error),
            }
        }
        match key_id {
            // The key is there, and what it wrapped is damaged: no reason to stop everybody else.
            Some(key_id) => {
                tracing::error!(%key_id, "keys in the vault are damaged");
                Ok(None)
            }
            None => Err(VaultError::OtherKey),
        }
    }
}
