//! `daybook-projector NAME…`.

use std::process::ExitCode;

/// The system's allocator took a seventh of all processor time, most of it for one message after another.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    daybook_projections::process::run(std::env::args().skip(1).collect())
}
