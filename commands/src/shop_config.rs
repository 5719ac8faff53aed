//! Opening the shop as it is configured: the same for every process that decides.

use std::sync::Arc;

use daybook_domain::sourcing::{Location, parse_locations};
use daybook_domain::{Clock, IdSource};
use daybook_eventstore::process::config::{ConfigError, PgUrl, Settings, keys};
use daybook_eventstore::process::{self, Context, Failure, Need};
use daybook_eventstore::{Archives, ConfiguredKeys, EventStore, Keyring as _, Upcasters, Vault};
use sqlx::PgPool;

use crate::shop::Shop;

/// Where stock is held when nothing else is configured.
const LOCATIONS: &str = "LON:GB,ROT:NL";
/// How many connections a process that decides holds: one appends, the others load.
const POOL: u32 = 12;

/// What a process needs to open the shop.
#[derive(Debug)]
pub struct ShopConfig {
    /// The event store's primary.
    pub events: PgUrl,
    pool: u32,
    /// How many bytes of aggregates are remembered, if it is given.
    cache: Option<i64>,
    vault: ConfiguredKeys,
    locations: Vec<Location>,
    /// Where events are that have left the database.
    pub archives: Option<Archives>,
}

/// The shop, and the database it rests on.
#[derive(Debug, Clone)]
pub struct OpenShop {
    /// The shop.
    pub shop: Shop,
    /// Its event store.
    pub store: EventStore,
    /// Connections to the event store's primary.
    pub pool: PgPool,
}

impl ShopConfig {
    /// What the settings say.
    ///
    /// # Errors
    /// When one of them is missing or wrong.
    pub fn load(settings: &Settings) -> Result<Self, ConfigError> {
        let invalid = |name: &'static str, reason: String| ConfigError::Invalid { name, reason };
        let locations = settings.or(keys::LOCATIONS, LOCATIONS.to_owned())?;
        Ok(Self {
            events: settings.required(keys::EVENTS_URL)?,
            pool: settings.or(keys::EVENTS_POOL, POOL)?,
            cache: settings.optional(keys::CACHE_BYTES)?,
            vault: ConfiguredKeys::load(settings)?,
            locations: parse_locations(&locations)
                .map_err(|error| invalid(keys::LOCATIONS.name(), error.to_string()))?,
            archives: settings.optional(keys::ARCHIVES)?,
        })
    }

    /// Opens the shop; the process is ready only while its event store answers, and its keys open the vault.
    ///
    /// # Errors
    /// When the keys are known not to.
    pub async fn open(self, context: &Context) -> Result<OpenShop, ConfigError> {
        // Whoever exchanges keys compares it between processes.
        tracing::info!(key = %self.vault.current(), "people's keys are wrapped by this key");
        let opened = self.connect(context.name, context.clock.clone(), context.ids.clone());
        let (store, vault) = (opened.store.clone(), opened.shop.vault.clone());
        context.readiness.watch("events", Need::Required, move || {
            let (store, vault) = (store.clone(), vault.clone());
            async move {
                store.ping().await.map_err(Failure::from)?;
                vault.check().await.map_err(Failure::from)
            }
        });
        opened.check_vault().await?;
        Ok(opened)
    }

    /// Opens the shop for a program that ends by itself; the server sees its connections as `name`'s.
    pub fn connect(self, name: &str, clock: Arc<dyn Clock>, ids: Arc<dyn IdSource>) -> OpenShop {
        let pool = process::pool(&self.events, self.pool, name);
        let store =
            EventStore::new(pool.clone(), ids.clone(), Upcasters::of_the_shop()).with_archives(self.archives);
        let store = match self.cache {
            Some(bytes) => store.remembering(bytes.unsigned_abs()),
            None => store,
        };
        let shop = Shop::new(&store, Vault::new(pool.clone(), self.vault), clock, ids, self.locations);
        OpenShop { shop, store, pool }
    }
}

impl OpenShop {
    /// Checks that the configured keys open the vault. That it cannot be told while the database is away is no error.
    ///
    /// # Errors
    /// When they do not.
    pub async fn check_vault(&self) -> Result<(), ConfigError> {
        match self.shop.vault.check().await {
            Ok(()) => Ok(()),
            Err(error) if error.is_of_configuration() => {
                Err(ConfigError::Invalid { name: keys::VAULT_KEY.name(), reason: error.to_string() })
            }
            Err(error) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "whether the keys open the vault is not known yet"
                );
                Ok(())
            }
        }
    }
}
