//! The same key is the same operation, for ever.

use serde_json::json;
use uuid::Uuid;

use super::front::{As, Front, token};
use crate::harness::unique;

const CREATE: &str = "mutation ($currency: CurrencyCode!) {
    cartCreate(input: { currencyCode: $currency }) { cart { id } position replayed } }";

#[tokio::test]
async fn the_same_key_is_told_the_same_and_with_another_input_refused() {
    let front = Front::open().await;
    let key = unique("key");
    let who = As { key: Some(&key), ..As::default() };
    let first = front.data_as(who, CREATE, json!({ "currency": "GBP" })).await;
    let again = front.data_as(who, CREATE, json!({ "currency": "GBP" })).await;
    assert_eq!(
        (&first["cartCreate"]["replayed"], &again["cartCreate"]["replayed"]),
        (&json!(false), &json!(true))
    );
    assert_eq!(first["cartCreate"]["cart"], again["cartCreate"]["cart"]);
    assert_eq!(first["cartCreate"]["position"], again["cartCreate"]["position"]);
    let refused = front.error(who, CREATE, json!({ "currency": "EUR" })).await;
    assert_eq!(refused, "IDEMPOTENCY_KEY_PARAMETER_MISMATCH");
    let events: i64 = sqlx::query_scalar("SELECT count(*) FROM events")
        .fetch_one(&front.shop.events.pool)
        .await
        .expect("a count");
    assert_eq!(events, 1);
}

#[tokio::test]
async fn what_a_client_said_is_confirmed_by_no_fingerprint_without_the_vaults_key() {
    let [vault, other_vault, token_key] = ["08", "0a", "0b"].map(|byte| byte.repeat(32));
    let key = unique("key-of-a-guest");
    let fingerprint = async |settings: &[(&str, &str)]| {
        let front = Front::open_with(settings).await;
        let who = As { key: Some(&key), ..As::default() };
        front.data_as(who, CREATE, json!({ "currency": "GBP" })).await;
        let kept = sqlx::query_scalar("SELECT fingerprint FROM commands");
        let kept: Vec<u8> = kept.fetch_one(&front.shop.events.pool).await.expect("a command");
        kept
    };
    let first = fingerprint(&[("VAULT_KEY", &vault)]).await;
    let tokens_changed = fingerprint(&[("VAULT_KEY", &vault), ("TOKEN_KEY", &token_key)]).await;
    assert_eq!(first, tokens_changed, "the same input is the same whoever signs tokens");
    assert_ne!(first, fingerprint(&[("VAULT_KEY", &other_vault)]).await);
}

#[tokio::test]
async fn a_cart_that_is_submitted_twice_at_once_is_one_order() {
    let front = Front::open().await;
    let product = front.shop.product(1_000, 5).await;
    let (cart_id, total) = front.shop.cart(&[product]).await;
    let submit = "mutation ($input: CartSubmitInput!) {
        cartSubmit(input: $input) { orderId userErrors { code } replayed } }";
    let input = json!({ "input": {
        "cartId": super::reading::global("Cart", &cart_id.to_string()),
        "paymentToken": "card_approve",
        "expectedTotal": { "amount": total.to_string(), "currencyCode": "GBP" },
    } });
    let key = unique("submit");
    let who = As { key: Some(&key), ..As::default() };
    let answers = futures::future::join_all((0..8).map(|_| front.data_as(who, submit, input.clone()))).await;
    let orders: std::collections::BTreeSet<_> =
        answers.iter().map(|answer| answer["cartSubmit"]["orderId"].as_str().expect("an order")).collect();
    assert_eq!(orders.len(), 1);
    let first = answers.iter().filter(|answer| answer["cartSubmit"]["replayed"] == json!(false)).count();
    assert_eq!(first, 1);
}

#[tokio::test]
async fn a_repetition_is_told_what_happened_even_when_the_product_is_gone() {
    let front = Front::open().await;
    let product = front.shop.product(1_000, 5).await;
    let (cart_id, _) = front.shop.cart(&[product]).await;
    let add = "mutation ($cart: ID!, $variant: ID!) {
        cartLinesAdd(cartId: $cart, lines: [{ merchandiseId: $variant, quantity: 2 }]) {
            userErrors { code } position replayed } }";
    let variables = json!({
        "cart": super::reading::global("Cart", &cart_id.to_string()),
        "variant": super::reading::global("ProductVariant", &product.variant.to_string()),
    });
    let key = unique("add");
    let who = As { key: Some(&key), ..As::default() };
    let first = front.data_as(who, add, variables.clone()).await;
    front.shop.unpublish(product).await;
    let again = front.data_as(who, add, variables.clone()).await;
    assert_eq!(again["cartLinesAdd"]["replayed"], json!(true));
    assert_eq!(again["cartLinesAdd"]["position"], first["cartLinesAdd"]["position"]);
    let other = add.replace("quantity: 2", "quantity: 3");
    assert_eq!(front.error(who, &other, variables.clone()).await, "IDEMPOTENCY_KEY_PARAMETER_MISMATCH");
    let anew = front.data(add, variables).await;
    assert_eq!(anew["cartLinesAdd"]["userErrors"][0]["code"], "NOT_FOR_SALE");
}

#[tokio::test]
async fn each_mutation_of_a_request_can_have_a_key_of_its_own() {
    let front = Front::open().await;
    let two = "mutation {
        a: cartCreate(input: { currencyCode: GBP }) @idempotent(key: \"first-key-of-a-guest\") { cart { id } }
        b: cartCreate(input: { currencyCode: GBP }) @idempotent(key: \"other-key-of-a-guest\") { cart { id } } }";
    let made = front.data(two, json!({})).await;
    assert_ne!(made["a"]["cart"], made["b"]["cart"]);
    assert_eq!(front.data(two, json!({})).await, made);
    let plain = "mutation { a: cartCreate(input: { currencyCode: GBP }) { position }
        b: cartCreate(input: { currencyCode: GBP }) { position } }";
    let key = unique("header");
    let who = As { key: Some(&key), ..As::default() };
    assert_eq!(front.error(who, plain, json!({})).await, "IDEMPOTENCY_KEY_AMBIGUOUS");
}

#[tokio::test]
async fn two_clients_with_the_same_key_do_not_meet() {
    let front = Front::open().await;
    let clients = [1, 2].map(|n| token("customer", &Uuid::from_u128(n).to_string()));
    let mut carts = Vec::new();
    for client in &clients {
        let who = As { token: Some(client), key: Some("1") };
        let made = front.data_as(who, CREATE, json!({ "currency": "GBP" })).await["cartCreate"].take();
        assert_eq!(made["replayed"], json!(false));
        carts.push(made["cart"]["id"].clone());
    }
    assert_ne!(carts[0], carts[1]);
}
