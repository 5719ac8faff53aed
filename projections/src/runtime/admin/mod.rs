//! What an operator can ask of the read models while they are live: build beside, compare, switch, go back, drop, retry.

mod beside;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use daybook_eventstore::{Position, RecordedEvent};

use super::error::{RuntimeError, TargetError};
use super::follow::{Context, Ended, Follower};
use super::lock::VersionLock;
use super::metrics::Lags;
use super::target::{Batch, Purpose, Target};
use super::versions::{self, Status, Version};
use super::{parked, switch};
use crate::registry::{self, Targets};

/// How often progress is told.
const LOOK: Duration = Duration::from_millis(100);
/// How long who follows a version that is taken away has to end.
const STEP_DOWN: Duration = Duration::from_secs(5);
/// How many parked events are applied at once.
const PAGE: i64 = 1_000;
/// How often a retry starts over because the projector moved on meanwhile.
const RETRIES: usize = 20;

/// How far a version is that is being built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// The version.
    pub version: i32,
    /// Where it is.
    pub position: Position,
    /// Where the log is.
    pub head: Position,
}

/// The operator's hand on the read models.
#[derive(Clone)]
pub struct Admin {
    context: Context,
    targets: Targets,
}

impl Admin {
    /// For these servers.
    pub const fn new(context: Context, targets: Targets) -> Self {
        Self { context, targets }
    }

    /// Where the log is.
    ///
    /// # Errors
    /// When the event store does not answer.
    pub async fn head(&self) -> Result<Position, RuntimeError> {
        Ok(self.context.log.reader.head().await?.position)
    }

    /// All versions of a read model, oldest first.
    ///
    /// # Errors
    /// When there is no read model of this name, or the read database does not answer.
    pub async fn versions(&self, name: &str) -> Result<Vec<Version>, RuntimeError> {
        let (name, _) = self.find(name)?;
        Ok(versions::list(&self.context.read, name).await?)
    }

    /// Starts the next version beside the live one; a projector of that name builds it. With
    /// `switch_when_ready` it takes over by itself once it has caught up.
    ///
    /// # Errors
    /// When there is no read model of this name, or a database does not answer.
    pub async fn build(&self, name: &str, switch_when_ready: bool) -> Result<i32, RuntimeError> {
        let (name, target) = self.find(name)?;
        let epoch = self.context.log.reader.head().await?.epoch;
        let made =
            switch::begin(&self.context.read, (name, target.as_ref()), epoch, switch_when_ready, |_| true);
        made.await?.ok_or_else(|| RuntimeError::NoVersion { name: name.to_owned(), what: "new" })
    }

    /// Builds the next version and makes it live once it has caught up, here when no projector does; returns its
    /// number. Readers notice nothing.
    ///
    /// # Errors
    /// When there is no read model of this name, or the version could not be built or was taken away meanwhile.
    pub async fn rebuild(&self, name: &str, tell: impl FnMut(Progress)) -> Result<i32, RuntimeError> {
        let version = self.build(name, true).await?;
        self.until_live(name, version, tell).await?;
        Ok(version)
    }

    /// Makes `version` the live one, atomically; only when it is as far as the live one.
    ///
    /// # Errors
    /// [`RuntimeError::Behind`] when it did not reach the live version within a few seconds; also when it is kept on
    /// another kind of server than this program knows.
    pub async fn switch(&self, name: &str, version: i32) -> Result<(), RuntimeError> {
        let (name, target) = self.find(name)?;
        self.is_within_reach(target.as_ref(), (name, version)).await?;
        switch::switch(&self.context.read, target.as_ref(), (name, version), Duration::ZERO).await
    }

