//! Timers: rows that say what is to happen at a time. They are as durable as the log and outlive every process.
//!
//! A timer fires *at least* once: it is deleted only after its handler succeeded, so a crash in between fires it
//! again. Its effect happens once all the same, because what a handler does is a command whose id follows from
//! the timer's ([`Timer::command_id`]). A timer decides nothing: the aggregate does, when the command reaches it.

mod backoff;
mod book;
mod runner;

pub use book::{Timer, Timers};
