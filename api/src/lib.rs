//! The front: GraphQL over HTTP and WebSocket, webhooks in, health and metrics.

mod auth;
mod graphql;
mod http;
pub mod process;

pub use auth::{Claims, Identity, Role, TokenError, Tokens};
pub use graphql::{Reads, Services, ShopSchema, schema, sdl};
pub use http::{Api, Limits, SecondSteps, Webhooks, router};
