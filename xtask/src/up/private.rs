//! A whole Daybook of one's own beside the one that people use: on free ports, in a folder that goes with it.

use std::path::{Path, PathBuf};

use crate::api::Shop;
use crate::failure::Result;
use crate::home::{Lock, Recorded, wipe};
use crate::install;
use crate::interrupt::Interrupt;
use crate::ports::Ports;
use crate::process::Launch;
use crate::servers::{Profile, elsewhere, make, remove};
use crate::workspace::Workspace;

use super::{Options, Start};

/// It runs until this is dropped, which also removes all its data.
pub struct Private {
    start: Start,
    home: PathBuf,
    _lock: Lock,
}

impl Private {
    /// Starts it from nothing, with nothing to sell.
    pub fn start(workspace: &Workspace, dev: bool, interrupt: &Interrupt) -> Result<Self> {
        let home = workspace.private_home();
        make(&home.join("logs"))?;
        let lock = Lock::take(&home)?;
        install::ensure(interrupt)?;
        let port = Ports::default().take("api")?;
        let options = Options { detach: false, fresh: true, dev, port, in_background: false };
        let start = Start::prepare(&options, workspace, home.clone(), Profile::PRIVATE)?;
        let mut private = Self { start, home, _lock: lock };
        private.start.build(workspace, interrupt)?;
        private.start.servers(interrupt)?;
        private.start.migrate(interrupt)?;
        private.start.processes(interrupt)?;
        Ok(private)
    }

    /// Its shop.
    pub fn shop(&self) -> &Shop {
        &self.start.shop
    }

    /// Everything that runs.
    pub fn processes(&self) -> Vec<Recorded> {
        self.start.crew.roster()
    }

    /// How to start one of Daybook's programs in it.
    pub fn command(&self, program: &str) -> Launch {
        self.start.environment.command(&self.start.programs.join(program))
    }
}

impl Drop for Private {
    fn drop(&mut self) {
        self.start.crew.stop();
        if let Err(failure) = clear(&self.home) {
            eprintln!("  {}", failure.chain());
        }
    }
}

fn clear(home: &Path) -> Result<()> {
    wipe(home, &elsewhere(home))?;
    remove(home)
}
