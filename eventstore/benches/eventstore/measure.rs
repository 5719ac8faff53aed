//! One measurement: a database made anew, processes of callers, and what the server did meanwhile.

use std::env;
use std::pin::pin;
use std::process::Stdio;
use std::str::FromStr as _;
use std::time::Duration;

use serde::Serialize;
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions as _, Executor as _, PgConnection, Row as _};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use crate::basket::{RARE, Text};
use crate::child::{MEASURING, READY, Seen};
use crate::contestants::{self, Failed};
#[cfg(feature = "peers")]
use crate::own::Running;
use crate::system;
use crate::workload::{PRIOR, Plan, SEEDED, Stage, Workload};

/// How long a process of callers may take for anything.
const PATIENCE: Duration = Duration::from_mins(2);

/// How many files of 16 MB the log of a server has that has run for a while.
const LOG_FILES: u32 = 160;

/// How long the server may take to end a session that was left.
const ENDING: Duration = Duration::from_millis(100);

/// How long what is done once has been going on when the server's memory is looked at.
const MEANWHILE: Duration = Duration::from_secs(1);

/// What was measured.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Row {
    pub(crate) contestant: String,
    pub(crate) workload: String,
    pub(crate) callers: usize,
    pub(crate) per_s: f64,
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
    pub(crate) wal_bytes_per_event: f64,
    pub(crate) cpu_us_per_event: f64,
    /// The part of it that the callers' processes take.
    pub(crate) client_cpu_us_per_event: f64,
    pub(crate) client_mb: u64,
    pub(crate) server_mb: u64,
}

/// What the server did while it was measured.
struct Served {
    cpu: f64,
    wal: f64,
    memory: u64,
}

/// Who keeps the events while something is measured.
enum Host {
    /// A database of the server that nearly all of them use.
    Shared { url: String, postmaster: u32 },
    /// A server of its own.
    #[cfg(feature = "peers")]
    Own(Running),
}

impl Host {
    fn url(&self) -> String {
        match self {
            Self::Shared { url, .. } => url.clone(),
            #[cfg(feature = "peers")]
            Self::Own(running) => running.url(),
        }
    }

    fn pid(&self) -> u32 {
        match self {
            Self::Shared { postmaster, .. } => *postmaster,
            #[cfg(feature = "peers")]
            Self::Own(running) => running.pid(),
        }
    }
}

/// The server that nearly all of them use.
pub(crate) struct Server {
    url: String,
    admin: PgConnection,
    postmaster: u32,
}

impl Server {
    /// The server behind a URL, which may make and drop databases there.
    pub(crate) async fn connect(url: &str) -> Result<Self, Failed> {
        let mut admin = PgConnectOptions::from_str(url)?.connect().await?;
        let backend: i32 = admin.fetch_one("SELECT pg_backend_pid()").await?.try_get(0)?;
        let postmaster = system::parent_of(backend).ok_or("the server is not on this machine")?;
        run_in(&mut admin).await?;
        Ok(Self { url: url.to_owned(), admin, postmaster })
    }

    /// What it is.
    pub(crate) async fn version(&mut self) -> Result<String, Failed> {
        let settings = "SELECT 'PostgreSQL ' || current_setting('server_version') || ', fsync ' || current_setting('fsync') \
             || ', synchronous_commit ' || current_setting('synchronous_commit')";
        Ok(self.admin.fetch_one(settings).await?.try_get(0)?)
    }

    fn database(&self, name: &str) -> Result<String, Failed> {
        let (server, _) = self.url.rsplit_once('/').ok_or("the URL names no database")?;
        Ok(format!("{server}/{name}"))
    }

    /// Measures one contestant once.
    pub(crate) async fn measure(
        &mut self,
        plan: &Plan,
        contestant: &str,
        callers: usize,
        run: Duration,
    ) -> Result<Row, Failed> {
        let host = self.host(plan, contestant).await?;
        let mut processes = Vec::new();
        for _ in 0..plan.processes {
            processes.push(Process::start(plan, contestant, callers, &host.url(), run)?);
        }
        for process in &mut processes {
            process.hear(READY).await?;
        }
        for process in &mut processes {
            process.begin().await?;
        }
        for process in &mut processes {
            process.hear(MEASURING).await?;
        }
        let (cpu, wal) = (system::cpu_with_children(host.pid()), self.written(&host).await?);
        let (mut seen, mut memory) = (Vec::new(), 0);
        if plan.is_once() {
            let report;
            (report, memory) = once(&host, &mut processes[0]).await?;
            seen.push(report);
            // What sessions took that it has ended counts when they are gone.
            tokio::time::sleep(ENDING).await;
        } else {
            // They report only after the time is over, so this is when it is.
            tokio::time::sleep(run).await;
        }
        let (cpu, wal) = (system::cpu_with_children(host.pid()) - cpu, self.written(&host).await? - wal);
        for process in processes.iter_mut().skip(seen.len()) {
            seen.push(process.report().await?);
        }
        // To look takes time, so it comes last: the callers still have their sessions.
        let memory = system::own_memory_of_all(host.pid()).max(memory);
        Ok(row(plan, contestant, callers, &seen, &Served { cpu, wal, memory }))
    }

