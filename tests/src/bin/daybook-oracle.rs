//! The oracle's process, and its writers'. `cargo xtask oracle` runs it.

use std::process::ExitCode;

use clap::Parser;
use daybook_tests::oracle::{self, Failed};

/// Judges the event store while everything around it is killed.
#[derive(Debug, Parser)]
struct Arguments {
    #[command(subcommand)]
    part: Part,
}

#[derive(Debug, clap::Subcommand)]
enum Part {
    /// Starts servers and writers of its own, and judges what came of it.
    Run(oracle::Options),
    /// One process that writes.
    #[command(hide = true)]
    Writer(oracle::Writer),
}

fn main() -> Result<ExitCode, Failed> {
    drop(rustls::crypto::ring::default_provider().install_default());
    match Arguments::parse().part {
        Part::Run(options) => {
            let report = oracle::run(&options)?;
            println!("{}", report.text());
            Ok(if report.is_right() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        }
        Part::Writer(orders) => {
            let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
            runtime.block_on(oracle::write(orders))?;
            Ok(ExitCode::SUCCESS)
        }
    }
}
