//! What the benchmark sells: 1,000 products of five variants each, brought in once through the public API.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use serde_json::{Value, json};

use crate::api::{ApiError, Client, Document, Role, Shop, money, text};
use crate::failure::{During, Failure, Result};
use crate::interrupt::Interrupt;
use crate::progress::Step;

const PRODUCTS: usize = 1_000;
const SIZES: [&str; 5] = ["S", "M", "L", "XL", "XXL"];
/// How many units of each variant there are: more than any run sells.
const STOCK: u32 = 900_000;
/// How many clients bring them in at once.
const LOADERS: usize = 8;

const COLOURS: [&str; 10] =
    ["Amber", "Indigo", "Scarlet", "Olive", "Ivory", "Cobalt", "Russet", "Teal", "Mauve", "Charcoal"];
const MATERIALS: [&str; 5] = ["Linen", "Cotton", "Merino", "Canvas", "Denim"];
const THINGS: [&str; 20] = [
    "Jacket",
    "Shirt",
    "Jumper",
    "Scarf",
    "Trousers",
    "Apron",
    "Cardigan",
    "Waistcoat",
    "Dress",
    "Skirt",
    "Pyjamas",
    "Overcoat",
    "Shorts",
    "Blouse",
    "Dungarees",
    "Raincoat",
    "Polo",
    "Hoodie",
    "Kilt",
    "Poncho",
];

const CREATE: &str = "mutation ($input: ProductCreateInput!) {
    result: productCreate(input: $input) {
        product { id variants { id } } userErrors { code message }
    }
}";
const RECEIVE: &str = "mutation ($input: StockReceiveInput!) {
    result: stockReceive(input: $input) { userErrors { code message } }
}";

/// A product that is for sale.
#[derive(Debug, Clone, Default)]
pub(super) struct Product {
    /// Its id.
    pub(super) id: String,
    /// The ids of its variants.
    pub(super) variants: Vec<String>,
}

/// Everything that is for sale.
#[derive(Debug, Clone, Default)]
pub(super) struct Assortment {
    /// The products.
    pub(super) products: Vec<Product>,
}

/// Brings in everything, each thing under a key of its own: what an earlier run has brought in is found again.
pub(super) fn load(shop: &Shop, interrupt: &Interrupt) -> Result<Assortment> {
    let step = Step::begin(format!("Bringing in {} variants", PRODUCTS * SIZES.len()));
    let next = AtomicUsize::new(0);
    let parts: Vec<Result<Vec<(usize, Product)>>> = thread::scope(|scope| {
        let loader = || bring_in(shop, &next, &step, interrupt);
        let threads: Vec<_> = (0..LOADERS).map(|_| scope.spawn(loader)).collect();
        let lost = |_| Err(Failure::new("a loader panicked"));
        threads.into_iter().map(|thread| thread.join().unwrap_or_else(lost)).collect()
    });
    let mut loaded = Vec::with_capacity(PRODUCTS);
    for part in parts {
        loaded.extend(part?);
    }
    interrupt.check()?;
    loaded.sort_unstable_by_key(|(index, _)| *index);
    step.done("");
    Ok(Assortment { products: loaded.into_iter().map(|(_, product)| product).collect() })
}

fn bring_in(
    shop: &Shop,
    next: &AtomicUsize,
    step: &Step,
    interrupt: &Interrupt,
) -> Result<Vec<(usize, Product)>> {
    let mut staff = shop.person(Role::Staff, "bench")?;
    let (create, receive) = (Document::new(CREATE), Document::new(RECEIVE));
    let mut done = Vec::new();
    loop {
        let index = next.fetch_add(1, Ordering::Relaxed);
        if index >= PRODUCTS || interrupt.raised() {
            return Ok(done);
        }
        step.tell(&format!("{index} of {PRODUCTS} products"));
        let product = one(&mut staff, &create, &receive, index)
            .during(|| format!("cannot bring in product {index}"))?;
        done.push((index, product));
    }
}

fn one(staff: &mut Client, create: &Document, receive: &Document, index: usize) -> Result<Product, ApiError> {
    let key = format!("bench product {index}");
    let created = staff.mutate(create, &json!({ "input": input(index) }), Some(&key))?;
    let variants = created["product"]["variants"].as_array().into_iter().flatten();
    let variants: Vec<String> = variants.map(|variant| text(&variant["id"])).collect();
    for (number, variant) in variants.iter().enumerate() {
        let item = json!({ "variantId": variant, "location": "LON" });
        let input = json!({ "item": item, "quantity": STOCK, "reference": "bench" });
        let key = format!("bench stock {index} {number}");
        staff.mutate(receive, &json!({ "input": input }), Some(&key))?;
    }
    Ok(Product { id: text(&created["product"]["id"]), variants })
}

/// What a search for this product asks for.
pub(super) fn words(index: usize) -> String {
    format!("{} {} {}", COLOURS[index % 10], MATERIALS[index / 10 % 5], THINGS[index / 50 % 20])
}

fn input(index: usize) -> Value {
    let pence = 1_000 + index * 7 % 9_000;
    let price = format!("{}.{:02}", pence / 100, pence % 100);
    let variant = |(number, size): (usize, &&str)| {
        json!({
            "sku": format!("BENCH-{index:04}-{number}"),
            "options": [{ "key": "Size", "value": size }],
            "prices": [money(&price, "GBP")],
        })
    };
    json!({
        "title": words(index),
        "description": format!("A {} that is made to be counted, number {index}.", words(index).to_lowercase()),
        "categories": ["Clothing", THINGS[index / 50 % 20]],
        "attributes": [
            { "key": "Colour", "value": COLOURS[index % 10] },
            { "key": "Material", "value": MATERIALS[index / 10 % 5] },
        ],
        "options": [{ "name": "Size", "values": SIZES }],
        "variants": SIZES.iter().enumerate().map(variant).collect::<Vec<_>>(),
        "published": true,
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_product_has_words_and_skus_of_its_own() {
        let words: BTreeSet<_> = (0..PRODUCTS).map(words).collect();
        assert_eq!(words.len(), PRODUCTS);
        let inputs: Vec<Value> = (0..PRODUCTS).map(input).collect();
        let variants = inputs.iter().flat_map(|input| input["variants"].as_array().into_iter().flatten());
        let skus: BTreeSet<_> = variants.map(|variant| text(&variant["sku"])).collect();
        assert_eq!(skus.len(), PRODUCTS * SIZES.len());
    }
}
