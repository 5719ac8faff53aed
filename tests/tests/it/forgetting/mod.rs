//! A forgotten person can be read nowhere: not in events, read models, Redis, the index, the stream, an export or a log.

mod places;
mod words;

use std::time::Duration;

use daybook_domain::order::OrderStatus;
use daybook_domain::{CustomerId, IdSource, OrderId};
use daybook_eventstore::process::SystemIds;
use fred::interfaces::{ClientLike as _, HashesInterface as _};
use serde_json::{Value, json};
use sqlx::Executor as _;

use self::words::Words;
use crate::faults::global;
use crate::harness::shop::Wanted;
use crate::harness::stack::{Client, Stack};
use crate::harness::{Writer, eventually, unique};

const SOON: Duration = Duration::from_mins(1);
const CREATE: &str =
    "mutation ($i: CartCreateInput!) { cartCreate(input: $i) { cart { id } userErrors { code } } }";
const DELIVER: &str =
    "mutation ($i: CartDeliverySetInput!) { cartDeliverySet(input: $i) { userErrors { code message } } }";
const SHIP: &str = "mutation ($c: ID!) { cartShippingSet(cartId: $c, shippingMethod: \"standard\") {
    cart { cost { totalAmount { amount } } } userErrors { code } } }";
const SUBMIT: &str =
    "mutation ($i: CartSubmitInput!) { cartSubmit(input: $i) { orderId userErrors { code message } } }";
const CANCEL: &str = "mutation ($id: ID!, $note: String!) {
    orderCancel(orderId: $id, reason: STAFF, staffNote: $note) { userErrors { code message } } }";
const FORGET: &str =
    "mutation ($c: ID!) { customerForget(customerId: $c) { forgottenId userErrors { code } } }";
const SHOWN: &str = "query ($id: ID!) { order(id: $id) {
    contact { name email phone } deliveryAddress { address1 address2 city province zip } cancelStaffNote
    status paymentStatus fulfilmentStatus countryCode customerId placedAt cost { totalAmount { amount } }
    history(first: 50) { nodes { type payload } } } }";

/// Somebody who buys.
struct Person {
    contact: Value,
    address: Value,
}

/// Words of which each is in one thing that the first said about herself, or that was said of her; and the second.
const WORDS: [&str; 15] = [
    "Zéphyrine",
    "Quillfeather",
    "owlmail.example",
    "+44 7700 909417",
    "Marmalade",
    "Nightjar",
    "Ullapoolbury",
    "Wrexfordshire",
    "ZQ9 4XK",
    "goosequill",
    "Ptolemy",
    "Brankovic",
    "tinderbox.example",
    "Halfpenny",
    "Grimsthorpe",
];

fn customer() -> Person {
    Person {
        contact: json!({
            "name": "Zéphyrine Quillfeather", "email": "zq@owlmail.example", "phone": "+44 7700 909417"
        }),
        address: json!({
            "address1": "417 Marmalade Crescent", "address2": "Flat Nightjar", "city": "Ullapoolbury",
            "province": "Wrexfordshire", "zip": "ZQ9 4XK", "countryCode": "GB",
        }),
    }
}

fn guest() -> Person {
    Person {
        contact: json!({ "name": "Ptolemy Brankovic", "email": "p@tinderbox.example" }),
        address: json!({ "address1": "3 Halfpenny Yard", "city": "Grimsthorpe", "countryCode": "GB" }),
    }
}

/// An order, as the API names it and the cart it was.
struct Bought {
    id: String,
    cart: String,
}

