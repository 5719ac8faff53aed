//! Processes of an earlier supervisor that was killed, on systems where they did not die with it.

use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use crate::daybook::GRACE;
use crate::home::{Recorded, State};
use crate::process::{Signal, is_alive, signal};

/// Stops what is left of the last start, the last one started first.
pub(super) fn stop(state: &State) {
    for (pid, process) in state.processes.iter().rev().filter_map(|process| Some((process.pid?, process))) {
        if is_still(pid, process) {
            // SIGINT ends PostgreSQL's sessions, where SIGTERM would wait for them; all others obey it too.
            signal(pid, Signal::INT);
            let deadline = Instant::now() + GRACE;
            while is_alive(pid) && Instant::now() < deadline {
                thread::sleep(Duration::from_millis(50));
            }
            if is_still(pid, process) {
                signal(pid, Signal::KILL);
            }
        }
    }
}

/// Whether a process id still means what was started then, and not something of somebody else.
fn is_still(pid: u32, process: &Recorded) -> bool {
    let ps = Command::new("ps").args(["-ww", "-o", "args=", "-p", &pid.to_string()]).output();
    ps.is_ok_and(|answer| String::from_utf8_lossy(&answer.stdout).trim() == process.command)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::home::Kind;
    use crate::probe::Probe;

    fn left(pid: u32, command: &str) -> State {
        let probe = Probe::Redis { port: 1 };
        let (name, url, command) = ("sleeper".into(), String::new(), command.into());
        let process = Recorded { name, kind: Kind::Daybook, pid: Some(pid), url, probe, command };
        State { processes: vec![process], ..State::default() }
    }

    #[test]
    fn only_what_we_started_is_stopped() {
        let mut child = Command::new("sleep").arg("61.25").spawn().expect("sleep starts");
        stop(&left(child.id(), "sleep 60"));
        assert_eq!(child.try_wait().expect("a child"), None);
        let pid = child.id();
        let reaper = thread::spawn(move || child.wait());
        stop(&left(pid, "sleep 61.25"));
        assert!(reaper.join().expect("no panic").is_ok_and(|status| !status.success()));
    }
}
