//! Where private servers keep their data, and under which account PostgreSQL runs.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::failure::{During, Failure, Result};
use crate::process::Account;

use super::{make, remove};

/// What a PostgreSQL cluster is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Profile {
    /// How many clients may be connected at once.
    pub max_connections: u32,
    /// The databases it begins with.
    pub databases: &'static [&'static str],
    /// Whether a commit is on disk when it is acknowledged. Only a test that says nothing about durability
    /// may do without.
    pub durable: bool,
    /// Whether it stays when its starter is done with it. What does not is all its own: it uses no server that somebody
    /// gave, where other shops may be.
    pub lasting: bool,
    /// How much memory it takes for itself (`shared_buffers`).
    pub shared_buffers: &'static str,
    /// How much may be written until it must tidy up (`max_wal_size`).
    pub max_wal_size: &'static str,
    /// How much of that it keeps to write over, rather than make new files (`min_wal_size`).
    pub min_wal_size: &'static str,
}

impl Profile {
    /// The cluster of `cargo xtask up`.
    pub const UP: Self = Self {
        max_connections: 200,
        databases: &["daybook_events", "daybook_read"],
        durable: true,
        lasting: true,
        shared_buffers: "64MB",
        max_wal_size: "1GB",
        min_wal_size: "80MB",
    };
    /// The same for a Daybook that exists only while it is measured.
    pub const PRIVATE: Self = Self { lasting: false, ..Self::UP };
    /// The cluster of `cargo xtask test`: tests make their own databases, many at once.
    pub const TEST: Self = Self { max_connections: 400, databases: &[], ..Self::PRIVATE };
    /// The cluster of `cargo xtask bench eventstore`: as large as a shop's, for whoever is measured.
    pub const BENCH: Self =
        Self { shared_buffers: "1GB", max_wal_size: "8GB", min_wal_size: "4GB", ..Self::TEST };
}

/// A place for private servers.
#[derive(Debug, Clone)]
pub struct Site {
    /// The folder of all servers but PostgreSQL, and of the logs.
    pub home: PathBuf,
    /// The folder of the PostgreSQL clusters, which another account must be able to reach.
    pub postgres_home: PathBuf,
    /// The account PostgreSQL runs under, when it cannot be ours.
    pub account: Option<Account>,
    /// The password of the PostgreSQL superuser `daybook`.
    pub password: String,
}

impl Site {
    /// The place under `home`, with the PostgreSQL clusters there too if their account reaches that, else in
    /// `elsewhere`.
    pub fn open(home: &Path, elsewhere: &Path, password: String) -> Result<Self> {
        make(&home.join("logs"))?;
        let account = Account::for_postgres()?;
        let postgres_home = postgres_home(&home.join("postgres"), elsewhere, account.as_ref())?;
        Ok(Self { home: home.to_owned(), postgres_home, account, password })
    }

    /// The file that a program's output goes to.
    pub fn log(&self, name: &str) -> PathBuf {
        self.home.join("logs").join(format!("{name}.log"))
    }
}

/// Where PostgreSQL's data goes for a checkout that its account cannot reach: below `/var/lib`, named by the
/// checkout's path so that two checkouts never meet.
pub fn elsewhere(home: &Path) -> PathBuf {
    // FNV-1a, since the name must be the same for every version of the compiler.
    let hash = home.as_os_str().as_encoded_bytes().iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    PathBuf::from(format!("/var/lib/daybook-{hash:016x}"))
}

fn postgres_home(here: &Path, elsewhere: &Path, account: Option<&Account>) -> Result<PathBuf> {
    let Some(account) = account else {
        make(here)?;
        return Ok(here.to_owned());
    };
    for folder in [here, elsewhere] {
        let is_new = !folder.exists();
        make(folder)?;
        account.own(folder)?;
        fs::set_permissions(folder, fs::Permissions::from_mode(0o700))
            .during(|| format!("cannot protect {}", folder.display()))?;
        if account.can_write(folder) {
            return Ok(folder.to_owned());
        }
        if is_new {
            remove(folder)?;
        }
    }
    Err(Failure::new(format!(
        "the account PostgreSQL runs under reaches neither {} nor {}",
        here.display(),
        elsewhere.display()
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_checkouts_never_share_a_folder() {
        let (one, other) =
            (elsewhere(Path::new("/root/a/.daybook")), elsewhere(Path::new("/root/b/.daybook")));
        assert_ne!(one, other);
        assert_eq!(one, elsewhere(Path::new("/root/a/.daybook")));
    }
}
