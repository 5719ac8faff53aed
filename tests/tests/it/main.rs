//! Every test that needs a server: one binary, each test with databases, a stream and keys of its own.

mod checkout;
mod crash;
mod feed;
mod gateway;
#[expect(dead_code, reason = "what the harness offers comes before the tests that take it")]
mod harness;
mod isolation;
mod process;
mod projections;
mod relay;
mod store;
mod structure;
mod timers;
