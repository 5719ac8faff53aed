//! The API as clients meet it, over real HTTP and real sockets.

mod audit;
mod conformance;
mod ending;
mod front;
mod garbage;
mod graphiql;
mod hot;
mod idempotency;
mod links;
mod node;
mod permission;
mod reading;
mod second_step;
mod settling;
mod statements;
mod subscription;
mod tree;
mod webhook;
