//! Carts: taking one and filling it.

use std::collections::BTreeMap;
use std::sync::Arc;

use daybook_domain::cart::{Cart, CartCommand, MAX_LINES};
use daybook_domain::pricing::TaxTreatment;
use daybook_domain::{CartId, Currency, CustomerId, LineId, Quantity, Timestamp};
use daybook_eventstore::{CommandContext, Together, Unit};
use serde_json::json;

use super::error::{Unavailable, UseCaseError};
use super::outcome::{Done, Scope, recorded, together};
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
    check_most(lines.len())?;
    let cart_id = CartId::generate(shop.ids.as_ref());
    let (id, outcome) = (cart_id.to_string(), json!({ "cart_id": cart_id }).to_string());
    let create = CartCommand::Create { cart_id, customer_id, currency, tax: TaxTreatment::Standard };
    let lines = with_ids(shop, lines);
    pricing::have_at_hand(shop, lines.iter().map(|(_, line)| line.variant)).await?;
    let created = together(shop, context, &outcome, |unit| {
        let cart = unit.create(&shop.carts, &id, create.clone())?;
        let cart = cart.map_err(|refusal| UseCaseError::refused(&refusal))?;
        let added = add_commands(shop, unit, &lines, (currency, context.occurred_at))?;
        ask_all(shop, unit, &id, cart, added)
    })
    .await?;
    match created {
        Together::Done { position, decided } => {
            Ok(Done { value: (cart_id, decided), position: Some(position), replayed: false })
        }
        Together::Replayed { position, outcome } => {
            let Created { cart_id } = recorded(&outcome)?;
            let cart = shop.carts.load(&cart_id.to_string()).await?.state;
            Ok(Done { value: (cart_id, cart), position: Some(position), replayed: true })
        }
    }
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
    let lines = with_ids(shop, lines);
    pricing::have_at_hand(shop, lines.iter().map(|(_, line)| line.variant)).await?;
    let added = on_cart(shop, context, (scope, cart_id), "{}", |unit, cart| {
        let currency = cart.terms().ok_or_else(no_cart)?.currency;
        add_commands(shop, unit, &lines, (currency, context.occurred_at))
    });
    Ok(added.await?.map(|(_, cart)| cart))
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
    let command = |(line_id, quantity)| match quantity {
        Some(quantity) => CartCommand::ChangeQuantity { line_id, quantity },
        None => CartCommand::RemoveLine { line_id },
    };
    let commands: Vec<CartCommand> = changes.into_iter().map(command).collect();
    let done = on_cart(shop, context, (scope, cart_id), "{}", |_, _| Ok(commands.clone()));
    Ok(done.await?.map(|(_, cart)| cart))
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

/// Asks of a cart in the scope what `decide` finds, all of it or nothing: it is given the cart as it is, and whatever else
/// it turns to must still be so when this takes effect. Says what was recorded as the outcome.
pub(super) async fn on_cart(
    shop: &Shop,
    context: &CommandContext,
    (scope, cart_id): (Scope, CartId),
    outcome: &str,
    decide: impl Fn(&mut Unit<'_>, &Cart) -> Result<Vec<CartCommand>, UseCaseError> + Sync,
) -> Result<Done<(String, Arc<Cart>)>, UseCaseError> {
    let id = cart_id.to_string();
    let asked = together(shop, context, outcome, |unit| {
        let cart = unit.state(&shop.carts, &id)?;
        check_scope(&cart, scope)?;
        let commands = decide(unit, &cart)?;
        ask_all(shop, unit, &id, cart, commands)
    });
    match asked.await? {
        Together::Done { position, decided } => {
            Ok(Done { value: (outcome.to_owned(), decided), position: Some(position), replayed: false })
        }
        Together::Replayed { position, outcome } => {
            let cart = load(shop, scope, cart_id).await?;
            Ok(Done { value: (outcome, cart), position: Some(position), replayed: true })
        }
    }
}

/// The cart after these commands.
fn ask_all(
    shop: &Shop,
    unit: &mut Unit<'_>,
    id: &str,
    mut cart: Arc<Cart>,
    commands: Vec<CartCommand>,
) -> Result<Arc<Cart>, UseCaseError> {
    for command in commands {
        cart = unit.execute(&shop.carts, id, command)?.map_err(|refusal| UseCaseError::refused(&refusal))?;
    }
    Ok(cart)
}

fn check_count(lines: usize) -> Result<(), UseCaseError> {
    if lines == 0 { Err(UseCaseError::refused(&Unavailable::NoLines)) } else { check_most(lines) }
}

/// Each of them is an event, also where they are all of one variant.
fn check_most(lines: usize) -> Result<(), UseCaseError> {
    if lines <= MAX_LINES {
        return Ok(());
    }
    Err(UseCaseError::refused(&Unavailable::TooManyLines { max: MAX_LINES }))
}

fn with_ids(shop: &Shop, lines: Vec<NewLine>) -> Vec<(LineId, NewLine)> {
    lines.into_iter().map(|line| (LineId::generate(shop.ids.as_ref()), line)).collect()
}

/// What puts these lines into a cart at today's prices; or why one of them has none.
fn add_commands(
    shop: &Shop,
    unit: &mut Unit<'_>,
    lines: &[(LineId, NewLine)],
    today: (Currency, Timestamp),
) -> Result<Vec<CartCommand>, UseCaseError> {
    pricing::turn_to(shop, unit, lines.iter().map(|(_, line)| line.variant))?;
    let mut commands = Vec::with_capacity(lines.len());
    for (index, (line_id, line)) in lines.iter().enumerate() {
        let item = pricing::price(shop, unit, line.variant, today)
            .map_err(|refused| refused.about(&["lines", &index.to_string(), "merchandiseId"]))?;
        let NewLine { quantity, attributes, .. } = line.clone();
        commands.push(CartCommand::AddLine { line_id: *line_id, item, quantity, attributes });
    }
    Ok(commands)
}
