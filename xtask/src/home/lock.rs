//! The lock that one supervisor holds for as long as it runs, however it ends.

use std::fs::{self, File, OpenOptions};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use crate::failure::{During, Failure, Result};

/// How long to insist: someone who merely looks holds the lock for an instant.
const INSIST: Duration = Duration::from_millis(300);

/// Held while Daybook runs from this folder.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock, or says who has it.
    pub fn take(home: &Path) -> Result<Self> {
        let path = path(home);
        let cannot = || format!("cannot open {}", path.display());
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path).during(cannot)?;
        let until = Instant::now() + INSIST;
        while file.try_lock().is_err() {
            if Instant::now() >= until {
                return Err(already_runs(Self::holder(home)));
            }
            thread::sleep(Duration::from_millis(20));
        }
        fs::write(&path, std::process::id().to_string()).during(cannot)?;
        Ok(Self { _file: file })
    }

    /// Fails when Daybook runs from this folder.
    pub fn refuse_if_held(home: &Path) -> Result<()> {
        Self::holder(home).map_or(Ok(()), |pid| Err(already_runs(Some(pid))))
    }

    /// The process that runs Daybook from this folder.
    pub fn holder(home: &Path) -> Option<u32> {
        let file = File::open(path(home)).ok()?;
        if file.try_lock_shared().is_ok() {
            return None;
        }
        fs::read_to_string(path(home)).ok()?.trim().parse().ok()
    }
}

fn already_runs(holder: Option<u32>) -> Failure {
    let pid = holder.map(|pid| format!(" (pid {pid})")).unwrap_or_default();
    Failure::new(format!(
        "Daybook is already running{pid}: see `cargo xtask status`, stop it with `cargo xtask down`"
    ))
}

fn path(home: &Path) -> PathBuf {
    home.join("lock")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::servers::Scratch;

    #[test]
    fn a_second_start_is_told_who_runs_already() {
        let scratch = Scratch::new().expect("a scratch folder");
        let home = &scratch.site().home;
        assert_eq!(Lock::holder(home), None);
        let lock = Lock::take(home).expect("the lock");
        assert_eq!(Lock::holder(home), Some(std::process::id()));
        let refused = Lock::take(home).map(drop).map_err(|failure| failure.chain());
        assert!(refused.is_err_and(|told| told.contains("already running (pid")));
        drop(lock);
        // A program that another test is just starting has our files until it runs, this one too.
        let until = Instant::now() + Duration::from_secs(10);
        while let Some(holder) = Lock::holder(home) {
            assert!(Instant::now() < until, "{holder} has it");
            thread::sleep(Duration::from_millis(5));
        }
    }
}
