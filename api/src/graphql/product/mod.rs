//! Products: what is for sale.

mod input;
mod mutation;
mod query;
mod view;

pub(crate) use mutation::ProductMutation;
pub(crate) use query::{AttributeFilterInput, Facet, ProductQuery, facets, words};
pub(crate) use view::{Product, ProductVariant, variant};
