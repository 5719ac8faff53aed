//! The life of a process: configured, observed, running until it is told to stop, and then ending within a bound.

use std::future::Future;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use daybook_domain::{Clock, IdSource};
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::runtime::Builder;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::config::{ConfigError, Settings, keys};
use super::readiness::Readiness;
use super::system::{SystemClock, SystemIds};
use super::{ops, telemetry};

/// How long a process may take to end after it was told to.
const GRACE: Duration = Duration::from_secs(15);
/// How long what is left of a process's tasks may take after its main part has ended.
const REMAINS: Duration = Duration::from_secs(2);
/// How long a process takes at most to end after it was told to: whoever starts it kills it no earlier.
pub const LONGEST_END: Duration = GRACE.saturating_add(REMAINS);
/// What a process exits with when its configuration is wrong.
const EXIT_CONFIG: u8 = 2;

/// Why a process failed: a [`ConfigError`] is told to whoever starts it, all else is logged.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;

/// What every process is given.
#[derive(Clone)]
pub struct Context {
    /// The process's name, as its database connections and logs show it.
    pub name: &'static str,
    /// Which dependencies are there.
    pub readiness: Readiness,
    /// What renders the metrics.
    pub metrics: PrometheusHandle,
    /// Cancelled when the process is to stop.
    pub shutdown: CancellationToken,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// New ids.
    pub ids: Arc<dyn IdSource>,
}

impl std::fmt::Debug for Context {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Context").field("name", &self.name).finish_non_exhaustive()
    }
}

/// How many of the machine's cores a process uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cores {
    /// One: for what does one thing after another, and would spend more on waking other threads than on the work.
    One,
    /// All: for what does many things at once.
    All,
}

/// Runs a process to its end. `configure` takes from the configuration (and the arguments) all that the process
/// needs, so that what is wrong is told before anything starts; `main` is to return soon after `shutdown` is
/// cancelled.
pub fn run<C, F>(
    name: &'static str,
    cores: Cores,
    configure: impl FnOnce(&Settings) -> Result<C, ConfigError> + Send + 'static,
    main: impl FnOnce(C, Context) -> F + Send + 'static,
) -> ExitCode
where
    C: Send + 'static,
    F: Future<Output = Result<(), Failure>> + Send + 'static,
{
    // Another provider may have been installed by a test that runs a process inside itself.
    drop(rustls::crypto::ring::default_provider().install_default());
    let mut builder = match cores {
        Cores::One => Builder::new_current_thread(),
        Cores::All => Builder::new_multi_thread(),
    };
    let runtime = match builder.enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(name, &error.into()),
    };
    // As a task it is run where its input and output arrive, and not on a thread that must be woken for each of them.
    let lived = runtime.block_on(async { tokio::spawn(live(name, configure, main)).await });
    let code = match lived {
        Ok(Ok(code)) => code,
        Ok(Err(failure)) => failed(name, &failure),
        Err(panicked) => failed(name, &panicked.into()),
    };
    runtime.shutdown_timeout(REMAINS);
    code
}

async fn live<C, F>(
    name: &'static str,
    configure: impl FnOnce(&Settings) -> Result<C, ConfigError>,
    main: impl FnOnce(C, Context) -> F,
) -> Result<ExitCode, Failure>
where
    F: Future<Output = Result<(), Failure>>,
{
    let settings = Settings::load()?;
    let configuration = configure(&settings)?;
    let ops_address = settings.optional(keys::OPS_LISTEN)?;
    telemetry::log(&settings)?;
    let context = Context {
        name,
        readiness: Readiness::default(),
        metrics: telemetry::metrics()?,
        shutdown: CancellationToken::new(),
        clock: Arc::new(SystemClock),
        ids: Arc::new(SystemIds),
    };
    tokio::spawn(telemetry::upkeep(context.metrics.clone()));
    if let Some(address) = ops_address {
        let routes = ops::router(context.readiness.clone(), context.metrics.clone());
        ops::serve(address, routes, context.shutdown.clone()).await?;
    }
    let shutdown = context.shutdown.clone();
    let _on_every_way_out = shutdown.clone().drop_guard();
    stop_on_signal(shutdown.clone())?;
    tracing::info!(process = name, "started");
    let overdue = async {
        shutdown.cancelled().await;
        tokio::time::sleep(GRACE).await;
    };
    tokio::select! {
        ended = main(configuration, context) => ended?,
        () = overdue => {
            tracing::error!(process = name, "did not end in time");
            return Ok(ExitCode::FAILURE);
        }
    }
    tracing::info!(process = name, "ended");
    Ok(ExitCode::SUCCESS)
}

fn stop_on_signal(shutdown: CancellationToken) -> Result<(), std::io::Error> {
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    tokio::spawn(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        tracing::info!("told to stop");
        shutdown.cancel();
    });
    Ok(())
}

#[expect(
    clippy::print_stderr,
    reason = "what is wrong with the configuration is for whoever starts the process"
)]
fn failed(name: &str, failure: &Failure) -> ExitCode {
    if let Some(wrong) = failure.downcast_ref::<ConfigError>() {
        eprintln!("{name}: {wrong}");
        return ExitCode::from(EXIT_CONFIG);
    }
    let mut causes = failure.to_string();
    let mut source = failure.source();
    while let Some(cause) = source {
        causes = format!("{causes}: {cause}");
        source = cause.source();
    }
    tracing::error!(process = name, error = causes, "failed");
    ExitCode::FAILURE
}
