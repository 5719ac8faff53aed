//! The read models on real servers: built, rebuilt, switched, poisoned and fenced.

mod runtime;
mod shop;
mod watch;
