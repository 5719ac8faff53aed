//! `node(id:)`: anything that has a global id.

use async_graphql::{Context, ID, Interface, Object};
use daybook_commands::use_cases::VariantRef;
use daybook_domain::inventory::StockItem;
use daybook_domain::{CartId, OrderId, PaymentId, ProductId, RefundId, ShipmentId};
use uuid::Uuid;

use super::cart::Cart;
use super::context::request;
use super::error::ApiError;
use super::id::{self, Node as Named};
use super::order::{Order, Refund};
use super::payment::Payment;
use super::product::{Product, ProductVariant};
use super::reads;
use super::scalar::Position;
use super::shipment::Shipment;
use super::stock::StockLevel;
use crate::auth::Permission;

/// Something with a global id.
#[derive(Interface)]
#[graphql(field(name = "id", ty = "ID", desc = "Its id."))]
pub(crate) enum Node {
    /// A product.
    Product(Product),
    /// A variant.
    ProductVariant(ProductVariant),
    /// A cart.
    Cart(Cart),
    /// An order.
    Order(Order),
    /// An order's payment.
    Payment(Payment),
    /// A part of it that was paid back, or asked to be.
    Refund(Refund),
    /// An order's parcel.
    Shipment(Shipment),
    /// Stock of a variant at a location.
    StockLevel(StockLevel),
}

/// The query of nodes.
#[derive(Default)]
pub(crate) struct NodeQuery;

#[Object]
impl NodeQuery {
    /// Whatever has this id and may be seen by the client.
    async fn node(
        &self,
        ctx: &Context<'_>,
        id: ID,
        after: Option<Position>,
    ) -> Result<Option<Node>, ApiError> {
        let invalid = || ApiError::bad_input("INVALID_ID", "not an id of this API");
        let (name, key) = id::parse(&id).ok_or_else(invalid)?;
        match name.as_str() {
            ProductId::TYPE => {
                let id = key.parse().map_err(|_| invalid())?;
                Ok(product(ctx, id, after).await?.map(Node::Product))
            }
            VariantRef::TYPE => {
                let id: VariantRef = key.parse().map_err(|_| invalid())?;
                let product = product(ctx, id.product_id, after).await?;
                Ok(product.and_then(|product| product.find(id)).map(Node::ProductVariant))
            }
            CartId::TYPE => {
                let id = key.parse().map_err(|_| invalid())?;
                let found = reads::cart(ctx, id, after).await?;
                Ok(found.map(Cart::Read).filter(|cart| cart.is_visible(ctx)).map(Node::Cart))
            }
            OrderId::TYPE => {
                let id = key.parse().map_err(|_| invalid())?;
                let found = reads::after(ctx, &["orders"], after).await?.load.orders.get(id).await?;
                Ok(found.map(Order).filter(|order| order.is_visible(ctx)).map(Node::Order))
            }
            PaymentId::TYPE => {
                let id: PaymentId = key.parse().map_err(|_| invalid())?;
                let order = order_with(ctx, id.uuid(), after).await?;
                Ok(order.and_then(|order| Payment::of_order(&order.0)).map(Node::Payment))
            }
            RefundId::TYPE => {
                let id: RefundId = key.parse().map_err(|_| invalid())?;
                let order = order_with(ctx, id.uuid(), after).await?;
                Ok(order.and_then(|order| Refund::find(&order.0, id)).map(Node::Refund))
            }
            ShipmentId::TYPE => {
                let id: ShipmentId = key.parse().map_err(|_| invalid())?;
                let order = order_with(ctx, id.uuid(), after).await?;
                Ok(order.and_then(|order| order.shipment(id)).map(Node::Shipment))
            }
            StockItem::TYPE => {
                let item = key.parse().map_err(|_| invalid())?;
                Ok(stock(ctx, &item, after).await?.map(Node::StockLevel))
            }
            _ => Ok(None),
        }
    }
}

/// The order that a payment, refund or shipment is of.
async fn order_with(
    ctx: &Context<'_>,
    part: Uuid,
    after: Option<Position>,
) -> Result<Option<Order>, ApiError> {
    let found = reads::after(ctx, &["orders"], after).await?.load.orders_by_part.get(part).await?;
    Ok(found.map(Order).filter(|order| order.is_visible(ctx)))
}

async fn stock(
    ctx: &Context<'_>,
    item: &StockItem,
    after: Option<Position>,
) -> Result<Option<StockLevel>, ApiError> {
    if !request(ctx).identity.may(Permission::ManageStock) {
        return Ok(None);
    }
    let levels = reads::after(ctx, &["stock"], after).await?.load.stock.get(item.variant_id).await?;
    let level = levels.as_ref().and_then(|levels| levels.iter().find(|one| one.location == item.location));
    Ok(level.map(StockLevel::from))
}

async fn product(
    ctx: &Context<'_>,
    id: ProductId,
    after: Option<Position>,
) -> Result<Option<Product>, ApiError> {
    let found = reads::after(ctx, &["products"], after).await?.load.products.get(id).await?;
    Ok(found.map(Product::Read).filter(|product| product.is_visible(ctx)))
}
