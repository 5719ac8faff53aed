//! `daybook-api`: the front for clients.

use std::process::ExitCode;

fn main() -> ExitCode {
    daybook_api::process::main()
}
