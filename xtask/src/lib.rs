//! The developer's front door: up, down, status, token, demo, test, oracle, bench.

pub mod api;
pub mod bench;
pub mod catalogue;
pub mod daybook;
pub mod demo;
pub mod down;
pub mod failure;
pub mod home;
pub mod install;
pub mod interrupt;
pub mod oracle;
pub mod ports;
pub mod probe;
pub mod process;
pub mod progress;
pub mod random;
pub mod replay;
pub mod servers;
pub mod status;
pub mod table;
pub mod test;
pub mod token;
pub mod tools;
pub mod up;
pub mod workspace;
