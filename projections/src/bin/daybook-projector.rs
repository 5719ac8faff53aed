//! `daybook-projector NAME…`.

use std::process::ExitCode;

fn main() -> ExitCode {
    daybook_projections::process::run(std::env::args().skip(1).collect())
}
