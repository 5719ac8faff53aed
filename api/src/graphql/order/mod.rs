//! Orders: what was bought, and how far it is.

mod mutation;

pub(crate) use mutation::OrderMutation;
