//! What the shopper does: looks, searches, fills a cart, buys, and later gets something back.

use serde_json::{Value, json};

use crate::api::{ApiError, Client, Document, minor_units, money, text};
use crate::failure::{During, Failure, Result};
use crate::random;

use super::walk::{Walk, amounts, same, says, until};
use super::{Bought, People, documents};

const WHO: &str = "shopper";
/// What standard shipping within Great Britain costs, in pence without tax.
const SHIPPING: i64 = 390;
/// A fifth is added as tax: the standard rate in Great Britain.
const TAX_DIVISOR: i64 = 5;

/// Something that is bought: a variant, its price in pence without tax, and how many.
#[derive(Debug, Clone)]
pub(super) struct Line {
    product: String,
    /// The variant's id.
    pub(super) id: String,
    price: i64,
    /// How many.
    pub(super) quantity: i64,
    /// How many there were to sell before.
    available: i64,
}

impl Line {
    fn net(&self) -> i64 {
        self.price * self.quantity
    }

    /// What its units cost with tax.
    pub(super) fn gross(&self) -> i64 {
        self.net() + self.net() / TAX_DIVISOR
    }
}

/// From the first look to a confirmed order.
pub(super) fn buy(walk: &mut Walk, people: &mut People) -> Result<Bought> {
    let shopper = &mut people.shopper;
    let mug = walk.step(WHO, "looks around", || look_around(shopper))?;
    let tea = walk.step(WHO, "searches for \"oolomg\"", || search(shopper))?;
    let tea = walk.step(WHO, "looks at what was found", || look_at(shopper, &tea, "TEA-OOL-100", 2))?;
    let mug = walk.step(WHO, "looks at a mug", || look_at(shopper, &mug, "MUG-STO-MOS", 1))?;
    let lines = vec![tea, mug];
    let cart = walk.step(WHO, "takes a cart", || take_cart(shopper))?;
    walk.step(WHO, "puts three things into it", || fill(shopper, &cart, &lines))?;
    walk.step(WHO, "says where to deliver", || deliver_to(shopper, &cart))?;
    let total = walk.step(WHO, "chooses standard shipping", || ship_by(shopper, &cart, &lines))?;
    let key = random::hex::<16>()?;
    let (order_id, position) = walk.step(WHO, "buys", || submit(shopper, &cart, total, &key))?;
    let bought = Bought { order_id, lines, total, position };
    walk.step("shop", "holds the money and the stock", || confirmed(shopper, &bought))?;
    walk.step(WHO, "buys again by mistake", || submit_again(shopper, &cart, &bought, &key))?;
    Ok(bought)
}

/// What was bought is not for sale any more.
pub(super) fn look_again(walk: &mut Walk, people: &mut People, bought: &Bought) -> Result<()> {
    walk.step(WHO, "sees that there is less to sell", || {
        for line in &bought.lines {
            let product = query(&mut people.shopper, documents::PRODUCT, &json!({ "id": line.product }))?;
            let variants = product["product"]["variants"].as_array().into_iter().flatten();
            let left = variants.into_iter().find(|variant| variant["id"] == line.id.as_str());
            let left = left.and_then(|variant| variant["quantityAvailable"].as_i64());
            // Others may buy meanwhile.
            if left.is_none_or(|left| left > line.available - line.quantity) {
                return Err(Failure::new(format!("of {} there are {left:?}", line.available)));
            }
        }
        Ok(((), "of both".into()))
    })
}

/// The mug goes back: it arrived in pieces.
pub(super) fn refund(walk: &mut Walk, people: &mut People, bought: &Bought) -> Result<()> {
    let broken = bought.lines.last().map(Line::gross).unwrap_or_default();
    let position = walk.step("support", "refunds the mug", || {
        let input = json!({
            "orderId": bought.order_id, "amount": pounds(broken), "reason": "arrived broken",
        });
        let refunded = mutate(&mut people.support, documents::REFUND_CREATE, &json!({ "input": input }))?;
        let left = &refunded["payment"]["refundable"];
        amounts("what can still be refunded", left, bought.total - broken)?;
        Ok((refunded["position"].clone(), spoken(broken)))
    })?;
    walk.step("shop", "pays the money back", || {
        let order = order_when(&mut people.shopper, bought, &position, |order| {
            order["paymentStatus"] == "PARTIALLY_REFUNDED"
        })?;
        amounts("what was refunded", &order["payment"]["refunded"], broken)?;
        amounts("what was captured", &order["payment"]["captured"], bought.total)?;
        Ok(((), format!("{} of {}", spoken(broken), spoken(bought.total))))
    })
}

