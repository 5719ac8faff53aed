//! The worker's process.

use std::process::ExitCode;

use daybook_commands::worker::{WorkerConfig, work};
use daybook_eventstore::process::{self, Cores};

/// The system's allocator took a seventh of all processor time, most of it for one message after another.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    process::run("daybook-worker", Cores::All, WorkerConfig::load, work)
}