    /// Goes back to the version that was retired last, once it has caught up with what it missed.
    ///
    /// # Errors
    /// When there is no retired version, other code has folded it, or it could not catch up.
    pub async fn rollback(&self, name: &str, tell: impl FnMut(Progress)) -> Result<i32, RuntimeError> {
        let (name, target) = self.find(name)?;
        let versions = self.versions(name).await?;
        let retired = versions
            .iter()
            .rev()
            .find(|row| row.status == Status::Retired && !row.diverged && row.target == target.kind());
        let retired =
            retired.ok_or_else(|| RuntimeError::NoVersion { name: name.to_owned(), what: "retired" })?;
        is_of_this_program(retired, target.as_ref())?;
        switch::revive(&self.context.read, &retired.name, retired.version).await?;
        self.until_live(name, retired.version, tell).await?;
        Ok(retired.version)
    }

    /// Takes a version away that is not live.
    ///
    /// # Errors
    /// When it is the live one, or there is none, or it is kept on another kind of server than this program knows.
    pub async fn drop_version(&self, name: &str, version: i32) -> Result<(), RuntimeError> {
        let (name, target) = self.find(name)?;
        self.is_within_reach(target.as_ref(), (name, version)).await?;
        switch::retire(&self.context.read, name, version).await?;
        // Somebody who has not heard of that might go on writing what is taken away.
        let followed = VersionLock::acquire(&self.context.read, name, version, || {});
        let _alone = tokio::time::timeout(STEP_DOWN, followed).await;
        switch::discard(&self.context.read, target.as_ref(), name, version).await
    }

    /// Applies what is parked, in order, in every version that is followed; tells how many events were applied.
    /// What still cannot be applied stays parked.
    ///
    /// # Errors
    /// When there is no read model of this name, other code has folded one of those versions (then nothing is applied),
    /// or a database does not answer.
    pub async fn retry_parked(&self, name: &str) -> Result<usize, RuntimeError> {
        let (name, target) = self.find(name)?;
        let mut versions = self.versions(name).await?;
        versions.retain(|row| row.status != Status::Retired && row.parked > 0);
        versions.iter().try_for_each(|row| is_of_this_program(row, target.as_ref()))?;
        let mut applied = 0;
        for row in versions {
            applied += self.retry_version(name, row.version).await?;
        }
        Ok(applied)
    }

    fn find(&self, name: &str) -> Result<(&'static str, Arc<dyn Target>), RuntimeError> {
        registry::find(name, &self.targets)
    }

    /// Refuses a version that is there, but where this program does not look.
    async fn is_within_reach(
        &self,
        target: &dyn Target,
        (name, version): (&str, i32),
    ) -> Result<(), RuntimeError> {
        let row = self.versions(name).await?.into_iter().find(|row| row.version == version);
        row.map_or(Ok(()), |row| is_kept_here(&row, target))
    }

    /// Follows the version, unless a projector does, until it is live; the first one is so from the beginning, but not
    /// yet where the log was.
    async fn until_live(
        &self,
        name: &str,
        version: i32,
        mut tell: impl FnMut(Progress),
    ) -> Result<(), RuntimeError> {
        let watching = async {
            let goal = self.head().await?;
            loop {
                let row = self.look(name, version, &mut tell).await?;
                if row.status == Status::Live && row.checkpoint.position >= goal {
                    return Ok(());
                }
                tokio::time::sleep(LOOK).await;
            }
        };
        tokio::select! { done = watching => done, failed = self.follow(name, version) => Err(failed) }
    }

    /// One version that is followed; tells how far it is.
    async fn look(
        &self,
        name: &str,
        version: i32,
        tell: &mut impl FnMut(Progress),
    ) -> Result<Version, RuntimeError> {
        let row = self.followed(name, version).await?;
        tell(Progress { version, position: row.checkpoint.position, head: self.head().await? });
        Ok(row)
    }

    /// One version, when it is to be followed, and this program can.
    async fn followed(&self, name: &str, version: i32) -> Result<Version, RuntimeError> {
        let (name, target) = self.find(name)?;
        let mut known = self.versions(name).await?.into_iter();
        let row = known.find(|row| row.version == version && row.status != Status::Retired);
        let missing = || RuntimeError::NoVersion { name: name.to_owned(), what: "such live or building" };
        let row = row.ok_or_else(missing)?;
        is_of_this_program(&row, target.as_ref())?;
        Ok(row)
    }