fn look_around(shopper: &mut Client) -> Result<(String, String)> {
    let products = query(shopper, documents::BROWSE, &json!({}))?["products"].take();
    let shown = products["nodes"].as_array().map_or(0, Vec::len);
    same("the number of products shown", shown, 12)?;
    let mug = find(shopper, "stoneware mug", "Stoneware Mug")?;
    Ok((mug, format!("{} products", products["totalCount"])))
}

fn search(shopper: &mut Client) -> Result<(String, String)> {
    let tea = find(shopper, "oolomg", "High Mountain Oolong")?;
    Ok((tea, "High Mountain Oolong, in spite of the typo".into()))
}

/// What a search finds first. Right after the catalogue was loaded, the index may have nothing yet.
fn find(shopper: &mut Client, typed: &str, title: &str) -> Result<String> {
    let (document, variables) = (Document::new(documents::SEARCH), json!({ "query": typed }));
    let ask = || shopper.query(&document, &variables);
    let found = until(ask, |found| found["search"]["nodes"][0].is_object())?;
    let first = &found["search"]["nodes"][0];
    says("what is found first", &first["title"], title)?;
    Ok(text(&first["id"]))
}

fn look_at(shopper: &mut Client, id: &str, sku: &str, quantity: i64) -> Result<(Line, String)> {
    let product = query(shopper, documents::PRODUCT, &json!({ "id": id }))?["product"].take();
    same("whether it is for sale", product["published"] == true, true)?;
    let variants = product["variants"].as_array().into_iter().flatten();
    let variant = variants.into_iter().find(|variant| variant["sku"] == sku);
    let variant = variant.ok_or_else(|| Failure::new(format!("there is no {sku}")))?;
    let price = minor_units(&variant["price"]).filter(|price| *price > 0);
    let price = price.ok_or_else(|| Failure::new(format!("{sku} has no price in pounds")))?;
    let available = variant["quantityAvailable"].as_i64().unwrap_or_default();
    let told = format!("{sku} at {}, {available} to sell", spoken(price));
    Ok((Line { product: id.to_owned(), id: text(&variant["id"]), price, quantity, available }, told))
}

fn take_cart(shopper: &mut Client) -> Result<(String, String)> {
    let input = json!({ "input": { "currencyCode": "GBP" } });
    let cart = mutate(shopper, documents::CART_CREATE, &input)?["cart"].take();
    says("the cart", &cart["status"], "OPEN")?;
    Ok((text(&cart["id"]), String::new()))
}

fn fill(shopper: &mut Client, cart: &str, lines: &[Line]) -> Result<((), String)> {
    let line = |line: &Line| json!({ "merchandiseId": line.id, "quantity": line.quantity });
    let lines_in: Vec<Value> = lines.iter().map(line).collect();
    let input = json!({ "cartId": cart, "lines": lines_in });
    let filled = mutate(shopper, documents::CART_LINES_ADD, &input)?["cart"].take();
    same("the number of things", filled["totalQuantity"].as_i64().unwrap_or(-1), 3)?;
    let subtotal: i64 = lines.iter().map(Line::net).sum();
    amounts("the subtotal", &filled["cost"]["subtotalAmount"], subtotal)?;
    Ok(((), format!("{} before tax", spoken(subtotal))))
}

fn deliver_to(shopper: &mut Client, cart: &str) -> Result<((), String)> {
    let input = json!({
        "cartId": cart,
        "contact": { "name": "Ada Example", "email": "ada@example.com" },
        "address": { "address1": "12 Mill Lane", "city": "Lewes", "zip": "BN7 2AA", "countryCode": "GB" },
    });
    let set = mutate(shopper, documents::CART_DELIVERY_SET, &json!({ "input": input }))?;
    says("the country", &set["cart"]["countryCode"], "GB")?;
    Ok(((), "name and address are sealed".into()))
}

