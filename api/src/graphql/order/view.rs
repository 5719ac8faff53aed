//! Orders as clients see them.

use std::sync::Arc;

use async_graphql::{Context, ID, Object, SimpleObject};
use daybook_commands::use_cases::{Address, Contact, VariantRef};
use daybook_domain::{OrderId, ShipmentId, Timestamp};
use daybook_projections::orders::{OrderLine as Line, OrderRow};

use super::history::{self, OrderEventConnection};
use super::settlement::{self, OrderPayment};
use super::status::{FulfilmentStatus, OrderCancelReason, OrderStatus, PaymentStatus};
use crate::auth::Permission;
use crate::graphql::context::request;
use crate::graphql::error::ApiError;
use crate::graphql::id::global;
use crate::graphql::input::{Attribute, attributes};
use crate::graphql::money::MoneyV2;
use crate::graphql::person::{self, DeliveryAddress, DeliveryContact};
use crate::graphql::product::{self, ProductVariant};
use crate::graphql::reads::{self, Paging, cost};
use crate::graphql::scalar::Country;
use crate::graphql::shipment::Shipment;

/// An order: what was bought, and how far its promise, its money and its goods are.
#[derive(Debug, Clone)]
pub(crate) struct Order(pub(crate) Arc<OrderRow>);

impl Order {
    /// Whether this client may see it.
    pub(crate) fn is_visible(&self, ctx: &Context<'_>) -> bool {
        request(ctx).identity.sight().covers(self.0.customer_id)
    }

    /// Its parcel with this id.
    pub(crate) fn shipment(&self, id: ShipmentId) -> Option<Shipment> {
        let parcel = self.0.shipments.iter().find(|parcel| parcel.shipment_id == id)?;
        Some(settlement::shipment(self.0.order_id, parcel))
    }

    fn meet(&self, ctx: &Context<'_>) -> Result<(), ApiError> {
        if request(ctx).identity.may_meet(self.0.customer_id) { Ok(()) } else { Err(ApiError::Forbidden) }
    }
}

/// The order, for something that refers to it; nothing until it is placed, and when the client may not see it.
pub(crate) async fn linked(ctx: &Context<'_>, id: OrderId) -> Result<Option<Order>, ApiError> {
    let found = reads::linked(ctx, &["orders"]).await?.load.orders.get(id).await?;
    Ok(found.map(Order).filter(|order| order.is_visible(ctx)))
}

/// What an order costs.
#[derive(Debug, Clone, SimpleObject)]
#[expect(clippy::struct_field_names, reason = "the names are those of the field's other APIs")]
pub(crate) struct OrderCost {
    /// All lines, without tax.
    subtotal_amount: MoneyV2,
    /// The shipping, without tax.
    shipping_amount: MoneyV2,
    /// All tax.
    total_tax_amount: MoneyV2,
    /// What the shopper pays.
    total_amount: MoneyV2,
}

#[Object]
impl Order {
    /// Its id. A guest's order is seen by whoever knows it.
    pub(crate) async fn id(&self) -> ID {
        global(&self.0.order_id)
    }

    /// The cart it was.
    async fn cart_id(&self) -> ID {
        global(&self.0.cart_id)
    }

    /// Whose it is; nothing for a guest.
    async fn customer_id(&self) -> Option<ID> {
        self.0.customer_id.as_ref().map(global)
    }

    /// How far the promise is.
    async fn status(&self) -> OrderStatus {
        self.0.status.into()
    }

    /// How far the money is.
    async fn payment_status(&self) -> PaymentStatus {
        self.0.payment_status().into()
    }

    /// How far the goods are.
    async fn fulfilment_status(&self) -> FulfilmentStatus {
        self.0.fulfilment_status().into()
    }

    /// Why it was cancelled.
    async fn cancel_reason(&self) -> Option<OrderCancelReason> {
        self.0.cancel_reason.map(OrderCancelReason::from)
    }

    /// What staff noted about why it was cancelled; nothing for shoppers, and after the person was forgotten.
    async fn cancel_staff_note(&self, ctx: &Context<'_>) -> Result<Option<String>, ApiError> {
        if !request(ctx).identity.may(Permission::ServeCustomers) {
            return Ok(None);
        }
        person::open::<String, _>(ctx, self.0.cancel_note.as_ref()).await
    }

