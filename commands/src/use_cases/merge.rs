//! Two carts become one, as at sign-in.

use std::sync::Arc;

use daybook_domain::CartId;
use daybook_domain::cart::{Cart, CartCommand};
use daybook_eventstore::CommandContext;

use super::cart::load;
use super::error::UseCaseError;
use super::outcome::{Done, Scope, step};
use crate::shop::Shop;

/// Adds the lines of `from` to `into`, and closes `from`.
///
/// `from` is closed first, so that nothing can be put into it that would be lost; that `into` will take the lines
/// is asked before. Both carts know what was done, so doing it again, even after a crash in between, doubles nothing.
///
/// # Errors
/// When one of the carts refuses.
pub async fn merge_carts(
    shop: &Shop,
    context: &CommandContext,
    scope: Scope,
    (from, into): (CartId, CartId),
) -> Result<Done<Arc<Cart>>, UseCaseError> {
    let source = load(shop, scope, from).await?;
    let target = load(shop, scope, into).await?;
    let wanted = CartCommand::Merge { from, lines: source.lines().to_vec() };
    if let Err(refusal) = target.decide(wanted) {
        // Done before, it may be refused by now, but a repetition is told what happened then.
        let before = shop.carts.replay(&into.to_string(), &step(context, 1)).await?;
        return before.map(Done::from).ok_or_else(|| UseCaseError::refused(&refusal));
    }
    let close = CartCommand::CloseInto { cart_id: into };
    let closed = shop.carts.execute(&from.to_string(), close, context, "{}").await?;
    let lines = if closed.replayed { source.lines() } else { closed.state.lines() }.to_vec();
    let merge = CartCommand::Merge { from, lines };
    let merged: Done<_> = shop.carts.execute(&into.to_string(), merge, &step(context, 1), "{}").await?.into();
    Ok(Done { replayed: closed.replayed && merged.replayed, ..merged })
}