/// Has somebody buy something; the order is confirmed then.
async fn buy(stack: &Stack, client: &Client, wanted: Wanted, who: &Person) -> Bought {
    let key = |step: &str| format!("{step}-{}", SystemIds.next());
    let line =
        json!({ "merchandiseId": global("ProductVariant", &wanted.variant.to_string()), "quantity": 1 });
    let create = json!({ "i": { "currencyCode": "GBP", "lines": [line] } });
    let created = client.insist(CREATE, &create, &key("create")).await;
    let cart = created["cart"]["id"].as_str().unwrap_or_else(|| panic!("no cart: {created}")).to_owned();
    let deliver = json!({ "i": { "cartId": cart, "contact": who.contact, "address": who.address } });
    let delivered = client.insist(DELIVER, &deliver, &key("deliver")).await;
    assert_eq!(delivered["userErrors"], json!([]));
    let shipped = client.insist(SHIP, &json!({ "c": cart }), &key("ship")).await;
    let expected =
        json!({ "amount": shipped["cart"]["cost"]["totalAmount"]["amount"], "currencyCode": "GBP" });
    let submit =
        json!({ "i": { "cartId": cart, "paymentToken": "card_approve", "expectedTotal": expected } });
    let submitted = client.insist(SUBMIT, &submit, &key("submit")).await;
    let id = submitted["orderId"].as_str().unwrap_or_else(|| panic!("no order: {submitted}")).to_owned();
    stack.shop.order_is(order_id(&id), OrderStatus::Confirmed).await;
    Bought { id, cart }
}

fn order_id(global: &str) -> OrderId {
    use base64::Engine as _;
    let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(global).expect("base64");
    String::from_utf8(bytes).expect("text").split_once(':').expect("an id").1.parse().expect("a UUID")
}

/// What the API shows of an order, once it is as `wanted` says.
async fn shown(client: &Client, id: &str, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    eventually(SOON, what, || async {
        let mut shown = client.try_send(SHOWN, &json!({ "id": id }), None).await?;
        let order = shown["data"]["order"].take();
        (!order.is_null() && wanted(&order)).then_some(order)
    })
    .await
}

/// The same without what is about the person.
fn impersonal(order: &Value) -> Value {
    let mut order = order.clone();
    let fields = order.as_object_mut().expect("an object");
    fields.retain(|name, _| !["contact", "deliveryAddress", "cancelStaffNote"].contains(&name.as_str()));
    order
}

/// Waits until all that has happened is everywhere.
async fn everywhere(stack: &Stack) {
    stack.shop.worker_is_through().await;
    let head: i64 = sqlx::query_scalar("SELECT position FROM log_head")
        .fetch_one(&stack.shop.events.pool)
        .await
        .expect("the head");
    eventually(SOON, "the stream and all read models have it", || async {
        let behind: i64 =
            sqlx::query_scalar("SELECT count(*) FROM projections WHERE status = 'live' AND position < $1")
                .bind(head)
                .fetch_one(&stack.read.pool)
                .await
                .expect("the versions");
        let published = i64::try_from(places::published(stack).await).expect("few");
        (behind == 0 && published == head).then_some(())
    })
    .await;
}

