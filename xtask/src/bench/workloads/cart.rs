//! Filling carts.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::api::{Client, Document, text};
use crate::failure::{During, Result};

use super::super::dice::Dice;
use super::super::load::Worker;
use super::{Seat, Stage};

pub(super) const CREATE: &str = "mutation ($input: CartCreateInput!) {
    result: cartCreate(input: $input) { cart { id } userErrors { code message } }
}";
pub(super) const ADD: &str = "mutation ($cartId: ID!, $lines: [CartLineInput!]!) {
    result: cartLinesAdd(cartId: $cartId, lines: $lines) {
        cart { id totalQuantity cost { subtotalAmount { amount } } } position userErrors { code message }
    }
}";
/// How many things go into one cart: what a full one has.
const FULL: usize = 20;

/// A client that fills one cart after another.
pub(super) struct Filler<'a> {
    stage: &'a Stage,
    pub(super) client: Client,
    dice: Dice,
    create: Document,
    add: Document,
    cart: String,
    room: usize,
}

impl<'a> Filler<'a> {
    pub(super) fn new(stage: &'a Stage, seat: Seat) -> Self {
        let (create, add) = (Document::new(CREATE), Document::new(ADD));
        let (client, dice) = (stage.shop.guest(), Dice::of(seat.client));
        Self { stage, client, dice, create, add, cart: String::new(), room: 0 }
    }

    /// Makes sure that there is a cart with room in it.
    pub(super) fn make_room(&mut self) -> Result<()> {
        if self.room == 0 {
            let input = json!({ "input": { "currencyCode": "GBP" } });
            let created = self.client.mutate(&self.create, &input, None);
            self.cart = text(&created.during(|| "cannot take a cart".into())?["cart"]["id"]);
            self.room = FULL;
        }
        self.room -= 1;
        Ok(())
    }

    /// Puts something in. Says into which cart, and which position that reached.
    pub(super) fn add(&mut self) -> Result<(&str, String)> {
        let product = self.dice.one_of(&self.stage.assortment.products);
        let variant = product.and_then(|product| self.dice.one_of(&product.variants));
        let lines = json!([{ "merchandiseId": variant, "quantity": 1 }]);
        let added = self.client.mutate(&self.add, &json!({ "cartId": self.cart, "lines": lines }), None);
        let added = added.during(|| "cannot add to a cart".into())?;
        Ok((&self.cart, text(&added["position"])))
    }
}

impl Worker for Filler<'_> {
    fn once(&mut self) -> Result<Duration> {
        self.make_room()?;
        let began = Instant::now();
        self.add()?;
        Ok(began.elapsed())
    }
}

/// Adding to a cart. Taking a cart, once in 20 times, is not in the latency, but in the rate.
pub(super) fn lines_add(stage: &Stage, seat: Seat) -> Box<dyn Worker + '_> {
    Box::new(Filler::new(stage, seat))
}