    /// What was bought.
    #[graphql(complexity = "10 * child_complexity")]
    async fn lines(&self) -> Vec<OrderLine> {
        (0..self.0.lines.len()).map(|index| OrderLine { order: Arc::clone(&self.0), index }).collect()
    }

    /// What it costs.
    async fn cost(&self) -> OrderCost {
        let quote = &self.0.quote;
        OrderCost {
            subtotal_amount: quote.net.into(),
            shipping_amount: quote.shipping.price.into(),
            total_tax_amount: quote.tax.into(),
            total_amount: quote.total.into(),
        }
    }

    /// The way of shipping.
    async fn shipping_method(&self) -> &str {
        self.0.quote.shipping.method.as_str()
    }

    /// The country delivered to.
    async fn country_code(&self) -> Country {
        Country(self.0.quote.country.clone())
    }

    /// Who it is delivered to; nothing after the person was forgotten.
    async fn contact(&self, ctx: &Context<'_>) -> Result<Option<DeliveryContact>, ApiError> {
        self.meet(ctx)?;
        person::open::<Contact, _>(ctx, Some(&self.0.contact)).await
    }

    /// Where it is delivered to; nothing after the person was forgotten.
    async fn delivery_address(&self, ctx: &Context<'_>) -> Result<Option<DeliveryAddress>, ApiError> {
        self.meet(ctx)?;
        person::open::<Address, _>(ctx, Some(&self.0.address)).await
    }

    /// Its money.
    async fn payment(&self) -> OrderPayment {
        self.0.as_ref().into()
    }

    /// Its parcels, oldest first.
    #[graphql(complexity = "3 * child_complexity")]
    async fn shipments(&self) -> Vec<Shipment> {
        self.0.shipments.iter().map(|parcel| settlement::shipment(self.0.order_id, parcel)).collect()
    }

    /// When it was placed.
    async fn placed_at(&self) -> Timestamp {
        self.0.placed_at
    }

    /// When anything about it changed last.
    async fn updated_at(&self) -> Timestamp {
        self.0.updated_at
    }

    /// Every event of it, its payment and its parcels, oldest first.
    #[graphql(complexity = "cost(first, child_complexity)")]
    async fn history(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
    ) -> Result<OrderEventConnection, ApiError> {
        history::part(ctx, self.0.order_id, &Paging { first, after }).await
    }
}

/// One line of an order.
#[derive(Debug, Clone)]
pub(crate) struct OrderLine {
    order: Arc<OrderRow>,
    index: usize,
}

impl OrderLine {
    fn line(&self) -> &Line {
        &self.order.lines[self.index]
    }
}

#[Object]
impl OrderLine {
    /// Its id.
    async fn id(&self) -> ID {
        global(&self.line().id())
    }

    /// The variant.
    async fn merchandise_id(&self) -> ID {
        let quoted = &self.line().quoted;
        global(&VariantRef { product_id: quoted.product_id, variant_id: quoted.variant_id })
    }

    /// The variant as it is now; nothing when it is not for sale any more.
    async fn merchandise(&self, ctx: &Context<'_>) -> Result<Option<ProductVariant>, ApiError> {
        product::variant(ctx, self.line().quoted.variant_id).await
    }

    /// The product.
    async fn product_id(&self) -> ID {
        global(&self.line().quoted.product_id)
    }

    /// The variant's sku then.
    async fn sku(&self) -> &str {
        self.line().quoted.sku.as_str()
    }

    /// The title that the shopper was shown.
    async fn title(&self) -> &str {
        &self.line().quoted.title
    }

    /// What the shopper asked for beside the variant.
    async fn attributes(&self) -> Vec<Attribute> {
        attributes(&self.line().quoted.attributes)
    }

    /// How many.
    async fn quantity(&self) -> i64 {
        self.line().quoted.quantity.count()
    }

    /// How many of them left.
    async fn dispatched(&self) -> u32 {
        self.line().dispatched
    }

    /// The price of one, without tax.
    async fn unit_price(&self) -> MoneyV2 {
        self.line().quoted.unit_price.into()
    }

    /// The price of all of them, without tax.
    async fn net(&self) -> MoneyV2 {
        self.line().quoted.net.into()
    }

    /// The tax on them.
    async fn tax(&self) -> MoneyV2 {
        self.line().quoted.tax.into()
    }

    /// Both together.
    async fn gross(&self) -> MoneyV2 {
        self.line().quoted.gross.into()
    }
}
