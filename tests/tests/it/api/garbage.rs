//! Whatever is sent, the answer is a typed error: no fault, no panic.

use daybook_domain::order::OrderStatus;
use reqwest::StatusCode;
use serde_json::{Value, json};

use super::front::{As, Front, code, signed, token};

#[tokio::test]
async fn documents_that_make_no_sense_are_told_so() {
    let front = Front::open().await;
    let deep =
        format!("{{ products {{ nodes {} }} }}", "{ variants { product ".repeat(30) + &"} }".repeat(30));
    let renamed = |field: &str| (0..100).fold(String::new(), |text, n| text + &format!("a{n}: {field} "));
    let (aliases, many) = (renamed("version"), renamed("title"));
    for query in [
        "",
        "{",
        "nonsense",
        "{ nope }",
        "{ products { nodes { nope } } }",
        "{ products(nope: 1) { totalCount } }",
        "{ products(first: \"ten\") { totalCount } }",
        "query A { version } query B { version }",
        "subscription { orderUpdated(id: \"x\") { id } }",
        "{ ...F } fragment F on Query { ...F }",
        &deep,
        &format!("{{ {aliases} }}"),
        &format!("{{ products {{ nodes {{ {many} }} }} }}"),
    ] {
        front.error(As::default(), query, json!({})).await;
    }
}

#[tokio::test]
async fn values_that_make_no_sense_are_told_so() {
    let front = Front::open().await;
    for query in [
        "{ products(first: -1) { totalCount } }",
        "{ products(first: 1000000) { totalCount } }",
        "{ products(first: 99999999999999999999) { totalCount } }",
        "{ products(after: \"'; DROP TABLE events\") { totalCount } }",
        "{ products(filter: { query: \"\\u0000\" }) { totalCount } }",
        "{ product(id: \"garbage\") { id } }",
        "{ product { id } }",
        "{ cart(id: \"UHJvZHVjdDpub3BlCg\") { id } }",
        "{ node(id: \"%%%\") { id } }",
        "{ order(id: 5) { id } }",
        "{ order(id: null) { id } }",
        "{ cart(id: \"\", after: \"-1\") { id } }",
        "mutation { cartCreate(input: { currencyCode: XXQ }) { position } }",
        "mutation { cartCreate(input: { currencyCode: GBP, nope: 1 }) { position } }",
    ] {
        front.error(As::default(), query, json!({})).await;
    }
}

#[tokio::test]
async fn quantities_and_amounts_that_make_no_sense_are_refused_with_the_field() {
    let front = Front::open().await;
    let product = front.shop.product(1_000, 5).await;
    let (cart_id, _) = front.shop.cart(&[product]).await;
    let add = "mutation ($cart: ID!, $variant: ID!, $quantity: Int!) {
        cartLinesAdd(cartId: $cart, lines: [{ merchandiseId: $variant, quantity: $quantity }]) {
            userErrors { code field } } }";
    for quantity in [0, -1, i32::MIN, i32::MAX] {
        let variables = json!({
            "cart": super::reading::global("Cart", &cart_id.to_string()),
            "variant": super::reading::global("ProductVariant", &product.variant.to_string()),
            "quantity": quantity,
        });
        let refused = front.data(add, variables).await;
        let error = &refused["cartLinesAdd"]["userErrors"][0];
        assert_eq!(error["code"], "QUANTITY_INVALID");
        assert_eq!(error["field"], json!(["lines", "0", "quantity"]));
    }
    let submit = "mutation ($input: CartSubmitInput!) { cartSubmit(input: $input) { userErrors { code } } }";
    for amount in ["", "-", "1e9", "0.001", "9".repeat(30).as_str(), "NaN"] {
        let input = json!({ "input": {
            "cartId": super::reading::global("Cart", &cart_id.to_string()),
            "paymentToken": "card_approve",
            "expectedTotal": { "amount": amount, "currencyCode": "GBP" },
        } });
        let refused = front.data(submit, input).await;
        assert_eq!(refused["cartSubmit"]["userErrors"][0]["code"], "AMOUNT_INVALID", "{amount}");
    }
}

