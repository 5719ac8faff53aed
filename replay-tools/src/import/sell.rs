//! An invoice as it would have happened here: a cart, an order, a payment and a shipment, all at its own date. The
//! gateway and the carrier are not called; what they did is in the file.

use std::collections::BTreeMap;

use chrono::Duration;
use daybook_commands::use_cases::{Address, Contact};
use daybook_domain::cart::{Cart, CartCommand};
use daybook_domain::order::{OrderCommand, ShippedLine, StockHold};
use daybook_domain::payment::PaymentCommand;
use daybook_domain::pricing::{PricedVariant, ShippingOffer, ShippingQuote, TaxTreatment};
use daybook_domain::{
    CartId, Currency, CustomerId, LineId, Money, OrderId, PaymentId, ShippingMethod, SubjectId, Timestamp,
};
use daybook_eventstore::Fingerprint;
use futures::future::try_join_all;
use futures::try_join;
use uuid::Uuid;

use super::error::ImportError;
use super::plan::{Document, Sale, SaleLine};
use super::story::{Desk, Story};
use super::{customer_id, list, ship, stock};

/// How long prices, holds and authorisations of the invoice's day are good for: all of it happens at one moment.
const GOOD_FOR: Duration = Duration::days(1);
/// The way of shipping; the file's postage is a line of its own.
const SHIPPING: &str = "standard";

/// The ids of everything that an invoice becomes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bought {
    pub(super) cart: CartId,
    pub(super) order: OrderId,
    pub(super) payment: PaymentId,
}

impl Bought {
    /// The ids of what this invoice becomes.
    pub(super) fn of(document: Document) -> Self {
        let invoice = super::document_id(&name(document));
        let order = OrderId::derived(invoice, "order");
        Self {
            cart: CartId::derived(invoice, "cart"),
            order,
            payment: PaymentId::derived(order.uuid(), "payment"),
        }
    }
}

/// The commands of every invoice, up to the confirmed order.
const STEPS: [&str; 9] = [
    CREATE_CART,
    SET_DELIVERY,
    CHOOSE_SHIPPING,
    SUBMIT_CART,
    PLACE_ORDER,
    RECORD_RESERVED,
    REQUEST_AUTHORISATION,
    RECORD_AUTHORISED,
    CONFIRM_ORDER,
];
const CREATE_CART: &str = "create cart";
const SET_DELIVERY: &str = "set delivery";
const CHOOSE_SHIPPING: &str = "choose shipping";
const SUBMIT_CART: &str = "submit cart";
const PLACE_ORDER: &str = "place order";
const RECORD_RESERVED: &str = "record reserved";
const REQUEST_AUTHORISATION: &str = "request authorisation";
const RECORD_AUTHORISED: &str = "record authorised";
const CONFIRM_ORDER: &str = "confirm order";

/// What was bought and is held: what the parcel is to have.
pub(super) struct Placed {
    pub(super) lines: Vec<ShippedLine>,
    pub(super) holds: Vec<StockHold>,
}

/// What a document is called in messages and in what its ids are derived from.
pub(super) fn name(document: Document) -> String {
    format!("invoice {document}")
}

/// Has the invoice happen, from the cart to the delivered parcel.
pub(super) async fn sell(desk: &Desk, sale: &Sale) -> Result<(), ImportError> {
    try_join_all(sale.lines.iter().map(|line| list::ensure(desk, &line.listing))).await?;
    let told = (content(sale), sale.at);
    let story = Story::begin(desk, name(sale.document), told, steps(sale)).await?;
    let bought = Bought::of(sale.document);
    let cart = fill_cart(&story, bought, sale).await?;
    let placed = place(&story, bought, sale, &cart).await?;
    try_join!(record_reserved(&story, bought, &placed.holds), pay(&story, bought, sale))?;
    confirm(&story, bought, &placed.holds).await?;
    ship::ship(&story, bought, &placed).await
}

/// The commands that an invoice comes to; a delivery of stock is only sent when it is needed.
fn steps(sale: &Sale) -> impl Iterator<Item = String> {
    let lines = (1..=sale.lines.len()).map(|number| format!("add line {number}"));
    let stock = sale.lines.iter().flat_map(|line| stock::steps(line.listing.variant_id));
    let once = STEPS.iter().chain(&ship::STEPS).map(ToString::to_string);
    once.chain(lines).chain(stock)
}

/// The fingerprint of what the file says: the same invoice with other lines is another input.
fn content(sale: &Sale) -> Fingerprint {
    let header = format!("{} {:?} {}", sale.at, sale.customer, sale.country);
    let lines = sale.lines.iter().map(|line| {
        format!("{} {} {} {}", line.listing.sku, line.quantity.get(), line.unit_price, line.title)
    });
    let parts: Vec<String> = std::iter::once(header).chain(lines).collect();
    let parts: Vec<&[u8]> = parts.iter().map(String::as_bytes).collect();
    Fingerprint::of(&parts)
}

