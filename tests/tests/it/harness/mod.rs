//! What the tests stand on: servers that `cargo xtask test` started, databases cloned from a template, and
//! processes that end with the test. Nothing here sleeps for an amount of time: it polls with a deadline.

mod clock;
mod counterpart;
mod database;
mod eventually;
mod metrics;
pub(crate) mod notebook;
mod process;
mod proxy;
mod servers;
pub(crate) mod shop;
pub(crate) mod stack;
pub(crate) mod steps;
mod stream;
mod tap;
mod writer;

pub(crate) use clock::TestClock;
pub(crate) use counterpart::counterpart;
pub(crate) use database::Database;
pub(crate) use eventually::eventually;
pub(crate) use metrics::metric;
pub(crate) use process::{Process, signal};
pub(crate) use proxy::Proxy;
pub(crate) use servers::{MEILI_KEY, own_meilisearch, servers, skipped, unique};
pub(crate) use stream::TestStream;
pub(crate) use tap::Tap;
pub(crate) use writer::Writer;