    /// Who keeps the events, with the streams that the workload needs.
    async fn host(&mut self, plan: &Plan, contestant: &str) -> Result<Host, Failed> {
        #[cfg(feature = "peers")]
        if contestant == "umadb" {
            return Ok(Host::Own(Running::start(plan.stage().streams().1).await?));
        }
        Ok(Host::Shared { url: self.fresh(plan, contestant).await?, postmaster: self.postmaster })
    }

    /// How many bytes of WAL were written so far; by who has none, how many bytes.
    async fn written(&mut self, host: &Host) -> Result<f64, Failed> {
        match host {
            Host::Shared { .. } => self.wal().await,
            #[cfg(feature = "peers")]
            Host::Own(running) => Ok(system::bytes_written(running.pid())),
        }
    }

    async fn wal(&mut self) -> Result<f64, Failed> {
        Ok(self
            .admin
            .fetch_one("SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::float8")
            .await?
            .try_get(0)?)
    }

    /// A database as the workload needs it.
    async fn fresh(&mut self, plan: &Plan, contestant: &str) -> Result<String, Failed> {
        let kind = match contestant {
            "daybook" => "daybook",
            "copy" => "copy",
            "disintegrate" => "disintegrate",
            _ if contestant.starts_with("order-") => "order",
            _ => "plain",
        };
        let (stage, streams) = plan.stage().streams();
        let template = format!("bench_{kind}_{stage}");
        let exists = format!("SELECT 1 FROM pg_database WHERE datname = '{template}'");
        if self.admin.fetch_optional(exists.as_str()).await?.is_none() {
            self.admin.execute(format!("CREATE DATABASE {template}_half").as_str()).await?;
            let half = self.database(&format!("{template}_half"))?;
            contestants::prepare(contestant, &half).await?;
            seed(&half, kind, streams).await?;
            self.admin
                .execute(format!("ALTER DATABASE {template}_half RENAME TO {template}").as_str())
                .await?;
        }
        if plan.stage() == Stage::Log {
            return self.database(&template);
        }
        self.admin.execute("DROP DATABASE IF EXISTS bench WITH (FORCE)").await?;
        let copy = format!("CREATE DATABASE bench TEMPLATE {template} STRATEGY file_copy");
        self.admin.execute(copy.as_str()).await?;
        self.admin.execute("CHECKPOINT").await?;
        self.database("bench")
    }
}

/// Makes the files of the server's log, which one that has run for a while writes over: to make one holds everybody up for
/// milliseconds.
async fn run_in(admin: &mut PgConnection) -> Result<(), Failed> {
    for _ in 0..LOG_FILES {
        admin.execute("SELECT pg_logical_emit_message(false, 'bench', ''), pg_switch_wal()").await?;
    }
    admin.execute("CHECKPOINT").await?;
    Ok(())
}

/// What a process did once, and the server's memory meanwhile: sessions made for it are gone when it is done.
async fn once(host: &Host, process: &mut Process) -> Result<(Seen, u64), Failed> {
    let mut report = pin!(process.report());
    if let Ok(seen) = tokio::time::timeout(MEANWHILE, &mut report).await {
        return Ok((seen?, 0));
    }
    let memory = system::own_memory_of_all(host.pid());
    Ok((report.await?, memory))
}

