//! Where the servers are.

use std::io::Write;
use std::path::PathBuf;
use std::sync::OnceLock;

use uuid::Uuid;
use xtask::servers::{Scratch, Server};

/// The key to a Meilisearch that only one test has.
pub(crate) const MEILI_KEY: &str = "a key of sixteen bytes or more";

/// The servers that every test shares, each keeping to its own part of them.
#[derive(Debug)]
pub(crate) struct Servers {
    /// The Postgres primary, as superuser.
    pub(crate) postgres: String,
    /// Its streaming replica.
    pub(crate) replica: String,
    /// NATS with JetStream.
    pub(crate) nats: String,
    /// Redis.
    pub(crate) redis: String,
    /// Meilisearch and the key to it, where the machine has one.
    pub(crate) meili: Option<(String, String)>,
    /// The folder with Daybook's binaries.
    pub(crate) binaries: PathBuf,
}

/// The servers. Every test begins here, since TLS needs its provider before the first connection.
pub(crate) fn servers() -> &'static Servers {
    static SERVERS: OnceLock<Servers> = OnceLock::new();
    SERVERS.get_or_init(|| {
        super::metrics::record();
        drop(rustls::crypto::ring::default_provider().install_default());
        let variable = |name: &str| {
            std::env::var(format!("DAYBOOK_TEST_{name}"))
                .unwrap_or_else(|_| panic!("DAYBOOK_TEST_{name} is not set: run cargo xtask test"))
        };
        Servers {
            postgres: variable("POSTGRES_URL"),
            replica: variable("REPLICA_URL"),
            nats: variable("NATS_URL"),
            redis: variable("REDIS_URL"),
            meili: std::env::var("DAYBOOK_TEST_MEILI_URL").ok().map(|url| (url, variable("MEILI_KEY"))),
            binaries: variable("BIN_DIR").into(),
        }
    })
}

/// A name that no other test has: for a database, a stream, a prefix of keys. `prefix` says whose it is.
#[expect(clippy::disallowed_methods, reason = "two runs of the tests may share the servers")]
pub(crate) fn unique(prefix: &str) -> String {
    format!("{prefix}_{}", Uuid::new_v4().simple())
}

/// Says, past the capture of what tests print, that a test is skipped because the machine has no such thing.
pub(crate) fn skipped(test: &str, missing: &str) {
    // That nobody can be told is no reason to fail.
    drop(writeln!(std::io::stderr(), "skipped, since there is no {missing}: {test}"));
}

/// A Meilisearch that only this test has; nothing, and a word about it, where the machine has none.
pub(crate) fn own_meilisearch(test: &str, scratch: &mut Scratch) -> Option<Server> {
    let _ready = servers();
    let server = scratch.meilisearch(MEILI_KEY).expect("it starts");
    if server.is_none() {
        skipped(test, "meilisearch on the PATH");
    }
    server
}
