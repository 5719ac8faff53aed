//! What every Daybook process shares: configuration, logs and metrics, readiness, pools, the clock and the way it
//! starts and ends. It knows nothing of what a process does.

pub mod config;
pub mod ops;
pub mod telemetry;

mod leadership;
mod pool;
mod readiness;
mod run;
mod system;

pub use leadership::Leadership;
pub use pool::{pool, pool_for_queries, pool_for_scans};
pub use readiness::{Dependency, Flag, Need, Readiness, Report};
pub use run::{Context, Cores, Failure, LONGEST_END, run};
pub use system::{SystemClock, SystemIds};
