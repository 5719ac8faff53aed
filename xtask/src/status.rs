//! `cargo xtask status`: what runs, where, and whether it is ready. Changes nothing.

use std::thread;

use serde::Serialize;

use crate::failure::{During, Result};
use crate::home::{Kind, Lock, Recorded, State};
use crate::process::is_alive;
use crate::workspace::Workspace;

/// How to answer.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// Answer in JSON, for programs.
    #[arg(long)]
    json: bool,
}

/// Whether Daybook runs, and every process of it.
#[derive(Debug, Serialize)]
pub struct Report {
    /// Whether a supervisor runs.
    pub running: bool,
    /// The supervisor.
    pub pid: Option<u32>,
    /// Everything it started.
    pub processes: Vec<Line>,
    /// Whether it has found everything ready once.
    #[serde(skip)]
    pub is_ready: bool,
}

/// One process as it is now.
#[derive(Debug, Serialize)]
pub struct Line {
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// Its id, while it runs.
    pub pid: Option<u32>,
    /// Where it is reached.
    pub url: String,
    /// Whether it can do its work.
    pub health: Health,
    /// Why it cannot, where it cannot.
    pub detail: Option<String>,
}

/// Whether a process can do its work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Health {
    /// It says so itself.
    #[serde(rename = "ready")]
    Ready,
    /// It runs, and something is missing.
    #[serde(rename = "not ready")]
    NotReady,
    /// It does not run.
    #[serde(rename = "dead")]
    Dead,
}

impl Health {
    fn name(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::NotReady => "not ready",
            Self::Dead => "dead",
        }
    }
}

/// Prints what runs. Not running is an answer, not a failure.
pub fn run(options: &Options) -> Result<()> {
    let home = Workspace::find()?.home();
    let report = report(Lock::holder(&home), State::load(&home)?);
    if options.json {
        println!("{}", serde_json::to_string_pretty(&report).during(|| "cannot write JSON".into())?);
    } else {
        print(&report);
    }
    Ok(())
}

/// Asks every process how it is, all at once.
fn report(supervisor: Option<u32>, state: State) -> Report {
    let is_ready = state.ready_under.is_some() && state.ready_under == supervisor;
    let asked: Vec<_> =
        state.processes.into_iter().map(|process| thread::spawn(move || ask(process))).collect();
    let processes = asked.into_iter().filter_map(|thread| thread.join().ok()).collect();
    Report { running: supervisor.is_some(), pid: supervisor, processes, is_ready }
}

fn ask(process: Recorded) -> Line {
    let alive = process.pid.filter(|&pid| is_alive(pid));
    let (health, detail) = match alive.map(|_| process.probe.ask()) {
        None => (Health::Dead, None),
        Some(Ok(())) => (Health::Ready, None),
        Some(Err(why)) => (Health::NotReady, Some(why)),
    };
    Line { name: process.name, kind: process.kind, pid: alive, url: process.url, health, detail }
}

fn print(report: &Report) {
    let Some(pid) = report.pid else {
        println!("Daybook is not running. `cargo xtask up` starts it.");
        return;
    };
    let doing = if report.is_ready { "running" } else { "starting" };
    println!("Daybook is {doing} (pid {pid}).\n");
    for line in &report.processes {
        let pid = line.pid.map_or_else(|| "-".to_owned(), |pid| pid.to_string());
        println!("  {:<28} {:>8}  {:<10} {}", line.name, pid, line.health.name(), line.url);
        if let Some(why) = &line.detail {
            println!("  {:<28} {:>8}  {why}", "", "");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::Probe;

    fn recorded(pid: Option<u32>) -> Recorded {
        let (name, url, command) = ("redis".into(), "redis://127.0.0.1:1".into(), String::new());
        Recorded { name, kind: Kind::Server, pid, url, probe: Probe::Redis { port: 1 }, command }
    }

    #[test]
    fn a_process_that_runs_and_does_not_answer_is_not_ready() {
        let line = ask(recorded(Some(std::process::id())));
        assert_eq!(line.health, Health::NotReady);
        assert!(line.detail.is_some());
    }

    #[test]
    fn programs_read_the_promised_fields() {
        let state = State { processes: vec![recorded(None)], ..State::default() };
        let json = serde_json::to_value(report(None, state)).expect("a report");
        let wanted = serde_json::json!({
            "running": false,
            "pid": null,
            "processes": [{
                "name": "redis", "kind": "server", "pid": null, "url": "redis://127.0.0.1:1",
                "health": "dead", "detail": null,
            }],
        });
        assert_eq!(json, wanted);
    }
}
