//! What auditors ask of the log: one module for each subcommand. Nothing here writes anything but files that were asked for.
//! `docs/proof.md` says what is proved, and to whom.

mod check;
mod consistency;
mod key;
mod prove;
mod verify;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Subcommand;
use daybook_eventstore::LogReader;
use daybook_eventstore::process::config::{ConfigError, Settings, keys};
use daybook_eventstore::process::{Failure, pool};
use daybook_eventstore::proof::Note;
use sqlx::PgPool;

use crate::witness;

/// What the program exits with when something is not what was signed.
pub(crate) const EXIT_FALSE: u8 = 3;
/// How many connections it takes to each database.
const CONNECTIONS: u32 = 2;

/// What can be asked.
#[derive(Debug, Subcommand)]
pub(crate) enum Proof {
    /// Read the whole log again, and compare it with everything that was signed of it
    Verify(verify::Verify),
    /// Prove that an event is in the log: a file that anybody can check
    Prove(prove::Prove),
    /// Check a proof, with nothing but a key
    Check(check::Check),
    /// Prove that the log of one checkpoint begins with that of another
    Consistency(consistency::Consistency),
    /// Show the key that the log's checkpoints are checked with
    NotaryKey,
    /// Show the key that a witness's signatures are checked with
    WitnessKey,
}

/// Does what was asked: 3 when something is not what was signed.
pub(crate) async fn run(settings: &Settings, asked: Proof) -> Result<ExitCode, Failure> {
    match asked {
        Proof::Verify(what) => verify::run(settings, what).await,
        Proof::Prove(what) => prove::run(settings, what).await,
        Proof::Check(what) => check::run(&what),
        Proof::Consistency(what) => consistency::run(settings, what).await,
        Proof::NotaryKey => {
            say(&key::own(settings)?.to_string());
            Ok(ExitCode::SUCCESS)
        }
        Proof::WitnessKey => {
            say(&witness::verifying_key(settings)?.to_string());
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// The log.
fn log(settings: &Settings) -> Result<LogReader, ConfigError> {
    let events = settings.required(keys::EVENTS_URL)?;
    let archives = settings.optional(keys::ARCHIVES)?;
    Ok(LogReader::new(pool(&events, CONNECTIONS, "daybook-replay")).with_archives(archives))
}

/// Where the tree is kept.
fn tree(settings: &Settings) -> Result<PgPool, ConfigError> {
    Ok(pool(&settings.required(keys::READ_URL)?, CONNECTIONS, "daybook-replay"))
}

/// A signed note in a file.
fn note(file: &Path) -> Result<Note, Failure> {
    let text = read(file)?;
    text.parse().map_err(|error| Failure::from(format!("{}: {error}", file.display())))
}

/// Where the tree is kept, if that is configured.
fn find_tree(settings: &Settings) -> Result<Option<PgPool>, ConfigError> {
    Ok(settings.optional(keys::READ_URL)?.map(|url| pool(&url, CONNECTIONS, "daybook-replay")))
}

fn read(file: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(file)
        .map_err(|error| Failure::from(format!("cannot read {}: {error}", file.display())))
}

/// Writes what was asked for to a file, or shows it.
fn give(file: Option<PathBuf>, text: &str) -> Result<(), Failure> {
    let Some(file) = file else {
        say(text.trim_end());
        return Ok(());
    };
    std::fs::write(&file, text)
        .map_err(|error| Failure::from(format!("cannot write {}: {error}", file.display())))
}

/// Says what is not as it was signed.
#[expect(clippy::print_stdout, reason = "it is what was asked for")]
fn found(what: &str) -> ExitCode {
    println!("{what}");
    ExitCode::from(EXIT_FALSE)
}

/// Says what was found or done.
#[expect(clippy::print_stdout, reason = "it is for whoever asked for it")]
fn say(done: &str) {
    println!("{done}");
}
