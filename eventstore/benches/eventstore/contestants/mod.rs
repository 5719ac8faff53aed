//! Those who are compared. Each has a database of its own, made anew for each measurement.

mod copy;
mod daybook;
#[cfg(feature = "peers")]
pub(crate) mod disintegrate;
mod insert;
mod ordering;
mod postgres_es;
mod rows;
#[cfg(feature = "peers")]
pub(crate) mod umadb;
mod unnest;

use std::error::Error;
use std::num::NonZeroU16;
use std::str::FromStr as _;

use async_trait::async_trait;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{ConnectOptions as _, Executor as _, PgConnection, PgPool};

use crate::basket::Past;
use ordering::Order;

/// Why something could not be measured.
pub(crate) type Failed = Box<dyn Error + Send + Sync>;

/// Those that only a build with the feature `peers` has: they bring many dependencies, which nothing else needs.
pub(crate) const PEERS: &[&str] = &["disintegrate", "umadb"];

/// The most connections of who has a pool: more only wait for each other on two cores.
const CONNECTIONS: u32 = 32;

/// Who stores events.
#[async_trait]
pub(crate) trait Contestant: Send + Sync {
    /// Appends this many events to a stream that is new.
    async fn append_new(&self, _stream: &str, _events: usize) -> Result<(), Failed> {
        Err("cannot append".into())
    }
    /// Loads a stream, decides, and appends one event.
    async fn decide(&self, _stream: &str) -> Result<(), Failed> {
        Err("cannot decide".into())
    }
    /// Has these streams at hand, if it keeps anything at hand.
    async fn warm(&self, _streams: &[String]) -> Result<(), Failed> {
        Ok(())
    }
    /// Imports a history; returns how many events that was.
    async fn import(&self, _history: Vec<Past>) -> Result<u64, Failed> {
        Err("cannot import".into())
    }
    /// Decodes the whole log over so many connections; returns how many events that was.
    async fn replay(&self, _slices: NonZeroU16) -> Result<u64, Failed> {
        Err("cannot replay".into())
    }
    /// Decodes all events of the rare type; returns how many they are.
    async fn replay_rare(&self) -> Result<u64, Failed> {
        Err("cannot find rare events".into())
    }
    /// Appends one event to a stream that another has moved on: to be refused.
    async fn conflict(&self, _stream: &str) -> Result<(), Failed> {
        Err("cannot detect a conflict".into())
    }
}

/// Makes what the contestant stores in, in an empty database.
pub(crate) async fn prepare(name: &str, database: &str) -> Result<(), Failed> {
    match name {
        "daybook" => daybook::prepare(database).await,
        "copy" => run_script(database, copy::TABLE).await,
        #[cfg(feature = "peers")]
        "disintegrate" => disintegrate::prepare(database).await,
        _ if name.starts_with("order-") => run_script(database, ordering::TABLES).await,
        _ => postgres_es::prepare(database).await,
    }
}

/// The contestant on its database, for this many callers.
pub(crate) async fn start(name: &str, database: &str, callers: usize) -> Result<Box<dyn Contestant>, Failed> {
    Ok(match name {
        "daybook" => Box::new(daybook::Daybook::start(database).await?),
        "postgres-es" => Box::new(postgres_es::PostgresEs::start(pool(database, callers).await?)),
        "insert" => Box::new(insert::Insert::start(pool(database, callers).await?)),
        "unnest" => Box::new(unnest::Unnest::start(PgConnectOptions::from_str(database)?).await?),
        "copy" => Box::new(copy::Copy::start(PgConnectOptions::from_str(database)?.connect().await?)),
        "rows" => Box::new(rows::Rows::start(pool(database, callers).await?)),
        #[cfg(feature = "peers")]
        "disintegrate" => Box::new(disintegrate::Disintegrate::start(pool(database, callers).await?)),
        #[cfg(feature = "peers")]
        "umadb" => Box::new(umadb::Umadb::start(database, callers).await?),
        "order-head" => Box::new(ordering::Ordering::start(Order::Head, three(database).await?)),
        "order-flush" => Box::new(ordering::Ordering::start(Order::Flush, three(database).await?)),
        "order-sequencer" => Box::new(ordering::Ordering::start(Order::Sequencer, three(database).await?)),
        other => return Err(format!("there is no contestant {other}").into()),
    })
}

async fn three(database: &str) -> Result<[PgConnection; 3], Failed> {
    let options = PgConnectOptions::from_str(database)?;
    Ok([options.connect().await?, options.connect().await?, options.connect().await?])
}

async fn pool(database: &str, callers: usize) -> Result<PgPool, Failed> {
    let max = u32::try_from(callers).unwrap_or(CONNECTIONS).min(CONNECTIONS);
    let options = PgPoolOptions::new().max_connections(max).min_connections(max).test_before_acquire(false);
    Ok(options.connect(database).await?)
}

async fn run_script(database: &str, script: &str) -> Result<(), Failed> {
    let mut connection = PgConnectOptions::from_str(database)?.connect().await?;
    connection.execute(sqlx::raw_sql(script)).await?;
    Ok(())
}
