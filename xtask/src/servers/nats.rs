//! A private NATS server with JetStream on disk.

use std::fs;
use std::path::{Path, PathBuf};

use crate::failure::{During, Result};
use crate::probe::Probe;
use crate::process::Launch;
use crate::tools::Tool;

use super::{Program, make};

/// A NATS server on the loopback interface.
#[derive(Debug)]
pub struct Nats {
    folder: PathBuf,
    data: PathBuf,
    log: PathBuf,
    port: u16,
    monitor: u16,
}

impl Nats {
    /// A server that keeps its configuration and its streams in `folder`.
    pub fn new(folder: PathBuf, log: PathBuf, port: u16, monitor: u16) -> Self {
        Self { data: folder.join("jetstream"), folder, log, port, monitor }
    }

    fn configuration(&self) -> PathBuf {
        self.folder.join("nats.conf")
    }
}

impl Program for Nats {
    fn name(&self) -> &'static str {
        "nats"
    }

    fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    fn data(&self) -> &Path {
        &self.data
    }

    fn prepare(&self) -> Result<()> {
        make(&self.data)?;
        let (port, monitor, data) = (self.port, self.monitor, self.data.display());
        let text = format!(
            "server_name: daybook\n\
             listen: \"127.0.0.1:{port}\"\n\
             http: \"127.0.0.1:{monitor}\"\n\
             jetstream: {{ store_dir: \"{data}\" }}\n"
        );
        fs::write(self.configuration(), text).during(|| "cannot write its configuration".into())
    }

    fn launch(&self) -> Result<Launch> {
        let program = Tool::Nats.get()?.folder.join("nats-server");
        Ok(Launch::new(program).arg("--config").arg(self.configuration()).log_to(&self.log))
    }

    fn probe(&self) -> Probe {
        Probe::Http { url: format!("http://127.0.0.1:{}/healthz", self.monitor) }
    }
}
