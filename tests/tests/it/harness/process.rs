//! Daybook's processes, as a test runs them: started with a configuration, killed when dropped.

use std::fs::File;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use super::{eventually, servers, unique};

/// A running process. What it wrote is shown when the test fails.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts `binary` with these arguments and these `DAYBOOK_` variables (named without the prefix), and no
    /// others.
    pub(crate) fn start(binary: &str, arguments: &[&str], settings: &[(&str, &str)]) -> Self {
        let log = std::env::temp_dir().join(unique(binary)).with_extension("log");
        let output = File::create(&log).expect("a log file");
        let mut command = Command::new(servers().binaries.join(binary));
        command.args(arguments).env_clear().stdin(Stdio::null()).stdout(Stdio::null()).stderr(output);
        for (name, value) in settings {
            command.env(format!("DAYBOOK_{name}"), value);
        }
        let child = command.spawn().unwrap_or_else(|error| panic!("{binary} cannot be started: {error}"));
        Self { child, log }
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it wrote until now.
    pub(crate) fn output(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Kills it as a crash would.
    pub(crate) fn kill(&mut self) {
        // It may have ended by itself.
        drop(self.child.kill());
        drop(self.child.wait());
    }

    /// Asks it to end (SIGTERM).
    pub(crate) fn terminate(&self) {
        signal(self.pid(), "TERM");
    }

    /// Waits until it has ended.
    pub(crate) async fn ended(&mut self, within: Duration) -> ExitStatus {
        let child = &mut self.child;
        eventually(within, "the process ends", || {
            let ended = child.try_wait().expect("the process can be asked");
            async move { ended }
        })
        .await
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            eprintln!("--- {}\n{}", self.log.display(), self.output());
        }
        drop(std::fs::remove_file(&self.log));
    }
}

/// Sends a signal, by its name, to a process.
pub(crate) fn signal(pid: u32, name: &str) {
    let sent = Command::new("kill").arg(format!("-{name}")).arg(pid.to_string()).status();
    assert!(sent.is_ok_and(|status| status.success()), "the process takes a signal");
}
