//! The demo catalogue: a small shop for tea and coffee, brought in as a shop's own software would do it, through
//! the public API. It decides nothing about products: what the API refuses is a failure.

mod product;

use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::api::{ApiError, Client, Document, text};
use crate::failure::{During, Result};
use crate::progress::Step;

pub use product::Product;
use product::{Variant, parse};

const CREATE: &str = "mutation ($input: ProductCreateInput!) {
    result: productCreate(input: $input) { product { variants { id sku } } position replayed userErrors { code message } }
}";
const RECEIVE: &str = "mutation ($input: StockReceiveInput!) {
    result: stockReceive(input: $input) { replayed userErrors { code message } }
}";
const SHOWN: &str = "query ($position: Position!) {
    search(query: \"\", first: 1, afterPosition: $position) { totalCount }
}";
/// How long it may take until what was brought in can be found.
const VISIBLE: Duration = Duration::from_mins(1);
const LOOK: Duration = Duration::from_millis(50);
/// What the API says of read models that are not there yet.
const NOT_YET: [&str; 2] = ["READ_MODEL_NOT_BUILT", "READ_MODEL_BEHIND"];
/// What the API says of a key that was used with another input.
const OTHER_INPUT: &str = "IDEMPOTENCY_KEY_PARAMETER_MISMATCH";

/// The products of the demo catalogue.
pub fn products() -> Result<Vec<Product>> {
    parse(include_str!("../../assets/catalogue.json"))
}

/// Brings in the whole catalogue, each product and delivery under a key of its own: what is there already, from an
/// earlier start or an interrupted one, stays as it is.
pub fn load(client: &mut Client, interrupted: impl Fn() -> Result<()>) -> Result<()> {
    let step = Step::begin("Loading the demo catalogue");
    let products = products()?;
    let (create, receive) = (Document::new(CREATE), Document::new(RECEIVE));
    let (mut new, mut position) = (0, Value::Null);
    for (index, product) in products.iter().enumerate() {
        interrupted()?;
        step.tell(&format!("{} of {}: {}", index + 1, products.len(), product.title));
        let cannot = || format!("cannot load {:?}", product.title);
        let Some(created) = create_product(client, &create, product).during(cannot)? else { continue };
        new += usize::from(created["replayed"] == false);
        position = created["position"].clone();
        for (variant, made) in
            product.variants.iter().zip(created["product"]["variants"].as_array().into_iter().flatten())
        {
            receive_stock(client, &receive, variant, &made["id"]).during(cannot)?;
        }
    }
    step.tell("waiting until it can be found");
    await_visible(client, &position, &interrupted)?;
    step.done(&match new {
        0 => "it is there already".to_owned(),
        _ => format!("{new} products"),
    });
    Ok(())
}

/// Waits until shoppers find what was brought in: only then is the shop open.
fn await_visible(client: &mut Client, position: &Value, interrupted: impl Fn() -> Result<()>) -> Result<()> {
    let (shown, since) = (Document::new(SHOWN), Instant::now());
    while !position.is_null() {
        interrupted()?;
        match client.query(&shown, &json!({ "position": position })) {
            Ok(_) => break,
            Err(error)
                if error.code().is_some_and(|code| NOT_YET.contains(&code)) && since.elapsed() < VISIBLE =>
            {
                thread::sleep(LOOK);
            }
            Err(error) => return Err(error).during(|| "the catalogue cannot be found".into()),
        }
    }
    Ok(())
}

/// Draws up a product. Nothing when an earlier version of the catalogue has done so.
fn create_product(
    client: &mut Client,
    create: &Document,
    product: &Product,
) -> Result<Option<Value>, ApiError> {
    let key = format!("demo-catalogue product {}", product.key());
    match client.mutate(create, &json!({ "input": product.input() }), Some(&key)) {
        Err(error) if error.code() == Some(OTHER_INPUT) => Ok(None),
        other => other.map(Some),
    }
}

fn receive_stock(
    client: &mut Client,
    receive: &Document,
    variant: &Variant,
    id: &Value,
) -> Result<(), ApiError> {
    for (location, quantity) in variant.stock() {
        let item = json!({ "variantId": text(id), "location": location });
        let input = json!({ "item": item, "quantity": quantity, "reference": "opening stock" });
        let key = format!("demo-catalogue stock {} {location}", variant.sku);
        match client.mutate(receive, &json!({ "input": input }), Some(&key)) {
            Err(error) if error.code() == Some(OTHER_INPUT) => {}
            other => drop(other?),
        }
    }
    Ok(())
}
