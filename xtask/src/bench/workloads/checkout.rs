//! Buying: a whole checkout, or only its last part.

use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::api::{Client, Document, money, text};
use crate::failure::{During, Failure, Result};
use crate::interrupt::Interrupt;

use super::super::dice::Dice;
use super::super::load::Worker;
use super::{Seat, Stage};

const CREATE: &str = "mutation ($input: CartCreateInput!) {
    result: cartCreate(input: $input) { cart { id } userErrors { code message } }
}";
const ADD: &str = "mutation ($cartId: ID!, $lines: [CartLineInput!]!) {
    result: cartLinesAdd(cartId: $cartId, lines: $lines) { cart { totalQuantity } userErrors { code message } }
}";
const DELIVER: &str = "mutation ($input: CartDeliverySetInput!) {
    result: cartDeliverySet(input: $input) { cart { countryCode } userErrors { code message } }
}";
const SHIP: &str = "mutation ($cartId: ID!, $shippingMethod: String!) {
    result: cartShippingSet(cartId: $cartId, shippingMethod: $shippingMethod) {
        cart { cost { totalAmount { amount currencyCode } } } userErrors { code message }
    }
}";
const SUBMIT: &str = "mutation ($input: CartSubmitInput!) {
    result: cartSubmit(input: $input) { orderId position userErrors { code message } }
}";
const ORDER: &str = "query ($id: ID!) { order(id: $id) { status } }";

/// How long an order may take to be confirmed.
const PATIENCE: Duration = Duration::from_secs(30);
/// Never look more often than this.
const SHORTEST_GLANCE: Duration = Duration::from_micros(500);

/// A shopper with all that is asked.
struct Shopper<'a> {
    stage: &'a Stage,
    client: Client,
    dice: Dice,
    name: String,
    bought: u64,
    expected: Duration,
    documents: [Document; 6],
}

/// A cart that can be submitted.
struct Ready {
    cart: String,
    total: Value,
}

impl<'a> Shopper<'a> {
    fn new(stage: &'a Stage, seat: Seat, workload: &str) -> Self {
        Self {
            stage,
            client: stage.shop.guest(),
            dice: Dice::of(seat.client),
            name: format!("bench {} {workload} {} {}", stage.run, seat.clients, seat.client),
            bought: 0,
            expected: Duration::from_millis(20),
            documents: [CREATE, ADD, DELIVER, SHIP, SUBMIT, ORDER].map(Document::new),
        }
    }

    /// Fills a cart up to the last step before buying.
    fn fill(&mut self) -> Result<Ready> {
        let created = self.ask(0, &json!({ "input": { "currencyCode": "GBP" } }))?;
        let cart = text(&created["cart"]["id"]);
        let lines: Vec<Value> = (0..2).filter_map(|_| self.line()).collect();
        self.ask(1, &json!({ "cartId": cart, "lines": lines }))?;
        let input = json!({
            "cartId": cart,
            "contact": { "name": "Bench Shopper", "email": "bench@example.com" },
            "address": { "address1": "1 Bench Road", "city": "London", "zip": "N1 1AA", "countryCode": "GB" },
        });
        self.ask(2, &json!({ "input": input }))?;
        let shipped = self.ask(3, &json!({ "cartId": cart, "shippingMethod": "standard" }))?;
        let total = &shipped["cart"]["cost"]["totalAmount"];
        Ok(Ready { cart, total: money(&text(&total["amount"]), &text(&total["currencyCode"])) })
    }

    fn line(&mut self) -> Option<Value> {
        let product = self.dice.one_of(&self.stage.assortment.products)?;
        let variant = self.dice.one_of(&product.variants)?;
        Some(json!({ "merchandiseId": variant, "quantity": 1 }))
    }

    /// Buys it, and waits until the order is confirmed.
    fn buy(&mut self, ready: &Ready) -> Result<String> {
        self.bought += 1;
        let key = format!("{} {}", self.name, self.bought);
        let (cart, total) = (&ready.cart, &ready.total);
        let input = json!({ "cartId": cart, "paymentToken": "card_approve", "expectedTotal": total });
        let submitted = self.client.mutate(&self.documents[4], &json!({ "input": input }), Some(&key));
        let order = text(&submitted.during(|| "cannot submit a cart".into())?["orderId"]);
        self.await_confirmed(&order)?;
        Ok(order)
    }

    /// Looks for the first time when it is about to be confirmed going by the last times, and often from then on:
    /// looking all the time would be most of the load.
    fn await_confirmed(&mut self, order: &str) -> Result<()> {
        let began = Instant::now();
        let variables = json!({ "id": order });
        let mut pause = self.expected * 3 / 4;
        loop {
            thread::sleep(pause);
            pause = (self.expected / 10).max(SHORTEST_GLANCE);
            let data = self.client.query(&self.documents[5], &variables);
            let data = data.during(|| "cannot look at an order".into())?;
            match data["order"]["status"].as_str() {
                Some("CONFIRMED") => break,
                None | Some("PLACED") if began.elapsed() < PATIENCE => {}
                other => return Err(Failure::new(format!("an order is {other:?} instead of confirmed"))),
            }
        }
        self.expected = (self.expected * 7 + began.elapsed()) / 8;
        Ok(())
    }

    fn ask(&mut self, document: usize, variables: &Value) -> Result<Value> {
        let asked = self.client.mutate(&self.documents[document], variables, None);
        asked.during(|| "cannot fill a cart".into())
    }
}

struct Whole<'a>(Shopper<'a>);

impl Worker for Whole<'_> {
    fn once(&mut self) -> Result<Duration> {
        let began = Instant::now();
        let ready = self.0.fill()?;
        self.0.buy(&ready)?;
        Ok(began.elapsed())
    }
}

struct SubmitToConfirmed<'a>(Shopper<'a>);

impl Worker for SubmitToConfirmed<'_> {
    fn once(&mut self) -> Result<Duration> {
        let ready = self.0.fill()?;
        let began = Instant::now();
        self.0.buy(&ready)?;
        Ok(began.elapsed())
    }
}

/// From taking a cart to a confirmed order.
pub(super) fn whole(stage: &Stage, seat: Seat) -> Box<dyn Worker + '_> {
    Box::new(Whole(Shopper::new(stage, seat, "checkout")))
}

/// From submitting a cart to a confirmed order. Filling the cart is not in the latency, but in the rate.
pub(super) fn submit_to_confirmed(stage: &Stage, seat: Seat) -> Box<dyn Worker + '_> {
    Box::new(SubmitToConfirmed(Shopper::new(stage, seat, "submit")))
}

/// Buys so many times, and says which orders came of it.
pub(in super::super) fn buy(stage: &Stage, times: usize, interrupt: &Interrupt) -> Result<Vec<String>> {
    let mut shopper = Shopper::new(stage, Seat { client: 0, clients: 0 }, "stage");
    let mut orders = Vec::with_capacity(times);
    for _ in 0..times {
        interrupt.check()?;
        let ready = shopper.fill()?;
        orders.push(shopper.buy(&ready)?);
    }
    Ok(orders)
}
