//! Read models are rebuilt, switched and dropped by the operator while the API serves reads without pause, shoppers buy
//! and staff go on working: no reader sees a gap, a double, an empty page or an error.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use daybook_domain::IdSource;
use daybook_domain::order::OrderStatus;
use daybook_eventstore::process::SystemIds;
use futures::future::join_all;
use serde_json::{Value, json};
use xtask::servers::Scratch;

use crate::faults::{check_out, global};
use crate::harness::shop::Wanted;
use crate::harness::stack::{Client, Stack};
use crate::harness::{MEILI_KEY, eventually, own_meilisearch};

const SOON: Duration = Duration::from_mins(1);
/// Read models in Postgres, in Redis, and search; each is rebuilt so often.
const MODELS: &[(&str, usize)] =
    &[("orders", 2), ("products", 1), ("stock-hot", 1), ("carts-hot", 1), ("search", 1)];
/// How many products are for sale before, and how many once were.
const PRODUCTS: (usize, usize) = (20, 150);
/// The most that are for sale in the end: a search is walked by number, so that all hits must be on one page.
const MOST: u64 = 100;
/// How many units of everything there are before.
const UNITS: u64 = 1_000;
/// The largest page.
const PAGE: usize = 100;

const ORDERS: &str = "query($first: Int, $after: String, $at: Position) {
    list: orders(first: $first, after: $after, afterPosition: $at) {
    totalCount pageInfo { hasNextPage endCursor } nodes { id status } } }";
const LISTED: &str = "query($first: Int, $after: String, $at: Position) {
    list: products(first: $first, after: $after, afterPosition: $at) {
    totalCount pageInfo { hasNextPage endCursor } nodes { id } } }";
const FOUND: &str = "query($first: Int, $after: String, $at: Position) {
    list: search(query: \"lantern\", first: $first, after: $after, afterPosition: $at) {
        totalCount pageInfo { hasNextPage endCursor } nodes { id } } }";
const FOR_SALE: &str = "query($still: ID!, $sold: ID!, $received: ID!) {
    still: product(id: $still) { variants { quantityAvailable } }
    sold: product(id: $sold) { variants { quantityAvailable } }
    received: product(id: $received) { variants { quantityAvailable } } }";
const CART: &str =
    "query($id: ID!, $after: Position) { cart(id: $id, after: $after) { totalQuantity lines { id } } }";

const TAKE_CART: &str = "mutation { cartCreate(input: { currencyCode: GBP }) { cart { id } position } }";
const ADD: &str = "mutation($id: ID!, $variant: ID!) {
    cartLinesAdd(cartId: $id, lines: [{ merchandiseId: $variant }]) { position userErrors { code } } }";
