//! Reading: a list of products, one product, a search, the history of an order.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::api::{Client, Document, text};
use crate::failure::{During, Failure, Result};

use super::super::assortment::words;
use super::super::dice::Dice;
use super::super::load::Worker;
use super::{Seat, Stage};

const PRODUCT_LIST: &str = "query ($after: String) { products(first: 20, after: $after) {
    nodes { id title variants { id sku price(currencyCode: GBP) { amount currencyCode } } }
    pageInfo { endCursor hasNextPage }
} }";
const PRODUCT: &str = "query ($id: ID!) { product(id: $id) {
    id title description categories attributes { key value }
    variants { id sku options { key value } price(currencyCode: GBP) { amount currencyCode } }
} }";
const SEARCH: &str = "query ($query: String!) { search(query: $query, first: 20) {
    totalCount nodes { id title } facets { name values { value count } }
} }";
const ORDER_HISTORY: &str = "query ($id: ID!) { order(id: $id) {
    id status history(first: 100) { nodes { position type actor causationId } }
} }";

/// How many pages of products are looked at.
const PAGES: usize = 40;

/// A client that asks one query again and again, each time about something else.
struct Reader<'a> {
    client: Client,
    document: Document,
    about: Box<dyn FnMut() -> Value + 'a>,
    has_something: fn(&Value) -> bool,
}

impl Worker for Reader<'_> {
    /// Looks into an answer once: without something in it, the numbers would be of nothing.
    fn prepare(&mut self) -> Result<()> {
        let variables = (self.about)();
        let answer = self.client.query(&self.document, &variables).during(|| "a query failed".into())?;
        if (self.has_something)(&answer) {
            return Ok(());
        }
        Err(Failure::new(format!("a query found nothing: {answer}")))
    }

    fn once(&mut self) -> Result<Duration> {
        let variables = (self.about)();
        let began = Instant::now();
        self.client.query_unread(&self.document, &variables).during(|| "a query failed".into())?;
        Ok(began.elapsed())
    }
}

fn reader<'a>(
    stage: &Stage,
    text: &str,
    about: impl FnMut() -> Value + 'a,
    has_something: fn(&Value) -> bool,
) -> Box<dyn Worker + 'a> {
    let (client, document) = (stage.shop.guest(), Document::new(text));
    Box::new(Reader { client, document, about: Box::new(about), has_something })
}

fn is_filled(list: &Value) -> bool {
    list.as_array().is_some_and(|items| !items.is_empty())
}

/// A list of 20 products with their variants, one page after another.
pub(super) fn product_list(stage: &Stage, seat: Seat) -> Box<dyn Worker + '_> {
    let cursors = &stage.cursors;
    let mut dice = Dice::of(seat.client);
    let about = move || json!({ "after": dice.one_of(cursors) });
    reader(stage, PRODUCT_LIST, about, |answer| is_filled(&answer["products"]["nodes"]))
}

/// One product by its id.
pub(super) fn product(stage: &Stage, seat: Seat) -> Box<dyn Worker + '_> {
    let mut dice = Dice::of(seat.client);
    let about = move || json!({ "id": dice.one_of(&stage.assortment.products).map(|product| &product.id) });
    reader(stage, PRODUCT, about, |answer| is_filled(&answer["product"]["variants"]))
}

/// A search with facets.
pub(super) fn search(stage: &Stage, seat: Seat) -> Box<dyn Worker + '_> {
    let mut dice = Dice::of(seat.client);
    let about = move || json!({ "query": words(dice.below(stage.assortment.products.len())) });
    reader(stage, SEARCH, about, |answer| is_filled(&answer["search"]["nodes"]))
}

/// The history of an order.
pub(super) fn order_history(stage: &Stage, seat: Seat) -> Box<dyn Worker + '_> {
    let mut dice = Dice::of(seat.client);
    let about = move || json!({ "id": dice.one_of(&stage.orders) });
    reader(stage, ORDER_HISTORY, about, |answer| is_filled(&answer["order"]["history"]["nodes"]))
}

/// Where the first pages of products begin, but for the very first.
pub(in super::super) fn turn_pages(stage: &Stage) -> Result<Vec<String>> {
    let (mut client, document) = (stage.shop.guest(), Document::new(PRODUCT_LIST));
    let mut cursors: Vec<String> = Vec::new();
    while cursors.len() < PAGES {
        let answer = client.query(&document, &json!({ "after": cursors.last() }));
        let page = answer.during(|| "cannot list products".into())?["products"]["pageInfo"].take();
        if page["hasNextPage"] != true {
            break;
        }
        cursors.push(text(&page["endCursor"]));
    }
    Ok(cursors)
}
