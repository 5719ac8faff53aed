//! From the command line to the report: servers of its own, the planted mistakes, and round after round.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use sqlx::PgPool;
use xtask::random;
use xtask::servers::{Profile, Scratch};

use super::dice::Dice;
use super::report::{Report, Round};
use super::round::{self, Plan, Site};
use super::{Failed, planted};

/// The longest round: what a round saw is kept in memory until it is judged.
const ROUND: Duration = Duration::from_mins(3);
/// Like those of `cargo xtask test`, but a commit is on disk when it is acknowledged: without waiting for that, few would
/// be on their way when something is killed.
const PROFILE: Profile = Profile { durable: true, ..Profile::TEST };

/// What to do, and for how long.
#[derive(Debug, Clone, clap::Args)]
pub struct Options {
    /// For how many minutes the store is written to.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
    minutes: u64,
    /// The same in seconds.
    #[arg(long, conflicts_with = "minutes", value_parser = clap::value_parser!(u64).range(1..))]
    seconds: Option<u64>,
    /// What everything that is chosen follows from; without one, another one every time.
    #[arg(long)]
    seed: Option<u64>,
    /// How many processes write.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..))]
    writers: u16,
    /// Write what was found to this file, as JSON.
    #[arg(long)]
    json: Option<PathBuf>,
}

/// Does it.
///
/// # Errors
/// When the servers cannot be started, or something ended that nobody killed.
pub fn run(options: &Options) -> Result<Report, Failed> {
    let began = Instant::now();
    let seed = match options.seed {
        Some(seed) => seed,
        // A number that is quick to type.
        None => u64::from(u32::from_be_bytes(random::bytes()?)),
    };
    tell(&format!("seed {seed}"));
    let mut scratch = Scratch::new()?;
    let (postgres, replica) = scratch.postgres(PROFILE)?;
    let nats = scratch.nats()?;
    let home = scratch.site().home.clone();
    let (logs, histories) = (home.join("logs"), home.join("histories"));
    let site = Site { postgres, replica, nats, logs, histories };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let ran = runtime.block_on(all(site, options, seed, began));
    if ran.as_ref().map_or(true, |(_, report)| !report.rounds.iter().all(Round::is_right)) {
        keep(&home, seed)?;
    }
    let (site, report) = ran?;
    drop(site);
    if let Some(file) = &options.json {
        std::fs::write(file, serde_json::to_string_pretty(&report)?)?;
    }
    Ok(report)
}

/// Saves what tells of what went wrong from the folder that goes with the servers.
fn keep(home: &Path, seed: u64) -> Result<(), Failed> {
    let kept = std::env::temp_dir().join(format!("daybook-oracle-{seed}-{}", std::process::id()));
    std::fs::create_dir_all(&kept)?;
    for folder in ["histories", "logs"] {
        // It may have come to nothing before there was one.
        drop(std::fs::rename(home.join(folder), kept.join(folder)));
    }
    tell(&format!("the histories and the logs are in {}", kept.display()));
    Ok(())
}

async fn all(mut site: Site, options: &Options, seed: u64, began: Instant) -> Result<(Site, Report), Failed> {
    let pool = PgPool::connect(&format!("{}/postgres", site.postgres.url())).await?;
    let planted = planted::judge(&pool, seed).await?;
    pool.close().await;
    tell("the planted mistakes are judged");
    let total = Duration::from_secs(options.seconds.unwrap_or(options.minutes * 60));
    let (mut rounds, mut left) = (Vec::new(), total);
    while !left.is_zero() {
        let number = u64::try_from(rounds.len())? + 1;
        // The first round's seed is the one that was given, so that any round can be the first of another run.
        let seed = if number == 1 { seed } else { Dice::of(seed, &[number]).roll() };
        let time = left.min(ROUND);
        left -= time;
        let (back, round) =
            round::run(site, Plan { number, seed, writers: options.writers.into(), time }).await?;
        site = back;
        tell(&format!(
            "round {number}: {} events, {}",
            round.events,
            if round.is_right() { "right" } else { "WRONG" }
        ));
        let is_right = round.is_right();
        rounds.push(round);
        if !is_right {
            break;
        }
    }
    Ok((site, Report::new(seed, options.writers.into(), began.elapsed(), planted, rounds)))
}

#[expect(clippy::print_stderr, reason = "how far it is, for whoever waits")]
fn tell(line: &str) {
    eprintln!("  oracle: {line}");
}
