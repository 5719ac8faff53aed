//! One process of callers. It says when it is ready, begins when told to, and reports what its callers saw.

use std::io::{self, BufRead as _, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use daybook_domain::IdSource as _;
use daybook_eventstore::process::SystemIds;
use serde::{Deserialize, Serialize};

use crate::basket::{Past, Text};
use crate::contestants::{self, Contestant, Failed};
use crate::system;
use crate::workload::{Caller, Plan, SEEDED, Workload, stream};

/// What a process of callers is to do.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Orders {
    #[arg(long)]
    pub(crate) contestant: String,
    #[arg(long)]
    pub(crate) workload: String,
    #[arg(long)]
    pub(crate) callers: usize,
    #[arg(long)]
    pub(crate) database: String,
    #[arg(long)]
    pub(crate) milliseconds: u64,
}

/// What it saw.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Seen {
    /// How many answers there were, or events decoded.
    pub(crate) count: u64,
    /// How long each answer took, in microseconds, in order.
    pub(crate) latencies: Vec<u32>,
    /// For how long they were counted, in seconds.
    pub(crate) seconds: f64,
    /// How much processor time the process took meanwhile, in seconds.
    pub(crate) cpu: f64,
    /// The most memory it ever had, in megabytes.
    pub(crate) memory: u64,
}

/// How many events are imported beforehand, and how many then.
const WARMING: usize = 30_000;
const IMPORTED: usize = 300_000;

/// What the parent hears, one a line.
pub(crate) const READY: &str = "ready";
pub(crate) const MEASURING: &str = "measuring";

/// Does it.
pub(crate) async fn run(orders: Orders) -> Result<(), Failed> {
    let plan = Plan::find(&orders.workload).ok_or("there is no such workload")?;
    let contestant: Arc<dyn Contestant> =
        contestants::start(&orders.contestant, &orders.database, orders.callers).await?.into();
    if plan.workload == Workload::Prior {
        let streams: Vec<String> = (0..SEEDED).map(stream).collect();
        contestant.warm(&streams).await?;
    }
    let histories = if let Workload::Import(each) = plan.workload {
        [WARMING, IMPORTED].map(|events| history(events / each, each)).to_vec()
    } else {
        Vec::new()
    };
    say(READY)?;
    io::stdin().lock().read_line(&mut String::new())?;
    let seen = if plan.is_once() {
        once(plan.workload, contestant.as_ref(), histories).await?
    } else {
        again_and_again(plan.workload, &contestant, orders.callers, orders.milliseconds).await?
    };
    say(&serde_json::to_string(&seen)?)?;
    // Its sessions last until the parent has looked at what they take.
    io::stdin().lock().read_line(&mut String::new())?;
    Ok(())
}

/// Does it with many callers for a time.
async fn again_and_again(
    workload: Workload,
    contestant: &Arc<dyn Contestant>,
    callers: usize,
    milliseconds: u64,
) -> Result<Seen, Failed> {
    let run = Duration::from_millis(milliseconds);
    let (counting, stop) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let callers: Vec<_> = (0..callers)
        .map(|number| {
            let caller = Caller::new(workload, number, callers);
            tokio::spawn(call(caller, Arc::clone(contestant), Arc::clone(&counting), Arc::clone(&stop)))
        })
        .collect();
    tokio::time::sleep(run / 4).await;
    say(MEASURING)?;
    let (began, cpu) = (Instant::now(), system::own_cpu());
    counting.store(true, Ordering::Relaxed);
    tokio::time::sleep(run).await;
    counting.store(false, Ordering::Relaxed);
    let (seconds, cpu) = (began.elapsed().as_secs_f64(), system::own_cpu() - cpu);
    stop.store(true, Ordering::Relaxed);
    let mut latencies = Vec::new();
    for caller in callers {
        latencies.extend(caller.await??);
    }
    latencies.sort_unstable();
    let count = u64::try_from(latencies.len())?;
    Ok(Seen { count, latencies, seconds, cpu, memory: system::own_memory() })
}

/// Commands of so many events each.
fn history(commands: usize, each: usize) -> Vec<Past> {
    let past = || {
        let command = SystemIds.next();
        Past { command, events: std::iter::repeat_with(|| Text::some(command)).take(each).collect() }
    };
    std::iter::repeat_with(past).take(commands).collect()
}

/// Does it once, after it was done once before.
async fn once(
    workload: Workload,
    contestant: &dyn Contestant,
    histories: Vec<Vec<Past>>,
) -> Result<Seen, Failed> {
    let mut histories = histories.into_iter();
    let mut run = async || {
        if let Workload::Replay(slices) = workload {
            contestant.replay(slices).await
        } else if let Some(history) = histories.next() {
            contestant.import(history).await
        } else {
            contestant.replay_rare().await
        }
    };
    run().await?;
    // Whoever read has its connection back, so that the next does not pay for a new one.
    tokio::time::sleep(Duration::from_millis(50)).await;
    say(MEASURING)?;
    let (began, cpu) = (Instant::now(), system::own_cpu());
    let count = run().await?;
    let (elapsed, cpu) = (began.elapsed(), system::own_cpu() - cpu);
    let latencies = vec![u32::try_from(elapsed.as_micros())?];
    let seconds = elapsed.as_secs_f64();
    Ok(Seen { count, latencies, seconds, cpu, memory: system::own_memory() })
}

async fn call(
    mut caller: Caller,
    contestant: Arc<dyn Contestant>,
    counting: Arc<AtomicBool>,
    stop: Arc<AtomicBool>,
) -> Result<Vec<u32>, Failed> {
    let mut latencies = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        let began = Instant::now();
        caller.ask(contestant.as_ref()).await?;
        if counting.load(Ordering::Relaxed) {
            latencies.push(u32::try_from(began.elapsed().as_micros()).unwrap_or(u32::MAX));
        }
    }
    Ok(latencies)
}

fn say(line: &str) -> Result<(), Failed> {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}")?;
    Ok(out.flush()?)
}
