//! Every key there is. Adding one is adding a line here.

use std::marker::PhantomData;
use std::net::SocketAddr;

use super::secret::Secret;
use super::value::{LogFormat, PgUrl, ServiceUrl};
use crate::partition::Archives;

/// The name of a value and its type.
pub struct Key<T> {
    name: &'static str,
    value: PhantomData<fn() -> T>,
}

impl<T> Key<T> {
    const fn new(name: &'static str) -> Self {
        Self { name, value: PhantomData }
    }

    /// The name, without the prefix that the variables have.
    pub const fn name(self) -> &'static str {
        self.name
    }
}

impl<T> Clone for Key<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Key<T> {}

impl<T> std::fmt::Debug for Key<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

macro_rules! define {
    ($($(#[$doc:meta])+ $name:ident: $value:ty;)+) => {
        /// The keys: `DAYBOOK_` before one is its variable, and in lower case it is its key in the file.
        pub mod keys {
            use super::{Archives, Key, LogFormat, PgUrl, Secret, ServiceUrl, SocketAddr};
            $($(#[$doc])+ pub const $name: Key<$value> = Key::new(stringify!($name));)+
        }

        /// The names of all keys.
        pub(super) const NAMES: &[&str] = &[$(stringify!($name)),+];
    };
}

define! {
    /// The event store's primary.
    EVENTS_URL: PgUrl;
    /// The read models' primary.
    READ_URL: PgUrl;
    /// A replica of the read models.
    READ_REPLICA_URL: PgUrl;
    /// The NATS server.
    NATS_URL: ServiceUrl;
    /// The stream that the relay writes.
    NATS_STREAM: String;
    /// How many bytes the stream may hold.
    NATS_STREAM_BYTES: i64;
    /// How many hours the stream keeps a message.
    NATS_STREAM_HOURS: u32;
    /// On how many servers of a cluster the stream is kept.
    NATS_REPLICAS: u32;
    /// How many events before the head a new stream begins.
    NATS_REPUBLISH: u32;
    /// The Redis server.
    REDIS_URL: ServiceUrl;
    /// The Meilisearch server.
    MEILI_URL: ServiceUrl;
    /// The key to the Meilisearch server.
    MEILI_KEY: Secret<String>;
    /// Where the process serves clients.
    LISTEN: SocketAddr;
    /// Where the process answers about its health and its metrics.
    OPS_LISTEN: SocketAddr;
    /// The key by which the vault wraps subjects' keys.
    VAULT_KEY: Secret<[u8; 32]>;
    /// Other keys by which some may be wrapped: earlier ones, and one that is to come.
    VAULT_OTHER_KEYS: Secret<Vec<[u8; 32]>>;
    /// The key that signs clients' tokens.
    TOKEN_KEY: Secret<Vec<u8>>;
    /// What signs webhooks.
    WEBHOOK_SECRET: Secret<String>;
    /// Where the simulated gateway sends its webhooks.
    WEBHOOK_URL: ServiceUrl;
    /// Which log lines are written, as a `tracing` filter.
    LOG: String;
    /// How log lines are written.
    LOG_FORMAT: LogFormat;
    /// The stock locations and their countries, such as `LON:GB,ROT:NL`.
    LOCATIONS: String;
    /// How many seconds stock is held for an order that is not paid yet.
    HOLD_SECONDS: u32;
    /// How many seconds a payment may take to be authorised.
    PAY_SECONDS: u32;
    /// How many connections to the event store's primary the process may hold.
    EVENTS_POOL: u32;
    /// How many bytes of aggregates a process that decides remembers.
    CACHE_BYTES: i64;
    /// How many connections to the read models' databases the process may hold.
    READ_POOL: u32;
    /// What the key follows from that the notary signs the log's heads with.
    NOTARY_KEY: Secret<[u8; 32]>;
    /// The log's name in what the notary signs.
    NOTARY_ORIGIN: String;
    /// How many seconds pass until the notary signs what is new.
    NOTARY_SECONDS: u32;
    /// The witnesses that are asked to sign what the notary signed: the key and the URL of each, with spaces between.
    NOTARY_WITNESSES: String;
    /// What the key follows from that a witness signs with.
    WITNESS_KEY: Secret<[u8; 32]>;
    /// The witness's name in what it signs.
    WITNESS_NAME: String;
    /// The folder with the archives of events that have left the database.
    ARCHIVES: Archives;
}
