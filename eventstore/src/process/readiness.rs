//! Which of a process's dependencies are there. It knows names and states, and never the dependencies.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::Serialize;
use tokio::task::JoinHandle;

/// How often a dependency is asked.
const INTERVAL: Duration = Duration::from_secs(2);
/// How long it may take to answer.
const TIMEOUT: Duration = Duration::from_secs(2);

/// Whether a process can serve without a dependency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Need {
    /// Without it the process is not ready.
    Required,
    /// Without it the process does what it can, and says so.
    Useful,
}

/// How a dependency is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Dependency {
    /// Whether the process can serve without it.
    pub need: Need,
    /// Whether it is there.
    pub up: bool,
    /// Why not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Whether the process is ready, and how each dependency is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Whether all that is required is there.
    pub ready: bool,
    /// Whether something is missing that the process can do without: it is ready all the same.
    pub degraded: bool,
    /// By name.
    pub dependencies: BTreeMap<&'static str, Dependency>,
}

/// The dependencies of a process. Cloning shares them.
#[derive(Debug, Clone, Default)]
pub struct Readiness {
    dependencies: Arc<Mutex<BTreeMap<&'static str, Dependency>>>,
}

impl Readiness {
    /// Adds a dependency that is not there until its flag says so.
    pub fn register(&self, name: &'static str, need: Need) -> Flag {
        let flag = Flag { name, need, readiness: self.clone() };
        flag.down("starting");
        flag
    }

    /// Adds a dependency that is asked every two seconds in the background, until the handle is aborted.
    pub fn watch<F, E>(
        &self,
        name: &'static str,
        need: Need,
        ask: impl Fn() -> F + Send + 'static,
    ) -> JoinHandle<()>
    where
        F: Future<Output = Result<(), E>> + Send,
        E: Display,
    {
        let flag = self.register(name, need);
        tokio::spawn(async move {
            loop {
                match tokio::time::timeout(TIMEOUT, ask()).await {
                    Ok(Ok(())) => flag.up(),
                    Ok(Err(error)) => flag.down(&error.to_string()),
                    Err(_elapsed) => flag.down("no answer in time"),
                }
                tokio::time::sleep(INTERVAL).await;
            }
        })
    }

    /// How all of them are.
    pub fn report(&self) -> Report {
        let dependencies = self.dependencies.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let ready = dependencies.values().all(|dependency| dependency.up || dependency.need == Need::Useful);
        let degraded =
            dependencies.values().any(|dependency| !dependency.up && dependency.need == Need::Useful);
        Report { ready, degraded, dependencies }
    }
}

/// What says how one dependency is.
#[derive(Debug, Clone)]
pub struct Flag {
    name: &'static str,
    need: Need,
    readiness: Readiness,
}

impl Flag {
    /// It is there.
    pub fn up(&self) {
        self.set(true, None);
    }

    /// It is not, because of `reason`.
    pub fn down(&self, reason: &str) {
        self.set(false, Some(reason.to_owned()));
    }

    /// Another process sees to it, and this one is ready to.
    pub fn standby(&self) {
        self.set(true, Some("standing by".to_owned()));
    }

    fn set(&self, up: bool, reason: Option<String>) {
        let dependency = Dependency { need: self.need, up, reason };
        let mut all = self.readiness.dependencies.lock().unwrap_or_else(PoisonError::into_inner);
        let before = all.insert(self.name, dependency);
        if let Some(before) = before.filter(|before| before.up != up) {
            tracing::info!(dependency = self.name, up, was = before.reason, "a dependency changed");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_required_makes_a_process_unready() {
        let readiness = Readiness::default();
        let (database, search) =
            (readiness.register("database", Need::Required), readiness.register("search", Need::Useful));
        assert!(!readiness.report().ready);
        database.up();
        search.down("connection refused");
        let report = readiness.report();
        assert!(report.ready && report.degraded);
        assert_eq!(report.dependencies["search"].reason.as_deref(), Some("connection refused"));
        search.up();
        assert!(!readiness.report().degraded);
        database.down("gone");
        assert!(!readiness.report().ready);
    }
}