    /// Follows the version whenever no projector does; ends only by failing, also when it is not to be followed any more.
    async fn follow(&self, name: &str, version: i32) -> RuntimeError {
        let (name, target) = match self.find(name) {
            Ok(found) => found,
            Err(failed) => return failed,
        };
        let lags = Lags::default();
        let follower = Follower { context: self.context.clone(), target, name, version, lags };
        loop {
            if let Err(refused) = self.followed(name, version).await {
                return refused;
            }
            match follower.run().await {
                Ok(Ended::Fenced) => tokio::time::sleep(LOOK).await,
                Ok(Ended::Diverged) => {
                    return RuntimeError::NoVersion { name: name.to_owned(), what: "undiverged" };
                }
                Ok(Ended::Gone) => return TargetError::Gone.into(),
                Err(failed) => return failed,
            }
        }
    }

    async fn retry_version(&self, name: &str, version: i32) -> Result<usize, RuntimeError> {
        let (name, target) = self.find(name)?;
        let (mut after, mut applied, mut still) = (0, 0, HashSet::new());
        loop {
            let page = parked::page(&self.context.read, (name, version), after, PAGE).await?;
            let Some((last, _)) = page.last() else { return Ok(applied) };
            after = *last;
            // A key that stopped again stays stopped: nothing of it may be applied over the gap.
            let due = page.into_iter().filter(|(_, key)| !still.contains(key));
            let (positions, keys): (Vec<_>, Vec<_>) = due.unzip();
            let events = self.events_at(&positions).await?;
            self.retry(target.as_ref(), version, events).await?;
            let left = parked::among(&self.context.read, (name, version), &positions).await?;
            applied += positions.iter().filter(|position| !left.contains(position)).count();
            still.extend(
                keys.into_iter().zip(&positions).filter(|(_, at)| left.contains(at)).map(|(key, _)| key),
            );
        }
    }

    async fn events_at(&self, positions: &[Position]) -> Result<Vec<RecordedEvent>, RuntimeError> {
        let mut events = Vec::with_capacity(positions.len());
        for position in positions {
            events.extend(self.context.log.reader.find(*position).await?);
        }
        Ok(events)
    }

    /// Applies parked events where the version stands; again when the projector moved it meanwhile.
    async fn retry(
        &self,
        target: &dyn Target,
        version: i32,
        events: Vec<RecordedEvent>,
    ) -> Result<(), RuntimeError> {
        for _ in 0..RETRIES {
            let at = target.checkpoint(version).await?.ok_or(TargetError::Lost)?;
            let (events, upcasters) = (events.clone(), self.context.log.upcasters.clone());
            let batch = Batch { events, upcasters, from: at, to: at, purpose: Purpose::Retry };
            match target.apply(version, batch).await {
                Err(TargetError::Fenced) => {}
                other => return Ok(other.map(|_| ())?),
            }
        }
        Err(TargetError::TimedOut.into())
    }
}

/// Refuses a version that is kept on another kind of server: there is nothing of it where this program looks.
fn is_kept_here(row: &Version, target: &dyn Target) -> Result<(), RuntimeError> {
    if row.target == target.kind() {
        return Ok(());
    }
    Err(RuntimeError::NotConfigured {
        name: row.name.clone(),
        what: "the server that this version is kept on",
    })
}

/// Refuses a version whose rows this program's fold would spoil, or that it cannot reach.
fn is_of_this_program(row: &Version, target: &dyn Target) -> Result<(), RuntimeError> {
    is_kept_here(row, target)?;
    let (name, version, revision, ours) = (row.name.clone(), row.version, row.revision, target.revision());
    if revision == ours {
        return Ok(());
    }
    Err(RuntimeError::OtherRevision { name, version, revision, ours })
}
