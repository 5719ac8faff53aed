//! What carts are filled with.

use async_graphql::InputObject;
use daybook_commands::use_cases::{Address, Contact, NewLine, UseCaseError, VariantRef};
use daybook_domain::{CartId, LineId, Quantity};

use crate::graphql::id::IdOf;
use crate::graphql::input::{AttributeInput, parse_attributes, parse_quantity};
use crate::graphql::money::MoneyInput;
use crate::graphql::scalar::{Country, CurrencyCode};

/// Something to put into a cart.
#[derive(Debug, Clone, InputObject)]
pub(crate) struct CartLineInput {
    /// The variant.
    merchandise_id: IdOf<VariantRef>,
    /// How many.
    #[graphql(default = 1)]
    quantity: i32,
    /// What the shopper asks for beside it, such as an engraving.
    #[graphql(default)]
    attributes: Vec<AttributeInput>,
}

impl CartLineInput {
    fn parse(self, index: usize) -> Result<NewLine, UseCaseError> {
        let index = index.to_string();
        Ok(NewLine {
            variant: self.merchandise_id.0,
            quantity: parse_quantity(self.quantity, &["lines", &index, "quantity"])?,
            attributes: parse_attributes(self.attributes, &["lines", &index, "attributes"])?,
        })
    }
}

/// Lines as the shop has them.
pub(super) fn parse_lines(given: Vec<CartLineInput>) -> Result<Vec<NewLine>, UseCaseError> {
    given.into_iter().enumerate().map(|(index, line)| line.parse(index)).collect()
}

/// A cart to take.
#[derive(Debug, Clone, InputObject)]
pub(crate) struct CartCreateInput {
    /// The currency of all its prices.
    pub(super) currency_code: CurrencyCode,
    /// What is in it from the start.
    #[graphql(default)]
    pub(super) lines: Vec<CartLineInput>,
}

/// A line's new quantity.
#[derive(Debug, Clone, InputObject)]
pub(crate) struct CartLineUpdateInput {
    /// The line.
    id: IdOf<LineId>,
    /// How many; 0 takes it out.
    quantity: i32,
}

impl CartLineUpdateInput {
    /// The change as the shop has it.
    pub(super) fn parse(self, index: usize) -> Result<(LineId, Option<Quantity>), UseCaseError> {
        if self.quantity == 0 {
            return Ok((self.id.0, None));
        }
        let quantity = parse_quantity(self.quantity, &["lines", &index.to_string(), "quantity"])?;
        Ok((self.id.0, Some(quantity)))
    }
}

/// Who to deliver to.
#[derive(Debug, Clone, InputObject)]
pub(crate) struct ContactInput {
    /// The name.
    name: String,
    /// The e-mail address.
    email: String,
    /// The telephone number.
    phone: Option<String>,
}

/// Where to deliver to.
#[derive(Debug, Clone, InputObject)]
pub(crate) struct AddressInput {
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

/// Who and where to deliver a cart to.
#[derive(Debug, Clone, InputObject)]
pub(crate) struct CartDeliverySetInput {
    /// The cart.
    pub(super) cart_id: IdOf<CartId>,
    /// Who.
    contact: ContactInput,
    /// Where.
    address: AddressInput,
}

impl CartDeliverySetInput {
    /// Both as the shop has them.
    pub(super) fn parse(self) -> (Contact, Address) {
        let ContactInput { name, email, phone } = self.contact;
        let AddressInput { address1, address2, city, province, zip, country_code } = self.address;
        let address = Address { address1, address2, city, province, zip, country: country_code.0 };
        (Contact { name, email, phone }, address)
    }
}

/// What a shopper buys a cart with.
#[derive(Debug, Clone, InputObject)]
pub(crate) struct CartSubmitInput {
    /// The cart.
    pub(super) cart_id: IdOf<CartId>,
    /// What the gateway knows the shopper's means of payment by.
    pub(super) payment_token: String,
    /// The total that the shopper saw: nobody is charged another.
    pub(super) expected_total: MoneyInput,
}
