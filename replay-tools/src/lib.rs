//! The analyst's and auditor's command line: import, replay, inspect, rebuild. One module per subcommand; none of
//! them but `witness` serves anybody, and none writes an event but through a command.

mod bar;
mod cli;
mod dossier;
#[cfg(feature = "parquet")]
mod export;
mod forget;
mod import;
mod look;
mod migrate;
mod partitions;
mod proof;
mod read_models;
mod run;
mod stop;
mod vault;
mod witness;

pub use cli::main;
