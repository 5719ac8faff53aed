//! Private instances of the servers Daybook runs on: where their data lives, how each is started, asked and
//! stopped. Nothing here ever touches a system service or listens beyond the loopback interface.
//!
//! `up` and `test` start the whole [`set`]; a test that must kill or wipe a server of its own takes one from
//! a [`Scratch`] folder.

pub mod postgres;
pub mod set;

mod meilisearch;
mod nats;
mod redis;
mod scratch;
mod site;

use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

pub use meilisearch::Meilisearch;
pub use nats::Nats;
pub use redis::Redis;
pub use scratch::Scratch;
pub use set::{Addresses, Servers};
pub use site::{Profile, Site, elsewhere};

use crate::failure::{During, Failure, Result};
use crate::probe::Probe;
use crate::process::{Launch, Running};

/// How long a server may take from its start until it is ready.
const PATIENCE: Duration = Duration::from_mins(1);
const GLANCE: Duration = Duration::from_millis(50);

/// What is particular to one kind of server.
pub trait Program: std::fmt::Debug + Send + Sync {
    /// Its name in logs and in the state.
    fn name(&self) -> &'static str;

    /// Where clients reach it.
    fn url(&self) -> String;

    /// The folder that holds all it knows.
    fn data(&self) -> &Path;

    /// Makes the data on the first start, and writes the configuration on every start.
    fn prepare(&self) -> Result<()>;

    /// How its process is started.
    fn launch(&self) -> Result<Launch>;

    /// How to ask whether it is ready.
    fn probe(&self) -> Probe;

    /// What remains to be done once it is ready.
    fn settle(&self) -> Result<()> {
        Ok(())
    }
}

/// One private server. Dropping it stops it and keeps its data.
#[derive(Debug)]
pub struct Server {
    program: Box<dyn Program>,
    running: Option<Running>,
}

impl Server {
    /// A server that does not run yet.
    pub fn new(program: impl Program + 'static) -> Self {
        Self { program: Box::new(program), running: None }
    }

    /// Its name in logs and in the state.
    pub fn name(&self) -> &'static str {
        self.program.name()
    }

    /// Where clients reach it; for PostgreSQL, without the name of a database.
    pub fn url(&self) -> String {
        self.program.url()
    }

    /// How to ask whether it is ready.
    pub fn probe(&self) -> Probe {
        self.program.probe()
    }

    /// Its process id while it runs.
    pub fn pid(&self) -> Option<u32> {
        self.running.as_ref().map(Running::pid)
    }

    /// Starts it and waits until it is ready. Its port and its data are those of the last start.
    pub fn start(&mut self) -> Result<()> {
        self.stop();
        let cannot = || format!("cannot start {}", self.program.name());
        self.program.prepare().during(cannot)?;
        let mut running = self.program.launch()?.start()?;
        self.await_ready(&mut running)?;
        self.program.settle().during(cannot)?;
        self.running = Some(running);
        Ok(())
    }

    /// Stops it in good order.
    pub fn stop(&mut self) {
        if let Some(mut running) = self.running.take() {
            running.stop();
        }
    }

    /// Kills it as a crash would.
    pub fn kill(&mut self) {
        if let Some(mut running) = self.running.take() {
            running.kill();
        }
    }

    /// Kills it and removes all it knew. The next start begins from nothing, on the same port.
    pub fn wipe(&mut self) -> Result<()> {
        self.kill();
        remove(self.program.data())
    }

    /// Gives the running process away, to be watched by someone else.
    pub fn release(mut self) -> Result<(Launch, Running)> {
        let launch = self.program.launch()?;
        let running = self.running.take();
        running
            .map(|running| (launch, running))
            .ok_or_else(|| Failure::new(format!("{} does not run", self.name())))
    }

    fn await_ready(&self, running: &mut Running) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        let mut why = String::from("it gave no answer");
        while Instant::now() < deadline {
            if let Some(status) = running.ended() {
                return Err(self.failed(&format!("it ended at once ({status})")));
            }
            match self.program.probe().ask() {
                Ok(()) => return Ok(()),
                Err(reason) => why = reason,
            }
            thread::sleep(GLANCE);
        }
        Err(self.failed(&why))
    }

    fn failed(&self, why: &str) -> Failure {
        let log = self.program.launch().ok().and_then(|launch| launch.log().map(last_lines));
        let log = log.map(|lines| format!("\n{lines}")).unwrap_or_default();
        Failure::new(format!("{} did not get ready: {why}{log}", self.program.name()))
    }
}

/// Removes a folder with all its contents, if it is there.
pub fn remove(folder: &Path) -> Result<()> {
    if !folder.exists() {
        return Ok(());
    }
    fs::remove_dir_all(folder).during(|| format!("cannot remove {}", folder.display()))
}

/// Makes a folder, and those above it.
pub fn make(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).during(|| format!("cannot make {}", folder.display()))
}

/// The end of a log, for an error message.
pub fn last_lines(log: &Path) -> String {
    let text = fs::read(log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    let from = lines.len().saturating_sub(12);
    lines[from..].iter().map(|line| format!("    {line}")).collect::<Vec<_>>().join("\n")
}
