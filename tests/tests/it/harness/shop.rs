//! A shop with its worker, as shoppers and the warehouse use it: the commands run here, the processes in a worker of
//! their own.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use daybook_commands::Shop;
use daybook_commands::gateway::simulated::{ActionResult, Charge, SimulatedBooks};
use daybook_commands::related::payment_of;
use daybook_commands::use_cases::{
    Address, Contact, NewCart, NewLine, NewProduct, NewVariant, Scope, Submission, VariantRef,
    change_product, change_stock, choose_shipping, create_cart, create_product, set_delivery, submit_cart,
};
use daybook_domain::inventory::{Inventory, InventoryCommand, StockItem};
use daybook_domain::order::{Order, OrderStatus};
use daybook_domain::payment::{Payment, PaymentCommand};
use daybook_domain::product::{Product, ProductCommand};
use daybook_domain::sourcing::parse_locations;
use daybook_domain::{
    CartId, Clock, CommandId, CountryCode, Currency, CustomerId, IdSource, Money, OrderId, Quantity,
    ShippingMethod, Sku,
};
use daybook_eventstore::process::{SystemClock, SystemIds};
use daybook_eventstore::{CommandContext, ConfiguredKeys, EventStore, Fingerprint, Upcasters, Vault};

use super::{Database, Process, eventually};

/// How long anything a test waits for may take.
pub(crate) const SOON: Duration = Duration::from_secs(30);
/// The master key of every test's vault.
const VAULT_KEY: &str = "0707070707070707070707070707070707070707070707070707070707070707";
/// Where stock is held.
const LOCATIONS: &str = "LON:GB,ROT:NL";

/// A shop on an event store of its own.
#[derive(Debug)]
pub(crate) struct TestShop {
    /// Its aggregates.
    pub(crate) shop: Shop,
    /// Its event store.
    pub(crate) events: Database,
    /// What its processes are configured with, beside what a test adds.
    settings: Vec<(&'static str, String)>,
}

/// What a test buys.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted {
    pub(crate) variant: VariantRef,
    pub(crate) quantity: i64,
}

fn shop_on(events: &Database) -> Shop {
    let store = EventStore::new(events.pool.clone(), Arc::new(SystemIds), Upcasters::default());
    let vault = Vault::new(events.pool.clone(), ConfiguredKeys::try_new([7; 32], &[]).expect("a key"));
    let locations = parse_locations(LOCATIONS).expect("locations");
    Shop::new(&store, vault, Arc::new(SystemClock), Arc::new(SystemIds), locations)
}

impl TestShop {
    /// A shop without a worker.
    pub(crate) async fn open() -> Self {
        let events = Database::events().await;
        let shop = shop_on(&events);
        let settings = vec![
            ("EVENTS_URL", events.url.clone()),
            ("VAULT_KEY", VAULT_KEY.to_owned()),
            ("LOCATIONS", LOCATIONS.to_owned()),
            ("WEBHOOK_URL", "http://127.0.0.1:9/webhooks/payment".to_owned()),
            ("WEBHOOK_SECRET", "whsec_test".to_owned()),
            ("LOG", "info".to_owned()),
        ];
        Self { shop, events, settings }
    }

    /// The same shop with a memory of its own, as another process has it.
    pub(crate) fn elsewhere(&self) -> Shop {
        shop_on(&self.events)
    }

    /// What its processes are configured with.
    pub(crate) fn settings(&self) -> Vec<(&'static str, String)> {
        self.settings.clone()
    }

    /// A worker for it, with these settings in addition.
    pub(crate) fn worker(&self, more: &[(&str, &str)]) -> Process {
        let mut settings: Vec<(&str, &str)> = self.settings.iter().map(|(k, v)| (*k, v.as_str())).collect();
        settings.extend(more);
        Process::start("daybook-worker", &[], &settings)
    }

    /// A published product with one variant at this price in pounds, and this much stock in London.
    pub(crate) async fn product(&self, pence: i64, stock: i64) -> Wanted {
        self.product_at(pence, &[("LON", stock)]).await
    }

