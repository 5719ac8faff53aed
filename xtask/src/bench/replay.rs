//! `cargo xtask bench replay`: how fast the log is read into what analysts and auditors want of it, beside what PostgreSQL
//! itself needs to copy the same events out. On a private PostgreSQL that exists only meanwhile.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::failure::{During, Failure, Result};
use crate::install;
use crate::interrupt::Interrupt;
use crate::process::{Launch, Signal};
use crate::progress::Step;
use crate::random;
use crate::servers::{Profile, Scratch, Server};
use crate::table;
use crate::tools::Tool;
use crate::workspace::Workspace;

use super::audit;
use super::decimal::Decimal;
use super::load::Measured;

/// How often a program that runs is looked at.
const GLANCE: Duration = Duration::from_millis(20);
/// How long the notary may take to sign everything.
const SIGNING: Duration = Duration::from_mins(10);
/// Until the next version is live, without comparing it with the one before.
const REBUILD: &[&str] = &["rebuild", "orders", "--switch", "--unchecked"];
/// What the benchmark's projections are, but for the types of event there are.
const BY_DAY: &str = include_str!("../../assets/by_day.sql");
const BY_FIELD: &str = include_str!("../../assets/by_field.sql");

/// What to measure, and how.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// The year that the log is made of: the "Online Retail" data set, as docs/import.md says.
    file: PathBuf,
    /// Write what was found to this file, as JSON.
    #[arg(long)]
    json: Option<PathBuf>,
    /// How often everything is measured; the medians are reported.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=20))]
    runs: u32,
    /// Measure only these workloads, beside `copy-out`.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
}

/// What one workload came to.
#[derive(Debug, Serialize)]
struct Row {
    workload: &'static str,
    /// How many events went by, or how many questions were asked.
    events: u64,
    per_s: Decimal,
    seconds: Decimal,
    /// Its speed in hundredths of that of `copy-out`.
    percent_of_copy_out: u64,
    /// The most memory that the program had.
    memory_mb: u64,
    /// How long a question took that half of them, and all but one in a hundred, did not take longer than.
    #[serde(skip_serializing_if = "Option::is_none")]
    p50_ms: Option<Decimal>,
    #[serde(skip_serializing_if = "Option::is_none")]
    p99_ms: Option<Decimal>,
}

