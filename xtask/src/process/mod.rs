//! Child processes: started under the right account, written to a log, stopped in order, never orphaned.
//!
//! A child must not outlive whoever started it. On Linux each one is started through `setpriv --pdeathsig`,
//! so that even a SIGKILL of the supervisor takes it along; each one also leads its own process group, so
//! that a Ctrl-C in the terminal reaches only the supervisor, which then stops the children in order.

mod account;
mod launch;
mod nursery;
mod running;

pub use account::Account;
pub use launch::Launch;
pub use running::Running;

pub use rustix::process::Signal;
use rustix::process::{Pid, kill_process, test_kill_process};

/// Whether a process of this id exists.
pub fn is_alive(pid: u32) -> bool {
    id(pid).is_some_and(|pid| test_kill_process(pid).is_ok())
}

/// Sends a signal; a process that is gone is no error.
pub fn signal(pid: u32, signal: Signal) {
    if let Some(pid) = id(pid) {
        // The only failure left is that the process went first, which is what was asked for.
        let _ = kill_process(pid, signal);
    }
}

fn id(pid: u32) -> Option<Pid> {
    i32::try_from(pid).ok().and_then(Pid::from_raw)
}
