//! What is measured: the Daybook that runs here, or a private one that exists only meanwhile.

use std::path::{Path, PathBuf};

use crate::api::Shop;
use crate::daybook::{Environment, REPLAY};
use crate::failure::{Failure, Result};
use crate::home::{Lock, Recorded, Secrets, State};
use crate::interrupt::Interrupt;
use crate::process::Launch;
use crate::servers::Addresses;
use crate::up::Private;
use crate::workspace::Workspace;

/// A Daybook to measure.
pub(super) enum Target {
    /// The one that `cargo xtask up` runs.
    Running {
        /// Its shop.
        shop: Shop,
        /// Its processes.
        processes: Vec<Recorded>,
        /// How its command line is started.
        replay: Box<Launch>,
    },
    /// One of our own.
    Private(Box<Private>),
}

/// The command line that was built together with what runs.
fn replay_beside(processes: &[Recorded]) -> Result<PathBuf> {
    // The API has no arguments: its command is its path.
    let api = processes.iter().find(|process| process.name == "daybook-api");
    let folder = api.and_then(|process| Path::new(&process.command).parent());
    folder.map(|folder| folder.join(REPLAY)).ok_or_else(|| Failure::new("no API is recorded as running"))
}

impl Target {
    /// The running one, unless a private one is asked for or none runs.
    pub(super) fn find(
        workspace: &Workspace,
        private: bool,
        dev: bool,
        interrupt: &Interrupt,
    ) -> Result<Self> {
        let home = workspace.home();
        if private || Lock::holder(&home).is_none() {
            return Ok(Self::Private(Box::new(Private::start(workspace, dev, interrupt)?)));
        }
        let shop = Shop::running(&home)?;
        let state = State::load(&home)?;
        let secrets = Secrets::load_or_make(&home)?;
        let addresses = Addresses::recorded(&state.processes, &secrets.meilisearch_key)?;
        let replay =
            Environment::new(&addresses, &secrets, shop.port).command(&replay_beside(&state.processes)?);
        Ok(Self::Running { shop, processes: state.processes, replay: Box::new(replay) })
    }

    /// Its shop.
    pub(super) fn shop(&self) -> &Shop {
        match self {
            Self::Running { shop, .. } => shop,
            Self::Private(private) => private.shop(),
        }
    }

    /// Everything that runs.
    pub(super) fn processes(&self) -> Vec<Recorded> {
        match self {
            Self::Running { processes, .. } => processes.clone(),
            Self::Private(private) => private.processes(),
        }
    }

    /// How to start the command line on its databases.
    pub(super) fn replay(&self) -> Launch {
        match self {
            Self::Running { replay, .. } => replay.as_ref().clone(),
            Self::Private(private) => private.command(REPLAY),
        }
    }
}
