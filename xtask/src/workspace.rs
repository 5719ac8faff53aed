//! The checkout this was started in: its folders, and cargo run within it.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Duration;

use serde::Deserialize;

use crate::failure::{During, Failure, Result};
use crate::interrupt::Interrupt;
use crate::process::Launch;

/// How often a running cargo and the stop request are looked at.
const GLANCE: Duration = Duration::from_millis(50);

/// Names another folder for what `cargo xtask up` keeps.
const HOME: &str = "DAYBOOK_HOME";

/// A checkout of Daybook.
#[derive(Debug, Clone, Deserialize)]
pub struct Workspace {
    #[serde(rename = "workspace_root")]
    root: PathBuf,
    #[serde(rename = "target_directory")]
    target: PathBuf,
}

impl Workspace {
    /// The checkout that the current folder is in.
    pub fn find() -> Result<Self> {
        let mut cargo = Command::new(cargo());
        cargo.args(["metadata", "--no-deps", "--format-version", "1"]);
        let answer = cargo.output().during(|| "cannot run cargo".into())?;
        if !answer.status.success() {
            return Err(Failure::new(String::from_utf8_lossy(&answer.stderr).trim()));
        }
        serde_json::from_slice(&answer.stdout)
            .during(|| "cannot read what cargo says of the workspace".into())
    }

    /// The folder of everything `cargo xtask up` keeps: that which `DAYBOOK_HOME` names, from the top of the checkout.
    pub fn home(&self) -> PathBuf {
        let named = env::var_os(HOME).filter(|name| !name.is_empty());
        self.root.join(named.unwrap_or_else(|| ".daybook".into()))
    }

    /// The folder of a private Daybook, which exists only while it runs.
    pub fn private_home(&self) -> PathBuf {
        self.target.join("private-daybook")
    }

    /// The folder of the built programs.
    pub fn programs(&self, release: bool) -> PathBuf {
        self.target.join(if release { "release" } else { "debug" })
    }

    /// The top of the checkout.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Runs cargo at the top of the checkout, in plain view, until it ends or someone asks to stop.
    ///
    /// Returns whether it succeeded.
    pub fn cargo(
        &self,
        arguments: &[&str],
        environment: &[(&str, String)],
        interrupt: &Interrupt,
    ) -> Result<bool> {
        let mut launch = Launch::new(cargo()).args(arguments).folder(&self.root);
        for (name, value) in environment {
            launch = launch.env(name, value);
        }
        let mut running = launch.without(&cargos_own()).start()?;
        loop {
            if let Some(status) = running.ended() {
                interrupt.check()?;
                return Ok(status.success());
            }
            if interrupt.raised() {
                running.ask_group_to_stop();
                running.stop();
                return Err(Failure::Interrupted);
            }
            thread::sleep(GLANCE);
        }
    }
}

fn cargo() -> PathBuf {
    env::var_os("CARGO").map_or_else(|| PathBuf::from("cargo"), PathBuf::from)
}

/// What `cargo run` told this program about itself. Passed on, it would make build scripts that watch these
/// variables run again, and all that depends on them.
fn cargos_own() -> Vec<String> {
    let about_us = |name: &str| {
        name.starts_with("CARGO_PKG_")
            || name.starts_with("CARGO_MANIFEST_")
            || ["CARGO_BIN_NAME", "CARGO_CRATE_NAME", "CARGO_PRIMARY_PACKAGE"].contains(&name)
    };
    env::vars_os().filter_map(|(name, _)| name.into_string().ok()).filter(|name| about_us(name)).collect()
}
