//! A private Meilisearch server, where the machine has one.

use std::path::{Path, PathBuf};

use crate::failure::Result;
use crate::probe::Probe;
use crate::process::Launch;

use super::{Program, make};

/// What a task may take. Left to itself the server takes two thirds of the machine's memory, and touching that much makes a
/// task of one document last seconds where this makes it a tenth of one.
const INDEXING_MEMORY: &str = "256MiB";

/// A Meilisearch server on the loopback interface.
#[derive(Debug)]
pub struct Meilisearch {
    program: PathBuf,
    data: PathBuf,
    log: PathBuf,
    port: u16,
    key: String,
}

impl Meilisearch {
    /// A server that keeps its data in `data` and asks its clients for `key`.
    pub fn new(program: PathBuf, data: PathBuf, log: PathBuf, port: u16, key: String) -> Self {
        Self { program, data, log, port, key }
    }
}

impl Program for Meilisearch {
    fn name(&self) -> &'static str {
        "meilisearch"
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    fn data(&self) -> &Path {
        &self.data
    }

    fn prepare(&self) -> Result<()> {
        make(&self.data)
    }

    fn launch(&self) -> Result<Launch> {
        let mut launch = Launch::new(&self.program).args([
            "--no-analytics",
            "--env",
            "development",
            "--max-indexing-memory",
            INDEXING_MEMORY,
            "--http-addr",
            &format!("127.0.0.1:{}", self.port),
        ]);
        for (option, folder) in
            [("--db-path", "db"), ("--dump-dir", "dumps"), ("--snapshot-dir", "snapshots")]
        {
            launch = launch.arg(option).arg(self.data.join(folder));
        }
        // In the environment, since anyone may read the arguments of a process.
        Ok(launch.env("MEILI_MASTER_KEY", &self.key).log_to(&self.log))
    }

    fn probe(&self) -> Probe {
        Probe::Http { url: format!("{}/health", self.url()) }
    }
}