async fn fill_cart(
    story: &Story<'_>,
    bought: Bought,
    sale: &Sale,
) -> Result<std::sync::Arc<Cart>, ImportError> {
    let Bought { cart: cart_id, order: order_id, .. } = bought;
    let (carts, id) = (&story.shop().carts, cart_id.to_string());
    let customer_id = sale.customer.map(customer_id);
    let create =
        CartCommand::Create { cart_id, customer_id, currency: Currency::GBP, tax: TaxTreatment::Exempt };
    story.begins(carts, &id).await;
    story.tell(carts, &id, CREATE_CART, create).await?;

    let steps: Vec<String> = (1..=sale.lines.len()).map(|number| format!("add line {number}")).collect();
    let lines = sale.lines.iter().zip(&steps);
    let added =
        lines.map(|(line, step)| story.tell(carts, &id, step, add_line(story.id, step, line, sale.at)));
    let (_, deliver) = try_join!(try_join_all(added), deliver_to(story, cart_id, customer_id, sale))?;
    story.tell(carts, &id, SET_DELIVERY, deliver).await?;
    // A constant that is a valid code.
    if let Ok(method) = ShippingMethod::try_new(SHIPPING) {
        let shipping = ShippingQuote { method, price: Money::zero(Currency::GBP) };
        let offer = ShippingOffer { country: sale.country.clone(), shipping };
        story.tell(carts, &id, CHOOSE_SHIPPING, CartCommand::ChooseShipping { offer }).await?;
    }
    let submit = CartCommand::Submit {
        order_id,
        payment_token: format!("online-retail:{}", sale.document),
        expected_total: sale.total,
        current: Vec::new(),
        current_shipping: None,
        at: sale.at,
    };
    story.see(carts, &id, SUBMIT_CART, submit).await
}

fn add_line(invoice: Uuid, step: &str, line: &SaleLine, at: Timestamp) -> CartCommand {
    let listing = &line.listing;
    let item = PricedVariant {
        product_id: listing.product_id,
        variant_id: listing.variant_id,
        sku: listing.sku.clone(),
        title: line.title.clone(),
        unit_price: line.unit_price,
        honoured_until: at + GOOD_FOR,
    };
    // Without it, the cart would make one line of two, at one of their prices.
    let attributes = match line.repeats {
        0 => BTreeMap::new(),
        repeats => BTreeMap::from([("entry".to_owned(), (repeats + 1).to_string())]),
    };
    CartCommand::AddLine {
        line_id: LineId::derived(invoice, step),
        item,
        quantity: line.quantity,
        attributes,
    }
}

async fn deliver_to(
    story: &Story<'_>,
    cart_id: CartId,
    customer_id: Option<CustomerId>,
    sale: &Sale,
) -> Result<CartCommand, ImportError> {
    let subject = SubjectId::new(customer_id.map_or(cart_id.uuid(), CustomerId::uuid));
    let name = sale.customer.map_or_else(|| "Guest".to_owned(), |number| format!("Customer {number}"));
    // The file knows no more, and what nobody knows stays empty.
    let contact = Contact { name, email: String::new(), phone: None };
    let address = Address {
        address1: String::new(),
        address2: None,
        city: String::new(),
        province: None,
        zip: None,
        country: sale.country.clone(),
    };
    let vault = &story.shop().vault;
    Ok(CartCommand::SetDelivery {
        contact: vault.seal(subject, &contact).await?,
        address: vault.seal(subject, &address).await?,
        country: sale.country.clone(),
    })
}

/// Places the order that the cart became, and holds its stock.
async fn place(story: &Story<'_>, bought: Bought, sale: &Sale, cart: &Cart) -> Result<Placed, ImportError> {
    let Bought { cart: cart_id, order: order_id, .. } = bought;
    let (orders, id) = (&story.shop().orders, order_id.to_string());
    let delivery = cart.delivery().ok_or_else(|| story.vanished("the cart's delivery"))?;
    let quote = cart.quote().map_err(|_| story.vanished("the cart's quote"))?;
    let demand = quote.demand();
    let lines = quote.lines.iter().map(|line| ShippedLine {
        line_id: line.line_id,
        variant_id: line.variant_id,
        quantity: line.quantity,
    });
    let lines = lines.collect();
    let place = OrderCommand::Place {
        order_id,
        cart_id,
        customer_id: sale.customer.map(customer_id),
        contact: delivery.contact.clone(),
        address: delivery.address.clone(),
        quote,
        payment_token: format!("online-retail:{}", sale.document),
    };
    story.begins(orders, &id).await;
    story.tell(orders, &id, PLACE_ORDER, place).await?;
    let holds = demand.iter().map(|(variant_id, quantity)| {
        stock::reserve(story, order_id, *variant_id, *quantity, sale.at + GOOD_FOR)
    });
    Ok(Placed { lines, holds: try_join_all(holds).await? })
}

async fn record_reserved(story: &Story<'_>, bought: Bought, holds: &[StockHold]) -> Result<(), ImportError> {
    let reserved = OrderCommand::RecordReserved { holds: holds.to_vec() };
    story.tell(&story.shop().orders, &bought.order.to_string(), RECORD_RESERVED, reserved).await
}

/// Records the payment that the invoice is proof of.
async fn pay(story: &Story<'_>, bought: Bought, sale: &Sale) -> Result<(), ImportError> {
    let Bought { order: order_id, payment: payment_id, .. } = bought;
    let (payments, id) = (&story.shop().payments, payment_id.to_string());
    let request = PaymentCommand::RequestAuthorisation {
        payment_id,
        order_id,
        amount: sale.total,
        payment_token: format!("online-retail:{}", sale.document),
        deadline: sale.at + GOOD_FOR,
    };
    story.begins(payments, &id).await;
    story.tell(payments, &id, REQUEST_AUTHORISATION, request).await?;
    let authorised =
        PaymentCommand::RecordAuthorised { amount: sale.total, gateway_reference: sale.document.to_string() };
    story.tell(payments, &id, RECORD_AUTHORISED, authorised).await
}

/// Promises the stock, and with it the order.
async fn confirm(story: &Story<'_>, bought: Bought, holds: &[StockHold]) -> Result<(), ImportError> {
    try_join_all(holds.iter().map(|hold| stock::allocate(story, bought.order, hold))).await?;
    let confirm = OrderCommand::Confirm { allocations: holds.to_vec() };
    story.tell(&story.shop().orders, &bought.order.to_string(), CONFIRM_ORDER, confirm).await
}
