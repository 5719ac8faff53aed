//! Personal data: opened here, for whoever may see the cart or order it belongs to, and nowhere else.

use std::collections::HashMap;

use async_graphql::{Context, SimpleObject};
use daybook_commands::use_cases::{Address, Contact};
use daybook_domain::{Sealed, SubjectId};
use daybook_eventstore::{SubjectKey, Vault, VaultError};
use serde::de::DeserializeOwned;

use super::error::ApiError;
use super::reads::{Batch, Loader};
use super::scalar::Country;

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

/// The keys that open what was sealed for people.
pub(crate) struct Keys(Vault);

impl Batch for Keys {
    type Key = SubjectId;
    type Value = SubjectKey;

    async fn find(&self, subjects: Vec<SubjectId>) -> Result<HashMap<SubjectId, SubjectKey>, ApiError> {
        self.0.keys(&subjects).await.map_err(failed)
    }
}

/// People's keys, looked up many at a time.
pub(crate) type People = Loader<Keys>;

/// The people whose keys are in this vault.
pub(crate) fn people(vault: Vault) -> People {
    Loader::new(Keys(vault))
}

/// Opens a sealed value; nothing when there is none or its person was forgotten.
pub(crate) async fn open<T: DeserializeOwned, U: From<T>>(
    ctx: &Context<'_>,
    sealed: Option<&Sealed>,
) -> Result<Option<U>, ApiError> {
    let Some(sealed) = sealed else { return Ok(None) };
    let key = ctx.data_unchecked::<People>().get(sealed.subject).await?;
    match key.ok_or(VaultError::Broken).and_then(|key| key.open::<T>(sealed)) {
        Ok(value) => Ok(Some(value.into())),
        Err(VaultError::Forgotten) => Ok(None),
        Err(error) => Err(failed(error)),
    }
}

/// A vault that failed is no matter for clients.
pub(super) fn failed(error: VaultError) -> ApiError {
    match error {
        VaultError::TimedOut => ApiError::TimedOut,
        VaultError::Forgotten
        | VaultError::Broken
        | VaultError::UnknownKey(_)
        | VaultError::OtherKey
        | VaultError::Keyring(_)
        | VaultError::Database(_)
        | VaultError::Unserialisable(_) => ApiError::internal(error),
    }
}
