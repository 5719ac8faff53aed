//! The same key is the same operation, for ever.

use daybook_commands::related::payment_of;
use daybook_domain::cart::CartStatus;
use daybook_domain::payment::PaymentCommand;
use daybook_domain::{CartId, Currency, IdSource, Money, OrderId, Timestamp};
use daybook_eventstore::process::SystemIds;
use futures::future::join_all;
use serde_json::{Value, json};
use uuid::Uuid;

use super::front::{As, Front, SOON, code, token};
use super::reading::global;
use crate::harness::shop::{TestShop, context};
use crate::harness::{Process, unique};

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
        "cartId": global("Cart", &cart_id.to_string()),
        "paymentToken": "card_approve",
        "expectedTotal": { "amount": total.to_string(), "currencyCode": "GBP" },
    } });
    let key = unique("submit");
    let who = As { key: Some(&key), ..As::default() };
    let answers = join_all((0..8).map(|_| front.data_as(who, submit, input.clone()))).await;
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
        "cart": global("Cart", &cart_id.to_string()),
        "variant": global("ProductVariant", &product.variant.to_string()),
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

/// How many clients give each input.
const CLIENTS: usize = 6;

/// How many commands were recorded, and where the log stands.
async fn log(shop: &TestShop) -> (i64, i64) {
    let log = sqlx::query_as("SELECT (SELECT count(*) FROM commands), (SELECT position FROM log_head)");
    log.fetch_one(&shop.events.pool).await.expect("the log")
}

/// Clients of both APIs give all of these inputs under one key, at the same moment; says which of them was done. It is one
/// of them, all who gave it are told the same, all others are refused, and nothing else happens.
async fn contend(apis: [&Front; 2], token: Option<&str>, mutation: &str, inputs: &[Value]) -> usize {
    let (key, shop) = (unique("a-key-of-many"), &apis[0].shop);
    let who = As { token, key: Some(&key) };
    let (commands, position) = log(shop).await;
    let answers = join_all((0..CLIENTS * inputs.len()).map(async |n| {
        let (input, api) = (n % inputs.len(), apis[n / inputs.len() % 2]);
        (input, api.ask(who, mutation, inputs[input].clone()).await.1)
    }));
    let (done, refused): (Vec<_>, Vec<_>) =
        answers.await.into_iter().partition(|(_, answer)| answer["errors"].is_null());
    for (_, answer) in refused {
        assert_eq!(code(&answer), "IDEMPOTENCY_KEY_PARAMETER_MISMATCH");
    }
    let which = done.first().expect("one of them is done").0;
    assert!(done.len() == CLIENTS && done.iter().all(|(input, _)| *input == which), "{done:?}");
    let payload = |answer: &Value| answer["data"].as_object().and_then(|data| data.values().next().cloned());
    let mut payloads: Vec<Value> = done.iter().filter_map(|(_, answer)| payload(answer)).collect();
    assert_eq!(payloads.iter().filter(|payload| payload["replayed"] == json!(false)).count(), 1);
    assert_eq!(payloads[0]["userErrors"], json!([]), "{mutation}");
    for payload in &mut payloads {
        payload["replayed"] = json!(true);
    }
    assert!(payloads.iter().all(|payload| *payload == payloads[0]), "{payloads:?}");

    assert_eq!(log(shop).await.0, commands + 1);
    let causes = "SELECT count(DISTINCT metadata::jsonb ->> 'command_id') FROM events WHERE position > $1";
    let causes: i64 =
        sqlx::query_scalar(causes).bind(position).fetch_one(&shop.events.pool).await.expect("a count");
    assert_eq!(causes, 1, "all that happened is of the one command");
    which
}

/// A payment of which 10.00 were taken; says whose it is.
async fn captured(shop: &TestShop) -> OrderId {
    let (order_id, amount) = (OrderId::generate(&SystemIds), Money::new(1_000, Currency::GBP));
    let (payment_id, capture_id) = (payment_of(order_id), SystemIds.next());
    let request = PaymentCommand::RequestAuthorisation {
        payment_id,
        order_id,
        amount,
        payment_token: "card".to_owned(),
        deadline: Timestamp::MAX_UTC,
    };
    let held = PaymentCommand::RecordAuthorised { amount, gateway_reference: "held".to_owned() };
    let asked = PaymentCommand::RequestCapture { capture_id, amount };
    let taken = PaymentCommand::RecordCaptured { capture_id, amount };
    for command in [request, held, asked, taken] {
        let told = shop.shop.payments.execute(&payment_id.to_string(), command, &context(), "null").await;
        told.expect("it is noted");
    }
    order_id
}

