//! Carts as clients see them.

use std::sync::Arc;

use async_graphql::{Context, Enum, ID, Object, SimpleObject};
use daybook_commands::use_cases::{Address, Contact, VariantRef};
use daybook_domain::cart::{Cart as Aggregate, CartLine as Line, CartStatus as Status};
use daybook_domain::pricing::{Quote, ShippingQuote};
use daybook_domain::{CartId, CountryCode, Currency, CustomerId, Money, Sealed, Timestamp};

use crate::graphql::error::ApiError;
use crate::graphql::id::global;
use crate::graphql::input::{Attribute, attributes};
use crate::graphql::money::MoneyV2;
use crate::graphql::person::{self, DeliveryAddress, DeliveryContact};
use crate::graphql::scalar::{Country, CurrencyCode};

/// A cart, from whichever side it was read.
#[derive(Debug, Clone)]
pub(crate) struct CartView {
    pub(crate) id: CartId,
    pub(crate) customer_id: Option<CustomerId>,
    pub(crate) currency: Currency,
    pub(crate) status: Status,
    pub(crate) lines: Vec<Line>,
    pub(crate) delivery: Option<(Sealed, Sealed, CountryCode)>,
    pub(crate) shipping: Option<ShippingQuote>,
    pub(crate) quote: Option<Quote>,
}

/// A cart: what a shopper means to buy, at prices that are honoured for a time.
#[derive(Debug, Clone)]
pub(crate) struct Cart(pub(crate) Arc<CartView>);

impl From<Arc<Aggregate>> for Cart {
    fn from(cart: Arc<Aggregate>) -> Self {
        let terms = cart.terms();
        let delivery = cart.delivery();
        Self(Arc::new(CartView {
            id: terms.map(|terms| terms.cart_id).unwrap_or_default(),
            customer_id: terms.and_then(|terms| terms.customer_id),
            currency: terms.map_or(Currency::XXX, |terms| terms.currency),
            status: cart.status(),
            lines: cart.lines().to_vec(),
            delivery: delivery.map(|to| (to.contact.clone(), to.address.clone(), to.country.clone())),
            shipping: cart.shipping().cloned(),
            quote: cart.quote().ok(),
        }))
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

#[Object]
impl Cart {
    /// Its id. A guest's cart is seen and changed by whoever knows it.
    async fn id(&self) -> ID {
        global(&self.0.id)
    }

    /// Whose it is; nothing for a guest.
    async fn customer_id(&self) -> Option<ID> {
        self.0.customer_id.as_ref().map(global)
    }

    /// Whether it can be changed.
    async fn status(&self) -> CartStatus {
        match self.0.status {
            Status::Open => CartStatus::Open,
            Status::Submitted { .. } => CartStatus::Submitted,
            Status::Merged { .. } => CartStatus::Merged,
        }
    }

    /// The order it became.
    async fn order_id(&self) -> Option<ID> {
        match self.0.status {
            Status::Submitted { order_id } => Some(global(&order_id)),
            Status::Open | Status::Merged { .. } => None,
        }
    }

    /// The cart its lines went into.
    async fn merged_into_id(&self) -> Option<ID> {
        match self.0.status {
            Status::Merged { into } => Some(global(&into)),
            Status::Open | Status::Submitted { .. } => None,
        }
    }

    /// The currency of all its prices.
    async fn currency_code(&self) -> CurrencyCode {
        CurrencyCode(self.0.currency)
    }

    /// Its lines.
    async fn lines(&self) -> Vec<CartLine> {
        (0..self.0.lines.len()).map(|index| CartLine { cart: Arc::clone(&self.0), index }).collect()
    }

    /// How many units all lines have together.
    async fn total_quantity(&self) -> i64 {
        self.0.lines.iter().map(|line| line.quantity.count()).sum()
    }

    /// What it costs.
    async fn cost(&self) -> CartCost {
        let CartView { quote, shipping, currency, lines, .. } = self.0.as_ref();
        let nets =
            lines.iter().filter_map(|line| line.item.unit_price.checked_mul(line.quantity.count()).ok());
        let subtotal = Money::sum(*currency, nets).unwrap_or(Money::zero(*currency));
        CartCost {
            subtotal_amount: subtotal.into(),
            shipping_amount: shipping.as_ref().map(|shipping| shipping.price.into()),
            total_tax_amount: quote.as_ref().map(|quote| quote.tax.into()),
            total_amount: quote.as_ref().map(|quote| quote.total.into()),
        }
    }

    /// Until when its prices are honoured; nothing while it is empty.
    async fn honoured_until(&self) -> Option<Timestamp> {
        self.0.lines.iter().map(|line| line.item.honoured_until).min()
    }

    /// The way of shipping that was chosen.
    async fn shipping_method(&self) -> Option<&str> {
        self.0.shipping.as_ref().map(|shipping| shipping.method.as_str())
    }

    /// The country to deliver to.
    async fn country_code(&self) -> Option<Country> {
        self.0.delivery.as_ref().map(|(_, _, country)| Country(country.clone()))
    }

    /// Who to deliver to; nothing before that was said, and after the person was forgotten.
    async fn contact(&self, ctx: &Context<'_>) -> Result<Option<DeliveryContact>, ApiError> {
        let sealed = self.0.delivery.as_ref().map(|(contact, _, _)| contact);
        person::open::<Contact, _>(ctx, sealed).await
    }

    /// Where to deliver to; nothing before that was said, and after the person was forgotten.
    async fn delivery_address(&self, ctx: &Context<'_>) -> Result<Option<DeliveryAddress>, ApiError> {
        let sealed = self.0.delivery.as_ref().map(|(_, address, _)| address);
        person::open::<Address, _>(ctx, sealed).await
    }
}

/// One line of a cart.
#[derive(Debug, Clone)]
pub(crate) struct CartLine {
    cart: Arc<CartView>,
    index: usize,
}

impl CartLine {
    fn line(&self) -> &Line {
        &self.cart.lines[self.index]
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
