//! `cargo xtask replay`: Daybook's own command line on the Daybook that runs, with its settings.

use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::api::Shop;
use crate::daybook::{Environment, REPLAY};
use crate::failure::{During, Failure, Result};
use crate::home::{Recorded, Secrets, State};
use crate::servers::Addresses;
use crate::workspace::Workspace;

/// What is passed on.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// What `daybook-replay` is asked: `show Order ID`, `run FILE`, `--help`, …
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

/// Becomes that program.
pub fn run(options: &Options) -> Result<()> {
    let running = Running::find(&Workspace::find()?.home())?;
    let mut command = Command::new(&running.program);
    command.args(&options.arguments);
    for (name, value) in running.environment.variables() {
        command.env(name, value);
    }
    // What the processes tell of themselves is not what was asked for.
    if std::env::var_os("DAYBOOK_LOG").is_none() {
        command.env("DAYBOOK_LOG", "warn");
    }
    Err(command.exec()).during(|| format!("cannot run {}", running.program.display()))
}

/// The Daybook that runs, and the command line that was built together with it.
pub struct Running {
    /// Its shop.
    pub shop: Shop,
    /// Its processes.
    pub processes: Vec<Recorded>,
    /// Its settings.
    pub environment: Environment,
    /// The program.
    pub program: PathBuf,
}

impl Running {
    /// The one of this home.
    pub fn find(home: &Path) -> Result<Self> {
        let shop = Shop::running(home)?;
        let processes = State::load(home)?.processes;
        let secrets = Secrets::load_or_make(home)?;
        let addresses = Addresses::recorded(&processes, &secrets.meilisearch_key)?;
        let environment = Environment::new(&addresses, &secrets, shop.port);
        let program = beside(&processes)?;
        Ok(Self { shop, processes, environment, program })
    }
}

fn beside(processes: &[Recorded]) -> Result<PathBuf> {
    // The API has no arguments: its command is its path.
    let api = processes.iter().find(|process| process.name == "daybook-api");
    let folder = api.and_then(|process| Path::new(&process.command).parent());
    folder.map(|folder| folder.join(REPLAY)).ok_or_else(|| Failure::new("no API is recorded as running"))
}
