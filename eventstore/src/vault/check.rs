//! Whether the process has the keys that the vault needs, before anything rests on them.

use std::collections::BTreeMap;

use daybook_domain::SubjectId;
use sqlx::Row;

use super::keyring::{KeyId, Wrapped};
use super::{Vault, VaultError, in_time, name, named, read};

/// A few keys of subjects for each key that any is wrapped by: more than one, since a row may be damaged.
const SAMPLES: &str = "WITH RECURSIVE ids (key_id) AS ( \
         SELECT min(key_id) FROM vault_keys WHERE wrapped_key IS NOT NULL \
         UNION ALL \
         SELECT (SELECT min(v.key_id) FROM vault_keys v WHERE v.wrapped_key IS NOT NULL AND v.key_id > ids.key_id) \
         FROM ids WHERE ids.key_id IS NOT NULL) \
     SELECT samples.* FROM ids CROSS JOIN LATERAL ( \
         SELECT v.subject_id, v.wrapped_key, v.key_id FROM vault_keys v \
         WHERE v.key_id = ids.key_id AND v.wrapped_key IS NOT NULL LIMIT 3) AS samples";

/// What came of the samples.
pub(super) struct InUse {
    opened: Vec<KeyId>,
    unopened: Vec<Why>,
}

/// Why no sample of a key opens.
enum Why {
    /// The process has not the key.
    Unknown(KeyId),
    /// It has the key, or nobody knows which one it was; this is the first sample's subject.
    Damaged(Option<KeyId>, SubjectId),
}

impl InUse {
    /// The keys that opened some, when nothing else shows that the process has the right ones: those that wrapped when keys had
    /// no names come first.
    pub(super) fn sure(&self) -> Result<&[KeyId], VaultError> {
        for why in &self.unopened {
            match why {
                Why::Unknown(key_id) => return Err(VaultError::UnknownKey(key_id.clone())),
                Why::Damaged(None, _) => return Err(VaultError::OtherKey),
                Why::Damaged(Some(_), _) => {}
            }
        }
        Ok(&self.opened)
    }

    /// Tells of what does not open: it is no reason to stop everybody else.
    pub(super) fn tell(&self) {
        for why in &self.unopened {
            match why {
                Why::Unknown(key_id) => {
                    tracing::error!(%key_id, "keys in the vault are wrapped by a key that is not configured");
                }
                Why::Damaged(key_id, subject) => {
                    let key_id = name(key_id.as_ref());
                    tracing::error!(key_id, %subject, "keys in the vault are damaged");
                }
            }
        }
    }
}

impl Vault {
    /// Checks once that the configured keys open what is in the vault: the vault's own secrets, and a few subjects' keys
    /// of each key that any is wrapped by. Where the secrets open, the log tells of subjects' keys that do not.
    ///
    /// # Errors
    /// [`VaultError::is_of_configuration`] when they do not; others when it cannot be told now.
    pub async fn check(&self) -> Result<(), VaultError> {
        self.secrets().await.map(drop)
    }

    /// Which of the keys that subjects' keys are wrapped by open some of them.
    pub(super) async fn keys_in_use(&self) -> Result<InUse, VaultError> {
        let rows = in_time(sqlx::query(SAMPLES).fetch_all(&self.pool)).await?;
        let mut samples: BTreeMap<String, Vec<(SubjectId, Wrapped)>> = BTreeMap::new();
        for row in &rows {
            if let (subject, Some(wrapped)) = read(row)? {
                samples.entry(row.try_get(2)?).or_default().push((subject, wrapped));
            }
        }
        let mut in_use = InUse { opened: Vec::new(), unopened: Vec::new() };
        for (name, samples) in samples {
            match self.opens(named(name), samples).await? {
                Ok(key_id) => in_use.opened.push(key_id),
                Err(why) => in_use.unopened.extend(why),
            }
        }
        Ok(in_use)
    }

    /// The key that opens one of these at least, which all are wrapped by the same, or why none does.
    async fn opens(
        &self,
        key_id: Option<KeyId>,
        samples: Vec<(SubjectId, Wrapped)>,
    ) -> Result<Result<KeyId, Option<Why>>, VaultError> {
        let mut why = None;
        for (subject, wrapped) in samples {
            match in_time(self.keyring.unwrap(&wrapped, subject.uuid().as_bytes())).await {
                Ok(opened) => return Ok(Ok(opened.key_id)),
                Err(VaultError::Broken) => why = why.or(Some(Why::Damaged(key_id.clone(), subject))),
                Err(VaultError::UnknownKey(key_id)) => return Ok(Err(Some(Why::Unknown(key_id)))),
                Err(error) => return Err(error),
            }
        }
        Ok(Err(why))
    }
}
