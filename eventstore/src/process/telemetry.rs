//! Logs and metrics of a process: structured lines on standard error, and a recorder that `/metrics` renders.
//! Nothing here decides what is logged or measured.

use std::time::Duration;

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::EnvFilter;

use super::config::{ConfigError, LogFormat, Settings, keys};

/// What is logged when nobody says otherwise.
const DEFAULT_FILTER: &str = "info";
/// The upper bounds of latency histograms, in seconds.
const LATENCIES: &[f64] =
    &[0.0001, 0.000_25, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
/// The upper bounds of batch sizes.
const SIZES: &[f64] = &[1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1_000.0, 2_000.0, 5_000.0];
/// How often recorded samples are folded into their histograms.
const UPKEEP: Duration = Duration::from_secs(5);

/// Starts writing log lines as configured.
pub fn log(settings: &Settings) -> Result<(), ConfigError> {
    let invalid = |reason| ConfigError::Invalid { name: keys::LOG.name(), reason };
    let filter = settings.or(keys::LOG, DEFAULT_FILTER.to_owned())?;
    let filter = EnvFilter::try_new(filter).map_err(|error| invalid(error.to_string()))?;
    let format = settings.or(keys::LOG_FORMAT, LogFormat::Json)?;
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let started = match format {
        LogFormat::Json => lines.json().flatten_event(true).try_init(),
        LogFormat::Text => lines.with_ansi(false).try_init(),
    };
    started.map_err(|error| invalid(error.to_string()))
}

/// Starts recording metrics.
///
/// # Errors
/// When the process records metrics already.
pub fn metrics() -> Result<PrometheusHandle, metrics_exporter_prometheus::BuildError> {
    PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), LATENCIES)?
        .set_buckets_for_metric(Matcher::Suffix("_batch_commands".to_owned()), SIZES)?
        .set_buckets_for_metric(Matcher::Suffix("_batch_events".to_owned()), SIZES)?
        .install_recorder()
}

/// Folds samples into their histograms now and then, so that they take no space when nobody asks for `/metrics`.
pub(super) async fn upkeep(metrics: PrometheusHandle) {
    loop {
        tokio::time::sleep(UPKEEP).await;
        metrics.run_upkeep();
    }
}
