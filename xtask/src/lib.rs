//! The developer's front door: up, down, status, demo, test, bench.

pub mod failure;
pub mod install;
pub mod interrupt;
pub mod ports;
pub mod probe;
pub mod process;
pub mod progress;
pub mod random;
pub mod servers;
pub mod test;
pub mod tools;
pub mod workspace;
