//! `daybook-replay`.

use std::process::ExitCode;

/// The system's allocator took a seventh of all processor time, most of it for one message after another.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    daybook_replay::main()
}
