//! The servers that rows are kept on beside the read database, as the settings name them.

use daybook_eventstore::process::Failure;
use daybook_eventstore::process::config::{ConfigError, Secret, ServiceUrl, Settings, keys};
use meilisearch_sdk::client::Client;
use sqlx::PgPool;

use crate::read::hot;
use crate::registry::Targets;
use crate::search;

/// Redis and Meilisearch, those that are configured.
pub(crate) struct Servers {
    redis: Option<ServiceUrl>,
    meili: Option<(ServiceUrl, Option<Secret<String>>)>,
}

impl Servers {
    /// What the settings say.
    pub(crate) fn load(settings: &Settings) -> Result<Self, ConfigError> {
        Ok(Self {
            redis: settings.optional(keys::REDIS_URL)?,
            meili: match settings.optional(keys::MEILI_URL)? {
                Some(url) => Some((url, settings.optional(keys::MEILI_KEY)?)),
                None => None,
            },
        })
    }

    /// Where rows are kept, with these connections to the read primary.
    pub(crate) fn targets(&self, postgres: PgPool) -> Result<Targets, Failure> {
        let redis = self.redis.as_ref().map(|url| hot::connect(url.expose())).transpose()?;
        let meili = self
            .meili
            .as_ref()
            .map(|(url, key)| Client::new(url.expose(), key.as_ref().map(|key| key.expose().clone())));
        Ok(Targets {
            postgres,
            redis: redis.map(|redis| (redis, hot::PREFIX.to_owned())),
            meili: meili.transpose()?.map(|meili| (meili, search::PREFIX.to_owned())),
        })
    }
}
