//! Finding a cart.

use async_graphql::{Context, Object};
use daybook_domain::CartId;

use super::Cart;
use crate::graphql::error::ApiError;
use crate::graphql::id::IdOf;
use crate::graphql::reads;
use crate::graphql::scalar::Position;

/// The queries of carts.
#[derive(Default)]
pub(crate) struct CartQuery;

#[Object]
impl CartQuery {
    /// The cart with this id, when it is the client's. `after` makes it wait until it shows at least what a
    /// mutation reached.
    async fn cart(
        &self,
        ctx: &Context<'_>,
        id: IdOf<CartId>,
        after: Option<Position>,
    ) -> Result<Option<Cart>, ApiError> {
        let found = reads::cart(ctx, id.0, after).await?;
        Ok(found.map(Cart::Read).filter(|cart| cart.is_visible(ctx)))
    }
}
