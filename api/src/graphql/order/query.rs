//! Finding orders.

use async_graphql::{Context, InputObject, Object};
use daybook_domain::{CustomerId, OrderId};
use daybook_projections::orders::query::{self, OrderFilter};

use super::Order;
use super::status::{FulfilmentStatus, OrderStatus, PaymentStatus};
use crate::auth::{Identity, Permission};
use crate::graphql::context::request;
use crate::graphql::error::ApiError;
use crate::graphql::id::IdOf;
use crate::graphql::reads::{self, Paging, Slice, connection, cost};
use crate::graphql::scalar::Position;

/// The read model.
const MODEL: &str = "orders";

/// Which orders.
#[derive(Debug, Clone, Default, InputObject)]
pub(crate) struct OrderFilterInput {
    /// Those of this customer; a customer only ever sees their own.
    customer_id: Option<IdOf<CustomerId>>,
    /// Those whose promise is this far.
    status: Option<OrderStatus>,
    /// Those whose money is this far.
    payment_status: Option<PaymentStatus>,
    /// Those whose goods are this far.
    fulfilment_status: Option<FulfilmentStatus>,
}

impl OrderFilterInput {
    fn parse(self, identity: &Identity) -> Result<OrderFilter, ApiError> {
        let asked = self.customer_id.map(|id| id.0);
        let customer_id = if identity.may(Permission::SeeOrders) {
            asked
        } else {
            let own = identity.customer_id().ok_or(ApiError::Forbidden)?;
            if asked.is_some_and(|asked| asked != own) {
                return Err(ApiError::Forbidden);
            }
            Some(own)
        };
        Ok(OrderFilter {
            customer_id,
            status: self.status.map(Into::into),
            payment_status: self.payment_status.map(Into::into),
            fulfilment_status: self.fulfilment_status.map(Into::into),
        })
    }
}

connection! {
    /// A page of orders, newest first.
    OrderConnection {}, OrderEdge of Order;
}

/// The queries of orders.
#[derive(Default)]
pub(crate) struct OrderQuery;

#[Object]
impl OrderQuery {
    /// The order with this id, when it is the client's. `after` makes it wait until it shows at least what a
    /// mutation reached.
    async fn order(
        &self,
        ctx: &Context<'_>,
        id: IdOf<OrderId>,
        after: Option<Position>,
    ) -> Result<Option<Order>, ApiError> {
        let found = reads::after(ctx, &[MODEL], after).await?.load.orders.get(id.0).await?;
        Ok(found.map(Order).filter(|order| order.is_visible(ctx)))
    }

    /// A list of orders: a customer's own, or for the shop's people anyone's. `afterPosition` makes it wait until
    /// it shows at least what a mutation reached.
    #[graphql(complexity = "cost(first, child_complexity)")]
    async fn orders(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        #[graphql(default)] filter: OrderFilterInput,
        after_position: Option<Position>,
    ) -> Result<OrderConnection, ApiError> {
        let page = Paging { first, after }.request(ctx)?;
        let filter = filter.parse(&request(ctx).identity)?;
        let reads = reads::after(ctx, &[MODEL], after_position).await?;
        let found = query::list(&reads.db, &filter, &page).await?;
        Ok(OrderConnection { slice: Slice::of(found, &page, |row| Order(row.into())) })
    }
}
