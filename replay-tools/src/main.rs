//! `daybook-replay`.

use std::process::ExitCode;

fn main() -> ExitCode {
    daybook_replay::main()
}
