//! The vault's own secrets: they are wrapped like subjects' keys, and outlive every key that wraps them.

use sqlx::Row;

use super::cipher::{Keyed, PlainKey};
use super::keyring::{KeyId, Wrapped};
use super::{Vault, VaultError, in_time, name, named};

/// The name of the secret that keys fingerprints of inputs, and what is authenticated with it.
const FINGERPRINTS: &str = "fingerprints";
/// What it was derived for from the one key of shops that began before it was kept. It never changes.
const PURPOSE: &[u8] = b"daybook input fingerprints";

/// Out of their wrapping.
pub(super) struct Secrets {
    pub(super) fingerprints: Keyed,
}

impl Vault {
    /// The secrets, looked up once.
    pub(super) async fn secrets(&self) -> Result<&Secrets, VaultError> {
        self.secrets.get_or_try_init(|| self.load_secrets()).await
    }

    async fn load_secrets(&self) -> Result<Secrets, VaultError> {
        let in_use = self.keys_in_use().await?;
        let wrapped = match self.find_secret().await? {
            Some(wrapped) => wrapped,
            // Who lacks a key must not be the one that makes it.
            None => self.make_secret(&self.first_secret(in_use.sure()?)?).await?,
        };
        let opened = in_time(self.keyring.unwrap(&wrapped, FINGERPRINTS.as_bytes())).await?;
        in_use.tell();
        Ok(Secrets { fingerprints: Keyed::new(&opened.key) })
    }

    /// The secret of a shop that has none yet. One that begins has nothing to go on with, and one from before secrets were
    /// kept has fingerprints that were made with what follows from its one key: that which wrapped until now, whichever
    /// wraps next.
    fn first_secret(&self, in_use: &[KeyId]) -> Result<PlainKey, VaultError> {
        let before = in_use.first().unwrap_or_else(|| self.keyring.current());
        let derived = self.keyring.derived(before, PURPOSE);
        Ok(derived.map_or_else(PlainKey::generate, Ok)?)
    }

    async fn find_secret(&self) -> Result<Option<Wrapped>, VaultError> {
        let statement =
            sqlx::query("SELECT wrapped, key_id FROM vault_secrets WHERE name = $1").bind(FINGERPRINTS);
        let Some(row) = in_time(statement.fetch_optional(&self.pool)).await? else { return Ok(None) };
        Ok(Some(Wrapped { data: row.try_get(0)?, key_id: named(row.try_get(1)?) }))
    }

    /// Keeps the secret; when another process was quicker, that one's counts.
    async fn make_secret(&self, secret: &PlainKey) -> Result<Wrapped, VaultError> {
        let wrapped = in_time(self.keyring.wrap(secret, FINGERPRINTS.as_bytes())).await?;
        let statement = sqlx::query(
            "INSERT INTO vault_secrets (name, wrapped, key_id) VALUES ($1, $2, $3) ON CONFLICT (name) DO NOTHING",
        )
        .bind(FINGERPRINTS)
        .bind(&wrapped.data)
        .bind(name(wrapped.key_id.as_ref()));
        in_time(statement.execute(&self.pool)).await?;
        Ok(self.find_secret().await?.unwrap_or(wrapped))
    }

    /// Wraps the secrets by the current key, if they are not; nothing happens to what somebody else wrapped meanwhile.
    pub(super) async fn rewrap_secrets(&self) -> Result<(), VaultError> {
        let Some(was) = self.find_secret().await? else { return Ok(()) };
        if was.key_id.as_ref() == Some(self.keyring.current()) {
            return Ok(());
        }
        let secret = in_time(self.keyring.unwrap(&was, FINGERPRINTS.as_bytes())).await?.key;
        let now = in_time(self.keyring.wrap(&secret, FINGERPRINTS.as_bytes())).await?;
        let statement = sqlx::query(
            "UPDATE vault_secrets SET wrapped = $3, key_id = $4 WHERE name = $1 AND wrapped = $2",
        )
        .bind(FINGERPRINTS)
        .bind(was.data)
        .bind(&now.data)
        .bind(name(now.key_id.as_ref()));
        in_time(statement.execute(&self.pool)).await.map(drop)
    }
}
