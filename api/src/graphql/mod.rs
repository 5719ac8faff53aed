//! The GraphQL schema: one folder for each resource, merged at the root. It parses, asks once and maps; it decides
//! nothing.

mod audit;
mod cart;
mod context;
mod customer;
mod document;
mod error;
mod id;
mod idempotent;
mod input;
mod money;
mod node;
mod order;
mod payload;
mod payment;
mod person;
mod product;
mod reads;
mod root;
mod scalar;
mod search;
mod services;
mod shipment;
mod stock;

pub(crate) use context::RequestContext;
pub(crate) use document::Documents;
pub(crate) use error::Fault;
pub(crate) use reads::Extent;
pub use reads::Reads;
pub use root::{ShopSchema, schema, sdl};
pub use services::Services;
