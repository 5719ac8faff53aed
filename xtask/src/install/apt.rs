//! Installs on Debian and Ubuntu without starting a service or making a cluster.
//!
//! Debian's packages start what they install. Two files keep them from it while apt runs: a `policy-rc.d`
//! that refuses every start, and a drop-in for `pg_createcluster`. Both are removed afterwards, and a
//! `policy-rc.d` of someone else's stays as it is and rules.

use std::fs;
use std::path::Path;

use crate::failure::{Failure, Result};
use crate::interrupt::Interrupt;
use crate::process::is_alive;
use crate::progress::Step;
use crate::tools::{Tool, on_path};

use super::{ask, plan, run};

const POLICY: &str = "/usr/sbin/policy-rc.d";
const CLUSTERS: &str = "/etc/postgresql-common/createcluster.d/daybook.conf";
/// How we know our own files again after a run that was killed.
const MARK: &str = "# Written by `cargo xtask` while it installs packages; safe to remove";

/// Installs the packages of these servers.
pub(super) fn install(missing: &[Tool], sudo: bool, interrupt: &Interrupt) -> Result<()> {
    for tool in missing {
        if tool.find().is_some() && !plan::installs_beside(*tool) {
            tool.get()?;
        }
    }
    let packages: Vec<&str> = missing.iter().map(|tool| plan::debian_package(*tool)).collect();
    let step = Step::begin_loud(format!("Installing {} with apt-get", packages.join(", ")));
    run(&plan::as_root(sudo, &["apt-get", "update", "--quiet"]))?;
    interrupt.check()?;
    for tool in missing {
        let policy = ask("apt-cache", &["policy", plan::debian_package(*tool)]);
        plan::refuse_old(*tool, plan::candidate(&policy)).map_err(Failure::new)?;
    }
    let units = plan::units_to_disable(missing, was_there);
    {
        let mark = format!("{MARK} after process {}", std::process::id());
        let _no_start = Restraint::place(POLICY, "755", &format!("#!/bin/sh\n{mark}\nexit 101\n"), sudo)?;
        let _no_cluster =
            Restraint::place(CLUSTERS, "644", &format!("{mark}\ncreate_main_cluster = off\n"), sudo)?;
        run(&plan::apt_install(sudo, &packages))?;
    }
    disable(&units, sudo);
    step.done("");
    Ok(())
}

/// Removes what a run that was killed has left: while it is there, no package starts its service.
pub(super) fn clean_up(sudo: bool) {
    for file in [POLICY, CLUSTERS].into_iter().filter(|file| is_left_behind(Path::new(file))) {
        eprintln!("  removing {file}, which an installation of ours left when it was killed");
        remove(file, sudo);
    }
}

fn was_there(package: &str) -> bool {
    ask("dpkg-query", &["--show", "--showformat=${Status}", package]).contains("ok installed")
}

/// Keeps the new units from starting at the next boot, and ends them where someone else's policy let them start.
fn disable(units: &[&str], sudo: bool) {
    if on_path("systemctl").is_none() {
        return;
    }
    for unit in units {
        // Without a running systemd there is nothing to stop, and a unit that is not enabled is what we want.
        if Path::new("/run/systemd/system").exists() {
            drop(run(&plan::as_root(sudo, &["systemctl", "--quiet", "stop", unit])));
        }
        drop(run(&plan::as_root(sudo, &["systemctl", "--quiet", "disable", unit])));
    }
}

/// A file that is there only while apt runs.
struct Restraint {
    file: &'static str,
    sudo: bool,
    ours: bool,
}

impl Restraint {
    fn place(file: &'static str, mode: &str, text: &str, sudo: bool) -> Result<Self> {
        if is_of_someone_else(Path::new(file)) {
            return Ok(Self { file, sudo, ours: false });
        }
        let draft = std::env::temp_dir().join(format!("daybook-{}", crate::random::hex::<6>()?));
        let written = fs::write(&draft, text)
            .map_err(|error| Failure::new(format!("cannot write a file for apt: {error}")));
        let placed = written.and_then(|()| {
            run(&plan::as_root(sudo, &["install", "-D", "-m", mode, &draft.to_string_lossy(), file]))
        });
        // A draft that stays in the temporary folder harms nobody.
        drop(fs::remove_file(&draft));
        placed.map(|()| Self { file, sudo, ours: true })
    }
}

impl Drop for Restraint {
    fn drop(&mut self) {
        if self.ours {
            remove(self.file, self.sudo);
        }
    }
}

fn remove(file: &str, sudo: bool) {
    if run(&plan::as_root(sudo, &["rm", "-f", file])).is_err() {
        eprintln!("  please remove {file}: it keeps packages from starting their services");
    }
}

/// Whether it is ours, and the process that wrote it is gone.
fn is_left_behind(file: &Path) -> bool {
    let text = fs::read_to_string(file).unwrap_or_default();
    let Some((_, writer)) = text.split_once(MARK) else { return false };
    let writer = writer.lines().next().and_then(|line| line.split(' ').next_back()?.parse().ok());
    writer.is_none_or(|pid| !is_alive(pid))
}

fn is_of_someone_else(file: &Path) -> bool {
    match fs::read_to_string(file) {
        Ok(text) => !text.contains(MARK),
        Err(_) => file.exists(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_file_that_bears_our_mark_is_ours_to_replace() {
        let folder = crate::servers::Scratch::new().expect("a scratch folder");
        let file = folder.site().home.join("policy-rc.d");
        assert!(!is_of_someone_else(&file));
        fs::write(&file, "#!/bin/sh\nexit 101\n").expect("a file");
        assert!(is_of_someone_else(&file));
        fs::write(&file, format!("#!/bin/sh\n{MARK}\nexit 101\n")).expect("a file");
        assert!(!is_of_someone_else(&file));
    }

    #[test]
    fn only_what_a_killed_run_left_is_cleaned_up() {
        let folder = crate::servers::Scratch::new().expect("a scratch folder");
        let file = folder.site().home.join("policy-rc.d");
        let is_left = |text: &str| {
            fs::write(&file, text).expect("a file");
            is_left_behind(&file)
        };
        assert!(!is_left_behind(&folder.site().home.join("none")));
        assert!(!is_left("#!/bin/sh\nexit 101\n"), "someone else's");
        assert!(
            !is_left(&format!("#!/bin/sh\n{MARK} after process {}\nexit 101\n", std::process::id())),
            "in use"
        );
        assert!(is_left(&format!("#!/bin/sh\n{MARK} after process {}\nexit 101\n", i32::MAX)));
        assert!(is_left(&format!("#!/bin/sh\n{MARK}.\nexit 101\n")), "nobody's");
    }
}
