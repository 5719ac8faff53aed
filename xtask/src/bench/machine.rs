//! What the numbers were measured on, and how much memory Daybook took meanwhile.

use std::fs;
use std::process::Command;

use serde::Serialize;

use crate::home::{Kind, Recorded};

/// The machine, and what else it does.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Machine {
    /// How many processors there are.
    pub(super) cores: usize,
    /// What kind they are.
    pub(super) processor: Option<String>,
    /// How much memory there is.
    pub(super) memory_mb: Option<u64>,
    /// How many programs wanted to run in the last minute before the benchmark began.
    pub(super) load_before: Option<String>,
    /// Whether the programs were built for speed.
    pub(super) build: &'static str,
}

impl Machine {
    /// This machine now, with these processes of Daybook on it.
    pub(super) fn now(processes: &[Recorded]) -> Self {
        let release = processes.iter().any(|process| process.command.contains("/release/"));
        Self {
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            processor: line_of("/proc/cpuinfo", "model name"),
            memory_mb: line_of("/proc/meminfo", "MemTotal")
                .and_then(|line| line.split(' ').next()?.parse::<u64>().ok())
                .map(|kilobytes| kilobytes / 1_024),
            load_before: load(),
            build: if release { "release" } else { "debug" },
        }
    }
}

/// How much memory was taken, in megabytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[expect(clippy::struct_field_names, reason = "programs that read the JSON learn the unit")]
pub(super) struct Memory {
    /// By Daybook's own processes, each counted whole.
    pub(super) daybook_mb: u64,
    /// By them, with pages that several share counted once; the same where the system does not tell.
    pub(super) daybook_shared_mb: u64,
    /// By the servers, with pages that several share counted once.
    pub(super) servers_mb: u64,
}

impl Memory {
    /// Of these processes now; a server's children count with it.
    pub(super) fn of(processes: &[Recorded]) -> Self {
        let table = table();
        let sum = |kind: Kind, size: fn(&Row) -> u64| {
            let own =
                processes.iter().filter(|process| process.kind == kind).filter_map(|process| process.pid);
            let rows =
                own.flat_map(|pid| table.iter().filter(move |row| row.pid == pid || row.parent == pid));
            rows.map(size).sum::<u64>() / 1_024
        };
        Self {
            daybook_mb: sum(Kind::Daybook, |row| row.resident),
            daybook_shared_mb: sum(Kind::Daybook, Row::proportional),
            servers_mb: sum(Kind::Server, Row::proportional),
        }
    }

    /// The more of each.
    pub(super) fn max(self, other: Self) -> Self {
        Self {
            daybook_mb: self.daybook_mb.max(other.daybook_mb),
            daybook_shared_mb: self.daybook_shared_mb.max(other.daybook_shared_mb),
            servers_mb: self.servers_mb.max(other.servers_mb),
        }
    }
}

/// A process of the system, with its resident size in kilobytes.
struct Row {
    pid: u32,
    parent: u32,
    resident: u64,
}

impl Row {
    /// Its size with its share of the pages that it shares.
    fn proportional(&self) -> u64 {
        let share = line_of(&format!("/proc/{}/smaps_rollup", self.pid), "Pss");
        share.and_then(|line| line.split(' ').next()?.parse().ok()).unwrap_or(self.resident)
    }
}

fn table() -> Vec<Row> {
    let ps = Command::new("ps").args(["-A", "-o", "pid=,ppid=,rss="]).output();
    let text = ps.map(|answer| String::from_utf8_lossy(&answer.stdout).into_owned()).unwrap_or_default();
    text.lines().filter_map(row).collect()
}

fn row(line: &str) -> Option<Row> {
    let mut fields = line.split_whitespace();
    let (pid, parent, resident) = (fields.next()?, fields.next()?, fields.next()?);
    Some(Row { pid: pid.parse().ok()?, parent: parent.parse().ok()?, resident: resident.parse().ok()? })
}

/// The load average of the last minute.
fn load() -> Option<String> {
    let text = fs::read_to_string("/proc/loadavg").ok()?;
    text.split(' ').next().map(str::to_owned)
}

/// What stands behind a name and a colon in a file; nothing on systems that have no such file.
fn line_of(file: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(file).ok()?;
    let line = text.lines().find(|line| line.starts_with(name))?;
    line.split_once(':').map(|(_, value)| value.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use crate::probe::Probe;

    use super::*;

    #[test]
    fn our_own_memory_is_seen() {
        let probe = Probe::Redis { port: 1 };
        let (name, url, command) = (String::new(), String::new(), "/target/release/daybook-api".to_owned());
        let pid = Some(std::process::id());
        let process = Recorded { name, kind: Kind::Daybook, pid, url, probe, command };
        let memory = Memory::of(std::slice::from_ref(&process));
        assert!(memory.daybook_mb >= memory.daybook_shared_mb && memory.daybook_shared_mb > 0);
        assert_eq!(memory.servers_mb, 0);
        let machine = Machine::now(&[process]);
        assert!(machine.cores > 0 && machine.build == "release");
    }
}