/// A log, and the programs that read it.
pub(super) struct Bench {
    server: Server,
    programs: PathBuf,
    pub(super) folder: PathBuf,
    settings: Vec<(&'static str, String)>,
    pub(super) interrupt: Interrupt,
    events: u64,
}

/// A workload: its name, and what is run.
type Workload = (&'static str, fn(&Bench) -> Result<Launch>);

const WORKLOADS: [Workload; 7] = [
    ("copy-out", |bench| bench.sql("daybook_events", "COPY events TO '/dev/null'")),
    ("sql-projection", |bench| bench.project("by_day", BY_DAY)),
    ("sql-projection-payload", |bench| bench.project("by_field", BY_FIELD)),
    ("rebuild-orders", |bench| Ok(bench.replay(REBUILD))),
    ("compare-orders", |bench| Ok(bench.replay(&["compare", "orders"]))),
    ("export", |bench| {
        let folder = bench.folder.join("export");
        crate::servers::remove(&folder)?;
        Ok(bench.replay(&["export"]).arg(folder))
    }),
    ("verify", |bench| Ok(bench.replay(&["verify"]))),
];

/// What is asked of the index that auditors look things up in.
const AUDIT: &str = "audit-query";

pub(super) fn run(options: &Options) -> Result<()> {
    let names: Vec<&str> = WORKLOADS.iter().map(|(name, _)| *name).chain([AUDIT]).collect();
    if let Some(unknown) = options.only.iter().find(|name| !names.contains(&name.as_str())) {
        return Err(Failure::new(format!("there is no workload {unknown}, only {}", names.join(", "))));
    }
    let chosen: Vec<Workload> = WORKLOADS
        .into_iter()
        .filter(|(name, _)| {
            *name == "copy-out" || options.only.is_empty() || options.only.iter().any(|only| only == name)
        })
        .collect();
    let mut scratch = Scratch::new()?;
    let bench = Bench::set(&mut scratch, &options.file)?;
    let mut measured: Vec<Vec<(Duration, u64)>> = chosen.iter().map(|_| Vec::new()).collect();
    for run in 1..=options.runs {
        for ((name, launch), found) in chosen.iter().zip(&mut measured) {
            let step = Step::begin(format!("{name}, run {run} of {}", options.runs));
            let took = bench.time(&launch(&bench)?)?;
            step.done(&format!("{} events a second", Decimal::rate(bench.events, took.0)));
            found.push(took);
        }
    }
    let mut rows = rows(&chosen, measured, bench.events);
    if options.only.is_empty() || options.only.iter().any(|only| only == AUDIT) {
        rows.push(asked(&audit::ask(&bench)?));
    }
    for line in table::lines(&shown(&rows)) {
        println!("{line}");
    }
    if let Some(file) = &options.json {
        let json = serde_json::to_string_pretty(&rows).during(|| "cannot write JSON".into())?;
        fs::write(file, json).during(|| format!("cannot write {}", file.display()))?;
    }
    Ok(())
}

/// The medians, in the order of the workloads; the first one is what the others are compared with.
fn rows(chosen: &[Workload], measured: Vec<Vec<(Duration, u64)>>, events: u64) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    let mut copied = Duration::ZERO;
    for ((workload, _), mut runs) in chosen.iter().zip(measured) {
        let memory_mb = runs.iter().map(|(_, memory)| *memory).max().unwrap_or_default();
        runs.sort();
        let (took, _) = runs[runs.len() / 2];
        if rows.is_empty() {
            copied = took;
        }
        let percent = copied.as_millis() * 100 / took.as_millis().max(1);
        rows.push(Row {
            workload,
            events,
            per_s: Decimal::rate(events, took),
            seconds: Decimal::seconds(took),
            percent_of_copy_out: u64::try_from(percent).unwrap_or(u64::MAX),
            memory_mb,
            p50_ms: None,
            p99_ms: None,
        });
    }
    rows
}

/// What the auditors' questions came to.
fn asked(measured: &Measured) -> Row {
    let questions = u64::try_from(measured.latencies.len()).unwrap_or(u64::MAX);
    Row {
        workload: AUDIT,
        events: questions,
        per_s: Decimal::rate(questions, measured.elapsed),
        seconds: Decimal::seconds(measured.elapsed),
        percent_of_copy_out: 0,
        memory_mb: 0,
        p50_ms: Some(Decimal::milliseconds(measured.percentile(50))),
        p99_ms: Some(Decimal::milliseconds(measured.percentile(99))),
    }
}

fn shown(rows: &[Row]) -> Vec<Vec<String>> {
    let head = ["workload", "events/s", "seconds", "% of copy-out", "MB", "p50 ms", "p99 ms"]
        .map(str::to_owned)
        .to_vec();
    let cells = rows.iter().map(|row| {
        vec![
            row.workload.to_owned(),
            row.per_s.to_string(),
            row.seconds.to_string(),
            row.percent_of_copy_out.to_string(),
            row.memory_mb.to_string(),
            row.p50_ms.map(|took| took.to_string()).unwrap_or_default(),
            row.p99_ms.map(|took| took.to_string()).unwrap_or_default(),
        ]
    });
    std::iter::once(head).chain(cells).collect()
}

impl Bench {
    /// A server with the whole year in its log, signed, and with a read model of orders.
    fn set(scratch: &mut Scratch, file: &Path) -> Result<Self> {
        let file = file.canonicalize().during(|| format!("cannot find {}", file.display()))?;
        let workspace = Workspace::find()?;
        let interrupt = Interrupt::listen()?;
        install::ensure(&interrupt)?;
        let step = Step::begin_loud("Building the programs");
        let build = [
            "build",
            "--release",
            "--package",
            "daybook-replay",
            "--package",
            "daybook-projections",
            "--package",
            "daybook-api",
            "--bins",
        ];
        if !workspace.cargo(&build, &[], &interrupt)? {
            return Err(Failure::new("the programs cannot be built"));
        }
        step.done("");
        let step = Step::begin("Starting PostgreSQL");
        let server = scratch.primary(Profile::BENCH)?;
        step.done("");
        let url = server.url();
        let settings = vec![
            ("DAYBOOK_EVENTS_URL", format!("{url}/daybook_events")),
            ("DAYBOOK_READ_URL", format!("{url}/daybook_read")),
            ("DAYBOOK_VAULT_KEY", random::hex::<32>()?),
            ("DAYBOOK_NOTARY_KEY", random::hex::<32>()?),
            ("DAYBOOK_NOTARY_ORIGIN", "localhost/bench".to_owned()),
            ("DAYBOOK_NOTARY_SECONDS", "1".to_owned()),
            ("DAYBOOK_TOKEN_KEY", random::hex::<32>()?),
            ("DAYBOOK_WEBHOOK_SECRET", random::hex::<32>()?),
            ("DAYBOOK_LOG", "error".to_owned()),
        ];
        let (programs, folder) = (workspace.programs(true), scratch.site().home.clone());
        let mut bench = Self { server, programs, folder, settings, interrupt, events: 0 };
        for database in ["daybook_events", "daybook_read"] {
            bench.ask("postgres", &format!("CREATE DATABASE {database}"))?;
        }
        bench.time(&bench.replay(&["migrate"]))?;
        let step = Step::begin("Importing the year");
        bench.time(&bench.replay(&["import", "online-retail"]).arg(file))?;
        bench.ask("daybook_events", "VACUUM ANALYZE events")?;
        bench.events = bench.count("SELECT position FROM log_head", "daybook_events")?;
        step.done(&format!("{} events", bench.events));
        bench.sign()?;
        // The first version, beside which others are built.
        bench.time(&bench.replay(&["rebuild", "orders"]))?;
        Ok(bench)
    }

