//! The worker's process.

use std::process::ExitCode;

use daybook_commands::worker::{WorkerConfig, work};
use daybook_eventstore::process;

fn main() -> ExitCode {
    process::run("daybook-worker", WorkerConfig::load, work)
}
