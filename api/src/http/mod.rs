//! HTTP: the routes, what is accepted and what is answered. It knows requests and responses, and nothing of the shop.

mod accept;
mod body;
mod graphiql;
mod graphql;
mod guard;
mod operation;
mod origin;
mod params;
mod respond;
mod router;
mod second_step;
mod serve;
mod tree;
mod webhook;
mod websocket;
mod wire;

pub use router::{Api, Limits, router};
pub use second_step::SecondSteps;
pub(crate) use serve::serve;
pub(crate) use tree::LogTree;
pub use webhook::Webhooks;