/// Puts words where they should not be: what does not find them finds nothing.
async fn plant(stack: &Stack) {
    let table = "CREATE TABLE planted AS SELECT 'Nightjar' AS note, 'Marmalade'::bytea AS raw";
    stack.read.pool.execute(table).await.expect("a table");
    stack.shop.events.pool.execute(table).await.expect("a table");
    let payload = json!({ "name": "Ptolemy Brankovic" }).to_string();
    Writer::new(&stack.shop.events).append_payloads(vec![payload]).await;
    let client = daybook_projections::read::hot::connect(&stack.redis.url()).expect("a client");
    client.wait_for_connect().await.expect("a connection");
    client.hset::<(), _, _>("planted", ("who", "Quillfeather")).await.expect("it is written");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_who_was_forgotten_can_be_read_nowhere_and_the_log_is_as_it_was_signed() {
    const TEST: &str = "a_person_who_was_forgotten_can_be_read_nowhere_and_the_log_is_as_it_was_signed";
    let (stack, words) = (Stack::start(&[("LOG", "debug")]).await, Words::new(&WORDS));
    let (lantern, staff) = (stack.shop.product(1_000, 9).await, stack.staff());
    let customer_id = CustomerId::generate(&SystemIds);
    let client = stack.customer(customer_id);
    let kept = buy(&stack, &client, lantern, &customer()).await;
    let cancelled = buy(&stack, &client, lantern, &customer()).await;
    let of_guest = buy(&stack, &stack.shopper(), lantern, &guest()).await;
    let note = "she dictates with a goosequill";
    let cancel = json!({ "id": cancelled.id, "note": note });
    assert_eq!(staff.insist(CANCEL, &cancel, "cancel").await["userErrors"], json!([]));

    // As long as nobody forgets them, whoever may see them does, and nobody else can.
    let personal = |order: &Value| order["contact"].is_object() && order["deliveryAddress"].is_object();
    let first = shown(&staff, &kept.id, "it is confirmed", |order| order["status"] == "CONFIRMED").await;
    let voided = |order: &Value| order["cancelStaffNote"] == note && order["paymentStatus"] == "VOIDED";
    let second = shown(&staff, &cancelled.id, "it is called off", voided).await;
    let third = shown(&staff, &of_guest.id, "it is confirmed", |order| order["status"] == "CONFIRMED").await;
    assert!([&first, &second, &third].into_iter().all(personal));
    let told = format!("{first}{second}{third}");
    assert_eq!(words.within(&told).len(), WORDS.len(), "each of the words is somewhere: {told}");
    everywhere(&stack).await;
    assert_eq!(places::search(&stack, &words).await, []);

    let forgotten = json!({ "c": global("Customer", &customer_id.to_string()) });
    assert_eq!(staff.insist(FORGET, &forgotten, "forget").await["userErrors"], json!([]));
    stack.operate(&["forget", &of_guest.cart]).await;
    let nothing = |order: &Value| {
        ["contact", "deliveryAddress", "cancelStaffNote"].iter().all(|field| order[field].is_null())
    };
    for (bought, before) in [(&kept, &first), (&cancelled, &second), (&of_guest, &third)] {
        let after = shown(&staff, &bought.id, "the person is gone from it", nothing).await;
        assert_eq!(impersonal(&after), impersonal(before), "and nothing else is");
    }
    // Nothing more can be said of them either.
    let create = json!({ "i": { "currencyCode": "GBP" } });
    let cart = client.insist(CREATE, &create, &unique("create")).await["cart"]["id"].take();
    let deliver =
        json!({ "i": { "cartId": cart, "contact": customer().contact, "address": customer().address } });
    let refused = client.insist(DELIVER, &deliver, &unique("deliver")).await;
    assert_eq!(refused["userErrors"][0]["code"], "FORGOTTEN");

    everywhere(&stack).await;
    assert_eq!(places::search(&stack, &words).await, []);
    for model in ["orders", "carts"] {
        assert_eq!(stack.differences_from_a_rebuild(model).await, [""; 0], "{model} is its own rebuild");
    }
    let folder = std::env::temp_dir().join(unique("forgetting"));
    let path = folder.to_str().expect("a path");
    stack.operate(&["export", path]).await;
    let exported = places::export(TEST, &folder, &words).await;
    stack.operate(&["verify"]).await;

    plant(&stack).await;
    everywhere(&stack).await;
    let found = places::search(&stack, &words).await;
    for (place, word) in [
        ("events: public.planted", "Nightjar"),
        ("events: public.planted", "Marmalade"),
        ("read: public.planted", "Nightjar"),
        ("events: public.events", "Brankovic"),
        ("stream", "Brankovic"),
        ("redis", "Quillfeather"),
    ] {
        assert!(found.contains(&(place.to_owned(), word)), "{word} in {place} is not in {found:?}");
    }
    if let Some(exported) = exported {
        assert_eq!(exported, []);
        stack.operate(&["export", path]).await;
        let found = places::export(TEST, &folder, &words).await.expect("it was read before");
        assert_eq!(found, [("export".to_owned(), "Ptolemy"), ("export".to_owned(), "Brankovic")]);
    }
    std::fs::remove_dir_all(&folder).expect("the export goes");
}