    /// The same, with stock at several locations.
    pub(crate) async fn product_at(&self, pence: i64, stock: &[(&str, i64)]) -> Wanted {
        let sku = Sku::try_new(format!("SKU-{}", SystemIds.next())).expect("a sku");
        let prices = vec![Money::new(pence, Currency::GBP)];
        let product = NewProduct {
            title: "A white lantern".to_owned(),
            description: String::new(),
            options: Vec::new(),
            categories: Vec::new(),
            attributes: BTreeMap::new(),
            variants: vec![NewVariant { sku, options: BTreeMap::new(), prices }],
            published: true,
        };
        let created = create_product(&self.shop, &context(), product).await.expect("a product");
        let product: Arc<Product> = created.value;
        let product_id = product.product_id().expect("it was created");
        let variant_id = product.variants()[0].variant_id;
        let wanted = Wanted { variant: VariantRef { product_id, variant_id }, quantity: 1 };
        for (location, quantity) in stock.iter().filter(|(_, quantity)| *quantity > 0) {
            self.receive(wanted, location, *quantity).await;
        }
        wanted
    }

    /// Takes a product off sale.
    pub(crate) async fn unpublish(&self, wanted: Wanted) {
        let commands = vec![ProductCommand::Unpublish];
        let product_id = wanted.variant.product_id;
        change_product(&self.shop, &context(), product_id, &commands).await.expect("it is off sale");
    }

    /// Takes stock in.
    pub(crate) async fn receive(&self, wanted: Wanted, location: &str, quantity: i64) {
        let item = item(wanted, location);
        let quantity = Quantity::try_new(quantity).expect("a quantity");
        let receive =
            InventoryCommand::Receive { item: item.clone(), quantity, reference: "test".to_owned() };
        change_stock(&self.shop, &context(), &item, receive).await.expect("stock is received");
    }

    /// A cart that is ready to be submitted, with one line for each of `wanted`, even of the same variant.
    pub(crate) async fn cart(&self, wanted: &[Wanted]) -> (CartId, Money) {
        self.cart_of(None, wanted).await
    }

    /// The same, of this customer.
    pub(crate) async fn cart_of(
        &self,
        customer_id: Option<CustomerId>,
        wanted: &[Wanted],
    ) -> (CartId, Money) {
        let line = |(n, one): (usize, &Wanted)| NewLine {
            variant: one.variant,
            quantity: Quantity::try_new(one.quantity).expect("a quantity"),
            attributes: BTreeMap::from([("line".to_owned(), n.to_string())]),
        };
        let lines = wanted.iter().enumerate().map(line).collect();
        let new = NewCart { customer_id, currency: Currency::GBP, lines };
        let (cart_id, _) = create_cart(&self.shop, &context(), new).await.expect("a cart").value;
        let country = CountryCode::try_new("GB").expect("a country");
        let who = Contact { name: "Ada Byron".into(), email: "ada@example.org".into(), phone: None };
        let (address1, city) = ("12 St James's Square".to_owned(), "London".to_owned());
        let place = Address { address1, address2: None, city, province: None, zip: None, country };
        set_delivery(&self.shop, &context(), Scope::All, cart_id, (who, place)).await.expect("a delivery");
        let method = ShippingMethod::try_new("standard").expect("a method");
        let cart =
            choose_shipping(&self.shop, &context(), Scope::All, cart_id, method).await.expect("shipping");
        (cart_id, cart.value.quote().expect("a quote").total)
    }

    /// Buys with a test card; the order is then placed by the worker.
    pub(crate) async fn buy(&self, wanted: &[Wanted], card: &str) -> OrderId {
        let (cart_id, total) = self.cart(wanted).await;
        self.submit(cart_id, total, card).await
    }

    /// Submits a cart.
    pub(crate) async fn submit(&self, cart_id: CartId, total: Money, card: &str) -> OrderId {
        let payment_token = card.to_owned();
        let submission = Submission { cart_id, payment_token, expected_total: total };
        let done =
            submit_cart(&self.shop, &context(), Scope::All, submission).await.expect("it is submitted");
        done.value.0
    }

    /// The order as the store has it.
    pub(crate) async fn order(&self, order_id: OrderId) -> Arc<Order> {
        self.shop.orders.load(&order_id.to_string()).await.expect("the order").state
    }

    /// The payment of an order as the store has it.
    pub(crate) async fn payment(&self, order_id: OrderId) -> Arc<Payment> {
        self.shop.payments.load(&payment_of(order_id).to_string()).await.expect("the payment").state
    }

