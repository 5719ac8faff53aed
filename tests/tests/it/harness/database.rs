//! A database for one test, cloned from a template that was migrated once.

use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use sqlx::migrate::Migrator;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{Connection, Executor, PgConnection, PgPool};

use super::{eventually, servers, unique};

/// The lock under which templates are made, so that tests in several processes make one.
const TEMPLATE_LOCK: i64 = 0x0d_a7_b0_0c;
/// How long the replica may take to have a new database.
const REPLICATION: Duration = Duration::from_secs(30);

/// A database of one test; it goes when the test ends.
#[derive(Debug)]
pub(crate) struct Database {
    name: String,
    /// Its URL on the primary.
    pub(crate) url: String,
    /// Its URL on the replica.
    pub(crate) replica_url: String,
    /// Connections to it on the primary.
    pub(crate) pool: PgPool,
}

impl Database {
    /// A new event store.
    pub(crate) async fn events() -> Self {
        let database = Self::create("events").await;
        // The template's epoch must not be everyone's: no two logs have the same.
        database
            .pool
            .execute("UPDATE log_head SET epoch = gen_random_uuid()")
            .await
            .expect("a new log has a head");
        database
    }

    /// New read models.
    pub(crate) async fn read() -> Self {
        Self::create("read").await
    }

    /// How many events of a type an event store has.
    pub(crate) async fn count(&self, event_type: &str) -> i64 {
        let count = sqlx::query_scalar("SELECT count(*) FROM events WHERE event_type = $1").bind(event_type);
        count.fetch_one(&self.pool).await.expect("a count")
    }

    /// Connections to it on the replica, once the replica has it.
    pub(crate) async fn replica(&self) -> PgPool {
        let options = PgConnectOptions::from_str(&self.replica_url).expect("a URL");
        eventually(REPLICATION, "the replica has the database", || async {
            PgPoolOptions::new().max_connections(4).connect_with(options.clone()).await.ok()
        })
        .await
    }

    async fn create(kind: &str) -> Self {
        let servers = servers();
        let mut admin = administrator().await;
        let template = template(&mut admin, kind).await;
        let name = unique(&format!("test_{kind}"));
        let statement = format!("CREATE DATABASE {name} TEMPLATE {template}");
        admin.execute(statement.as_str()).await.expect("a database is cloned from its template");
        let url = within(&servers.postgres, &name);
        let pool = PgPoolOptions::new().max_connections(8).connect(&url).await.expect("the new database");
        Self { replica_url: within(&servers.replica, &name), url, pool, name }
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let statement = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name);
        // Not waited for: a connection that this test's runtime is just opening would never get on, and the server drops
        // no database before that one is opened or given up. One that stays costs a few megabytes until the servers'
        // folder goes.
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let dropped = async {
                let mut admin = PgConnection::connect(&within(&servers().postgres, "postgres")).await?;
                admin.execute(statement.as_str()).await
            };
            runtime.map(|runtime| runtime.block_on(dropped).map(drop))
        });
    }
}

async fn administrator() -> PgConnection {
    let url = within(&servers().postgres, "postgres");
    PgConnection::connect(&url).await.expect("the tests' Postgres answers")
}

/// The name of the template for databases of this kind, made now if it is not there.
async fn template(admin: &mut PgConnection, kind: &str) -> String {
    let migrations = Path::new(env!("CARGO_MANIFEST_DIR")).join("../migrations").join(kind);
    let migrator = Migrator::new(migrations).await.expect("the migrations are readable");
    let version = migrator
        .iter()
        .flat_map(|migration| migration.checksum.iter())
        .fold(0_u64, |hash, byte| hash.wrapping_mul(31).wrapping_add(u64::from(*byte)));
    let name = format!("daybook_template_{kind}_{version:016x}");

    let lock = sqlx::query("SELECT pg_advisory_lock($1)").bind(TEMPLATE_LOCK);
    lock.execute(&mut *admin).await.expect("the template's lock");
    let known = sqlx::query("SELECT FROM pg_database WHERE datname = $1").bind(&name);
    if known.fetch_optional(&mut *admin).await.expect("the list of databases").is_none() {
        make_template(admin, &migrator, &name).await;
    }
    let unlock = sqlx::query("SELECT pg_advisory_unlock($1)").bind(TEMPLATE_LOCK);
    unlock.execute(&mut *admin).await.expect("the template's lock");
    name
}

/// Makes a template under another name and renames it when it is whole, so that nobody clones half of one.
async fn make_template(admin: &mut PgConnection, migrator: &Migrator, name: &str) {
    let making = format!("{name}_making");
    for statement in [format!("DROP DATABASE IF EXISTS {making}"), format!("CREATE DATABASE {making}")] {
        admin.execute(statement.as_str()).await.expect("an empty database");
    }
    let mut connection =
        PgConnection::connect(&within(&servers().postgres, &making)).await.expect("the empty database");
    migrator.run(&mut connection).await.expect("the migrations run");
    connection.close().await.expect("the connection closes");
    let rename = format!("ALTER DATABASE {making} RENAME TO {name}");
    admin.execute(rename.as_str()).await.expect("the template takes its name");
}

/// The URL of database `name` on the server of `url`.
fn within(url: &str, name: &str) -> String {
    let (scheme, rest) = url.split_once("://").expect("a URL");
    let (address, query) = rest.split_once('?').map_or((rest, String::new()), |(a, q)| (a, format!("?{q}")));
    let host = address.split('/').next().unwrap_or(address);
    format!("{scheme}://{host}/{name}{query}")
}
