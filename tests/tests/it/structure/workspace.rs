//! The workspace as cargo sees it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;

/// The workspace.
#[derive(Debug, Deserialize)]
pub(super) struct Workspace {
    /// Its crates.
    pub(super) packages: Vec<Package>,
    /// Its top folder.
    pub(super) workspace_root: PathBuf,
}

/// A crate of the workspace.
#[derive(Debug, Deserialize)]
pub(super) struct Package {
    /// Its name.
    pub(super) name: String,
    /// What it depends on, of any kind: also for its tests and its build script.
    pub(super) dependencies: Vec<Dependency>,
    /// Its `Cargo.toml`.
    pub(super) manifest_path: PathBuf,
}

/// A dependency of a crate.
#[derive(Debug, Deserialize)]
pub(super) struct Dependency {
    /// The other crate.
    pub(super) name: String,
}

impl Workspace {
    /// This one.
    pub(super) fn find() -> Self {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let answer = Command::new(cargo)
            .args(["metadata", "--no-deps", "--format-version", "1"])
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .output()
            .expect("cargo runs");
        assert!(answer.status.success(), "{}", String::from_utf8_lossy(&answer.stderr));
        serde_json::from_slice(&answer.stdout).expect("cargo describes the workspace")
    }

    /// The Rust files of its crates.
    pub(super) fn sources(&self) -> Vec<PathBuf> {
        let mut found = Vec::new();
        for package in &self.packages {
            gather(package.manifest_path.parent().expect("a crate has a folder"), &mut found);
        }
        found
    }
}

fn gather(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder of the workspace") {
        let path = entry.expect("an entry").path();
        if path.is_dir() && !path.ends_with("target") {
            gather(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}