/// Writes the streams that are there beforehand.
async fn seed(database: &str, kind: &str, streams: u32) -> Result<(), Failed> {
    let mut connection = PgConnectOptions::from_str(database)?.connect().await?;
    #[cfg(feature = "peers")]
    if kind == "disintegrate" {
        return contestants::disintegrate::seed(&mut connection, streams).await;
    }
    let id = "lpad(to_hex(s), 8, '0') || '-0000-7000-8000-' || lpad(to_hex(s), 12, '0')";
    let Text { payload, metadata } = Text::some(uuid::Uuid::nil());
    let (rest, position) = match kind {
        "daybook" => (", gen_random_uuid(), now()", ", event_id, recorded_at"),
        _ => ("", ""),
    };
    // Round after round of all streams, as time goes by.
    let script = format!(
        "INSERT INTO events (aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata, \
         position{position}) \
         SELECT 'Basket', {id}, n, CASE WHEN p % 10000 = 0 THEN '{RARE}' ELSE 'LineAdded' END, '1', \
         '{payload}'::json, '{metadata}'::json, p{rest} \
         FROM (SELECT s, n, (n - 1) * {streams}::bigint + s + 1 AS p FROM generate_series(1, {PRIOR}) n, \
         generate_series(0, {streams} - 1) s) e ORDER BY p; ANALYZE events"
    );
    if kind == "plain" {
        connection.execute("ALTER TABLE events ADD position bigint").await?;
    }
    connection.execute(sqlx::raw_sql(&script)).await?;
    if kind == "plain" {
        let ready = if streams > SEEDED {
            "CREATE INDEX ON events (position)"
        } else {
            "ALTER TABLE events DROP position"
        };
        connection.execute(ready).await?;
    } else if kind == "daybook" {
        let head = format!("UPDATE log_head SET position = {}", i64::from(streams) * PRIOR);
        connection.execute(head.as_str()).await?;
        // As whoever appended them would have done.
        connection.execute("SELECT extend_event_directory(2147483647)").await?;
    }
    // What nobody has read yet is not a reader's fault.
    connection.execute("VACUUM (ANALYZE) events").await?;
    Ok(())
}

fn row(plan: &Plan, contestant: &str, callers: usize, seen: &[Seen], server: &Served) -> Row {
    let mut latencies: Vec<u32> = seen.iter().flat_map(|one| one.latencies.iter().copied()).collect();
    latencies.sort_unstable();
    let per_s: f64 = seen.iter().map(|one| count(one.count) / one.seconds).sum();
    let each =
        if let Workload::Append(events) = plan.workload { u64::try_from(events).unwrap_or(1) } else { 1 };
    let events = count(each * seen.iter().map(|one| one.count).sum::<u64>());
    let percentile = |percent: usize| {
        latencies.get(latencies.len() * percent / 100).map_or(f64::NAN, |&micros| f64::from(micros) / 1e3)
    };
    let client_cpu: f64 = seen.iter().map(|one| one.cpu).sum();
    Row {
        contestant: contestant.to_owned(),
        workload: plan.name.to_owned(),
        callers,
        per_s,
        p50_ms: percentile(50),
        p99_ms: percentile(99),
        wal_bytes_per_event: server.wal / events,
        cpu_us_per_event: (server.cpu + client_cpu) * 1e6 / events,
        client_cpu_us_per_event: client_cpu * 1e6 / events,
        client_mb: seen.iter().map(|one| one.memory).max().unwrap_or(0),
        server_mb: server.memory,
    }
}

fn count(n: u64) -> f64 {
    f64::from(u32::try_from(n).unwrap_or(u32::MAX))
}

/// A process of callers.
struct Process {
    // Killed when dropped.
    _child: Child,
    told: ChildStdin,
    said: Lines<BufReader<ChildStdout>>,
}

impl Process {
    fn start(
        plan: &Plan,
        contestant: &str,
        callers: usize,
        database: &str,
        run: Duration,
    ) -> Result<Self, Failed> {
        let mut child = Command::new(env::current_exe()?)
            .args(["child", "--contestant", contestant, "--workload", plan.name])
            .args(["--callers", &callers.to_string(), "--database", database])
            .args(["--milliseconds", &run.as_millis().to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let told = child.stdin.take().ok_or("no way in")?;
        let said = BufReader::new(child.stdout.take().ok_or("no way out")?).lines();
        Ok(Self { _child: child, told, said })
    }

    async fn line(&mut self) -> Result<String, Failed> {
        let line = tokio::time::timeout(PATIENCE, self.said.next_line()).await??;
        Ok(line.ok_or("a process of callers failed")?)
    }

    async fn hear(&mut self, expected: &str) -> Result<(), Failed> {
        let line = self.line().await?;
        if line == expected { Ok(()) } else { Err(format!("heard {line}, not {expected}").into()) }
    }

    async fn begin(&mut self) -> Result<(), Failed> {
        Ok(self.told.write_all(b"go\n").await?)
    }

    async fn report(&mut self) -> Result<Seen, Failed> {
        Ok(serde_json::from_str(&self.line().await?)?)
    }
}
