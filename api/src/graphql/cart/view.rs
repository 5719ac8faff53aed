//! Carts as clients see them.

use std::sync::Arc;

use async_graphql::{Context, Enum, ID, Object, SimpleObject};
use daybook_commands::use_cases::{Address, Contact, VariantRef, shipping_offers};
use daybook_domain::cart::{Cart as Aggregate, CartLine as Line, CartStatus as Status};
use daybook_domain::pricing::ShippingQuote;
use daybook_domain::{Currency, Money, Timestamp};
use daybook_projections::carts::CartRow;

use crate::graphql::context::request;
use crate::graphql::error::ApiError;
use crate::graphql::id::global;
use crate::graphql::input::{Attribute, attributes};
use crate::graphql::money::MoneyV2;
use crate::graphql::order::{self, Order};
use crate::graphql::person::{self, DeliveryAddress, DeliveryContact};
use crate::graphql::product::{self, ProductVariant};
use crate::graphql::scalar::{Country, CurrencyCode};

/// A cart: what a shopper means to buy, at prices that are honoured for a time.
#[derive(Debug, Clone)]
pub(crate) enum Cart {
    /// As a mutation left it.
    Decided(Arc<Aggregate>),
    /// As a read model has it.
    Read(Arc<CartRow>),
}

impl From<Arc<Aggregate>> for Cart {
    fn from(cart: Arc<Aggregate>) -> Self {
        Self::Decided(cart)
    }
}

impl Cart {
    fn get(&self) -> &Aggregate {
        match self {
            Self::Decided(cart) => cart,
            Self::Read(row) => &row.cart,
        }
    }

    /// Whether this client may see it.
    pub(crate) fn is_visible(&self, ctx: &Context<'_>) -> bool {
        let terms = self.get().terms();
        terms.is_some_and(|terms| request(ctx).identity.serves(terms.customer_id))
    }

    fn currency(&self) -> Currency {
        self.get().terms().map_or(Currency::XXX, |terms| terms.currency)
    }
}

/// Whether a cart can be changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub(crate) enum CartStatus {
    /// It can.
    Open,
    /// It became an order.
    Submitted,
    /// Its lines went into another cart.
    Merged,
}

/// What a cart costs.
#[derive(Debug, Clone, SimpleObject)]
#[expect(clippy::struct_field_names, reason = "the names are those of the field's other APIs")]
pub(crate) struct CartCost {
    /// All lines, without tax.
    subtotal_amount: MoneyV2,
    /// The shipping, without tax, once it is chosen.
    shipping_amount: Option<MoneyV2>,
    /// All tax, once it is known where to deliver and how.
    total_tax_amount: Option<MoneyV2>,
    /// What the shopper pays, once that is known: the number to submit the cart with.
    total_amount: Option<MoneyV2>,
}

/// A way of shipping that can be chosen.
#[derive(Debug, Clone, SimpleObject)]
pub(crate) struct ShippingOffer {
    /// What to choose it by.
    shipping_method: String,
    /// What it costs, without tax.
    price: MoneyV2,
}

impl From<ShippingQuote> for ShippingOffer {
    fn from(ShippingQuote { method, price }: ShippingQuote) -> Self {
        Self { shipping_method: method.to_string(), price: price.into() }
    }
}

#[Object]
impl Cart {
    /// Its id. A guest's cart is seen and changed by whoever knows it.
    pub(crate) async fn id(&self) -> ID {
        global(&self.get().terms().map(|terms| terms.cart_id).unwrap_or_default())
    }

    /// Whose it is; nothing for a guest.
    async fn customer_id(&self) -> Option<ID> {
        self.get().terms().and_then(|terms| terms.customer_id).as_ref().map(global)
    }

    /// Whether it can be changed.
    async fn status(&self) -> CartStatus {
        match self.get().status() {
            Status::Open => CartStatus::Open,
            Status::Submitted { .. } => CartStatus::Submitted,
            Status::Merged { .. } => CartStatus::Merged,
        }
    }

    /// The order it became.
    async fn order_id(&self) -> Option<ID> {
        match self.get().status() {
            Status::Submitted { order_id } => Some(global(&order_id)),
            Status::Open | Status::Merged { .. } => None,
        }
    }

    /// The order it became, once that is placed.
    async fn order(&self, ctx: &Context<'_>) -> Result<Option<Order>, ApiError> {
        match self.get().status() {
            Status::Submitted { order_id } => order::linked(ctx, order_id).await,
            Status::Open | Status::Merged { .. } => Ok(None),
        }
    }

    /// The cart its lines went into.
    async fn merged_into_id(&self) -> Option<ID> {
        match self.get().status() {
            Status::Merged { into } => Some(global(&into)),
            Status::Open | Status::Submitted { .. } => None,
        }
    }

