//! Who asks, and what they may do: denied unless this room says otherwise. It never reads a request's body.

mod identity;
mod policy;
mod token;

pub use identity::{Identity, Role};
pub(crate) use policy::Permission;
pub use token::{Claims, TokenError, Tokens};
