//! The keys that checkpoints are checked with.

use clap::Args;
use daybook_eventstore::process::config::{ConfigError, Settings, keys};
use daybook_eventstore::proof::{KeyError, SigningKey, Signs, VerifyingKey};

/// Whose signatures count.
#[derive(Debug, Args)]
pub(super) struct Keys {
    /// A key of the log, as `notary-key` shows it; several when it was changed. Otherwise that of the notary's settings,
    /// which proves nothing to somebody who does not trust them
    #[arg(long = "key", value_name = "KEY")]
    keys: Vec<VerifyingKey>,
}

impl Keys {
    /// Those that were given, or the notary's own.
    pub(super) fn or_own(self, settings: &Settings) -> Result<Vec<VerifyingKey>, ConfigError> {
        if self.keys.is_empty() { own(settings).map(|own| vec![own]) } else { Ok(self.keys) }
    }
}

/// The public half of the notary's key.
pub(super) fn own(settings: &Settings) -> Result<VerifyingKey, ConfigError> {
    let seed = settings.required(keys::NOTARY_KEY)?;
    let origin: String = settings.required(keys::NOTARY_ORIGIN)?;
    let key = SigningKey::of(&origin, Signs::Log, *seed.expose()).map_err(|error| ConfigError::Invalid {
        name: keys::NOTARY_ORIGIN.name(),
        reason: error.to_string(),
    })?;
    Ok(key.verifying().clone())
}

/// A witness's key: what a log says of itself is no witness.
pub(super) fn witness(text: &str) -> Result<VerifyingKey, String> {
    let key: VerifyingKey = text.parse().map_err(|error: KeyError| error.to_string())?;
    if key.signs() == Signs::Witness { Ok(key) } else { Err("is not a witness's key".to_owned()) }
}
