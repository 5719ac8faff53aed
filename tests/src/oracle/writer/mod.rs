//! A process that writes: many callers beside one another, each doing one thing after another by chance, until it is told
//! to end or is killed. First it asks again for what its predecessor was not answered.

mod caller;
mod hands;
pub(crate) mod order;
pub(crate) mod tally;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::{StreamExt as _, TryStreamExt as _};
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;

use self::caller::Caller;
use self::hands::Hands;
use super::Failed;
use super::dice::Dice;
use super::history::{Asked, Told};
use super::scribe;

/// How much of what the predecessor was not answered is asked for again, in percent. The rest stays unknown.
const ASKED_AGAIN: u64 = 70;
/// How many of them at once.
const AT_ONCE: usize = 32;
/// The choices that are no caller's.
const NOBODY: u64 = u64::MAX;

/// What a writer is told.
#[derive(Debug, Clone, clap::Args)]
pub struct Orders {
    /// The database of the event store.
    #[arg(long)]
    pub(crate) database: String,
    /// Where to write what is asked for and answered.
    #[arg(long)]
    pub(crate) history: PathBuf,
    /// Where what has left the database is kept.
    #[arg(long)]
    pub(crate) archives: PathBuf,
    /// What the same writer wrote before it was killed.
    #[arg(long)]
    pub(crate) predecessor: Option<PathBuf>,
    /// The seed.
    #[arg(long)]
    pub(crate) seed: u64,
    /// Which of the writers it is.
    #[arg(long)]
    pub(crate) number: u64,
    /// How often it was started before.
    #[arg(long)]
    pub(crate) life: u64,
    /// How many callers it has.
    #[arg(long)]
    pub(crate) callers: u64,
}

/// Writes until SIGTERM.
///
/// # Errors
/// When the history cannot be written, or the database cannot be reached at all.
pub async fn run(orders: Orders) -> Result<(), Failed> {
    let stop = Arc::new(AtomicBool::new(false));
    let mut terminate = signal(SignalKind::terminate())?;
    let who = [orders.number, orders.life];
    let dice = |caller| Dice::of(orders.seed, &[who[0], who[1], caller]);
    let hands = Arc::new(Hands::new(&orders)?);
    let mut work = JoinSet::new();
    let unanswered = unanswered(&orders, &mut dice(NOBODY))?;
    work.spawn(ask_again(Arc::clone(&hands), unanswered));
    for number in 0..orders.callers {
        let caller = Caller::new(Arc::clone(&hands), dice(number), &[who[0], who[1], number]);
        work.spawn(caller.run(Arc::clone(&stop)));
    }
    loop {
        tokio::select! {
            _ = terminate.recv() => stop.store(true, Ordering::Relaxed),
            ended = work.join_next() => match ended {
                Some(ended) => ended??,
                None => return Ok(()),
            },
        }
    }
}

fn unanswered(orders: &Orders, dice: &mut Dice) -> Result<Vec<Asked>, Failed> {
    // It may have been killed before it wrote anything.
    let Some(file) = orders.predecessor.as_ref().filter(|file| file.exists()) else { return Ok(Vec::new()) };
    let unknown = scribe::read(file)?.into_iter().filter(|attempt| attempt.told == Told::Unknown);
    Ok(unknown.map(|attempt| attempt.asked).filter(|_| dice.percent(ASKED_AGAIN)).collect())
}

async fn ask_again(hands: Arc<Hands>, unanswered: Vec<Asked>) -> Result<(), Failed> {
    let hands = &hands;
    let asked =
        futures::stream::iter(unanswered).map(|asked| async move { hands.ask(asked).await.map(drop) });
    asked.buffer_unordered(AT_ONCE).try_collect().await
}
