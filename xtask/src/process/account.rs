//! The unprivileged account that PostgreSQL runs under, since it refuses to run as root.

use std::os::unix::fs::chown;
use std::path::Path;
use std::process::Command;

use crate::failure::{During, Failure, Result};

use super::Launch;

/// An account of this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Its user id.
    pub user: u32,
    /// Its primary group.
    pub group: u32,
}

impl Account {
    /// The account for PostgreSQL: none for an ordinary user, who runs it as themselves; for root
    /// `postgres`, or `nobody` where no package made one.
    pub fn for_postgres() -> Result<Option<Self>> {
        if !rustix::process::geteuid().is_root() {
            return Ok(None);
        }
        Self::named("postgres").or_else(|| Self::named("nobody")).map(Some).ok_or_else(|| {
            Failure::new("PostgreSQL refuses to run as root, and neither `postgres` nor `nobody` exists")
        })
    }

    fn named(name: &str) -> Option<Self> {
        Some(Self { user: look_up("-u", name)?, group: look_up("-g", name)? })
    }

    /// Makes the account the owner of a file or folder.
    pub fn own(&self, path: &Path) -> Result<()> {
        chown(path, Some(self.user), Some(self.group))
            .during(|| format!("cannot hand over {}", path.display()))
    }

    /// Whether the account itself reaches the folder and may write into it.
    ///
    /// Asked by trying: a parent folder of mode 0700, an access list or a mount option all count.
    pub fn can_write(&self, folder: &Path) -> bool {
        Launch::new("test")
            .arg("-w")
            .arg(folder)
            .account(Some(self))
            .output()
            .is_ok_and(|out| out.status.success())
    }
}

fn look_up(what: &str, name: &str) -> Option<u32> {
    let answer = Command::new("id").args([what, name]).output().ok()?;
    String::from_utf8(answer.stdout).ok()?.trim().parse().ok()
}
