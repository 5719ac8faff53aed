//! The one thread that starts children, and lives as long as this process.
//!
//! The kernel's parent-death signal follows the *thread* that forked: a child started from a test's or a
//! pool's thread would be killed when that thread ends, however alive the process is.

use std::io;
use std::process::{Child, Command};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread;

type Birth = (Command, Sender<io::Result<Child>>);

/// Starts a command from the thread that never ends.
pub(super) fn spawn(command: Command) -> io::Result<Child> {
    static NURSERY: OnceLock<Mutex<Sender<Birth>>> = OnceLock::new();
    let nursery = NURSERY.get_or_init(|| Mutex::new(open()));
    let (answer, answered) = channel();
    let queue = nursery.lock().unwrap_or_else(PoisonError::into_inner).clone();
    queue.send((command, answer)).map_err(io::Error::other)?;
    answered.recv().map_err(io::Error::other)?
}

fn open() -> Sender<Birth> {
    let (queue, births) = channel::<Birth>();
    thread::spawn(move || {
        for (mut command, answer) in births {
            // Nobody waiting for the answer means that nobody wants the child: dropping the sender says so.
            drop(answer.send(command.spawn()));
        }
    });
    queue
}
