//! The relay's process.

use std::process::ExitCode;
use std::time::Duration;

use daybook_eventstore::process::config::{ConfigError, ServiceUrl, Settings, keys};
use daybook_eventstore::process::{self, Context, Cores, Failure, Need};
use daybook_eventstore::{EventStream, LogReader, Relay, RelayConfig, StreamLimits, Wake};

const STREAM: &str = "DAYBOOK";
const STREAM_BYTES: i64 = 1 << 30;
const STREAM_HOURS: u32 = 72;
const REPUBLISH: u32 = 10_000;
/// One connection reads, and one is asked whether the log is there; the one that listens is beside the pool.
const POOL: u32 = 3;

/// The system's allocator took a seventh of all processor time, most of it for one message after another.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    process::run("daybook-relay", Cores::One, Configuration::load, relay)
}

struct Configuration {
    relay: RelayConfig,
    nats: ServiceUrl,
    stream: String,
    pool: u32,
}

impl Configuration {
    fn load(settings: &Settings) -> Result<Self, ConfigError> {
        let hours = settings.or(keys::NATS_STREAM_HOURS, STREAM_HOURS)?;
        Ok(Self {
            relay: RelayConfig {
                events: settings.required(keys::EVENTS_URL)?,
                archives: settings.optional(keys::ARCHIVES)?,
                limits: StreamLimits {
                    bytes: settings.or(keys::NATS_STREAM_BYTES, STREAM_BYTES)?,
                    age: Duration::from_hours(hours.into()),
                    replicas: usize::try_from(settings.or(keys::NATS_REPLICAS, 1)?).unwrap_or(1),
                },
                republish: settings.or(keys::NATS_REPUBLISH, REPUBLISH)?,
            },
            nats: settings.required(keys::NATS_URL)?,
            stream: settings.or(keys::NATS_STREAM, STREAM.to_owned())?,
            pool: settings.or(keys::EVENTS_POOL, POOL)?,
        })
    }
}

async fn relay(configuration: Configuration, context: Context) -> Result<(), Failure> {
    let pool = process::pool(&configuration.relay.events, configuration.pool, context.name);
    let stream = EventStream::connect(&configuration.nats, &configuration.stream, context.name).await?;
    let (wake, _listening) = Wake::listen(pool.clone());
    let reader = LogReader::new(pool.clone());
    context.readiness.watch("events", Need::Required, move || {
        let reader = reader.clone();
        async move { reader.head().await.map(drop) }
    });
    let flag = context.readiness.register("stream", Need::Required);
    Relay::new(configuration.relay, pool, wake, stream, context.clock, flag).run(context.shutdown).await;
    Ok(())
}