    /// The currency of all its prices.
    async fn currency_code(&self) -> CurrencyCode {
        CurrencyCode(self.currency())
    }

    /// Its lines.
    #[graphql(complexity = "10 * child_complexity")]
    async fn lines(&self) -> Vec<CartLine> {
        (0..self.get().lines().len()).map(|index| CartLine { cart: self.clone(), index }).collect()
    }

    /// How many units all lines have together.
    async fn total_quantity(&self) -> i64 {
        self.get().lines().iter().map(|line| line.quantity.count()).sum()
    }

    /// What it costs.
    async fn cost(&self) -> CartCost {
        let (cart, currency) = (self.get(), self.currency());
        let quote = cart.quote().ok();
        let net = |line: &Line| line.item.unit_price.checked_mul(line.quantity.count()).ok();
        let subtotal = Money::sum(currency, cart.lines().iter().filter_map(net));
        let subtotal = subtotal.unwrap_or(Money::zero(currency));
        CartCost {
            subtotal_amount: subtotal.into(),
            shipping_amount: cart.shipping().map(|shipping| shipping.price.into()),
            total_tax_amount: quote.as_ref().map(|quote| quote.tax.into()),
            total_amount: quote.as_ref().map(|quote| quote.total.into()),
        }
    }

    /// Until when its prices are honoured; nothing while it is empty.
    async fn honoured_until(&self) -> Option<Timestamp> {
        self.get().lines().iter().map(|line| line.item.honoured_until).min()
    }

    /// The ways of shipping that can be chosen, each at its price without tax; none before it is said where to deliver.
    async fn shipping_offers(&self) -> Vec<ShippingOffer> {
        shipping_offers(self.get()).into_iter().map(ShippingOffer::from).collect()
    }

    /// The way of shipping that was chosen.
    async fn shipping_method(&self) -> Option<&str> {
        self.get().shipping().map(|shipping| shipping.method.as_str())
    }

    /// The country to deliver to.
    async fn country_code(&self) -> Option<Country> {
        self.get().delivery().map(|delivery| Country(delivery.country.clone()))
    }

    /// Who to deliver to; nothing before that was said, and after the person was forgotten.
    async fn contact(&self, ctx: &Context<'_>) -> Result<Option<DeliveryContact>, ApiError> {
        let sealed = self.get().delivery().map(|delivery| &delivery.contact);
        person::open::<Contact, _>(ctx, sealed).await
    }

    /// Where to deliver to; nothing before that was said, and after the person was forgotten.
    async fn delivery_address(&self, ctx: &Context<'_>) -> Result<Option<DeliveryAddress>, ApiError> {
        let sealed = self.get().delivery().map(|delivery| &delivery.address);
        person::open::<Address, _>(ctx, sealed).await
    }
}

/// One line of a cart.
#[derive(Debug, Clone)]
pub(crate) struct CartLine {
    cart: Cart,
    index: usize,
}

impl CartLine {
    fn line(&self) -> &Line {
        &self.cart.get().lines()[self.index]
    }
}

#[Object]
impl CartLine {
    /// Its id.
    async fn id(&self) -> ID {
        global(&self.line().line_id)
    }

    /// The variant.
    async fn merchandise_id(&self) -> ID {
        let item = &self.line().item;
        global(&VariantRef { product_id: item.product_id, variant_id: item.variant_id })
    }

    /// The variant as it is now; nothing when it is not for sale any more.
    async fn merchandise(&self, ctx: &Context<'_>) -> Result<Option<ProductVariant>, ApiError> {
        product::variant(ctx, self.line().item.variant_id).await
    }

    /// The product.
    async fn product_id(&self) -> ID {
        global(&self.line().item.product_id)
    }

    /// The variant's sku when it was put in.
    async fn sku(&self) -> &str {
        self.line().item.sku.as_str()
    }

    /// The title that the shopper was shown.
    async fn title(&self) -> &str {
        &self.line().item.title
    }

    /// How many.
    async fn quantity(&self) -> i64 {
        self.line().quantity.count()
    }

    /// What the shopper asked for beside the variant.
    async fn attributes(&self) -> Vec<Attribute> {
        attributes(&self.line().attributes)
    }

    /// The price of one, without tax.
    async fn unit_price(&self) -> MoneyV2 {
        self.line().item.unit_price.into()
    }

    /// The price of all of them, without tax; nothing when it is beyond all numbers.
    async fn subtotal(&self) -> Option<MoneyV2> {
        let line = self.line();
        line.item.unit_price.checked_mul(line.quantity.count()).ok().map(MoneyV2::from)
    }

    /// Until when the price is honoured.
    async fn honoured_until(&self) -> Timestamp {
        self.line().item.honoured_until
    }
}
