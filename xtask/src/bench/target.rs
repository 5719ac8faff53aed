//! What is measured: the Daybook that runs here, or a private one that exists only meanwhile.

use crate::api::Shop;
use crate::daybook::REPLAY;
use crate::failure::Result;
use crate::home::{Lock, Recorded};
use crate::interrupt::Interrupt;
use crate::process::Launch;
use crate::replay::Running;
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
        let Running { shop, processes, environment, program } = Running::find(&home)?;
        Ok(Self::Running { shop, processes, replay: Box::new(environment.command(&program)) })
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