const CREATE: &str = "mutation($sku: String!) { productCreate(input: { title: \"A new lantern\", published: true,
    variants: [{ sku: $sku, prices: [{ amount: \"3.00\", currencyCode: GBP }] }] }) { product { id } position userErrors { code } } }";
const RECEIVE: &str = "mutation($variant: ID!) { stockReceive(input: {
    item: { variantId: $variant, location: \"LON\" }, quantity: 1 }) { userErrors { code } } }";

/// Something there is ever more of: how many have been begun and how many are done.
#[derive(Debug)]
struct Count {
    begun: AtomicU64,
    done: AtomicU64,
}

impl Count {
    fn new(count: usize) -> Self {
        let count = count as u64;
        Self { begun: count.into(), done: count.into() }
    }

    fn begun(&self) -> u64 {
        self.begun.load(Ordering::SeqCst)
    }

    fn done(&self) -> u64 {
        self.done.load(Ordering::SeqCst)
    }

    /// One more, once `making` has made it.
    async fn add<T>(&self, making: impl Future<Output = T>) -> T {
        self.begun.fetch_add(1, Ordering::SeqCst);
        let made = making.await;
        self.done.fetch_add(1, Ordering::SeqCst);
        made
    }
}

/// What was acknowledged of something there is ever more of: where the log was then, and the ids of all.
#[derive(Debug, Default)]
struct Acknowledged(Mutex<(Value, Vec<String>)>);

impl Acknowledged {
    fn add(&self, position: Value, id: String) {
        let mut known = self.0.lock().expect("what is known");
        known.0 = position;
        known.1.push(id);
    }

    fn get(&self) -> (Value, Vec<String>) {
        self.0.lock().expect("what is known").clone()
    }
}

/// What a list has shown, by id, with its status: all of it must go on being there.
#[derive(Debug, Default)]
struct Seen(BTreeMap<String, String>);

impl Seen {
    /// Checks what is shown now: what was acknowledged before it was asked for is in it, and so is what was seen before.
    fn check(&mut self, (nodes, total): &(Vec<Value>, u64), most: u64, acknowledged: &[String]) {
        let text = |node: &Value, field: &str| node[field].as_str().unwrap_or_default().to_owned();
        let shown: BTreeMap<_, _> =
            nodes.iter().map(|node| (text(node, "id"), text(node, "status"))).collect();
        assert_eq!(shown.len(), nodes.len(), "a double: {nodes:?}");
        for id in acknowledged {
            assert!(shown.contains_key(id), "a gap: {id}, acknowledged with {} others", acknowledged.len());
        }
        let least = self.0.len() as u64;
        for (id, status) in &self.0 {
            let now = shown.get(id).unwrap_or_else(|| panic!("a gap: {id}, seen with {least} others"));
            assert!(status != "CONFIRMED" || now == status, "{id} went back to {now}");
        }
        let count = shown.len() as u64;
        assert!(count <= most, "{count} shown where there are at most {most}");
        assert!(least <= *total && *total <= most, "{total} counted where there are from {least} to {most}");
        self.0 = shown;
    }
}

/// A shop that stays open while its read models are rebuilt.
struct OpenShop {
    stack: Stack,
    /// What nobody touches, what is bought, and what is taken in.
    items: [Wanted; 3],
    cart: Value,
    /// Where the cart has so many units.
    filled: Mutex<(Value, u64)>,
    orders: Count,
    products: Count,
    received: Count,
    in_cart: Count,
    acknowledged_orders: Acknowledged,
    acknowledged_products: Acknowledged,
    /// How much each reader has read.
    reads: [AtomicU64; 5],
    closing: AtomicBool,
}

impl OpenShop {
    async fn start(more: &[(&'static str, &str)]) -> Self {
        let stack = Stack::start(more).await;
        let units = i64::try_from(UNITS).expect("a small number");
        let items = join_all((0..3).map(|_| stack.shop.product(300, units))).await;
        join_all((3..PRODUCTS.0).map(|_| stack.shop.product(300, 0))).await;
        let gone = join_all((0..PRODUCTS.1).map(|_| stack.shop.product(300, 0))).await;
        join_all(gone.into_iter().map(|product| stack.shop.unpublish(product))).await;
        let taken = stack.shopper().insist(TAKE_CART, &json!({}), &key()).await;
        Self {
            stack,
            items: items.try_into().expect("three of them"),
            cart: taken["cart"]["id"].clone(),
            filled: Mutex::new((taken["position"].clone(), 0)),
            orders: Count::new(0),
            products: Count::new(PRODUCTS.0),
            received: Count::new(0),
            in_cart: Count::new(0),
            acknowledged_orders: Acknowledged::default(),
            acknowledged_products: Acknowledged::default(),
            reads: Default::default(),
            closing: AtomicBool::new(false),
        }
    }

    fn variant(&self, item: usize) -> String {
        global("ProductVariant", &self.items[item].variant.to_string())
    }

    /// Reads a list again and again, page by page.
    async fn read_list(
        &self,
        reader: usize,
        client: Client,
        (query, size): (&str, usize),
        (count, acknowledged): (&Count, &Acknowledged),
    ) {
        let mut seen = Seen::default();
        loop {
            let (at, known) = acknowledged.get();
            let shown = walk(&client, query, size, &at).await.expect("no errors");
            seen.check(&shown, count.begun(), &known);
            self.reads[reader].fetch_add(1, Ordering::SeqCst);
        }
    }

    /// Reads stock again and again: what nobody touches as it is, and nothing counted twice.
    async fn read_stock(&self, reader: usize) {
        let client = self.stack.shopper();
        let id = |item: usize| global("Product", &self.items[item].variant.product_id.to_string());
        let asked = json!({ "still": id(0), "sold": id(1), "received": id(2) });
        loop {
            let shown = data(&client, FOR_SALE, &asked).await.expect("no errors");
            let available = |name: &str| {
                let available = shown[name]["variants"][0]["quantityAvailable"].as_u64();
                available.unwrap_or_else(|| panic!("no stock: {shown}"))
            };
            assert_eq!(available("still"), UNITS);
            assert!((UNITS - self.orders.begun()..=UNITS).contains(&available("sold")), "{shown}");
            assert!((UNITS..=UNITS + self.received.begun()).contains(&available("received")), "{shown}");
            self.reads[reader].fetch_add(1, Ordering::SeqCst);
        }
    }

    /// Reads a cart again and again, each time with at least what was last put in.
    async fn read_cart(&self, reader: usize) {
        let client = self.stack.shopper();
        loop {
            let (position, least) = self.filled.lock().expect("what the cart has").clone();
            let asked = json!({ "id": self.cart, "after": position });
            let shown = data(&client, CART, &asked).await.expect("no errors");
            let units = shown["cart"]["totalQuantity"].as_u64().unwrap_or_else(|| panic!("no cart: {shown}"));
            let most = self.in_cart.begun();
            assert!(
                (least..=most).contains(&units),
                "{units} in the cart, where there are {least} to {most}"
            );
            self.reads[reader].fetch_add(1, Ordering::SeqCst);
        }
    }

    async fn read(&self) {
        let (shopper, staff) = (self.stack.shopper(), self.stack.staff());
        let orders = (&self.orders, &self.acknowledged_orders);
        let products = (&self.products, &self.acknowledged_products);
        tokio::join!(
            self.read_list(0, staff, (ORDERS, 10), orders),
            self.read_list(1, shopper.clone(), (LISTED, 10), products),
            self.read_list(2, shopper, (FOUND, PAGE), products),
            self.read_stock(3),
            self.read_cart(4),
        );
    }

    /// Shoppers buy and fill carts, staff add products and take stock in, until the shop closes.
    async fn write(&self) {
        let (shopper, staff) = (self.stack.shopper(), self.stack.staff());
        while !self.closing.load(Ordering::SeqCst) {
            let order = self.orders.add(check_out(&shopper, self.items[1], "card_approve")).await;
            // The worker places it.
            self.stack.shop.order_is(order, OrderStatus::Confirmed).await;
            let head = self.stack.shop.shop.store.reader().head().await.expect("the log").position;
            self.acknowledged_orders.add(json!(head.to_string()), global("Order", &order.to_string()));
            let (variant, sku) = (self.variant(2), key());
            let add = json!({ "id": self.cart, "variant": variant });
            let added = self.in_cart.add(shopper.insist(ADD, &add, &key())).await;
            assert_eq!(added["userErrors"], json!([]));
            *self.filled.lock().expect("what the cart has") =
                (added["position"].clone(), self.in_cart.done());
            let receive = json!({ "variant": variant });
            let received = self.received.add(staff.insist(RECEIVE, &receive, &key())).await;
            assert_eq!(received["userErrors"], json!([]));
            if self.products.begun() < MOST {
                let create = json!({ "sku": sku });
                let created = self.products.add(staff.insist(CREATE, &create, &key())).await;
                assert_eq!(created["userErrors"], json!([]));
                let id = created["product"]["id"].as_str().expect("an id").to_owned();
                self.acknowledged_products.add(created["position"].clone(), id);
            }
        }
    }

    /// Rebuilds and switches each read model, and drops the version that was live before.
    async fn rebuild(&self, models: &[(&str, usize)]) {
        self.all_have_read().await;
        for (name, times) in models {
            for version in 1..=*times {
                self.stack.operate(&["rebuild", name, "--switch"]).await;
                self.all_have_read().await;
                self.stack.operate(&["drop", name, &version.to_string()]).await;
                self.all_have_read().await;
            }
        }
        self.closing.store(true, Ordering::SeqCst);
    }

    /// Waits until every reader has begun and ended another read, and each kind of thing was written again.
    async fn all_have_read(&self) {
        let now = || {
            let reads = self.reads.iter().map(|reads| reads.load(Ordering::SeqCst));
            reads.chain([self.received.done(), self.orders.done()]).collect::<Vec<_>>()
        };
        let before = now();
        eventually(SOON, "everybody reads and writes on", || async {
            now().iter().zip(&before).all(|(now, before)| *now >= before + 2).then_some(())
        })
        .await;
    }

    /// In the end, all there is is shown once, and nothing else.
    async fn shows_everything(&self) {
        let lists = [
            (ORDERS, self.stack.staff(), &self.orders),
            (LISTED, self.stack.shopper(), &self.products),
            (FOUND, self.stack.shopper(), &self.products),
        ];
        for (query, client, count) in lists {
            eventually(SOON, query, || async {
                let (nodes, total) = walk(&client, query, PAGE, &Value::Null).await.ok()?;
                (nodes.len() as u64 == count.done() && total == count.done()).then_some(())
            })
            .await;
        }
    }
}

/// A new idempotency key.
fn key() -> String {
    SystemIds.next().to_string()
}

/// The data of an answer, or the answer when it has errors.
async fn data(client: &Client, query: &str, variables: &Value) -> Result<Value, Value> {
    let mut answer = client.try_send(query, variables, None).await.expect("an answer");
    if answer["errors"].is_null() { Ok(answer["data"].take()) } else { Err(answer) }
}

/// All nodes of a list, page by page, at a position or later, and how many it says there are; what is wrong when there are
/// none to be had.
async fn walk(client: &Client, query: &str, size: usize, at: &Value) -> Result<(Vec<Value>, u64), Value> {
    let (mut all, mut after) = (Vec::new(), Value::Null);
    loop {
        let mut page =
            data(client, query, &json!({ "first": size, "after": after, "at": at })).await?["list"].take();
        let nodes = page["nodes"].as_array().expect("nodes");
        if nodes.is_empty() && !after.is_null() {
            return Err(json!("an empty page"));
        }
        all.extend(nodes.iter().cloned());
        if page["pageInfo"]["hasNextPage"] != json!(true) {
            return Ok((all, page["totalCount"].as_u64().expect("a total")));
        }
        after = page["pageInfo"]["endCursor"].take();
    }
}

async fn readers_notice_nothing(more: &[(&'static str, &str)], models: &[(&str, usize)]) {
    let shop = OpenShop::start(more).await;
    shop.shows_everything().await;
    tokio::select! {
        () = shop.read() => {}
        ((), ()) = async { tokio::join!(shop.write(), shop.rebuild(models)) } => {}
    }
    shop.shows_everything().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_notice_nothing_when_read_models_are_rebuilt_while_orders_pour_in() {
    readers_notice_nothing(&[], MODELS).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_notice_nothing_when_the_index_is_rebuilt_while_products_are_added() {
    let test = "readers_notice_nothing_when_the_index_is_rebuilt_while_products_are_added";
    let mut scratch = Scratch::new().expect("a folder");
    let Some(server) = own_meilisearch(test, &mut scratch) else { return };
    let url = server.url();
    readers_notice_nothing(&[("MEILI_URL", &url), ("MEILI_KEY", MEILI_KEY)], &[("search", 2)]).await;
}
