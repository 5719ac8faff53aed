//! What to run to install what is missing. Runs nothing.

use crate::tools::{Tool, Version};

/// The package manager of this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Manager {
    /// Debian's and Ubuntu's, as root or through `sudo`.
    Apt { sudo: bool },
    /// The one that people use on macOS. On Linux it puts things where nobody looks for them.
    Homebrew,
}

/// The package manager to use, given who and where we are and which programs there are.
pub(super) fn manager(is_root: bool, is_mac: bool, has: impl Fn(&str) -> bool) -> Option<Manager> {
    if has("apt-get") && (is_root || has("sudo")) {
        Some(Manager::Apt { sudo: !is_root })
    } else if is_mac && has("brew") && !is_root {
        Some(Manager::Homebrew)
    } else {
        None
    }
}

/// The Debian package that brings a server.
pub(super) fn debian_package(tool: Tool) -> &'static str {
    match tool {
        Tool::Postgres => "postgresql",
        Tool::Nats => "nats-server",
        Tool::Redis => "redis-server",
    }
}

/// The command that installs with Homebrew, which starts nothing by itself.
pub(super) fn homebrew(missing: &[Tool]) -> Vec<String> {
    let formula = |tool: &Tool| match tool {
        Tool::Postgres => "postgresql@17",
        Tool::Nats => "nats-server",
        Tool::Redis => "redis",
    };
    ["brew", "install"].into_iter().chain(missing.iter().map(formula)).map(str::to_owned).collect()
}

/// What to tell a person on a machine that nobody here knows how to install on.
pub(super) fn ask_a_person(missing: &[Tool]) -> String {
    let wanted: Vec<String> =
        missing.iter().map(|tool| format!("{} {} or newer", tool.name(), tool.oldest())).collect();
    format!(
        "please install {} and run this again: there is neither apt-get with root or sudo, nor Homebrew on macOS",
        wanted.join(", ")
    )
}

/// The version that `apt-cache policy` would install.
pub(super) fn candidate(policy: &str) -> Option<Version> {
    let line = policy.lines().find_map(|line| line.trim().strip_prefix("Candidate:"))?;
    Version::of_package(line.trim())
}

/// Refuses before anything is installed when the package lists offer only what is too old.
pub(super) fn refuse_old(tool: Tool, offered: Option<Version>) -> Result<(), String> {
    let (package, oldest) = (debian_package(tool), tool.oldest());
    match offered {
        Some(version) if version >= oldest => Ok(()),
        Some(version) => Err(format!(
            "this system's package `{package}` is {version}, and {oldest} or newer is needed: install {} from its makers and run this again",
            tool.name()
        )),
        None => Err(format!(
            "this system's package lists have no `{package}`: install {} {oldest} or newer and run this again",
            tool.name()
        )),
    }
}

/// A command, run as root.
pub(super) fn as_root(sudo: bool, command: &[&str]) -> Vec<String> {
    sudo.then_some("sudo").into_iter().chain(command.iter().copied()).map(str::to_owned).collect()
}

/// The command that installs packages and nothing that they merely recommend.
pub(super) fn apt_install(sudo: bool, packages: &[&str]) -> Vec<String> {
    let mut command = vec![
        "env",
        "DEBIAN_FRONTEND=noninteractive",
        "apt-get",
        "install",
        "--yes",
        "--no-install-recommends",
    ];
    command.extend(packages);
    as_root(sudo, &command)
}

/// The units that this install brings and that would start at the next boot. Only what was not there before
/// is ours to disable: a service that someone set up is none of our business.
pub(super) fn units_to_disable(missing: &[Tool], was_there: impl Fn(&str) -> bool) -> Vec<&'static str> {
    // Each unit with the package that brings it, which for PostgreSQL another version shares.
    let unit = |tool: &Tool| match tool {
        Tool::Postgres => ("postgresql.service", "postgresql-common"),
        Tool::Nats => ("nats-server.service", "nats-server"),
        Tool::Redis => ("redis-server.service", "redis-server"),
    };
    missing.iter().map(unit).filter(|(_, package)| !was_there(package)).map(|(unit, _)| unit).collect()
}

/// Whether an older version stays in place beside the one that is installed. Where it does not, the
/// install would replace what someone may depend on.
pub(super) fn installs_beside(tool: Tool) -> bool {
    tool == Tool::Postgres
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tools::TOOLS;

    #[test]
    fn root_needs_no_sudo_and_others_do() {
        assert_eq!(manager(true, false, |program| program == "apt-get"), Some(Manager::Apt { sudo: false }));
        assert_eq!(manager(false, false, |program| program != "brew"), Some(Manager::Apt { sudo: true }));
        assert_eq!(manager(false, false, |program| program == "apt-get"), None);
        assert_eq!(manager(false, true, |program| program == "brew"), Some(Manager::Homebrew));
        assert_eq!(manager(false, false, |program| program == "brew"), None);
        assert_eq!(manager(false, false, |_| false), None);
    }

    #[test]
    fn a_machine_without_a_known_package_manager_is_told_what_is_missing() {
        let told = ask_a_person(&[Tool::Postgres, Tool::Redis]);
        assert!(told.contains("PostgreSQL 15.0 or newer, redis-server 7.0 or newer"), "{told}");
        assert!(!told.contains("nats"), "{told}");
    }

    #[test]
    fn only_what_is_missing_is_installed() {
        let packages = [debian_package(Tool::Nats)];
        assert_eq!(
            apt_install(true, &packages).join(" "),
            "sudo env DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends nats-server"
        );
        assert_eq!(homebrew(&[Tool::Redis]).join(" "), "brew install redis");
    }

    #[test]
    fn a_package_that_is_too_old_is_refused_before_it_is_installed() {
        let jammy = "postgresql:\n  Installed: (none)\n  Candidate: 14+238\n  Version table:\n";
        assert!(refuse_old(Tool::Postgres, candidate(jammy)).is_err_and(|told| told.contains("14.0")));
        let bookworm = "redis-server:\n  Installed: (none)\n  Candidate: 5:7.0.15-1~deb12u9\n";
        assert_eq!(refuse_old(Tool::Redis, candidate(bookworm)), Ok(()));
        assert!(refuse_old(Tool::Nats, candidate("")).is_err_and(|told| told.contains("have no")));
    }

    #[test]
    fn a_service_that_was_there_before_stays_enabled() {
        let units = units_to_disable(&TOOLS, |package| package == "redis-server");
        assert_eq!(units, ["postgresql.service", "nats-server.service"]);
    }

    #[test]
    fn the_unit_of_an_older_postgres_stays_enabled() {
        let units = units_to_disable(&[Tool::Postgres], |package| package == "postgresql-common");
        assert!(units.is_empty(), "{units:?}");
    }
}
