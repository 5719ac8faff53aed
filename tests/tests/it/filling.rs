//! Taking and filling carts: what one request may ask for, and that prices are of the moment it takes effect.

use std::collections::BTreeMap;

use daybook_commands::use_cases::{NewCart, NewLine, Scope, add_lines, create_cart};
use daybook_domain::cart::MAX_LINES;
use daybook_domain::product::ProductCommand;
use daybook_domain::{Currency, Quantity};

use crate::checkout::code;
use crate::harness::shop::{TestShop, Wanted, context};

fn line(of: Wanted) -> NewLine {
    NewLine { variant: of.variant, quantity: Quantity::ONE, attributes: BTreeMap::new() }
}

fn cart(lines: Vec<NewLine>) -> NewCart {
    NewCart { customer_id: None, currency: Currency::GBP, lines }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_cart_is_taken_with_more_lines_than_it_can_hold_were_they_all_of_one_thing() {
    let shop = TestShop::open().await;
    let lantern = shop.product(1_000, 9).await;
    let refused = create_cart(&shop.shop, &context(), cart(vec![line(lantern); MAX_LINES + 1])).await;
    assert_eq!(code(refused.map(drop)), "TOO_MANY_LINES");
    let taken = create_cart(&shop.shop, &context(), cart(vec![line(lantern); MAX_LINES])).await;
    assert_eq!(taken.expect("it holds them").value.1.lines().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_put_into_a_cart_that_another_process_has_just_taken_from_sale() {
    let shop = TestShop::open().await;
    let elsewhere = shop.elsewhere();
    let lantern = shop.product(1_000, 9).await;
    let taken = create_cart(&shop.shop, &context(), cart(vec![line(lantern)])).await.expect("a cart");
    let (cart_id, _) = taken.value;
    // The product is in memory here, as it was.
    let id = lantern.variant.product_id.to_string();
    elsewhere.products.execute(&id, ProductCommand::Unpublish, &context(), "null").await.expect("it goes");
    let again = context();
    let refused = add_lines(&shop.shop, &again, Scope::Of(None), cart_id, vec![line(lantern)]).await;
    assert_eq!(code(refused.map(drop)), "NOT_FOR_SALE");
    elsewhere.products.execute(&id, ProductCommand::Publish, &context(), "null").await.expect("it is back");
    let added = add_lines(&shop.shop, &again, Scope::Of(None), cart_id, vec![line(lantern)]).await;
    let cart = added.expect("a refusal is not remembered").value;
    assert_eq!(cart.lines().iter().map(|line| line.quantity.count()).sum::<i64>(), 2);
}
