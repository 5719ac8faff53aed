//! A child that was started here. Dropping it stops it.

use std::process::{Child, ExitStatus};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Signal, kill_process_group};

use super::{id, signal};

/// How often a stopping child is looked at.
const GLANCE: Duration = Duration::from_millis(20);

/// A running child process, the leader of its own process group.
#[derive(Debug)]
pub struct Running {
    child: Child,
    stop_with: Signal,
    grace: Duration,
}

impl Running {
    pub(super) fn new(child: Child, stop_with: Signal, grace: Duration) -> Self {
        Self { child, stop_with, grace }
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// How it ended, if it has.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// Asks it to stop and returns at once.
    pub fn ask_to_stop(&mut self) {
        if self.ended().is_none() {
            signal(self.pid(), self.stop_with);
        }
    }

    /// Asks the whole process group to stop and returns at once.
    pub fn ask_group_to_stop(&mut self) {
        if self.ended().is_none() {
            self.signal_group(self.stop_with);
        }
    }

    /// Stops it in good order; after its grace, with SIGKILL.
    pub fn stop(&mut self) {
        self.ask_to_stop();
        self.finish(Instant::now() + self.grace);
    }

    /// Waits for its end until the deadline, then kills it.
    pub fn finish(&mut self, deadline: Instant) {
        while self.ended().is_none() {
            if Instant::now() >= deadline {
                self.kill();
                return;
            }
            thread::sleep(GLANCE);
        }
    }

    /// Kills it and its process group at once, as a crash would.
    pub fn kill(&mut self) {
        if self.ended().is_none() {
            self.signal_group(Signal::KILL);
            // Waiting reaps it; it fails only when it was reaped already.
            drop(self.child.wait());
        }
    }

    fn signal_group(&self, signal: Signal) {
        if let Some(group) = id(self.child.id()) {
            // The group can only be gone already.
            let _ = kill_process_group(group, signal);
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop();
    }
}
