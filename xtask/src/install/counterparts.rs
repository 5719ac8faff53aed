//! Programs of others that tests compare ours with: Python packages in an environment of their own in the build's folder.
//! Where they cannot be had the tests that need them say so and are skipped.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::failure::{During, Result};
use crate::interrupt::Interrupt;
use crate::progress::Step;
use crate::servers::remove;
use crate::tools::on_path;

use super::plan::{self, Manager};
use super::{manager, run};

/// Debian's package with what makes an environment.
const PACKAGE: &str = "python3-venv";

/// The Python of an environment that has these packages, made now if it is not there yet; nothing where it cannot be made.
pub fn python(requirements: &Path, folder: &Path, interrupt: &Interrupt) -> Result<Option<PathBuf>> {
    let wanted =
        fs::read_to_string(requirements).during(|| format!("cannot read {}", requirements.display()))?;
    let mut hasher = DefaultHasher::new();
    wanted.hash(&mut hasher);
    let environment = folder.join(format!("counterparts-{:016x}", hasher.finish()));
    let (ready, python) = (environment.join("ready"), environment.join("bin/python"));
    if ready.exists() {
        return Ok(Some(python));
    }
    let step = Step::begin_loud("Preparing programs of others to compare with");
    remove(&environment)?;
    let made = make(&environment, requirements, interrupt);
    interrupt.check()?;
    if made {
        fs::write(&ready, "").during(|| format!("cannot write {}", ready.display()))?;
        step.done("");
    } else {
        step.done("not to be had: the tests that need them are skipped");
    }
    Ok(made.then_some(python))
}

fn make(environment: &Path, requirements: &Path, interrupt: &Interrupt) -> bool {
    if !venv(environment) {
        let Some(Manager::Apt { sudo }) = manager() else { return false };
        let installed = run(&plan::as_root(sudo, &["apt-get", "update", "--quiet"]))
            .and_then(|()| run(&plan::apt_install(sudo, &[PACKAGE])));
        // A half of one that the first attempt made is in the way of the second.
        if installed.is_err()
            || interrupt.check().is_err()
            || remove(environment).is_err()
            || !venv(environment)
        {
            return false;
        }
    }
    let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement"];
    let installing = Command::new(environment.join("bin/python")).args(pip).arg(requirements).status();
    installing.is_ok_and(|status| status.success())
}

fn venv(environment: &Path) -> bool {
    if on_path("python3").is_none() {
        return false;
    }
    let making = Command::new("python3").args(["-m", "venv"]).arg(environment).output();
    making.is_ok_and(|made| made.status.success())
}