    /// The stock at a location as the store has it.
    pub(crate) async fn stock(&self, wanted: Wanted, location: &str) -> Arc<Inventory> {
        self.shop.inventory.load(&item(wanted, location).to_string()).await.expect("the stock").state
    }

    /// What the gateway's own books say.
    pub(crate) async fn charges(&self) -> Vec<Charge> {
        let books = SimulatedBooks::new(self.events.pool.clone(), Arc::new(SystemClock));
        books.charges().await.expect("the books")
    }

    /// The shopper takes the second step at the bank, and the gateway's word of it reaches the payment.
    pub(crate) async fn complete_action(&self, order_id: OrderId) {
        let books = SimulatedBooks::new(self.events.pool.clone(), Arc::new(SystemClock));
        let payment_id = payment_of(order_id);
        let charge =
            self.charges().await.into_iter().find(|one| one.payment_id == payment_id).expect("a charge");
        let reference = charge.reference.clone();
        books
            .complete_action(&reference, ActionResult::Confirmed)
            .await
            .expect("the books")
            .expect("a charge");
        let record = PaymentCommand::RecordAuthorised { amount: charge.amount, gateway_reference: reference };
        let id = payment_id.to_string();
        self.shop.payments.execute(&id, record, &context(), "null").await.expect("it is recorded");
    }

    /// Waits until the worker has reacted to all that has happened, and to what came of that.
    pub(crate) async fn worker_is_through(&self) {
        let through = "SELECT count(*) = 2 AND bool_and((c.epoch, c.position) = (h.epoch, h.position)) \
             FROM checkpoints c, log_head h";
        eventually(SOON, "the worker has been through all of the log", || async {
            let through: bool =
                sqlx::query_scalar(through).fetch_one(&self.events.pool).await.expect("the checkpoints");
            through.then_some(())
        })
        .await;
    }

    /// How many reactions are put off, because they were refused or wait for the outside.
    pub(crate) async fn put_off(&self) -> i64 {
        let count = sqlx::query_scalar("SELECT count(*) FROM timers WHERE kind LIKE '%:again'");
        count.fetch_one(&self.events.pool).await.expect("the timers")
    }

    /// The order, once it has this status.
    pub(crate) async fn order_is(&self, order_id: OrderId, status: OrderStatus) -> Arc<Order> {
        eventually(SOON, &format!("order {order_id} is {status:?}"), || async {
            let order = self.order(order_id).await;
            (order.placement().is_some() && order.status() == status).then_some(order)
        })
        .await
    }

    /// Waits until the payment of an order is as `wanted` says.
    pub(crate) async fn payment_is(
        &self,
        order_id: OrderId,
        what: &str,
        wanted: impl Fn(&Payment) -> bool,
    ) -> Arc<Payment> {
        eventually(SOON, what, || async {
            let payment = self.payment(order_id).await;
            wanted(&payment).then_some(payment)
        })
        .await
    }

    /// Waits until the stock at a location is as `wanted` says.
    pub(crate) async fn stock_is(
        &self,
        one: Wanted,
        location: &str,
        what: &str,
        wanted: impl Fn(&Inventory) -> bool,
    ) -> Arc<Inventory> {
        eventually(SOON, what, || async {
            let stock = self.stock(one, location).await;
            wanted(&stock).then_some(stock)
        })
        .await
    }
}

impl Wanted {
    /// The same, another number of it.
    pub(crate) const fn times(self, quantity: i64) -> Self {
        Self { quantity, ..self }
    }
}

/// The stock item of what is wanted, at a location.
pub(crate) fn item(wanted: Wanted, location: &str) -> StockItem {
    StockItem { variant_id: wanted.variant.variant_id, location: location.parse().expect("a location") }
}

/// The circumstances of a command that nobody repeats.
pub(crate) fn context() -> CommandContext {
    let command_id = CommandId::generate(&SystemIds);
    CommandContext {
        command_id,
        fingerprint: Fingerprint::of(&[command_id.uuid().as_bytes()]),
        actor: "staff:tester".to_owned(),
        correlation_id: command_id.uuid(),
        causation_id: None,
        traceparent: None,
        occurred_at: SystemClock.now(),
    }
}
