//! Opening the shop as it is configured: the same for every process that decides.

use std::sync::Arc;

use daybook_domain::sourcing::{Location, parse_locations};
use daybook_domain::{Clock, IdSource};
use daybook_eventstore::process::config::{ConfigError, PgUrl, Settings, keys};
use daybook_eventstore::process::{self, Context, Need};
use daybook_eventstore::{Archives, EventStore, Upcasters, Vault, VaultKey};
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
    vault: VaultKey,
    locations: Vec<Location>,
    archives: Option<Archives>,
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
        let vault = settings.required(keys::VAULT_KEY)?;
        Ok(Self {
            events: settings.required(keys::EVENTS_URL)?,
            pool: settings.or(keys::EVENTS_POOL, POOL)?,
            cache: settings.optional(keys::CACHE_BYTES)?,
            vault: VaultKey::try_new(vault.expose())
                .map_err(|error| invalid(keys::VAULT_KEY.name(), error.to_string()))?,
            locations: parse_locations(&locations)
                .map_err(|error| invalid(keys::LOCATIONS.name(), error.to_string()))?,
            archives: settings.optional(keys::ARCHIVES)?,
        })
    }

    /// Opens the shop; the process is ready only while its event store answers.
    pub fn open(self, context: &Context) -> OpenShop {
        let opened = self.connect(context.name, context.clock.clone(), context.ids.clone());
        let asked = opened.store.clone();
        context.readiness.watch("events", Need::Required, move || {
            let asked = asked.clone();
            async move { asked.ping().await }
        });
        opened
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
