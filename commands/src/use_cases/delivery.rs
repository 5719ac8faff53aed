//! Who and where to deliver to: sealed before any command sees it.

use std::sync::Arc;

use daybook_domain::cart::{Cart, CartCommand};
use daybook_domain::{CartId, CountryCode, SubjectId};
use daybook_eventstore::CommandContext;
use serde::{Deserialize, Serialize};

use super::cart::find;
use super::error::{Unavailable, UseCaseError};
use super::outcome::{Done, Scope};
use crate::shop::Shop;

/// Who to deliver to. It leaves this process sealed only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contact {
    /// The name.
    pub name: String,
    /// The e-mail address.
    pub email: String,
    /// The telephone number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone: Option<String>,
}

/// Where to deliver to. It leaves this process sealed only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Address {
    /// Street and number.
    pub address1: String,
    /// A second line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address2: Option<String>,
    /// The city.
    pub city: String,
    /// The state, province or county.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub province: Option<String>,
    /// The postal code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zip: Option<String>,
    /// The country.
    pub country: CountryCode,
}

/// Says who and where to deliver a cart to.
///
/// # Errors
/// When the contact or address is not usable, or the shopper was forgotten.
pub async fn set_delivery(
    shop: &Shop,
    context: &CommandContext,
    scope: Scope,
    cart_id: CartId,
    (contact, address): (Contact, Address),
) -> Result<Done<Arc<Cart>>, UseCaseError> {
    contact.check()?;
    address.check()?;
    let cart = find(shop, scope, cart_id).await?;
    let customer = cart.terms().and_then(|terms| terms.customer_id);
    let subject = SubjectId::new(customer.map_or(cart_id.uuid(), daybook_domain::CustomerId::uuid));
    let command = CartCommand::SetDelivery {
        contact: shop.vault.seal(subject, &contact).await?,
        address: shop.vault.seal(subject, &address).await?,
        country: address.country,
    };
    Ok(shop.carts.execute(&cart_id.to_string(), command, context, "{}").await?.into())
}

impl Contact {
    fn check(&self) -> Result<(), UseCaseError> {
        line("name", &self.name, 1, 200)?;
        line("email", &self.email, 3, 254)?;
        if let Some(phone) = &self.phone {
            line("phone", phone, 3, 40)?;
        }
        let parts = self.email.split_once('@');
        let usable = parts
            .is_some_and(|(name, host)| !name.is_empty() && !host.is_empty() && !host.contains('@'))
            && !self.email.contains(char::is_whitespace);
        if usable {
            return Ok(());
        }
        Err(UseCaseError::refused(&Unavailable::Email).about(&["input", "contact", "email"]))
    }
}

impl Address {
    fn check(&self) -> Result<(), UseCaseError> {
        line("address1", &self.address1, 1, 200)?;
        line("city", &self.city, 1, 100)?;
        let rest = [("address2", &self.address2), ("province", &self.province), ("zip", &self.zip)];
        for (field, text) in rest {
            if let Some(text) = text {
                line(field, text, 1, 200)?;
            }
        }
        Ok(())
    }
}

pub(super) fn line(field: &'static str, text: &str, min: usize, max: usize) -> Result<(), UseCaseError> {
    let fits = text.len() <= max * 4 && (min..=max).contains(&text.chars().count());
    if fits && !text.trim().is_empty() && !text.chars().any(char::is_control) {
        return Ok(());
    }
    Err(UseCaseError::refused(&Unavailable::Text { field, min, max }).about(&["input", field]))
}
