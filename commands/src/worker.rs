//! The worker: runs the processes that span aggregates, fires timers, delivers the simulated gateway's webhooks, and
//! when it starts sees to it that forgotten people stay so. Many workers may run; one leads the processes at a time, and two for a moment do no harm.

use std::sync::Arc;
use std::time::Duration;

use daybook_eventstore::process::config::{ConfigError, PgUrl, Secret, ServiceUrl, Settings, keys};
use daybook_eventstore::process::{Context, Failure, Leadership, Need};
use daybook_eventstore::{
    Checkpoint, Checkpoints, ConnectError, EventStream, Feed, FeedSource, StoreError, Wake,
};
use futures::future::try_join_all;
use tokio_util::sync::CancellationToken;

use crate::checkout::{Checkout, CheckoutPolicy};
use crate::gateway::TimedGateway;
use crate::gateway::simulated::{SimulatedBooks, SimulatedGateway, SimulatedSettings};
use crate::process::{Process, Runner, fire, run};
use crate::settlement::Settlement;
use crate::shop::Shop;
use crate::shop_config::ShopConfig;
use crate::timers::Timers;
use crate::use_cases::{self, ForgottenAgain};

/// The stream that the relay writes when nothing else is configured.
const STREAM: &str = "DAYBOOK";
/// The fewest connections to the event store: timers of four kinds may hold one each, and their handlers need others.
const LEAST_POOL: u32 = 6;
/// How long a call to the payment gateway may take.
const GATEWAY_LIMIT: Duration = Duration::from_secs(10);
/// The pause before it is looked again whether forgotten people are back.
const LATER: Duration = Duration::from_secs(10);
/// The pause before the processes are started again after one of them failed.
const PAUSE: Duration = Duration::from_millis(500);

/// What the worker needs.
#[derive(Debug)]
pub struct WorkerConfig {
    shop: ShopConfig,
    nats: Option<ServiceUrl>,
    stream: String,
    policy: CheckoutPolicy,
    webhook_url: ServiceUrl,
    webhook_secret: Secret<String>,
}

impl WorkerConfig {
    /// What the settings say.
    ///
    /// # Errors
    /// When one of them is missing or wrong.
    pub fn load(settings: &Settings) -> Result<Self, ConfigError> {
        let seconds = |key, default: Duration| -> Result<Duration, ConfigError> {
            Ok(settings.optional(key)?.map_or(default, |seconds: u32| Duration::from_secs(seconds.into())))
        };
        if settings.optional(keys::EVENTS_POOL)?.is_some_and(|pool: u32| pool < LEAST_POOL) {
            let reason = format!("a worker needs at least {LEAST_POOL} connections");
            return Err(ConfigError::Invalid { name: keys::EVENTS_POOL.name(), reason });
        }
        let usual = CheckoutPolicy::default();
        Ok(Self {
            shop: ShopConfig::load(settings)?,
            nats: settings.optional(keys::NATS_URL)?,
            stream: settings.or(keys::NATS_STREAM, STREAM.to_owned())?,
            policy: CheckoutPolicy {
                hold_for: seconds(keys::HOLD_SECONDS, usual.hold_for)?,
                pay_within: seconds(keys::PAY_SECONDS, usual.pay_within)?,
            },
            webhook_url: settings.required(keys::WEBHOOK_URL)?,
            webhook_secret: settings.required(keys::WEBHOOK_SECRET)?,
        })
    }
}

