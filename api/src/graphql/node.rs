//! `node(id:)`: anything that has a global id.

use async_graphql::{Context, ID, Interface, Object};
use daybook_commands::use_cases::VariantRef;
use daybook_domain::{CartId, OrderId, ProductId};

use super::cart::Cart;
use super::error::ApiError;
use super::id::{self, Node as Named};
use super::order::Order;
use super::product::{Product, ProductVariant};
use super::reads;
use super::scalar::Position;

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
            _ => Ok(None),
        }
    }
}

async fn product(
    ctx: &Context<'_>,
    id: ProductId,
    after: Option<Position>,
) -> Result<Option<Product>, ApiError> {
    let found = reads::after(ctx, &["products"], after).await?.load.products.get(id).await?;
    Ok(found.map(Product::Read).filter(|product| product.is_visible(ctx)))
}
