//! Installs the servers that are missing, with the system's own package manager, and nothing else.
//!
//! Never starts a system service, never leaves one enabled that was not there before, never replaces a
//! version that is installed and will do. What is to be done is decided by pure functions in [`plan`].

mod apt;
mod counterparts;
mod plan;

use std::process::Command;

use crate::failure::{During, Failure, Result};
use crate::interrupt::Interrupt;
use crate::progress::Step;
use crate::tools::{TOOLS, Tool, on_path};

use plan::Manager;

pub use counterparts::python;

/// Makes sure that every server is there and new enough.
///
/// Takes the interrupt so that it is listened for by now: a Ctrl-C that ended this program while apt runs
/// would leave its restraints behind.
pub fn ensure(interrupt: &Interrupt) -> Result<()> {
    let manager = manager();
    if let Some(Manager::Apt { sudo }) = manager {
        apt::clean_up(sudo);
    }
    let missing: Vec<Tool> = TOOLS.into_iter().filter(|tool| tool.get().is_err()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    match manager {
        Some(Manager::Apt { sudo }) => apt::install(&missing, sudo, interrupt)?,
        Some(Manager::Homebrew) => homebrew(&missing)?,
        None => return Err(Failure::new(plan::ask_a_person(&missing))),
    }
    interrupt.check()?;
    for tool in missing {
        tool.get()?;
    }
    Ok(())
}

fn manager() -> Option<Manager> {
    let is_root = rustix::process::geteuid().is_root();
    plan::manager(is_root, cfg!(target_os = "macos"), |program| on_path(program).is_some())
}

fn homebrew(missing: &[Tool]) -> Result<()> {
    let step = Step::begin_loud("Installing with Homebrew");
    run(&plan::homebrew(missing))?;
    step.done("");
    Ok(())
}

/// Runs a command in plain view, with the terminal as its input: `sudo` may ask for a password.
fn run(command: &[String]) -> Result<()> {
    let line = command.join(" ");
    let [program, arguments @ ..] = command else { return Ok(()) };
    let status = Command::new(program)
        .args(arguments)
        .env("DEBIAN_FRONTEND", "noninteractive")
        .stdout(std::io::stderr())
        .status()
        .during(|| format!("cannot run `{line}`"))?;
    if status.success() { Ok(()) } else { Err(Failure::new(format!("`{line}` failed ({status})"))) }
}

/// What a command prints, and nothing when it fails.
fn ask(program: &str, arguments: &[&str]) -> String {
    let answer = Command::new(program).args(arguments).env("LC_ALL", "C").output();
    answer.map(|answer| String::from_utf8_lossy(&answer.stdout).into_owned()).unwrap_or_default()
}
