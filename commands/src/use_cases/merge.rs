//! Two carts become one, as at sign-in.

use std::sync::Arc;

use daybook_domain::CartId;
use daybook_domain::cart::{Cart, CartCommand};
use daybook_eventstore::{CommandContext, Unit};

use super::cart::check_scope;
use super::error::UseCaseError;
use super::outcome::{Done, Scope, together};
use crate::shop::Shop;

/// Adds the lines of `from` to `into` and closes `from`, in one append: nothing can be put into `from` that would be
/// lost, and no crash leaves the lines in neither cart.
///
/// # Errors
/// When one of the carts refuses.
pub async fn merge_carts(
    shop: &Shop,
    context: &CommandContext,
    scope: Scope,
    (from, into): (CartId, CartId),
) -> Result<Done<Arc<Cart>>, UseCaseError> {
    let done = together(shop, context, "{}", |unit| {
        let source = unit.state(&shop.carts, &from.to_string())?;
        check_scope(&source, scope)?;
        let target = unit.state(&shop.carts, &into.to_string())?;
        check_scope(&target, scope)?;
        tell(shop, unit, into, CartCommand::Merge { from, lines: source.lines().to_vec() })?;
        tell(shop, unit, from, CartCommand::CloseInto { cart_id: into })
    })
    .await?;
    let cart = shop.carts.load(&into.to_string()).await?.state;
    Ok(Done::from(done).map(|_| cart))
}

fn tell(shop: &Shop, unit: &mut Unit<'_>, cart: CartId, command: CartCommand) -> Result<(), UseCaseError> {
    let told = unit.execute(&shop.carts, &cart.to_string(), command)?;
    told.map(drop).map_err(|refusal| UseCaseError::refused(&refusal))
}
