//! Secrets of one private instance, made once.

use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::failure::{During, Result};
use crate::random;

use super::write_private;

/// Everything that must stay the same for the data to stay readable, all in hexadecimal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Secrets {
    /// Of the PostgreSQL superuser.
    pub postgres_password: String,
    /// Of a Meilisearch that we start.
    pub meilisearch_key: String,
    /// Wraps the keys that personal data is sealed with.
    pub vault_key: String,
    /// Signs development tokens.
    pub token_key: String,
    /// Signs the payment gateway's webhooks.
    pub webhook_secret: String,
    /// Signs what the log has. A folder of before there was a notary gets one with the next start.
    #[serde(default)]
    pub notary_key: String,
}

impl Secrets {
    /// The secrets of this folder, made now if it has none.
    pub fn load_or_make(home: &Path) -> Result<Self> {
        let file = file(home);
        if Self::exist(home) {
            let text = fs::read_to_string(&file).during(|| format!("cannot read {}", file.display()))?;
            let mut secrets: Self =
                serde_json::from_str(&text).during(|| format!("cannot understand {}", file.display()))?;
            if secrets.notary_key.is_empty() {
                secrets.notary_key = random::hex::<32>()?;
                secrets.keep(&file)?;
            }
            return Ok(secrets);
        }
        let secrets = Self {
            postgres_password: random::hex::<16>()?,
            meilisearch_key: random::hex::<16>()?,
            vault_key: random::hex::<32>()?,
            token_key: random::hex::<32>()?,
            webhook_secret: random::hex::<32>()?,
            notary_key: random::hex::<32>()?,
        };
        secrets.keep(&file)?;
        Ok(secrets)
    }

    fn keep(&self, file: &Path) -> Result<()> {
        let text = serde_json::to_string_pretty(self).during(|| "cannot keep the secrets".into())?;
        write_private(file, &text)
    }

    /// Whether this folder has secrets. Data without them can no longer be opened.
    pub fn exist(home: &Path) -> bool {
        file(home).exists()
    }
}

fn file(home: &Path) -> PathBuf {
    home.join("secrets.json")
}
