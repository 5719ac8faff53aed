//! A private Redis server with an append-only file.

use std::path::{Path, PathBuf};

use crate::failure::Result;
use crate::probe::Probe;
use crate::process::Launch;
use crate::tools::Tool;

use super::{Program, make};

/// A Redis server on the loopback interface.
#[derive(Debug)]
pub struct Redis {
    data: PathBuf,
    log: PathBuf,
    port: u16,
}

impl Redis {
    /// A server that keeps its data in `data`.
    pub fn new(data: PathBuf, log: PathBuf, port: u16) -> Self {
        Self { data, log, port }
    }
}

impl Program for Redis {
    fn name(&self) -> &'static str {
        "redis"
    }

    fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    fn data(&self) -> &Path {
        &self.data
    }

    fn prepare(&self) -> Result<()> {
        make(&self.data)
    }

    fn launch(&self) -> Result<Launch> {
        let program = Tool::Redis.get()?.folder.join("redis-server");
        let launch = Launch::new(program)
            .args(["--bind", "127.0.0.1", "--port", &self.port.to_string(), "--daemonize", "no"])
            .args(["--appendonly", "yes", "--save", ""])
            // It keeps the command it was started with, by which it is known again.
            .args(["--set-proc-title", "no"])
            .arg("--dir")
            .arg(&self.data);
        Ok(launch.log_to(&self.log))
    }

    fn probe(&self) -> Probe {
        Probe::Redis { port: self.port }
    }
}
