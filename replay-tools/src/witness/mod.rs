//! `witness`: co-signs the checkpoints of logs, for whoever does not trust those who keep them (C2SP `tlog-witness`). It is a
//! process like any other, and needs no database: what it signed last is in a file. `docs/proof.md` says how to run one.

mod answer;
mod memory;
mod serve;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};

use clap::Args;
use daybook_eventstore::process::config::{ConfigError, Settings, keys};
use daybook_eventstore::process::{self, Context, Cores, Failure};
use daybook_eventstore::proof::{self, KeyError, SigningKey, Signs, VerifyingKey};
use tokio::net::TcpListener;

use answer::Desk;
use memory::{Memory, MemoryError};

/// Whose checkpoints are co-signed, and where.
#[derive(Debug, Args)]
pub(crate) struct Witness {
    /// Where logs ask for signatures, such as 127.0.0.1:7380
    #[arg(long, value_name = "ADDRESS", required_unless_present = "begin")]
    listen: Option<SocketAddr>,
    /// The file that remembers what was signed last of each log. Never go back to a copy
    #[arg(long, value_name = "FILE")]
    state: PathBuf,
    /// Make that file, which must not be there yet, and end: once in the life of a witness
    #[arg(long)]
    begin: bool,
    /// The key of a log that is watched, as `notary-key` shows it. Can be given several times, also for one log that changed
    /// its key
    #[arg(long = "log", value_name = "KEY", required_unless_present = "begin", value_parser = log_key)]
    logs: Vec<VerifyingKey>,
}

/// A log's key: nobody is a witness of witnesses.
fn log_key(text: &str) -> Result<VerifyingKey, String> {
    let key: VerifyingKey = text.parse().map_err(|error: KeyError| error.to_string())?;
    if key.signs() == Signs::Log { Ok(key) } else { Err("is not a log's key".to_owned()) }
}

/// Runs the process to its end.
pub(crate) fn run(asked: Witness) -> ExitCode {
    let Witness { listen, state, begin, logs } = asked;
    let Some(listen) = listen.filter(|_| !begin) else { return made(Memory::begin(state)) };
    let configure = move |settings: &Settings| {
        let name = keys::WITNESS_NAME.name();
        proof::Witness::try_new(own_key(settings)?, logs)
            .map_err(|error| ConfigError::Invalid { name, reason: error.to_string() })
    };
    process::run("daybook-replay", Cores::One, configure, move |witness, process| {
        attend(witness, listen, state, process)
    })
}

/// Says why there is no file, if there is none.
#[expect(clippy::print_stderr, reason = "it is for whoever asked for it")]
fn made(begun: Result<(), MemoryError>) -> ExitCode {
    match begun {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("daybook-replay: {}", crate::cli::causes(&error));
            ExitCode::FAILURE
        }
    }
}

/// What the witness signs with.
fn own_key(settings: &Settings) -> Result<SigningKey, ConfigError> {
    let seed = settings.required(keys::WITNESS_KEY)?;
    let name: String = settings.required(keys::WITNESS_NAME)?;
    SigningKey::of(&name, Signs::Witness, *seed.expose())
        .map_err(|error| ConfigError::Invalid { name: keys::WITNESS_NAME.name(), reason: error.to_string() })
}

/// The public half of the witness's key.
pub(crate) fn verifying_key(settings: &Settings) -> Result<VerifyingKey, ConfigError> {
    own_key(settings).map(|key| key.verifying().clone())
}

async fn attend(
    witness: proof::Witness,
    listen: SocketAddr,
    state: PathBuf,
    process: Context,
) -> Result<(), Failure> {
    let memory = tokio::task::spawn_blocking(move || Memory::open(state)).await??;
    if memory.is_new() {
        tracing::warn!("nothing is remembered: what each log shows first is believed");
    }
    let listener = TcpListener::bind(listen).await?;
    tracing::info!(address = %listener.local_addr()?, key = %witness.key(), "co-signing");
    let desk = Desk { witness, memory: Mutex::new(memory), clock: process.clock };
    serve::serve(listener, answer::routes(Arc::new(desk)), process.shutdown).await;
    Ok(())
}
