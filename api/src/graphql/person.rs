//! Personal data: opened here, for whoever may see the cart or order it belongs to, and nowhere else.

use async_graphql::{Context, SimpleObject};
use daybook_commands::use_cases::{Address, Contact};
use daybook_domain::Sealed;
use daybook_eventstore::VaultError;
use serde::de::DeserializeOwned;

use super::error::ApiError;
use super::scalar::Country;
use super::services::services;

/// Who to deliver to.
#[derive(Debug, Clone, SimpleObject)]
pub(crate) struct DeliveryContact {
    /// The name.
    name: String,
    /// The e-mail address.
    email: String,
    /// The telephone number.
    phone: Option<String>,
}

/// Where to deliver to.
#[derive(Debug, Clone, SimpleObject)]
pub(crate) struct DeliveryAddress {
    /// Street and number.
    address1: String,
    /// A second line.
    address2: Option<String>,
    /// The city.
    city: String,
    /// The state, province or county.
    province: Option<String>,
    /// The postal code.
    zip: Option<String>,
    /// The country.
    country_code: Country,
}

impl From<Contact> for DeliveryContact {
    fn from(Contact { name, email, phone }: Contact) -> Self {
        Self { name, email, phone }
    }
}

impl From<Address> for DeliveryAddress {
    fn from(Address { address1, address2, city, province, zip, country }: Address) -> Self {
        Self { address1, address2, city, province, zip, country_code: Country(country) }
    }
}

/// Opens a sealed value; nothing when there is none or its person was forgotten.
pub(crate) async fn open<T: DeserializeOwned, U: From<T>>(
    ctx: &Context<'_>,
    sealed: Option<&Sealed>,
) -> Result<Option<U>, ApiError> {
    let Some(sealed) = sealed else { return Ok(None) };
    match services(ctx).shop.vault.open::<T>(sealed).await {
        Ok(value) => Ok(Some(value.into())),
        Err(VaultError::Forgotten) => Ok(None),
        Err(VaultError::TimedOut) => Err(ApiError::TimedOut),
        Err(error @ (VaultError::Broken | VaultError::Database(_) | VaultError::Unserialisable(_))) => {
            Err(ApiError::internal(error))
        }
    }
}
