//! What is asked for: every query of the schema, with all that hangs on its rows, for few of them and for many.

use super::shelf::{Goods, MANY, ROOTS, Sales};

/// How few the short list has.
const FEW: usize = 2;

const MONEY: &str = "{ amount currencyCode }";
const PERSON: &str = "contact { name email phone } deliveryAddress { address1 city countryCode }";
/// A variant, to where it leads.
const VARIANT: &str = "id sku options { key value } prices { amount } price(currencyCode: GBP) { amount }
    quantityAvailable product { id title }
    stock { id location onHand available variant { sku product { title } } }";

/// A query for few rows and for many.
pub(super) struct Question {
    /// What it asks for.
    pub(super) what: &'static str,
    /// For few.
    pub(super) few: String,
    /// For many.
    pub(super) many: String,
    /// How many those are.
    pub(super) rows: usize,
}

/// A list, which is asked for so many rows.
fn list(what: &'static str, query: impl Fn(usize) -> String) -> Question {
    Question { what, few: query(FEW), many: query(MANY), rows: MANY }
}

/// The same field of the root many times, for one thing each.
fn aliased(what: &'static str, keys: &[String], field: impl Fn(&str) -> String) -> Question {
    let query = |rows: usize| {
        let fields = keys.iter().take(rows).enumerate().map(|(n, key)| format!("a{n}: {}", field(key)));
        format!("{{ {} }}", fields.collect::<Vec<_>>().join(" "))
    };
    Question { what, few: query(FEW), many: query(ROOTS), rows: ROOTS }
}

fn product() -> String {
    format!(
        "id title description options {{ name values }} categories attributes {{ key value }} published createdAt
         variants {{ {VARIANT} }}"
    )
}

fn order() -> String {
    format!(
        "id cartId customerId status paymentStatus fulfilmentStatus cancelReason cancelStaffNote placedAt updatedAt
         cost {{ totalAmount {MONEY} }} shippingMethod countryCode {PERSON}
         lines {{ id sku quantity dispatched gross {MONEY} merchandise {{ sku quantityAvailable product {{ title }} }} }}
         payment {{ id status captured {MONEY} captures {{ amount {MONEY} }} refunds {{ id amount {MONEY} }} }}
         shipments {{ id status lines {{ lineId quantity }} order {{ id status }} }}
         history(first: 5) {{ totalCount pageInfo {{ hasNextPage }} nodes {{ id type actor payload }} }}"
    )
}

fn cart() -> String {
    format!(
        "id status totalQuantity cost {{ totalAmount {MONEY} }} shippingOffers {{ price {MONEY} }} {PERSON}
         lines {{ id title quantity merchandise {{ {VARIANT} }} }}
         order {{ id status history(first: 1) {{ nodes {{ type }} }} }}"
    )
}

/// An event of the log, with all that hangs on it.
const EVENT: &str =
    "id position type version aggregateType aggregateId sequence occurredAt recordedAt actor commandId
    causationId correlationId payload";

/// Questions about what is for sale, and about carts that nothing has come of.
pub(super) fn about_goods(goods: &Goods) -> Vec<Question> {
    let (product, cart) = (product(), cart());
    vec![
        list("products", |first| {
            format!(
                "{{ products(first: {first}) {{ totalCount pageInfo {{ endCursor }}
                    facets {{ name values {{ value count }} }} edges {{ cursor node {{ id }} }}
                    nodes {{ {product} }} }} }}"
            )
        }),
        aliased("products by their ids", &goods.products, |id| {
            format!("product(id: \"{id}\") {{ {product} }}")
        }),
        aliased("products by their skus", &goods.skus, |sku| {
            format!("product(sku: \"{sku}\") {{ {product} }}")
        }),
        list("a cart's lines", |lines| {
            let id = &goods.carts[usize::from(lines == MANY)];
            format!("{{ cart(id: \"{id}\") {{ {cart} }} }}")
        }),
    ]
}

/// Questions about all else.
pub(super) fn about_the_rest(goods: &Goods, sales: &Sales) -> Vec<Question> {
    let (product, cart, order) = (product(), cart(), order());
    let mut questions = vec![
        list("search", |first| {
            format!(
                "{{ search(query: \"lantern\", first: {first}) {{ totalCount correctedQuery suggestions
                    facets {{ name values {{ value count }} }} edges {{ cursor node {{ id }} }}
                    nodes {{ {product} }} }} }}"
            )
        }),
        list("suggestions", |first| format!("{{ searchSuggestions(query: \"lan\", first: {first}) }}")),
        aliased("carts", &sales.carts, |id| format!("cart(id: \"{id}\") {{ {cart} }}")),
        aliased("orders by their ids", &sales.orders, |id| format!("order(id: \"{id}\") {{ {order} }}")),
        list("orders", |first| {
            format!(
                "{{ orders(first: {first}) {{ totalCount pageInfo {{ endCursor }} edges {{ cursor node {{ id }} }}
                    nodes {{ {order} }} }} }}"
            )
        }),
        list("events of the log", |first| {
            format!(
                "{{ auditEvents(first: {first}, filter: {{ type: \"InventoryReserved\" }}) {{ totalCount
                    pageInfo {{ endCursor }} edges {{ cursor node {{ id }} }} nodes {{ {EVENT} }} }} }}"
            )
        }),
        aliased("dossiers", &sales.orders, |id| {
            format!(
                "orderDossier(orderId: \"{id}\") {{ orderId order {{ id status }} isBalanced
                    events(first: 20) {{ totalCount nodes {{ {EVENT} }} }}
                    ledger {{ position postings {{ account debit {MONEY} credit {MONEY} }} }}
                    balances {{ account debit {MONEY} credit {MONEY} }} }}"
            )
        }),
        aliased(
            "proofs",
            &["1", "2", "3", "5", "8", "13", "21", "34", "55", "89"].map(str::to_owned),
            |position| {
                format!(
                    "eventProof(position: \"{position}\") {{ proof event {{ {EVENT} }} checkpoint {{ size note }} }}"
                )
            },
        ),
        list("an order's lines", |lines| {
            let id = &sales.short_and_long[usize::from(lines == MANY)];
            format!("{{ order(id: \"{id}\") {{ {order} }} }}")
        }),
    ];
    let nodes: [(&'static str, &[String], String); 8] = [
        ("nodes: products", &goods.products, format!("... on Product {{ {product} }}")),
        ("nodes: variants", &goods.variants, format!("... on ProductVariant {{ {VARIANT} }}")),
        ("nodes: carts", &sales.carts, format!("... on Cart {{ {cart} }}")),
        ("nodes: orders", &sales.orders, format!("... on Order {{ {order} }}")),
        ("nodes: payments", &sales.payments, format!("... on Payment {{ captured {MONEY} }}")),
        ("nodes: refunds", &sales.refunds, format!("... on Refund {{ amount {MONEY} }}")),
        ("nodes: parcels", &sales.parcels, format!("... on Shipment {{ order {{ {order} }} }}")),
        ("nodes: stock", &goods.stock, format!("... on StockLevel {{ variant {{ {VARIANT} }} }}")),
    ];
    let node = |selection: String| move |id: &str| format!("node(id: \"{id}\") {{ id {selection} }}");
    questions.extend(nodes.into_iter().map(|(what, ids, one)| aliased(what, ids, node(one))));
    questions
}
