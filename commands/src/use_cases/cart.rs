//! Carts: taking one and filling it.

use std::collections::BTreeMap;
use std::sync::Arc;

use daybook_domain::cart::{Cart, CartCommand, MAX_LINES};
use daybook_domain::pricing::{PricedVariant, TaxTreatment};
use daybook_domain::{CartId, Currency, CustomerId, LineId, Quantity};
use daybook_eventstore::CommandContext;
use serde_json::json;

use super::error::{Unavailable, UseCaseError};
use super::outcome::{Done, Scope, recorded};
use super::pricing::{self, VariantRef};
use crate::shop::Shop;

/// A cart to be taken.
#[derive(Debug, Clone)]
pub struct NewCart {
    /// Whose it is.
    pub customer_id: Option<CustomerId>,
    /// The currency of all its prices.
    pub currency: Currency,
    /// What is in it from the start.
    pub lines: Vec<NewLine>,
}

/// Something to be put into a cart.
#[derive(Debug, Clone)]
pub struct NewLine {
    /// What.
    pub variant: VariantRef,
    /// How many.
    pub quantity: Quantity,
    /// What the shopper asks for beside it.
    pub attributes: BTreeMap<String, String>,
}

#[derive(serde::Deserialize)]
struct Created {
    cart_id: CartId,
}

/// Takes a cart. Says which.
///
/// # Errors
/// When one of the lines cannot be bought.
pub async fn create_cart(
    shop: &Shop,
    context: &CommandContext,
    new: NewCart,
) -> Result<Done<(CartId, Arc<Cart>)>, UseCaseError> {
    let NewCart { customer_id, currency, lines } = new;
    let priced = if lines.is_empty() { Vec::new() } else { price(shop, context, currency, &lines).await? };
    let cart_id = CartId::generate(shop.ids.as_ref());
    let mut commands =
        vec![CartCommand::Create { cart_id, customer_id, currency, tax: TaxTreatment::Standard }];
    commands.extend(add_commands(shop, lines, priced));
    let (id, outcome) = (cart_id.to_string(), json!({ "cart_id": cart_id }).to_string());
    shop.carts.presume_new(&id).await;
    let created = shop.carts.execute_all(&id, &commands, context, &outcome).await?;
    let Created { cart_id } = recorded(&created.outcome)?;
    let mut done: Done<Arc<Cart>> = created.into();
    if done.replayed {
        done.value = shop.carts.load(&cart_id.to_string()).await?.state;
    }
    Ok(done.map(|cart| (cart_id, cart)))
}

/// Puts lines into a cart, at today's prices.
///
/// # Errors
/// When one of them cannot be bought or does not fit.
pub async fn add_lines(
    shop: &Shop,
    context: &CommandContext,
    scope: Scope,
    cart_id: CartId,
    lines: Vec<NewLine>,
) -> Result<Done<Arc<Cart>>, UseCaseError> {
    check_count(lines.len())?;
    let cart = find(shop, scope, cart_id).await?;
    let currency = cart.terms().ok_or_else(no_cart)?.currency;
    match price(shop, context, currency, &lines).await {
        Ok(priced) => run(shop, context, cart_id, &add_commands(shop, lines, priced)).await,
        // What was bought before may not be for sale any more, but a repetition is told what happened then.
        Err(refused @ UseCaseError::Refused(_)) => {
            let before = shop.carts.replay(&cart_id.to_string(), context).await?;
            before.map(Done::from).ok_or(refused)
        }
        Err(failed) => Err(failed),
    }
}