#[tokio::test]
async fn the_shops_people_are_refused_what_makes_no_sense_as_well() {
    let front = Front::open().await;
    let _worker = front.shop.worker(&[]);
    let product = front.shop.product(1_000, 5).await;
    let order_id = front.shop.buy(&[product], "card_approve").await;
    front.shop.order_is(order_id, OrderStatus::Confirmed).await;
    let staff = token("staff", "ada");
    let refused = async |field: &str, arguments: String| {
        let who = As { token: Some(&staff), ..As::default() };
        let query = format!("mutation {{ {field}({arguments}) {{ userErrors {{ code }} }} }}");
        let (status, answer) = front.ask(who, &query, json!({})).await;
        assert_eq!(status, StatusCode::OK, "{query}: {answer}");
        let told = answer["data"][field]["userErrors"][0]["code"].as_str();
        told.unwrap_or_else(|| panic!("{query} is not refused: {answer}")).to_owned()
    };
    let variant = super::reading::global("ProductVariant", &product.variant.to_string());
    let order = super::reading::global("Order", &order_id.to_string());
    let item = format!(r#"item: {{ variantId: "{variant}", location: "LON" }}"#);
    for n in [0, -1, i32::MIN, i32::MAX] {
        let received = refused("stockReceive", format!("input: {{ {item}, quantity: {n} }}")).await;
        let [parcel, line] =
            ["Shipment", "Line"].map(|kind| super::reading::global(kind, &order_id.to_string()));
        let lines = format!(r#"[{{ lineId: "{line}", quantity: {n} }}]"#);
        let packed = refused("shipmentPack", format!(r#"shipmentId: "{parcel}", lines: {lines}"#)).await;
        assert_eq!([received, packed], ["QUANTITY_INVALID"; 2], "{n}");
    }
    for n in [-1, i32::MIN] {
        let kept = refused("stockSafetySet", format!("input: {{ {item}, quantity: {n} }}")).await;
        assert_eq!(kept, "QUANTITY_INVALID", "{n}");
        refused("stockAdjust", format!("input: {{ {item}, delta: {}, reason: LOST }}", n.min(-6))).await;
    }
    for amount in ["-1", "-0.01", "0", "0.001", &"9".repeat(30), "90000000000000"] {
        let money = format!(r#"{{ amount: "{amount}", currencyCode: GBP }}"#);
        refused("refundCreate", format!(r#"input: {{ orderId: "{order}", amount: {money} }}"#)).await;
        if amount != "0" {
            refused("paymentCapture", format!(r#"orderId: "{order}", amount: {money}"#)).await;
        }
    }
    for amount in ["-1", "-0.01", "0.001", &"9".repeat(30)] {
        let money = format!(r#"{{ amount: "{amount}", currencyCode: GBP }}"#);
        refused("productVariantPriceSet", format!(r#"id: "{variant}", price: {money}"#)).await;
    }
    assert_eq!(front.shop.stock(product, "LON").await.on_hand(), 5, "nothing changed");
}

#[tokio::test]
async fn a_webhook_that_is_too_large_is_refused_by_status() {
    let front = Front::open().await;
    let body = vec![b' '; 10 * 1024 * 1024];
    let answer = front.http.post(front.url("/webhooks/payment")).body(body).send().await.expect("an answer");
    assert_eq!(answer.status(), StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn bodies_that_are_no_request_are_refused_by_status() {
    let front = Front::open().await;
    let send = async |content_type: &str, body: Vec<u8>| {
        let request = front.http.post(front.url("/graphql")).header("content-type", content_type).body(body);
        let answer = request.send().await.expect("an answer");
        let status = answer.status();
        code(&answer.json::<Value>().await.expect("JSON"));
        status
    };
    let good = br#"{"query":"{ version }"}"#.to_vec();
    assert_eq!(send("text/plain", good.clone()).await, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    assert_eq!(send("multipart/form-data", good.clone()).await, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    assert_eq!(send("application/json", vec![b' '; 10 * 1024 * 1024]).await, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(send("application/json", vec![0xff; 100]).await, StatusCode::BAD_REQUEST);
    assert_eq!(send("application/json", vec![b'['; 100_000]).await, StatusCode::BAD_REQUEST);
    assert_eq!(send("application/json", [b"[", &good[..], b"]"].concat()).await, StatusCode::BAD_REQUEST);
    assert_eq!(send("application/json", br#"{"query":{}}"#.to_vec()).await, StatusCode::BAD_REQUEST);
    assert_eq!(send("application/json", Vec::new()).await, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_mutation_never_comes_by_get() {
    let front = Front::open().await;
    let mutation = "/graphql?query=mutation%7BcartCreate(input:%7BcurrencyCode:GBP%7D)%7Bposition%7D%7D";
    let answer = front.http.get(front.url(mutation)).send().await.expect("an answer");
    assert_eq!(answer.status(), StatusCode::METHOD_NOT_ALLOWED);
    let read = front.http.get(front.url("/graphql?query=%7Bversion%7D")).send().await;
    assert_eq!(read.expect("an answer").status(), StatusCode::OK);
}

#[tokio::test]
async fn a_token_that_says_nothing_is_refused_by_status() {
    let front = Front::open().await;
    let expired = signed("staff", "ada", 1);
    let odd = token("emperor", "ada");
    for bad in ["", "x", "a.b.c", expired.as_str(), odd.as_str()] {
        let who = As { token: Some(bad), ..As::default() };
        let (status, answer) = front.ask(who, "{ version }", json!({})).await;
        assert_eq!((status, code(&answer).as_str()), (StatusCode::UNAUTHORIZED, "UNAUTHENTICATED"), "{bad}");
    }
}
