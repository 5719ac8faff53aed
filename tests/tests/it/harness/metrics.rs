//! What the parts of Daybook that run inside the tests have counted.

use std::sync::OnceLock;

use daybook_eventstore::process::telemetry;

type Render = Box<dyn Fn() -> String + Send + Sync>;

static METRICS: OnceLock<Render> = OnceLock::new();

/// Begins to count.
pub(super) fn record() {
    METRICS.get_or_init(|| {
        let metrics = telemetry::metrics().expect("nobody else records in this process");
        Box::new(move || metrics.render())
    });
}

/// The value of a counter, by its name and labels as `/metrics` shows them; 0 while it has counted nothing.
pub(crate) fn metric(series: &str) -> u64 {
    let rendered = METRICS.get().map(|render| render()).unwrap_or_default();
    rendered.lines().find_map(|line| line.strip_prefix(series)?.trim().parse().ok()).unwrap_or(0)
}
