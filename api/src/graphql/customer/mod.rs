//! Customers: so far, only that one can be forgotten.

use async_graphql::{Context, ID, Object};
use daybook_commands::use_cases;
use daybook_domain::{CartId, CustomerId, SubjectId};

use super::error::ApiError;
use super::id::{IdOf, global};
use super::payload::{invalid, mutate, payload};
use crate::auth::Permission;

payload! {
    /// A person who was forgotten.
    CustomerForgetPayload {
        /// Who.
        forgotten_id: ID
    } from ID;
}

/// The mutations of customers.
#[derive(Default)]
pub(crate) struct CustomerMutation;

#[Object]
impl CustomerMutation {
    /// Forgets a customer, or the guest of a cart: names, addresses and the like can never be read again, anywhere.
    /// Orders, amounts and history stay.
    async fn customer_forget(
        &self,
        ctx: &Context<'_>,
        customer_id: Option<IdOf<CustomerId>>,
        guest_cart_id: Option<IdOf<CartId>>,
    ) -> Result<Option<CustomerForgetPayload>, ApiError> {
        let mutated = mutate(ctx, Permission::Forget, async |shop, context| {
            let (id, subject) = match (customer_id, guest_cart_id) {
                (Some(IdOf(customer)), None) => (global(&customer), customer.uuid()),
                (None, Some(IdOf(cart))) => (global(&cart), cart.uuid()),
                (None, None) | (Some(_), Some(_)) => {
                    return Err(invalid("SUBJECT_AMBIGUOUS", "name a customer or a guest's cart", &[]));
                }
            };
            let done = use_cases::forget_person(shop, &context, SubjectId::new(subject)).await?;
            Ok(done.map(|_subject| id))
        });
        Ok(Some(mutated.await?.into()))
    }
}
