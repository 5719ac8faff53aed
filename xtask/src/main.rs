//! `cargo xtask`: reads the command line, runs one command, turns its outcome into an exit code.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use xtask::failure::Failure;
use xtask::{bench, demo, down, oracle, replay, status, test, token, up};

/// The exit code of a command that was interrupted, as shells have it for Ctrl-C.
const INTERRUPTED: u8 = 130;

/// The developer's front door to Daybook.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start everything: the servers, the databases and every process of Daybook.
    ///
    /// Installs the servers that are missing (PostgreSQL, NATS, Redis), starts private ones under `.daybook/`
    /// on free ports, migrates, builds, starts every process, waits until all are ready and prints their
    /// addresses. Data survives from one start to the next. Ctrl-C stops everything. As root, PostgreSQL runs
    /// under the account `postgres` or `nobody`; where that account cannot reach the checkout, its data lives
    /// in a folder `/var/lib/daybook-…`, which `.daybook/state.json` names.
    ///
    /// `DAYBOOK_HOME` names another folder than `.daybook/`, for this and all other commands: with a port of its own,
    /// a second Daybook then runs beside the first.
    Up(up::Options),
    /// Tell what runs, where, and whether it is ready.
    Status(status::Options),
    /// Stop what `up` started, in good order.
    Down,
    /// Print a token that says who a client is, good for a day: `authorization: Bearer TOKEN`.
    Token(token::Options),
    /// Ask `daybook-replay` about the Daybook that runs: `cargo xtask replay tail --follow`.
    Replay(replay::Options),
    /// Buy something: one order from the first look to a refund, through the public API.
    ///
    /// Acts as a shopper, as the warehouse and as support on a running Daybook, tells each step with its latency
    /// and shows the order's history at the end. Fails when any step is not what it must be.
    Demo,
    /// Measure how fast Daybook is.
    #[command(subcommand)]
    Bench(bench::Bench),
    /// Check the formatting, run clippy with warnings denied, and run every test.
    ///
    /// Installs the servers that are missing and starts private ones on free ports in a temporary folder,
    /// so it can run beside `cargo xtask up`. They are stopped and removed however the tests end.
    Test(test::Options),
    /// Judge the event store while its writers, the relay, NATS and the database are killed again and again.
    ///
    /// Several processes write to it, and readers on the primary, on a replica and on the stream follow. At the end all of
    /// them must have seen the same log, and every answer must be true. Designs that are known to be wrong are judged too:
    /// each of them must be found out. A short run of it is part of `cargo xtask test`.
    Oracle(oracle::Options),
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Up(options) => up::run(&options),
        Command::Status(options) => status::run(&options),
        Command::Down => down::run(),
        Command::Token(options) => token::run(&options),
        Command::Replay(options) => replay::run(&options),
        Command::Demo => demo::run(),
        Command::Bench(bench) => bench::run(&bench),
        Command::Test(options) => test::run(&options),
        Command::Oracle(options) => oracle::run(&options),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Interrupted) => ExitCode::from(INTERRUPTED),
        Err(failure) => {
            eprintln!("error: {}", failure.chain());
            ExitCode::FAILURE
        }
    }
}
