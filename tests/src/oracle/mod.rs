//! The oracle: many processes write to one event store while they, the relay, the stream and the database are killed and
//! cut off, and old events are moved away and back; readers everywhere follow. At the end all of it must be one story. The
//! same checker judges designs that are known to be wrong, and must find each out.

mod checker;
mod collect;
mod dice;
mod history;
mod keeper;
mod nemesis;
mod planted;
mod report;
mod round;
mod run;
mod saboteur;
mod scribe;
mod watch;
mod writer;

pub use report::Report;
pub use run::{Options, run};
pub use writer::{Orders as Writer, run as write};

/// Why the oracle, or one of its processes, could not go on. What it finds wrong is none of these.
pub type Failed = Box<dyn std::error::Error + Send + Sync>;
