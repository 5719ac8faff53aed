//! What can be asked on the command line, and how the program ends. No subcommand does its work here.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use daybook_eventstore::process::config::{ConfigError, Settings};
use daybook_eventstore::process::{Failure, telemetry};

use crate::dossier::{self, DossierOf};
#[cfg(feature = "parquet")]
use crate::export::{self, Export};
use crate::forget::{self, Forget};
use crate::import::{self, Import};
use crate::look::{self, Look};
use crate::migrate;
use crate::partitions::{self, Partitions};
use crate::proof::{self, Proof};
use crate::read_models::{self, ReadModels};
use crate::run::{self, Run};
use crate::vault::{self, VaultTask};
use crate::witness::{self, Witness};

/// What the program exits with when its configuration is wrong.
const EXIT_CONFIG: u8 = 2;

#[derive(Debug, Parser)]
#[command(
    name = "daybook-replay",
    version,
    about = "Daybook's command line for analysts, auditors and operators"
)]
struct Arguments {
    #[command(subcommand)]
    asked: Asked,
}

#[derive(Debug, Subcommand)]
enum Asked {
    /// Co-sign checkpoints of logs, for whoever does not trust those who keep them: a process that runs until it is told to
    /// stop
    Witness(Witness),
    #[command(flatten)]
    Task(Task),
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Bring both databases to this program's schema
    Migrate,
    /// Import what another system recorded, through the commands
    Import(Import),
    /// Old events in partitions, in the database and in files
    #[command(subcommand)]
    Partitions(Partitions),
    /// Run a projection in SQL over the log
    Run(Run),
    /// Write the log as Parquet, or add what is new to what was written
    #[cfg(feature = "parquet")]
    Export(Export),
    /// Forget people: what was sealed for them can never be read again, anywhere
    Forget(Forget),
    /// The keys by which people's keys are wrapped
    #[command(subcommand)]
    Vault(VaultTask),
    #[command(flatten)]
    Look(Look),
    #[command(flatten)]
    ReadModels(ReadModels),
    #[command(flatten)]
    Proof(Proof),
    /// The whole story of one order, with its money as double-entry books and a proof of every event
    Dossier(DossierOf),
}

/// Runs the program: 0 when it did what was asked, 2 when the arguments or the configuration are wrong, 1 when it
/// failed, 3 when something is not what was signed or a read model is not its own rebuild, 4 when there is nothing of what
/// was asked for, and 5 when something is farther behind than it may be.
pub fn main() -> ExitCode {
    let task = match Arguments::parse().asked {
        // These are processes like any other.
        Asked::Witness(what) => return witness::run(what),
        Asked::Task(Task::Run(what)) if what.is_live() => return run::live(&what),
        Asked::Task(task) => task,
    };
    // Only the first provider of a process counts, and any is as good.
    drop(rustls::crypto::ring::default_provider().install_default());
    let ended = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(Failure::from)
        .and_then(|runtime| runtime.block_on(run(task)));
    match ended {
        Ok(code) => code,
        // Whoever read what was shown has seen enough.
        Err(failure) if look::is_unread(&failure) => ExitCode::SUCCESS,
        Err(failure) => failed(&failure),
    }
}

async fn run(task: Task) -> Result<ExitCode, Failure> {
    let settings = Settings::load()?;
    telemetry::log(&settings)?;
    match task {
        Task::Migrate => migrate::run(&settings).await.map(|()| ExitCode::SUCCESS),
        Task::Partitions(asked) => partitions::run(&settings, asked).await.map(|()| ExitCode::SUCCESS),
        Task::Run(what) => run::run(&settings, what).await,
        #[cfg(feature = "parquet")]
        Task::Export(what) => export::run(&settings, what).await,
        Task::Import(what) => import::run(&settings, what).await,
        Task::Forget(whom) => forget::run(&settings, whom).await,
        Task::Vault(asked) => vault::run(&settings, asked).await,
        Task::Look(asked) => look::run(&settings, asked).await,
        Task::ReadModels(asked) => read_models::run(&settings, asked).await,
        Task::Proof(asked) => proof::run(&settings, asked).await,
        Task::Dossier(asked) => dossier::run(&settings, asked).await,
    }
}

#[expect(clippy::print_stderr, reason = "why the program failed is for whoever started it")]
fn failed(failure: &Failure) -> ExitCode {
    eprintln!("daybook-replay: {}", causes(failure.as_ref()));
    if failure.is::<ConfigError>() { ExitCode::from(EXIT_CONFIG) } else { ExitCode::FAILURE }
}

/// An error with what it comes from.
pub(crate) fn causes(error: &dyn std::error::Error) -> String {
    let mut causes = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        // Some errors repeat their source in their own text.
        if !causes.ends_with(&cause_text) {
            causes = format!("{causes}: {cause_text}");
        }
        source = cause.source();
    }
    causes
}
