//! What the resolvers work with.

use async_graphql::Context;
use daybook_commands::Shop;

/// The services behind the schema. Cloning shares them.
#[derive(Clone)]
pub struct Services {
    /// The shop: every mutation ends here.
    pub shop: Shop,
}

impl std::fmt::Debug for Services {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Services").field("shop", &self.shop).finish_non_exhaustive()
    }
}

/// The services of the schema that this field is part of.
pub(crate) fn services<'a>(ctx: &Context<'a>) -> &'a Services {
    ctx.data_unchecked::<Services>()
}
