//! Whether a projector's tasks live, as its process tells whoever routes to it. It starts nothing again itself.

use std::collections::BTreeSet;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use daybook_eventstore::process::Flag;
use futures::FutureExt;

use super::envelope::said;
use super::error::RuntimeError;

/// How long the successor of a task that died must have lived to count as well.
const WHILE: Duration = Duration::from_secs(5);

/// The condition of one projector. Cloning shares it.
#[derive(Clone, Default)]
pub(crate) struct Condition {
    flag: Option<Flag>,
    /// The tasks that died, by number.
    died: Arc<Mutex<BTreeSet<i32>>>,
}

impl Condition {
    /// That of a projector none of whose tasks has died yet.
    pub(crate) fn new(flag: Flag) -> Self {
        flag.up();
        Self { flag: Some(flag), died: Arc::default() }
    }

    /// Runs a task to its end. One that panics has failed, and counts as dead until its successor has lived a while.
    pub(crate) async fn watch<T>(
        &self,
        task: i32,
        run: impl Future<Output = Result<T, RuntimeError>>,
    ) -> Result<T, RuntimeError> {
        // What it leaves half done is dropped with it; what it shares is read anew by its successor.
        let mut run = pin!(AssertUnwindSafe(run).catch_unwind());
        let ended = tokio::select! {
            ended = &mut run => ended,
            () = tokio::time::sleep(WHILE) => {
                self.is_well(task);
                run.await
            }
        };
        ended.unwrap_or_else(|panic| {
            let error = RuntimeError::Panicked(said(panic.as_ref()).to_owned());
            self.tell(|died| died.insert(task), &error);
            Err(error)
        })
    }

    /// The task lives, or nobody needs it any more.
    pub(crate) fn is_well(&self, task: i32) {
        self.tell(|died| died.remove(&task), &"a task died");
    }

    fn tell(&self, change: impl FnOnce(&mut BTreeSet<i32>) -> bool, why: &dyn std::fmt::Display) {
        let mut died = self.died.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut died);
        match &self.flag {
            Some(flag) if died.is_empty() => flag.up(),
            Some(flag) => flag.down(&why.to_string()),
            None => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use daybook_eventstore::process::{Need, Readiness};

    use super::*;

    #[tokio::test]
    async fn a_projector_is_not_ready_while_one_of_its_tasks_is_dead() {
        let readiness = Readiness::default();
        let condition = Condition::new(readiness.register("orders", Need::Required));
        assert!(readiness.report().ready);
        for task in [1, 2] {
            let ended = condition.watch::<()>(task, async { panic!("a mistake") }).await;
            assert!(matches!(ended, Err(RuntimeError::Panicked(said)) if said == "a mistake"));
            assert!(!readiness.report().ready);
        }
        condition.is_well(1);
        assert!(!readiness.report().ready, "the other one is still dead");
        condition.is_well(2);
        assert!(readiness.report().ready);
        condition.watch::<()>(1, async { Err(RuntimeError::UnknownName(String::new())) }).await.unwrap_err();
        assert!(readiness.report().ready, "a failure is no death");
    }
}
