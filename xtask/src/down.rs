//! `cargo xtask down`: asks the running supervisor to stop everything, and waits until it has.

use std::thread;
use std::time::{Duration, Instant};

use crate::failure::{Failure, Result};
use crate::home::Lock;
use crate::process::{Signal, signal};
use crate::progress::Step;
use crate::workspace::Workspace;

/// Longer than all the graces of a stop together.
const PATIENCE: Duration = Duration::from_mins(3);

/// Stops what runs; nothing running is fine.
pub fn run() -> Result<()> {
    let home = Workspace::find()?.home();
    let Some(pid) = Lock::holder(&home) else {
        println!("Daybook is not running.");
        return Ok(());
    };
    let step = Step::begin("Stopping Daybook");
    signal(pid, Signal::TERM);
    let until = Instant::now() + PATIENCE;
    while Lock::holder(&home) == Some(pid) {
        if Instant::now() >= until {
            return Err(Failure::new(format!(
                "Daybook (pid {pid}) does not stop: see {}",
                home.join("logs").display()
            )));
        }
        thread::sleep(Duration::from_millis(50));
    }
    step.done("");
    Ok(())
}
