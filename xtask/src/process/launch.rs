//! How one child process is to be started. Describes; starts only when told to.

use std::ffi::{OsStr, OsString};
use std::fs::OpenOptions;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use rustix::process::Signal;

use crate::failure::{During, Failure, Result};

use super::Account;
use super::nursery;
use super::running::Running;

/// How to start one child process, and how to stop it again.
#[derive(Debug, Clone)]
pub struct Launch {
    program: PathBuf,
    arguments: Vec<OsString>,
    environment: Vec<(String, OsString)>,
    withheld: Vec<String>,
    folder: PathBuf,
    log: Option<PathBuf>,
    account: Option<Account>,
    stop_with: Signal,
    on_orphan: Signal,
    grace: Duration,
}

impl Launch {
    /// A program with no arguments, stopped with SIGTERM and ten seconds of patience.
    pub fn new(program: impl Into<PathBuf>) -> Self {
        Self {
            program: program.into(),
            arguments: Vec::new(),
            environment: Vec::new(),
            withheld: Vec::new(),
            // Any account may enter it, unlike the folder we were started in.
            folder: PathBuf::from("/"),
            log: None,
            account: None,
            stop_with: Signal::TERM,
            on_orphan: Signal::KILL,
            grace: Duration::from_secs(10),
        }
    }

    /// Adds one argument.
    #[must_use]
    pub fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.arguments.push(argument.as_ref().to_owned());
        self
    }

    /// Adds several arguments.
    #[must_use]
    pub fn args<A: AsRef<OsStr>>(mut self, arguments: impl IntoIterator<Item = A>) -> Self {
        self.arguments.extend(arguments.into_iter().map(|argument| argument.as_ref().to_owned()));
        self
    }

    /// Sets one variable of the environment.
    #[must_use]
    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.environment.push((name.to_owned(), value.as_ref().to_owned()));
        self
    }

    /// Withholds variables of our own environment.
    #[must_use]
    pub fn without(mut self, names: &[String]) -> Self {
        self.withheld.extend_from_slice(names);
        self
    }

    /// The folder the program starts in.
    #[must_use]
    pub fn folder(mut self, folder: &Path) -> Self {
        folder.clone_into(&mut self.folder);
        self
    }

    /// Appends what the program prints to a file.
    #[must_use]
    pub fn log_to(mut self, file: &Path) -> Self {
        self.log = Some(file.to_owned());
        self
    }

    /// Runs the program under another account.
    #[must_use]
    pub fn account(mut self, account: Option<&Account>) -> Self {
        self.account = account.cloned();
        self
    }

    /// The signal that stops the program in good order, and how long that may take before SIGKILL.
    #[must_use]
    pub fn stop_with(mut self, signal: Signal, grace: Duration) -> Self {
        self.stop_with = signal;
        self.grace = grace;
        self
    }

    /// The signal the kernel sends when whoever started the program is gone (Linux).
    #[must_use]
    pub fn on_orphan(mut self, signal: Signal) -> Self {
        self.on_orphan = signal;
        self
    }

    /// The command as the system lists it while it runs.
    pub fn line(&self) -> String {
        let words =
            std::iter::once(self.program.as_os_str()).chain(self.arguments.iter().map(OsString::as_os_str));
        words.map(OsStr::to_string_lossy).collect::<Vec<_>>().join(" ")
    }

    /// Where the program's output goes.
    pub fn log(&self) -> Option<&Path> {
        self.log.as_deref()
    }

    /// Starts the program in the background.
    pub fn start(&self) -> Result<Running> {
        let mut command = self.command();
        command.stdin(Stdio::null()).process_group(0);
        if let Some(file) = &self.log {
            let log = OpenOptions::new().create(true).append(true).open(file);
            let log = log.during(|| format!("cannot open {}", file.display()))?;
            let copy = log.try_clone().during(|| format!("cannot open {}", file.display()))?;
            command.stdout(log).stderr(copy);
        }
        let child = nursery::spawn(command).during(|| format!("cannot start {}", self.program.display()))?;
        Ok(Running::new(child, self.stop_with, self.grace))
    }

    /// Runs the program to its end and keeps what it printed.
    pub fn output(&self) -> Result<Output> {
        let mut command = self.command();
        command.stdin(Stdio::null());
        command.output().during(|| format!("cannot run {}", self.program.display()))
    }

    /// Runs the program to its end; what it printed is the reason when it fails.
    pub fn run(&self) -> Result<String> {
        let output = self.output()?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned());
        }
        let said = String::from_utf8_lossy(&output.stderr);
        Err(Failure::new(format!("{} failed ({}): {}", self.program.display(), output.status, said.trim())))
    }

    fn command(&self) -> Command {
        let mut command = match setpriv() {
            Some(setpriv) => self.through(setpriv),
            None => self.direct(),
        };
        // A developer's own PGHOST or PGSERVICE must not reach into a private server.
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("PG") {
                command.env_remove(name);
            }
        }
        for name in &self.withheld {
            command.env_remove(name);
        }
        command.current_dir(&self.folder).envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    fn through(&self, setpriv: &Path) -> Command {
        let mut command = Command::new(setpriv);
        if let Some(account) = &self.account {
            command.arg(format!("--reuid={}", account.user)).arg(format!("--regid={}", account.group));
            command.args(["--clear-groups", "--inh-caps=-all"]);
        }
        command
            .arg("--pdeathsig")
            .arg(name_of(self.on_orphan))
            .arg("--")
            .arg(&self.program)
            .args(&self.arguments);
        command
    }

    fn direct(&self) -> Command {
        let mut command = Command::new(&self.program);
        if let Some(account) = &self.account {
            command.uid(account.user).gid(account.group);
        }
        command.args(&self.arguments);
        command
    }
}

/// `setpriv` of util-linux, where it knows how to bind a child's life to its parent's.
fn setpriv() -> Option<&'static Path> {
    static FOUND: OnceLock<Option<PathBuf>> = OnceLock::new();
    let look = || {
        let help = Command::new("setpriv").arg("--help").output().ok()?;
        String::from_utf8_lossy(&help.stdout).contains("--pdeathsig").then(|| PathBuf::from("setpriv"))
    };
    FOUND.get_or_init(look).as_deref()
}

fn name_of(signal: Signal) -> &'static str {
    match signal {
        Signal::INT => "INT",
        Signal::TERM => "TERM",
        _ => "KILL",
    }
}