    /// Has the notary sign everything.
    fn sign(&self) -> Result<()> {
        let step = Step::begin("Signing the log");
        let notary = self.program("daybook-projector").arg("notary").log_to(&self.folder.join("notary.log"));
        let mut notary = notary.stop_with(Signal::TERM, GLANCE * 500).start()?;
        let deadline = Instant::now() + SIGNING;
        while self.count("SELECT coalesce(max(size), 0) FROM notary_checkpoints", "daybook_read")?
            < self.events
        {
            self.interrupt.check()?;
            if Instant::now() > deadline || notary.ended().is_some() {
                return Err(Failure::new("the notary did not sign the log"));
            }
            thread::sleep(GLANCE * 10);
        }
        notary.stop();
        step.done("");
        Ok(())
    }

    /// What the programs are told under this name.
    pub(super) fn setting(&self, name: &str) -> String {
        let found = self.settings.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| value.clone()).unwrap_or_default()
    }

    /// One of Daybook's programs, on this log.
    pub(super) fn program(&self, name: &str) -> Launch {
        let launch = Launch::new(self.programs.join(name));
        self.settings.iter().fold(launch, |launch, (name, value)| launch.env(name, value))
    }

    pub(super) fn replay(&self, arguments: &[&str]) -> Launch {
        self.program("daybook-replay").args(arguments).log_to(&self.folder.join("replay.log"))
    }

    /// A projection over all types of event that the log has.
    fn project(&self, name: &str, source: &str) -> Result<Launch> {
        let types = self.ask("daybook_events", "SELECT string_agg(DISTINCT event_type, ', ') FROM events")?;
        let file = self.folder.join(name).with_extension("sql");
        fs::write(&file, source.replace("ALL_TYPES", types.trim()))
            .during(|| format!("cannot write {}", file.display()))?;
        Ok(self.replay(&["run"]).arg(file).args(["--rows", "0"]))
    }

    fn sql(&self, database: &str, statement: &str) -> Result<Launch> {
        let psql = Tool::Postgres.get()?.folder.join("psql");
        let url = format!("{}/{database}", self.server.url());
        Ok(Launch::new(psql)
            .args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--command", statement])
            .arg(url))
    }

    pub(super) fn ask(&self, database: &str, statement: &str) -> Result<String> {
        self.sql(database, statement)?.run()
    }

    fn count(&self, statement: &str, database: &str) -> Result<u64> {
        let answer = self.ask(database, statement)?;
        answer.trim().parse().during(|| format!("`{statement}` gave no number"))
    }

    /// How long a program takes, and how much memory it has at most, in megabytes.
    pub(super) fn time(&self, command: &Launch) -> Result<(Duration, u64)> {
        let began = Instant::now();
        let (mut running, mut memory) = (command.start()?, 0);
        loop {
            let ended = running.ended();
            let took = began.elapsed();
            if let Some(status) = ended {
                if status.success() {
                    return Ok((took, memory / 1_024));
                }
                let log = crate::servers::last_lines(&self.folder.join("replay.log"));
                return Err(Failure::new(format!("`{}` failed ({status}): {log}", command.line())));
            }
            memory = memory.max(most_memory(running.pid()));
            self.interrupt.check()?;
            thread::sleep(GLANCE);
        }
    }
}

/// The most memory that a process has had, in kilobytes; nothing on systems that do not tell.
fn most_memory(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let most = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    most.and_then(|most| most.split_whitespace().next()?.parse().ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_run_counts_and_is_compared_with_the_first_workload() {
        let seconds = |all: &[u64]| all.iter().map(|one| (Duration::from_secs(*one), *one)).collect();
        let rows = rows(&WORKLOADS[..2], vec![seconds(&[2, 1, 3]), seconds(&[4, 9, 3])], 1_000);
        let json = serde_json::to_value(&rows).expect("json");
        assert_eq!((&json[0]["workload"], &json[0]["per_s"]), (&"copy-out".into(), &500.0.into()));
        assert_eq!((&json[0]["percent_of_copy_out"], &json[0]["seconds"]), (&100.into(), &2.0.into()));
        assert_eq!((&json[1]["percent_of_copy_out"], &json[1]["memory_mb"]), (&50.into(), &9.into()));
        assert_eq!(shown(&rows)[2][2], "4.000");
    }

    #[test]
    fn our_own_memory_is_told() {
        assert!(!cfg!(target_os = "linux") || most_memory(std::process::id()) > 0);
    }
}