/// Gives lines other quantities; nothing takes the line out.
///
/// # Errors
/// When there is no such line, or the quantity does not fit.
pub async fn change_lines(
    shop: &Shop,
    context: &CommandContext,
    scope: Scope,
    cart_id: CartId,
    changes: Vec<(LineId, Option<Quantity>)>,
) -> Result<Done<Arc<Cart>>, UseCaseError> {
    check_count(changes.len())?;
    find(shop, scope, cart_id).await?;
    let command = |(line_id, quantity)| match quantity {
        Some(quantity) => CartCommand::ChangeQuantity { line_id, quantity },
        None => CartCommand::RemoveLine { line_id },
    };
    let commands: Vec<CartCommand> = changes.into_iter().map(command).collect();
    run(shop, context, cart_id, &commands).await
}

/// Takes lines out.
///
/// # Errors
/// When there is no such line.
pub async fn remove_lines(
    shop: &Shop,
    context: &CommandContext,
    scope: Scope,
    cart_id: CartId,
    lines: Vec<LineId>,
) -> Result<Done<Arc<Cart>>, UseCaseError> {
    change_lines(shop, context, scope, cart_id, lines.into_iter().map(|line| (line, None)).collect()).await
}

/// A cart that is in the scope, for what never changes about it (its terms): an older state of it will do.
pub(super) async fn find(shop: &Shop, scope: Scope, cart_id: CartId) -> Result<Arc<Cart>, UseCaseError> {
    let remembered = shop.carts.remembered(&cart_id.to_string()).await;
    match remembered.filter(|cart| cart.terms().is_some_and(|terms| scope.covers(terms.customer_id))) {
        Some(cart) => Ok(cart),
        None => load(shop, scope, cart_id).await,
    }
}

/// The cart as it is on the primary, when it is in the scope.
pub(super) async fn load(shop: &Shop, scope: Scope, cart_id: CartId) -> Result<Arc<Cart>, UseCaseError> {
    let cart = shop.carts.load(&cart_id.to_string()).await?.state;
    check_scope(&cart, scope)?;
    Ok(cart)
}

/// A cart that is not in the scope is as good as none.
pub(super) fn check_scope(cart: &Cart, scope: Scope) -> Result<(), UseCaseError> {
    let ours = cart.terms().is_some_and(|terms| scope.covers(terms.customer_id));
    if ours { Ok(()) } else { Err(no_cart()) }
}

fn no_cart() -> UseCaseError {
    UseCaseError::refused(&Unavailable::NotFound("cart"))
}

/// Asks several things of a cart, all or nothing.
async fn run(
    shop: &Shop,
    context: &CommandContext,
    cart_id: CartId,
    commands: &[CartCommand],
) -> Result<Done<Arc<Cart>>, UseCaseError> {
    Ok(shop.carts.execute_all(&cart_id.to_string(), commands, context, "{}").await?.into())
}

fn check_count(lines: usize) -> Result<(), UseCaseError> {
    match lines {
        0 => Err(UseCaseError::refused(&Unavailable::NoLines)),
        _ if lines > MAX_LINES => Err(UseCaseError::refused(&Unavailable::TooManyLines { max: MAX_LINES })),
        _ => Ok(()),
    }
}

/// The prices of lines, all of them or why not.
async fn price(
    shop: &Shop,
    context: &CommandContext,
    currency: Currency,
    lines: &[NewLine],
) -> Result<Vec<PricedVariant>, UseCaseError> {
    let variants: Vec<VariantRef> = lines.iter().map(|line| line.variant).collect();
    let prices = pricing::prices(shop, &variants, currency, context.occurred_at).await?;
    let about = |(index, price): (usize, Result<_, UseCaseError>)| {
        price.map_err(|refused| refused.about(&["lines", &index.to_string(), "merchandiseId"]))
    };
    prices.into_iter().enumerate().map(about).collect()
}

fn add_commands(shop: &Shop, lines: Vec<NewLine>, prices: Vec<PricedVariant>) -> Vec<CartCommand> {
    let add = |(line, item): (NewLine, PricedVariant)| CartCommand::AddLine {
        line_id: LineId::generate(shop.ids.as_ref()),
        item,
        quantity: line.quantity,
        attributes: line.attributes,
    };
    lines.into_iter().zip(prices).map(add).collect()
}