fn ship_by(shopper: &mut Client, cart: &str, lines: &[Line]) -> Result<(i64, String)> {
    let input = json!({ "cartId": cart, "shippingMethod": "standard" });
    let cost = mutate(shopper, documents::CART_SHIPPING_SET, &input)?["cart"]["cost"].take();
    amounts("the shipping", &cost["shippingAmount"], SHIPPING)?;
    let shipping = SHIPPING + SHIPPING / TAX_DIVISOR;
    let total = lines.iter().map(Line::gross).sum::<i64>() + shipping;
    amounts("the total", &cost["totalAmount"], total)?;
    Ok((total, format!("{} in all, tax included", spoken(total))))
}

fn submit(shopper: &mut Client, cart: &str, total: i64, key: &str) -> Result<((String, Value), String)> {
    let submitted = send_submit(shopper, cart, total, key)?;
    same("whether it was done before", submitted["replayed"] == true, false)?;
    Ok(((text(&submitted["orderId"]), submitted["position"].clone()), spoken(total)))
}

fn submit_again(shopper: &mut Client, cart: &str, bought: &Bought, key: &str) -> Result<((), String)> {
    let again = send_submit(shopper, cart, bought.total, key)?;
    says("the order", &again["orderId"], &bought.order_id)?;
    same("whether it was done before", again["replayed"] == true, true)?;
    Ok(((), "the same order, nothing charged".into()))
}

fn send_submit(shopper: &mut Client, cart: &str, total: i64, key: &str) -> Result<Value> {
    let input = json!({ "cartId": cart, "paymentToken": "card_approve", "expectedTotal": pounds(total) });
    let document = Document::new(documents::CART_SUBMIT);
    shopper.mutate(&document, &json!({ "input": input }), Some(key)).during(|| "it failed".into())
}

fn confirmed(shopper: &mut Client, bought: &Bought) -> Result<((), String)> {
    let order = order_when(shopper, bought, &bought.position, |order| order["status"] != "PLACED")?;
    says("the order", &order["status"], "CONFIRMED")?;
    says("the payment", &order["paymentStatus"], "AUTHORISED")?;
    amounts("the total", &order["cost"]["totalAmount"], bought.total)?;
    Ok(((), "confirmed, payment authorised".into()))
}

/// The order once something is so; asked for no older than `after`.
pub(super) fn order_when(
    client: &mut Client,
    bought: &Bought,
    after: &Value,
    is_so: impl Fn(&Value) -> bool,
) -> Result<Value> {
    let document = Document::new(documents::ORDER);
    let variables = json!({ "id": bought.order_id, "after": after });
    let ask = || client.query(&document, &variables).map(|mut data| data["order"].take());
    until(ask, |order| order.is_object() && is_so(order))
}

/// Asks a query once.
pub(super) fn query(client: &mut Client, document: &str, variables: &Value) -> Result<Value> {
    let asked: Result<Value, ApiError> = client.query(&Document::new(document), variables);
    asked.during(|| "it failed".into())
}

/// Does a mutation once.
pub(super) fn mutate(client: &mut Client, document: &str, variables: &Value) -> Result<Value> {
    let key = random::hex::<16>()?;
    client.mutate(&Document::new(document), variables, Some(&key)).during(|| "it failed".into())
}

/// Pence as the API takes them.
fn pounds(pence: i64) -> Value {
    money(&format!("{}.{:02}", pence / 100, pence % 100), "GBP")
}

/// Pence as a person reads them.
fn spoken(pence: i64) -> String {
    format!("£{}.{:02}", pence / 100, pence % 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sums_are_made_without_asking_the_shop() {
        let (product, id) = (String::new(), String::new());
        let line = Line { product, id, price: 1_700, quantity: 2, available: 0 };
        assert_eq!((line.net(), line.gross()), (3_400, 4_080));
        assert_eq!(spoken(line.gross()), "£40.80");
        assert_eq!(minor_units(&pounds(4_005)), Some(4_005));
    }
}
