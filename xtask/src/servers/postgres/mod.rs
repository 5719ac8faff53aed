//! Private PostgreSQL: a primary and a streaming replica of it.
//!
//! Both listen on the loopback interface only and have no socket file, whose path would be too long in a
//! deep checkout. `daybook.conf` is written anew on every start, so that a port may change between starts.

mod cluster;
mod connection;
mod primary;
mod replica;

pub use connection::Connection;
pub use primary::Primary;
pub use replica::Replica;
