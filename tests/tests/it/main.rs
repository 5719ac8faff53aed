//! Every test that needs a server: one binary, each test with databases, a stream and keys of its own.

mod again;
mod api;
mod checkout;
mod checkout_mishaps;
mod crash;
mod faults;
mod feed;
mod gateway;
mod giving_back;
mod harness;
mod import;
mod isolation;
mod merging;
mod operator;
mod process;
mod projections;
mod reactions;
mod rebuild;
mod relay;
mod returning;
mod search;
mod store;
mod structure;
mod timers;
mod together;
mod transaction;
