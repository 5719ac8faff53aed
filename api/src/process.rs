//! The life of a `daybook-api` process: put together from its configuration, serving until it is told to stop.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use daybook_commands::gateway::simulated::SimulatedBooks;
use daybook_commands::{OpenShop, ShopConfig};
use daybook_eventstore::process::config::{ConfigError, PgUrl, Secret, ServiceUrl, Settings, keys};
use daybook_eventstore::process::{self, Context, Cores, Failure, Need, ops};
use daybook_eventstore::{EventStream, FeedSource, Live, LogReader, Wake};
use daybook_projections::orders;
use daybook_projections::read::{Hot, ReadDb, ReplicaWatch, hot};
use daybook_projections::search::{self, SearchEngine};
use fred::interfaces::ClientLike;
use meilisearch_sdk::client::Client;
use sqlx::PgPool;
use tokio::net::TcpListener;

use crate::auth::Tokens;
use crate::graphql::{Extent, Reads, Services, schema, sdl};
use crate::http::{self, Api, Limits, LogTree, SecondSteps, Webhooks, router};

/// Where clients are served when the configuration does not say.
const LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8080);

/// The stream that the relay writes when nothing else is configured.
const STREAM: &str = "DAYBOOK";
/// How many connections to the read models' replica.
const READ_POOL: u32 = 12;
/// How many connections to the event store for what auditors read of it: no command waits for them.
const EVIDENCE_POOL: u32 = 4;
/// How long a read may take.
const READ_LIMIT: Duration = Duration::from_secs(5);

/// What the process needs.
struct Config {
    shop: ShopConfig,
    /// Where read models are read: a replica where there is one.
    read: PgUrl,
    read_pool: u32,
    redis: Option<ServiceUrl>,
    meili: Option<ServiceUrl>,
    meili_key: Option<Secret<String>>,
    nats: Option<ServiceUrl>,
    stream: String,
    tokens: Tokens,
    webhook_secret: Secret<String>,
    listen: SocketAddr,
    /// Whether operators are answered at another address.
    ops_elsewhere: bool,
}

impl Config {
    fn load(settings: &Settings) -> Result<Self, ConfigError> {
        let replica = settings.optional(keys::READ_REPLICA_URL)?;
        Ok(Self {
            shop: ShopConfig::load(settings)?,
            read: replica.map_or_else(|| settings.required(keys::READ_URL), Ok)?,
            read_pool: settings.or(keys::READ_POOL, READ_POOL)?,
            redis: settings.optional(keys::REDIS_URL)?,
            meili: settings.optional(keys::MEILI_URL)?,
            meili_key: settings.optional(keys::MEILI_KEY)?,
            nats: settings.optional(keys::NATS_URL)?,
            stream: settings.or(keys::NATS_STREAM, STREAM.to_owned())?,
            tokens: Tokens::new(settings.required(keys::TOKEN_KEY)?.expose()),
            webhook_secret: settings.required(keys::WEBHOOK_SECRET)?,
            listen: settings.or(keys::LISTEN, LISTEN)?,
            ops_elsewhere: settings.optional(keys::OPS_LISTEN)?.is_some(),
        })
    }
}

/// Runs the process. With `--print-schema` it writes the schema and ends.
pub fn main() -> ExitCode {
    if std::env::args().nth(1).as_deref() == Some("--print-schema") {
        return print_schema();
    }
    process::run("daybook-api", Cores::All, Config::load, serve)
}

#[expect(clippy::print_stdout, reason = "it was asked to print")]
fn print_schema() -> ExitCode {
    print!("{}", sdl());
    ExitCode::SUCCESS
}

async fn serve(config: Config, context: Context) -> Result<(), Failure> {
    let (pool, db) = read_db(&config, &context);
    let (watch, _asking) = ReplicaWatch::start(pool.clone());
    let search = search_engine(&config, &context, &db)?;
    let stream = match &config.nats {
        Some(url) => Some(EventStream::connect(url, &config.stream, context.name).await?),
        None => None,
    };
    let copies = hot_copies(&config, &context)?;
    let (events, archives) = (config.shop.events.clone(), config.shop.archives.clone());
    let open = config.shop.open(&context).await?;
    let live = Arc::new(live(&open, stream, &context));
    let tree = LogTree::new(pool.clone(), open.store.reader(), config.tokens.clone());
    let log = LogReader::new(process::pool_for_queries(&events, EVIDENCE_POOL, context.name));
    let log = log.with_archives(archives);
    let extent = Extent::new(open.store.reader(), Arc::clone(&live));
    let reads = Reads::new(db, watch, copies, extent);
    let webhooks = Webhooks::new(open.shop.clone(), config.webhook_secret);
    let second_steps = SecondSteps::new(SimulatedBooks::new(open.pool.clone(), context.clock.clone()));
    let services = Services { shop: open.shop, reads, search, log, tree: pool, live };
    let limits = Limits::default();
    let api = Api::new(schema(services), config.tokens, context.ids.clone(), limits);
    let mut routes = router(api, webhooks, second_steps, tree);
    if !config.ops_elsewhere {
        routes = routes.merge(ops::router(context.readiness.clone(), context.metrics.clone()));
    }
    let listener = TcpListener::bind(config.listen).await?;
    tracing::info!(address = %listener.local_addr()?, "serving clients");
    http::serve(listener, routes, limits, context.shutdown).await;
    Ok(())
}

/// The read models' replica; the process is ready only while it answers.
fn read_db(config: &Config, context: &Context) -> (PgPool, ReadDb) {
    let pool = process::pool_for_queries(&config.read, config.read_pool, context.name);
    let asked = pool.clone();
    context.readiness.watch("read", Need::Required, move || {
        let asked = asked.clone();
        async move { sqlx::query("SELECT 1").execute(&asked).await.map(drop) }
    });
    (pool.clone(), ReadDb::new(pool, READ_LIMIT))
}

/// The hot copies in Redis, where there is one; without them the replica is read.
fn hot_copies(config: &Config, context: &Context) -> Result<Option<Hot>, Failure> {
    let Some(url) = &config.redis else { return Ok(None) };
    let redis = hot::connect(url.expose())?;
    let asked = redis.clone();
    context.readiness.watch("redis", Need::Useful, move || {
        let asked = asked.clone();
        async move { asked.ping::<()>(None).await }
    });
    Ok(Some(Hot::new(redis, hot::PREFIX)))
}

/// What searches are put to: Meilisearch where there is one, else the read database.
fn search_engine(config: &Config, context: &Context, db: &ReadDb) -> Result<SearchEngine, Failure> {
    let Some(url) = &config.meili else { return Ok(SearchEngine::postgres(db.clone())) };
    let client = Client::new(url.expose(), config.meili_key.as_ref().map(|key| key.expose().clone()))?;
    let engine = SearchEngine::meili(client, search::PREFIX, READ_LIMIT);
    let asked = engine.clone();
    context.readiness.watch("search", Need::Useful, move || {
        let asked = asked.clone();
        async move { asked.ping().await }
    });
    Ok(engine)
}

/// What happens, as it happens: from the stream, and without it from the log.
fn live(open: &OpenShop, stream: Option<EventStream>, context: &Context) -> Live {
    if let Some(stream) = &stream {
        let asked = stream.clone();
        context.readiness.watch("stream", Need::Useful, move || {
            let answer = asked.ping();
            async move { answer }
        });
    }
    let (wake, _listening) = Wake::listen(open.pool.clone());
    let (reader, upcasters) = (open.store.reader(), open.store.upcasters().clone());
    Live::start(FeedSource { reader, wake, stream, upcasters }, "api", orders::order_of)
}
