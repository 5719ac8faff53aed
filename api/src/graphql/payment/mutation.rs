//! What the shop's people do with payments.

use std::sync::Arc;

use async_graphql::{ComplexObject, Context, ID, InputObject, Object, SimpleObject};
use daybook_commands::use_cases;
use daybook_domain::payment::Payment as Aggregate;
use daybook_domain::{OrderId, RefundId};

use super::Payment;
use crate::auth::Permission;
use crate::graphql::error::ApiError;
use crate::graphql::id::{IdOf, global, key};
use crate::graphql::input::parse_money;
use crate::graphql::money::MoneyInput;
use crate::graphql::order::{Refund, order_of};
use crate::graphql::payload::{Mutated, UserError, mutate, payload};
use crate::graphql::scalar::Position;

payload! {
    /// A payment of which more is taken.
    PaymentCapturePayload {
        /// The payment.
        payment: Payment
    } from Arc<Aggregate>;
}

/// A payment of which something goes back.
#[derive(SimpleObject)]
#[graphql(complex)]
pub(crate) struct RefundCreatePayload {
    /// Which refund it is.
    refund_id: Option<ID>,
    /// The payment.
    payment: Option<Payment>,
    /// Why nothing was done; empty when it was.
    user_errors: Vec<UserError>,
    /// The position the mutation reached: give it to a query as `after` to read at least this.
    position: Option<Position>,
    /// Whether this had been done before under the same idempotency key, and this is its repetition.
    replayed: bool,
}

#[ComplexObject]
impl RefundCreatePayload {
    /// The refund, as it is now.
    async fn refund(&self, ctx: &Context<'_>) -> Result<Option<Refund>, ApiError> {
        let order = order_of(ctx, self.payment.as_ref().map(|payment| &payment.order_id)).await?;
        let id = self.refund_id.as_ref().and_then(|id| key(id));
        Ok(order.zip(id).and_then(|(order, id)| Refund::find(&order.0, id)))
    }
}

impl From<Mutated<(RefundId, Arc<Aggregate>)>> for RefundCreatePayload {
    fn from(mutated: Mutated<(RefundId, Arc<Aggregate>)>) -> Self {
        let Mutated { value, user_errors, position, replayed } = mutated;
        let (refund_id, payment) = value.unzip();
        Self {
            refund_id: refund_id.as_ref().map(global),
            payment: payment.map(Payment::from),
            user_errors,
            position,
            replayed,
        }
    }
}

/// What to pay back.
#[derive(Debug, Clone, InputObject)]
pub(crate) struct RefundCreateInput {
    /// The order.
    order_id: IdOf<OrderId>,
    /// How much: at most what was captured and is not refunded yet.
    amount: MoneyInput,
    /// Why.
    #[graphql(default)]
    reason: String,
}

/// The mutations of payments.
#[derive(Default)]
pub(crate) struct PaymentMutation;

#[Object]
impl PaymentMutation {
    /// Takes a part of what is held for an order by hand; without an amount, all of it.
    async fn payment_capture(
        &self,
        ctx: &Context<'_>,
        order_id: IdOf<OrderId>,
        amount: Option<MoneyInput>,
    ) -> Result<Option<PaymentCapturePayload>, ApiError> {
        let mutated = mutate(ctx, Permission::ManagePayments, async |shop, context| {
            let amount = amount.map(|amount| parse_money(&amount, &["amount"])).transpose()?;
            use_cases::capture_payment(shop, &context, order_id.0, amount).await
        });
        Ok(Some(mutated.await?.into()))
    }

    /// Pays back a part of what was captured for an order.
    async fn refund_create(
        &self,
        ctx: &Context<'_>,
        input: RefundCreateInput,
    ) -> Result<Option<RefundCreatePayload>, ApiError> {
        let mutated = mutate(ctx, Permission::ManagePayments, async |shop, context| {
            let amount = parse_money(&input.amount, &["input", "amount"])?;
            let refund = (amount, input.reason);
            use_cases::refund_payment(shop, &context, input.order_id.0, refund).await
        });
        Ok(Some(mutated.await?.into()))
    }
}
