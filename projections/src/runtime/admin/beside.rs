//! What is asked of a version that is built beside the live one: to catch up, to be compared, and to take over when it was
//! found good.

use std::time::Instant;

use super::{Admin, LOOK, Progress, is_kept_here, is_of_this_program};
use crate::runtime::compare::{Comparing, Comparison, Depth};
use crate::runtime::error::RuntimeError;
use crate::runtime::switch;
use crate::runtime::versions::{Status, Version};

/// How close to the head a version has caught up, while events pour in.
const NEAR: i64 = 1_000;
/// How often the live version is held back for one that is to take over from it. Each time it is for some seconds, and as
/// long it is let go.
const ATTEMPTS: usize = 10;

impl Admin {
    /// The version that readers see; nothing when there is none.
    ///
    /// # Errors
    /// When there is no read model of this name, or the read database does not answer.
    pub async fn live(&self, name: &str) -> Result<Option<Version>, RuntimeError> {
        Ok(self.versions(name).await?.into_iter().find(|row| row.status == Status::Live))
    }

    /// Refuses to build what would be worse than the live version: one that newer code folded, or that is kept on another
    /// kind of server than this program knows.
    ///
    /// # Errors
    /// When it is so, there is no read model of this name, or the read database does not answer.
    pub async fn is_to_be_replaced(&self, name: &str) -> Result<(), RuntimeError> {
        let (name, target) = self.find(name)?;
        match self.live(name).await? {
            Some(live) if live.revision > target.revision() => is_of_this_program(&live, target.as_ref()),
            Some(live) => is_kept_here(&live, target.as_ref()),
            None => Ok(()),
        }
    }

    /// Whether the live version was folded by older code than this one, or from another log: then it need not be what this
    /// one is.
    ///
    /// # Errors
    /// When there is no such version, or the read database does not answer.
    pub async fn is_outdated(&self, name: &str, version: i32) -> Result<bool, RuntimeError> {
        let this = self.look(name, version, &mut |_| ()).await?;
        let live = self.live(name).await?;
        Ok(live.is_none_or(|live| {
            let same_log = live.checkpoint.epoch == this.checkpoint.epoch && !live.diverged;
            !same_log || live.revision < this.revision
        }))
    }

    /// Returns when a version has caught up with the log; follows it meanwhile, unless a projector does.
    ///
    /// # Errors
    /// When there is no such version or it is retired, other code folds it, or it could not be built.
    pub async fn catch_up(
        &self,
        name: &str,
        version: i32,
        mut tell: impl FnMut(Progress),
    ) -> Result<(), RuntimeError> {
        let watching = async {
            let mut goal = self.head().await?;
            loop {
                let at = self.look(name, version, &mut tell).await?.checkpoint.position;
                if at >= goal {
                    goal = self.head().await?;
                    if goal - at <= NEAR {
                        return Ok(());
                    }
                }
                tokio::time::sleep(LOOK).await;
            }
        };
        tokio::select! { done = watching => done, failed = self.follow(name, version) => Err(failed) }
    }

    /// Compares a version with the live one, at one position. Both are followed meanwhile, unless projectors do, as neither
    /// could come to where the other is while it stands still.
    ///
    /// # Errors
    /// [`RuntimeError::Incomparable`] when they are kept on different servers, stand in different logs, or one stands still
    /// where it is; or when there is no such version or no live one, other code folds the version, it is kept on another kind
    /// of server than this program knows, or a server does not answer.
    pub async fn compare(&self, name: &str, version: i32, depth: Depth) -> Result<Comparison, RuntimeError> {
        let (name, target) = self.find(name)?;
        let known = self.versions(name).await?;
        let missing = |what| RuntimeError::NoVersion { name: name.to_owned(), what };
        let live = known.iter().find(|row| row.status == Status::Live).ok_or_else(|| missing("live"))?;
        let other = known.iter().find(|row| row.version == version && row.status == Status::Building);
        let other = other.ok_or_else(|| missing("such building"))?;
        is_of_this_program(other, target.as_ref())?;
        let incomparable = |why: &str| {
            let (name, why) = (name.to_owned(), why.to_owned());
            Err(RuntimeError::Incomparable { name, live: live.version, other: version, why })
        };
        if live.target != other.target {
            return incomparable(&format!("one is kept in {}, the other in {}", live.target, other.target));
        }
        if live.checkpoint.epoch != other.checkpoint.epoch || live.diverged || other.diverged {
            return incomparable("they were built from different logs");
        }
        let within = Comparing { log: &self.context.log, register: &self.context.read, depth };
        let following_live = async {
            if live.revision == target.revision() {
                return self.follow(name, live.version).await;
            }
            // Only its own program can.
            std::future::pending().await
        };
        tokio::select! {
            compared = target.compare([live, other], &within) => compared,
            failed = self.follow(name, version) => Err(failed),
            failed = following_live => Err(failed),
        }
    }

    /// Makes a version the live one that has caught up, in place of the one that it was compared with; follows it meanwhile,
    /// unless a projector does.
    ///
    /// # Errors
    /// [`RuntimeError::Behind`] when it did not reach the live version, however often that was held back for it;
    /// [`RuntimeError::Incomparable`] when another one is live by now.
    pub async fn take_over(&self, name: &str, version: i32, compared: i32) -> Result<(), RuntimeError> {
        let (name, target) = self.find(name)?;
        let id = (name, version);
        let switching = async {
            for left in (0..ATTEMPTS).rev() {
                let began = Instant::now();
                match switch::switch_from(&self.context.read, target.as_ref(), id, compared).await {
                    Err(RuntimeError::Behind { .. }) if left > 0 => tokio::time::sleep(began.elapsed()).await,
                    ended => return ended,
                }
            }
            Ok(())
        };
        tokio::select! { done = switching => done, failed = self.follow(name, version) => Err(failed) }
    }
}