/// Works until the process is told to stop.
///
/// # Errors
/// When the vault, the gateway or the stream cannot be used as configured.
pub async fn work(config: WorkerConfig, context: Context) -> Result<(), Failure> {
    let events = config.shop.events.clone();
    let open = config.shop.open(&context).await?;
    let books = SimulatedBooks::new(open.pool.clone(), context.clock.clone());
    let settings = SimulatedSettings::new(
        config.webhook_url.expose().to_owned(),
        config.webhook_secret.expose().clone(),
    );
    let simulated = SimulatedGateway::try_new(books, settings)?;
    let gateway = Arc::new(TimedGateway::new(Arc::new(simulated.clone()), GATEWAY_LIMIT));
    let timers = Timers::new(open.pool.clone(), context.clock.clone());
    let with_timers = timers.clone();
    let processes = move |shop: Shop| -> Vec<Arc<dyn Process>> {
        let checkout = Checkout::new(shop.clone(), with_timers.clone(), config.policy);
        vec![Arc::new(checkout), Arc::new(Settlement::new(shop, with_timers.clone(), gateway.clone()))]
    };

    let (wake, _listening) = Wake::listen(open.pool.clone());
    let (reader, upcasters) = (open.store.reader(), open.store.upcasters().clone());
    let stream = connect(config.nats.as_ref(), &config.stream, &context).await?;
    let checkpoints = Checkpoints::new(open.pool.clone());
    let clock = context.clock.clone();
    let runner = Runner { checkpoints, timers: timers.clone(), upcasters: upcasters.clone(), clock };
    let source = FeedSource { reader: reader.clone(), wake, stream, upcasters: upcasters.clone() };
    let stop = context.shutdown.clone();
    // Timers fire in every worker, also in those that do not follow the log.
    let forgotten = forget_again(open.shop.clone(), &stop);
    let (of_timers, memory) = (processes(open.shop.clone()), open.shop);
    let fired = timers.run(|timer| fire(&of_timers, &reader, &upcasters, timer), stop.clone());
    let delivered = simulated.deliver(stop.clone());
    // What was remembered in an earlier term may have been overtaken since.
    let led = lead(&events, || processes(memory.hearing()), &runner, &source, &stop);
    tokio::join!(forgotten, fired, delivered, led);
    Ok(())
}

/// Sees to it that nobody whom the log says was forgotten is back with a restored vault: what comes back, comes before a start.
async fn forget_again(memory: Shop, stop: &CancellationToken) {
    let again = async {
        loop {
            match use_cases::forget_again(&memory, |_, _| ()).await {
                Ok(ForgottenAgain { came_back: 0, .. }) => return,
                Ok(ForgottenAgain { came_back, .. }) => {
                    tracing::error!(
                        came_back,
                        "people were back who had been forgotten, and are forgotten again"
                    );
                    return;
                }
                Err(error) => {
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        "cannot tell yet whether forgotten people are back"
                    );
                    tokio::time::sleep(LATER).await;
                }
            }
        }
    };
    tokio::select! {
        () = again => {}
        () = stop.cancelled() => {}
    }
}

async fn connect(
    url: Option<&ServiceUrl>,
    name: &str,
    context: &Context,
) -> Result<Option<EventStream>, ConnectError> {
    let Some(url) = url else { return Ok(None) };
    let stream = EventStream::connect(url, name, context.name).await?;
    let asked = stream.clone();
    context.readiness.watch("stream", Need::Useful, move || {
        let answer = asked.ping();
        async move { answer }
    });
    Ok(Some(stream))
}

/// Runs the processes while this worker leads, until `stop`.
async fn lead(
    events: &PgUrl,
    processes: impl Fn() -> Vec<Arc<dyn Process>>,
    runner: &Runner,
    source: &FeedSource,
    stop: &CancellationToken,
) {
    while !stop.is_cancelled() {
        let mut leadership = tokio::select! {
            leadership = Leadership::acquire(events, "daybook-worker") => leadership,
            () = stop.cancelled() => return,
        };
        let (term, processes) = (stop.child_token(), processes());
        let followed = try_join_all(processes.iter().map(|process| follow(process, runner, source, &term)));
        tokio::pin!(followed);
        let ended = tokio::select! {
            ended = &mut followed => ended,
            () = leadership.lost() => {
                tracing::warn!("lost the leadership: standing by");
                term.cancel();
                followed.await
            }
        };
        if let Err(error) = ended {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "the processes stopped; starting them again"
            );
            tokio::time::sleep(PAUSE).await;
        }
    }
}

/// Runs one process from where it stood.
async fn follow(
    process: &Arc<dyn Process>,
    runner: &Runner,
    source: &FeedSource,
    stop: &CancellationToken,
) -> Result<(), StoreError> {
    let known = runner.checkpoints.find(process.name()).await?;
    let from = match known {
        Some(checkpoint) => checkpoint,
        None => Checkpoint::origin(&source.reader).await?,
    };
    let (feed, from) = match Feed::open(source.clone(), process.name(), &from).await {
        Ok(feed) => (feed, from),
        Err(error @ StoreError::LogDiverged { .. }) => {
            // Every command of a process is told again instead of being done again, so the beginning is always right.
            tracing::error!(process = process.name(), %error, "reacting to the whole log again");
            let origin = Checkpoint::origin(&source.reader).await?;
            (Feed::open(source.clone(), process.name(), &origin).await?, origin)
        }
        Err(error) => return Err(error),
    };
    run(Arc::clone(process), runner.clone(), feed, from, stop.clone()).await
}
