//! The analyst's and auditor's command line: import, replay, inspect, rebuild. One module per subcommand; none of
//! them serves anybody, and none writes an event but through a command.

mod cli;
mod import;
mod migrate;

pub use cli::main;
