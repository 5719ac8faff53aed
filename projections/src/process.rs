//! The process `daybook-projector NAME…`: follows the log with the read models it is given names of.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use daybook_eventstore::process::config::{ConfigError, PgUrl, Secret, ServiceUrl, Settings, keys};
use daybook_eventstore::process::{self, Context, Cores, Failure, Need, pool};
use daybook_eventstore::proof::{SigningKey, Signs};
use daybook_eventstore::{Archives, EventStream, FeedSource, LogReader, Upcasters, Wake};
use sqlx::PgPool;
use tokio::task::JoinSet;

use crate::notary::{self, Notary, WitnessAddress};
use crate::registry;
use crate::runtime::{self, Projector};
use crate::servers::Servers;

/// The stream that the relay writes, where no other is configured.
pub(crate) const STREAM: &str = "DAYBOOK";
/// How many seconds pass until the notary signs what is new, where nothing else is configured.
const NOTARY_SECONDS: u32 = 60;

/// Runs the process with its arguments, the names.
pub fn run(names: Vec<String>) -> ExitCode {
    process::run("daybook-projector", Cores::One, |settings| Configuration::load(settings, names), project)
}

struct Configuration {
    names: Vec<String>,
    events: (PgUrl, u32),
    read: (PgUrl, u32),
    nats: Option<ServiceUrl>,
    servers: Servers,
    stream: String,
    archives: Option<Archives>,
    notary: Option<Signing>,
}

/// What the notary signs with, how often, and who is asked to sign too.
struct Signing {
    key: SigningKey,
    every: Duration,
    witnesses: Vec<WitnessAddress>,
}

impl Configuration {
    fn load(settings: &Settings, mut names: Vec<String>) -> Result<Self, ConfigError> {
        check(&names)?;
        let count = u32::try_from(names.len()).unwrap_or(u32::MAX);
        let notary = names.iter().any(|name| name == notary::NAME).then(|| signing(settings)).transpose()?;
        names.retain(|name| name != notary::NAME);
        Ok(Self {
            // Each projector reads; some room for when they all ask at once. What listens is beside the pool.
            events: (settings.required(keys::EVENTS_URL)?, settings.or(keys::EVENTS_POOL, count + 2)?),
            // Each projector writes two versions, and holds one back while the other takes over, with one to spare; one
            // connection looks at the register.
            read: (settings.required(keys::READ_URL)?, settings.or(keys::READ_POOL, 4 * count + 1)?),
            nats: settings.optional(keys::NATS_URL)?,
            servers: Servers::load(settings)?,
            stream: settings.or(keys::NATS_STREAM, STREAM.to_owned())?,
            archives: settings.optional(keys::ARCHIVES)?,
            names,
            notary,
        })
    }
}

fn signing(settings: &Settings) -> Result<Signing, ConfigError> {
    let seed: Secret<[u8; 32]> = settings.required(keys::NOTARY_KEY)?;
    let origin: String = settings.required(keys::NOTARY_ORIGIN)?;
    let key = SigningKey::of(&origin, Signs::Log, *seed.expose()).map_err(|error| ConfigError::Invalid {
        name: keys::NOTARY_ORIGIN.name(),
        reason: error.to_string(),
    })?;
    let every = Duration::from_secs(settings.or(keys::NOTARY_SECONDS, NOTARY_SECONDS)?.into());
    let witnesses = WitnessAddress::list(&settings.or(keys::NOTARY_WITNESSES, String::new())?)
        .map_err(|reason| ConfigError::Invalid { name: keys::NOTARY_WITNESSES.name(), reason })?;
    Ok(Signing { key, every, witnesses })
}

fn check(names: &[String]) -> Result<(), ConfigError> {
    let mut known = registry::names();
    known.push(notary::NAME);
    let wrong = match names.iter().find(|name| !known.contains(&name.as_str())) {
        Some(unknown) => format!("there is no read model {unknown:?}"),
        None if names.is_empty() => "which read models?".to_owned(),
        None => return Ok(()),
    };
    Err(ConfigError::Usage(format!("{wrong}; there are {}", known.join(", "))))
}

async fn project(configuration: Configuration, process: Context) -> Result<(), Failure> {
    let events = pool(&configuration.events.0, configuration.events.1, process.name);
    let read = pool(&configuration.read.0, configuration.read.1, process.name);
    watch(&process, "events", &events);
    watch(&process, "read", &read);
    let context = runtime::Context {
        log: source(&process, events, (&configuration.nats, &configuration.stream), configuration.archives)
            .await?,
        read: read.clone(),
        clock: Arc::clone(&process.clock),
    };
    let targets = configuration.servers.targets(read)?;
    let mut projectors = JoinSet::new();
    for name in &configuration.names {
        let projector = Projector::try_new(context.clone(), name, &targets)?.telling(&process.readiness);
        projectors.spawn(projector.run(process.shutdown.clone()));
    }
    if let Some(Signing { key, every, witnesses }) = configuration.notary {
        let flag = process.readiness.register(notary::NAME, Need::Required);
        let notary = Notary::new(context, key, every).telling(flag);
        let notary = notary.clone().witnessed_by(witnesses).unwrap_or_else(|error| {
            // As on a machine without certificates. Nobody waits for a witness.
            tracing::error!(error = &error as &dyn std::error::Error, "no witness can be asked from here");
            notary
        });
        projectors.spawn(notary.run(process.shutdown.clone()));
    }
    while let Some(ended) = projectors.join_next().await {
        // Better no process, which is started again, than one without a projector.
        ended?;
    }
    Ok(())
}

/// What a process follows the log by: the log itself, what tells that it has grown, and the stream where there is one.
pub(crate) async fn source(
    process: &Context,
    events: PgPool,
    (nats, stream): (&Option<ServiceUrl>, &str),
    archives: Option<Archives>,
) -> Result<FeedSource, Failure> {
    let stream = match nats {
        Some(url) => Some(EventStream::connect(url, stream, process.name).await?),
        None => None,
    };
    // It listens as long as the process lives.
    let (wake, _listening) = Wake::listen(events.clone());
    let reader = LogReader::new(events).with_archives(archives);
    Ok(FeedSource { reader, upcasters: Upcasters::of_the_shop(), wake, stream })
}

/// Has the process tell whether a database answers.
pub(crate) fn watch(process: &Context, name: &'static str, pool: &PgPool) {
    let pool = pool.clone();
    // It ends with the process.
    drop(process.readiness.watch(name, Need::Required, move || ping(pool.clone())));
}

async fn ping(pool: PgPool) -> Result<(), sqlx::Error> {
    sqlx::query("SELECT 1").execute(&pool).await.map(drop)
}
