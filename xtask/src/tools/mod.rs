//! Where the servers' programs are on this machine, and whether they are new enough. Installs nothing.

mod version;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

pub use version::Version;

use crate::failure::{Failure, Result};

/// One of the servers Daybook cannot do without.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tool {
    /// PostgreSQL with its client programs.
    Postgres,
    /// NATS with JetStream.
    Nats,
    /// Redis.
    Redis,
}

/// Every server Daybook cannot do without.
pub const TOOLS: [Tool; 3] = [Tool::Postgres, Tool::Nats, Tool::Redis];

/// A program that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The folder it is in.
    pub folder: PathBuf,
    /// What it says it is.
    pub version: Version,
}

impl Tool {
    /// The server's own name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Postgres => "PostgreSQL",
            Self::Nats => "nats-server",
            Self::Redis => "redis-server",
        }
    }

    /// The oldest version that will do.
    pub fn oldest(self) -> Version {
        match self {
            Self::Postgres => Version::new(15, 0),
            Self::Nats => Version::new(2, 9),
            Self::Redis => Version::new(7, 0),
        }
    }

    /// The newest installed version, whether or not it will do.
    pub fn find(self) -> Option<Found> {
        self.all().into_iter().max_by_key(|found| found.version)
    }

    /// The newest installed version that will do.
    pub fn get(self) -> Result<Found> {
        match self.find() {
            Some(found) if found.version >= self.oldest() => Ok(found),
            Some(found) => Err(Failure::new(format!(
                "{} {} is installed, and {} or newer is needed",
                self.name(),
                found.version,
                self.oldest()
            ))),
            None => Err(Failure::new(format!("{} is not installed", self.name()))),
        }
    }

    /// The folder of the programs of one major version, as an existing data folder asks for.
    pub fn get_major(self, major: u32) -> Result<Found> {
        self.all()
            .into_iter()
            .filter(|found| found.version.major == major)
            .max_by_key(|found| found.version)
            .ok_or_else(|| {
                Failure::new(format!(
                    "the data was written by {} {major}, which is not installed any more",
                    self.name()
                ))
            })
    }

    fn all(self) -> Vec<Found> {
        self.folders().into_iter().filter_map(|folder| self.look_in(folder)).collect()
    }

    fn look_in(self, folder: PathBuf) -> Option<Found> {
        if !self.programs().iter().all(|program| folder.join(program).is_file()) {
            return None;
        }
        let said = Command::new(folder.join(self.programs()[0])).arg("--version").output().ok()?;
        let version = Version::find_in(&String::from_utf8_lossy(&said.stdout))?;
        Some(Found { folder, version })
    }

    fn programs(self) -> &'static [&'static str] {
        match self {
            Self::Postgres => &["postgres", "initdb", "pg_basebackup", "psql"],
            Self::Nats => &["nats-server"],
            Self::Redis => &["redis-server"],
        }
    }

    fn folders(self) -> Vec<PathBuf> {
        let mut folders = search_path();
        if self == Self::Postgres {
            folders.extend(below("/usr/lib/postgresql", "", "bin"));
            folders.extend(below("/opt/homebrew/opt", "postgresql@", "bin"));
            folders.extend(below("/usr/local/opt", "postgresql@", "bin"));
            folders.extend(below("/usr", "pgsql-", "bin"));
        }
        folders
    }
}

/// An optional program on the search path.
pub fn on_path(program: &str) -> Option<PathBuf> {
    search_path().into_iter().map(|folder| folder.join(program)).find(|file| file.is_file())
}

/// The search path, and the folders of system programs that an ordinary user's path leaves out.
fn search_path() -> Vec<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = env::split_paths(&path).collect();
    folders
        .extend(["/usr/sbin", "/usr/local/sbin", "/usr/local/bin", "/opt/homebrew/bin"].map(PathBuf::from));
    let mut seen = Vec::new();
    folders.retain(|folder| {
        let new = !seen.contains(folder);
        seen.push(folder.clone());
        new
    });
    folders
}

fn below(parent: &str, prefix: &str, folder: &str) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(Path::new(parent)) else { return Vec::new() };
    let named = |name: &std::ffi::OsStr| name.to_string_lossy().starts_with(prefix);
    entries
        .flatten()
        .filter(|entry| named(&entry.file_name()))
        .map(|entry| entry.path().join(folder))
        .collect()
}