#[tokio::test(flavor = "multi_thread")]
async fn of_inputs_that_many_give_at_once_under_one_key_one_is_done() {
    let front = Front::open().await;
    let beside = front.beside().await;
    let (apis, shop) = ([&front, &beside], &front.shop);
    let create = "mutation ($currency: CurrencyCode!) { cartCreate(input: { currencyCode: $currency }) {
        cart { id } position replayed userErrors { code } } }";
    let currencies = ["GBP", "EUR", "USD"].map(|code| json!({ "currency": code }));
    contend(apis, None, create, &currencies).await;

    let lantern = shop.product(1_000, 50).await;
    let variant = global("ProductVariant", &lantern.variant.to_string());
    let cart = async |id: CartId| shop.shop.carts.load(&id.to_string()).await.expect("the cart").state;
    let (filled, total) = shop.cart(&[lantern]).await;
    let add = "mutation ($cart: ID!, $variant: ID!, $units: Int!) {
        cartLinesAdd(cartId: $cart, lines: [{ merchandiseId: $variant, quantity: $units }]) {
            cart { totalQuantity } position replayed userErrors { code } } }";
    let units = [2, 3, 4].map(
        |units| json!({ "cart": global("Cart", &filled.to_string()), "variant": variant, "units": units }),
    );
    let added = contend(apis, None, add, &units).await;
    let units: i64 = cart(filled).await.lines().iter().map(|line| line.quantity.count()).sum();
    assert_eq!(units, [3, 4, 5][added]);

    // By themselves, the second of one cart would be too late, and that of another cart would not.
    let carts = [shop.cart(&[lantern]).await.0, shop.cart(&[lantern]).await.0];
    let submit = "mutation ($input: CartSubmitInput!) { cartSubmit(input: $input) {
        orderId cart { id status } position replayed userErrors { code } } }";
    let buys = [(0, "card_approve"), (0, "card_late"), (1, "card_approve")].map(|(which, card)| {
        json!({ "input": {
            "cartId": global("Cart", &carts[which].to_string()),
            "paymentToken": card,
            "expectedTotal": { "amount": total.to_string(), "currencyCode": "GBP" },
        } })
    });
    let bought = contend(apis, None, submit, &buys).await;
    let statuses = join_all(carts.map(async |id| cart(id).await.status() == CartStatus::Open)).await;
    assert_eq!(statuses, [bought == 2, bought != 2], "the other cart is still open");

    let staff = token("staff", "ada");
    let adjust = "mutation ($input: StockAdjustInput!) { stockAdjust(input: $input) {
        stock { onHand } position replayed userErrors { code } } }";
    let item = json!({ "variantId": variant, "location": "LON" });
    let losses =
        [-1, -2, -3].map(|delta| json!({ "input": { "item": item, "delta": delta, "reason": "LOST" } }));
    let lost = contend(apis, Some(&staff), adjust, &losses).await;
    assert_eq!(shop.stock(lantern, "LON").await.on_hand(), [49, 48, 47][lost]);

    let order_id = captured(shop).await;
    let refund = "mutation ($input: RefundCreateInput!) { refundCreate(input: $input) {
        refundId position replayed userErrors { code } } }";
    let amounts = ["4.00", "7.00", "10.00"].map(|amount| {
        let amount = json!({ "amount": amount, "currencyCode": "GBP" });
        json!({ "input": { "orderId": global("Order", &order_id.to_string()), "amount": amount } })
    });
    let refunded = contend(apis, Some(&staff), refund, &amounts).await;
    assert_eq!(shop.payment(order_id).await.refundable().minor(), [600, 300, 0][refunded]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repetition_with_personal_data_is_known_when_another_key_wraps() {
    let front = Front::open().await;
    let product = front.shop.product(1_000, 5).await;
    let (cart_id, _) = front.shop.cart(&[product]).await;
    let deliver = "mutation ($input: CartDeliverySetInput!) { cartDeliverySet(input: $input) {
        position replayed userErrors { code } } }";
    let said = |city: &str| {
        json!({ "input": {
            "cartId": global("Cart", &cart_id.to_string()),
            "contact": { "name": "Ada Byron", "email": "ada@example.org" },
            "address": { "address1": "12 St James's Square", "city": city, "countryCode": "GB" },
        } })
    };
    let key = unique("deliver");
    let who = As { key: Some(&key), ..As::default() };
    let first = front.data_as(who, deliver, said("London")).await["cartDeliverySet"].take();
    assert_eq!((&first["userErrors"], &first["replayed"]), (&json!([]), &json!(false)));

    let (old, new) = ("07".repeat(32), "0c".repeat(32));
    let mut settings: Vec<(&str, String)> = front.shop.settings();
    settings.extend([("VAULT_KEY", new.clone()), ("VAULT_OTHER_KEYS", old)]);
    let settings: Vec<(&str, &str)> = settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let mut rewrap = Process::start("daybook-replay", &["vault", "rewrap"], &settings);
    assert!(rewrap.ended(SOON).await.success(), "{}", rewrap.output());
    let front = front.anew(&[("VAULT_KEY", &new)]).await;
    let again = front.data_as(who, deliver, said("London")).await["cartDeliverySet"].take();
    assert_eq!((&again["position"], &again["replayed"]), (&first["position"], &json!(true)));
    assert_eq!(front.error(who, deliver, said("Leeds")).await, "IDEMPOTENCY_KEY_PARAMETER_MISMATCH");
}
