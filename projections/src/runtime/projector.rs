//! A projector: keeps one read model's versions followed for as long as the process lives.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use daybook_eventstore::Listener;
use daybook_eventstore::process::{Need, Readiness};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::condition::Condition;
use super::envelope::chain;
use super::error::RuntimeError;
use super::follow::{Context, Ended, Follower};
use super::metrics::Lags;
use super::switch;
use super::target::Target;
use super::versions::{self, CHANNEL, Status, Version};
use crate::registry::{self, Targets};

/// How often the register is looked at without having been told to.
const SAFETY_INTERVAL: Duration = Duration::from_secs(5);
/// How long to wait after a failure, growing from the first to the last.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// How long the log is asked where it is when something failed, which may be the log.
const ASKED: Duration = Duration::from_secs(1);

/// The number of the task that keeps a follower on each version; theirs are the versions'.
const SUPERVISOR: i32 = 0;

/// Follows the log with every version of one read model that is live or being built.
pub struct Projector {
    context: Context,
    name: &'static str,
    target: Arc<dyn Target>,
    condition: Condition,
    lags: Lags,
}

type Followers = JoinSet<(i32, Ended)>;

impl Projector {
    /// The projector of the read model with this name.
    ///
    /// # Errors
    /// When there is none, or what it needs is not configured.
    pub fn try_new(context: Context, name: &str, targets: &Targets) -> Result<Self, RuntimeError> {
        let (name, target) = registry::find(name, targets)?;
        Ok(Self { context, name, target, condition: Condition::default(), lags: Lags::default() })
    }

    /// The same, telling here whether its tasks live.
    #[must_use]
    pub fn telling(mut self, readiness: &Readiness) -> Self {
        self.condition = Condition::new(readiness.register(self.name, Need::Required));
        self
    }

    /// Runs until told to stop. Whatever fails is logged and tried again.
    pub async fn run(self, stop: CancellationToken) {
        let mut pause = BACKOFF.0;
        loop {
            let failed = tokio::select! {
                () = stop.cancelled() => return,
                Err(failed) = self.condition.watch(SUPERVISOR, self.supervise(&mut pause)) => failed,
            };
            tracing::error!(projection = self.name, error = chain(&failed), "projector failed; trying again");
            note_stuck(&self.context, &self.lags, |_| true).await;
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(pause) => pause = (pause * 2).min(BACKOFF.1),
            }
        }
    }

    /// Keeps a follower on each version that needs one; ends only by failing.
    async fn supervise(&self, pause: &mut Duration) -> Result<std::convert::Infallible, RuntimeError> {
        let mut changes = Listener::listen(&self.context.read.connect_options(), CHANNEL).await?;
        let mut followers = Followers::new();
        let mut running = HashMap::new();
        loop {
            let wanted = self.plan().await?;
            self.lags.keep(|version| wanted.contains(&version));
            running.retain(|version, handle: &mut tokio::task::AbortHandle| {
                let keep = wanted.contains(version);
                if !keep {
                    handle.abort();
                    self.condition.is_well(*version);
                }
                keep && !handle.is_finished()
            });
            for version in wanted {
                running.entry(version).or_insert_with(|| followers.spawn(self.follow(version)));
            }
            tokio::select! {
                told = changes.heard() => drop(told?),
                () = tokio::time::sleep(SAFETY_INTERVAL) => *pause = BACKOFF.0,
                Some(ended) = followers.join_next() => {
                    // One that was told to stop has nothing to say.
                    let Ok((version, ended)) = ended else { continue };
                    self.ended(version, ended).await?;
                }
            }
        }
    }

    /// Follows one version through all failures: what is wrong with it is no other version's matter.
    fn follow(&self, version: i32) -> impl Future<Output = (i32, Ended)> + use<> {
        let (context, target) = (self.context.clone(), Arc::clone(&self.target));
        let lags = self.lags.clone();
        let follower = Follower { context, target, name: self.name, version, lags };
        let condition = self.condition.clone();
        async move {
            let mut pause = BACKOFF.0;
            loop {
                let started = Instant::now();
                match condition.watch(version, follower.run()).await {
                    Ok(ended) => return (version, ended),
                    Err(failed) => {
                        let error = chain(&failed);
                        tracing::error!(
                            projection = follower.name,
                            version,
                            error,
                            "cannot go on; trying again"
                        );
                        note_stuck(&follower.context, &follower.lags, |of| of == version).await;
                    }
                }
                pause = if started.elapsed() > BACKOFF.1 { BACKOFF.0 } else { (pause * 2).min(BACKOFF.1) };
                tokio::time::sleep(pause).await;
            }
        }
    }

    /// Makes the versions there have to be, and tells which are to be followed.
    async fn plan(&self) -> Result<Vec<i32>, RuntimeError> {
        let mut known = versions::list(&self.context.read, self.name).await?;
        if self.is_missing_one(&known) {
            let epoch = self.context.log.reader.head().await?.epoch;
            let this = (self.name, self.target.as_ref());
            switch::begin(&self.context.read, this, epoch, true, |known| self.is_missing_one(known)).await?;
            known = versions::list(&self.context.read, self.name).await?;
        }
        let followed = known.into_iter().filter(|row| self.is_ours(row) && row.status != Status::Retired);
        Ok(followed.map(|row| row.version).collect())
    }

    /// Whether a version has to be made: the first, or one beside the live one because that one was folded by
    /// older code, from another log or on another kind of server. One that an operator has beside it will not take its
    /// place by itself.
    fn is_missing_one(&self, known: &[Version]) -> bool {
        let Some(live) = known.iter().find(|row| row.status == Status::Live) else {
            return known.is_empty();
        };
        let elsewhere = live.target != self.target.kind();
        let outdated = live.diverged || elsewhere || live.revision < self.target.revision();
        let takes_over = |row: &Version| row.status == Status::Building && row.switch_when_ready;
        outdated && !known.iter().any(|row| takes_over(row) && self.is_ours(row))
    }

    /// Whether this code can follow the version.
    fn is_ours(&self, version: &Version) -> bool {
        let same_code = version.revision == self.target.revision();
        same_code && version.target == self.target.kind() && !version.diverged
    }

    /// Nothing is built on the version any more: another one takes its place.
    async fn set_aside(&self, version: i32) -> Result<(), RuntimeError> {
        self.target.conceal(version).await?;
        Ok(versions::set_diverged(&self.context.read, (self.name, version)).await?)
    }

    async fn ended(&self, version: i32, ended: Ended) -> Result<(), RuntimeError> {
        self.lags.forget(version);
        match ended {
            Ended::Fenced => {
                tracing::info!(projection = self.name, version, "stepped down");
                tokio::time::sleep(BACKOFF.0).await;
            }
            Ended::Diverged => {
                tracing::warn!(
                    projection = self.name,
                    version,
                    "the log is another one; building a new version"
                );
                self.set_aside(version).await?;
            }
            Ended::Gone => {
                tracing::warn!(
                    projection = self.name,
                    version,
                    "its tables are gone; building a new version"
                );
                self.set_aside(version).await?;
            }
        }
        Ok(())
    }
}

/// Tells how far behind these versions are, which cannot go on, as far as that can be found out.
async fn note_stuck(context: &Context, lags: &Lags, these: impl Fn(i32) -> bool) {
    if let Ok(Ok(head)) = tokio::time::timeout(ASKED, context.log.reader.head()).await {
        lags.stuck(these, head.position, context.clock.now());
    }
}
