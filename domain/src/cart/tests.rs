//! Given, when, then: what a cart lets happen, and what holds whatever is put into it.

use std::collections::BTreeMap;

use cqrs_es::test::TestFramework;
use proptest::prelude::*;

use super::{
    Cart, CartCommand as Command, CartEvent as Event, CartLine, CartRefusal as Refused, CartStatus,
    MAX_ATTRIBUTES, MAX_LINES, samples,
};
use crate::kernel::{
    CartId, CountryCode, Currency, LineId, Money, OrderId, Quantity, Refusal, Sku, Timestamp, VariantId,
    sample,
};
use crate::pricing::{PricedVariant, ShippingOffer, ShippingQuote, TaxTreatment, samples as pricing};

fn gbp(minor: i64) -> Money {
    Money::new(minor, Currency::GBP)
}

fn cart_id(number: u16) -> CartId {
    CartId::new(sample::id(0x5000 + number))
}

fn line_id(number: u16) -> LineId {
    LineId::new(sample::id(0x6000 + number))
}

fn order_id(number: u16) -> OrderId {
    OrderId::new(sample::id(0x2000 + number))
}

fn country(code: &str) -> CountryCode {
    CountryCode::try_new(code).expect("country")
}

/// A price that is honoured for an hour.
fn variant(number: u16, price: i64) -> PricedVariant {
    PricedVariant {
        variant_id: VariantId::new(sample::id(0x1000 + number)),
        unit_price: gbp(price),
        ..pricing::priced_variant().expect("sample")
    }
}

fn later(item: PricedVariant) -> PricedVariant {
    PricedVariant { honoured_until: sample::moment(7_200), ..item }
}

fn shipping(price: i64) -> ShippingQuote {
    ShippingQuote { price: gbp(price), ..pricing::shipping().expect("sample") }
}

/// Shipping at this price to Great Britain.
fn offer(price: i64) -> ShippingOffer {
    ShippingOffer { country: country("GB"), shipping: shipping(price) }
}

fn engraved(text: &str) -> BTreeMap<String, String> {
    BTreeMap::from([("engraving".to_owned(), text.to_owned())])
}

fn create() -> Command {
    Command::Create {
        cart_id: cart_id(1),
        customer_id: None,
        currency: Currency::GBP,
        tax: TaxTreatment::Exempt,
    }
}

fn add(number: u16, item: PricedVariant, count: i64) -> Command {
    let quantity = sample::quantity(count);
    Command::AddLine { line_id: line_id(number), item, quantity, attributes: BTreeMap::new() }
}

fn line(number: u16, item: PricedVariant, count: i64) -> CartLine {
    let quantity = sample::quantity(count);
    CartLine { line_id: line_id(number), item, quantity, attributes: BTreeMap::new() }
}

fn deliver_to(code: &str) -> Command {
    let (contact, address) = (pricing::sealed("Yw"), pricing::sealed("YQ"));
    Command::SetDelivery { contact, address, country: country(code) }
}

fn ship_for(price: i64) -> Command {
    Command::ChooseShipping { offer: offer(price) }
}

/// A submit at the sample moment plus `seconds`, when these are today's prices.
fn submit(order: u16, expected: i64, seconds: i64, current: &[PricedVariant], today: i64) -> Command {
    Command::Submit {
        order_id: order_id(order),
        payment_token: "card_approved".to_owned(),
        expected_total: gbp(expected),
        current: current.to_vec(),
        current_shipping: Some(offer(today)),
        at: sample::moment(seconds),
    }
}

fn submit_in_time(order: u16, expected: i64) -> Command {
    submit(order, expected, 10, &[], 0)
}

fn ask(cart: &mut Cart, command: Command) -> Result<Vec<Event>, Refused> {
    let events = cart.decide(command)?;
    for event in &events {
        cart.evolve(event.clone());
    }
    Ok(events)
}

/// The cart after these requests, all of them granted.
fn given(commands: impl IntoIterator<Item = Command>) -> Cart {
    let mut cart = Cart::default();
    for command in commands {
        ask(&mut cart, command).expect("granted");
    }
    cart
}

/// A cart of two mugs at 10.00 with shipping at 3.90: 23.90 until the prices end after an hour.
fn ready() -> Cart {
    given([create(), add(1, variant(1, 1_000), 2), deliver_to("GB"), ship_for(390)])
}

fn quantities(cart: &Cart) -> Vec<(u32, i64)> {
    cart.lines().iter().map(|line| (line.quantity.get(), line.item.unit_price.minor())).collect()
}

#[test]
fn nothing_but_its_creation_happens_to_a_cart_that_does_not_exist() {
    let all = [
        add(1, variant(1, 1), 1),
        Command::ChangeQuantity { line_id: line_id(1), quantity: Quantity::ONE },
        Command::RemoveLine { line_id: line_id(1) },
        deliver_to("GB"),
        ship_for(1),
        Command::Reprice { prices: vec![], shipping: None },
        Command::Merge { from: cart_id(2), lines: vec![] },
        Command::CloseInto { cart_id: cart_id(2) },
        submit_in_time(1, 1),
        Command::Reopen { order_id: order_id(1) },
    ];
    for command in all {
        assert_eq!(Cart::default().decide(command), Err(Refused::NotFound));
    }
    assert_eq!(Cart::default().quote(), Err(Refused::NotFound));
    assert_eq!(Refused::NotFound.code(), "NOT_FOUND");
}

#[test]
fn a_cart_is_created_once() {
    let created = Event::Created {
        cart_id: cart_id(1),
        customer_id: None,
        currency: Currency::GBP,
        tax: TaxTreatment::Exempt,
    };
    let framework = || TestFramework::<Cart>::with(());
    framework().given_no_previous_events().when(create()).then_expect_events(vec![created.clone()]);
    framework().given(vec![created.clone()]).when(create()).then_expect_events(vec![]);
    let other = Command::Create {
        cart_id: cart_id(1),
        customer_id: None,
        currency: Currency::EUR,
        tax: TaxTreatment::Exempt,
    };
    framework().given(vec![created]).when(other).then_expect_error(Refused::AlreadyExists);
}

#[test]
fn the_same_variant_is_one_line_at_the_newer_price() {
    let mut cart = given([create(), add(1, variant(1, 1_000), 2)]);
    let dearer = later(variant(1, 1_100));
    let added = Event::LineAdded { line: line(1, dearer.clone(), 3) };
    assert_eq!(ask(&mut cart, add(2, dearer, 3)), Ok(vec![added]));
    assert_eq!(quantities(&cart), [(5, 1_100)]);
    // A price looked up before the one the cart has does not replace it.
    ask(&mut cart, add(3, variant(1, 900), 1)).expect("granted");
    assert_eq!(quantities(&cart), [(6, 1_100)]);
}

#[test]
fn other_attributes_are_another_line() {
    let engrave = Command::AddLine {
        line_id: line_id(2),
        item: variant(1, 1_000),
        quantity: Quantity::ONE,
        attributes: engraved("For Ada"),
    };
    let cart = given([create(), add(1, variant(1, 1_000), 2), engrave.clone(), engrave]);
    assert_eq!(quantities(&cart), [(2, 1_000), (2, 1_000)]);
}

#[test]
fn a_line_has_its_own_id_and_sound_attributes_and_price() {
    let mut cart = given([create(), add(1, variant(1, 1_000), 2)]);
    let refused = Refused::LineIdTaken { line_id: line_id(1) };
    assert_eq!(ask(&mut cart, add(1, variant(2, 1_000), 2)), Err(refused));
    let euro = PricedVariant { unit_price: Money::new(1, Currency::EUR), ..variant(2, 0) };
    let refused = Refused::CurrencyMismatch { cart: Currency::GBP, given: Currency::EUR };
    assert_eq!(refused.to_string(), "the cart is in GBP, not EUR");
    assert_eq!(ask(&mut cart, add(2, euro, 1)), Err(refused));
    assert_eq!(ask(&mut cart, add(2, variant(2, -1), 1)), Err(Refused::NegativePrice));
    let with = |attributes| Command::AddLine {
        line_id: line_id(2),
        item: variant(2, 1),
        quantity: Quantity::ONE,
        attributes,
    };
    let many = (0..=MAX_ATTRIBUTES).map(|number| (number.to_string(), String::new())).collect();
    assert_eq!(ask(&mut cart, with(many)), Err(Refused::TooManyAttributes { given: MAX_ATTRIBUTES + 1 }));
    let long = ask(&mut cart, with(engraved(&"x".repeat(256)))).expect_err("refused");
    assert_eq!(long.code(), "TEXT_INVALID");
}

#[test]
fn a_cart_has_at_most_so_many_lines() {
    let full = u16::try_from(MAX_LINES).expect("few");
    let lines = (0..full).map(|number| add(number, variant(number, 1), 1));
    let mut cart = given([create()].into_iter().chain(lines));
    assert_eq!(ask(&mut cart, add(full, variant(full, 1), 1)), Err(Refused::TooManyLines));
    assert!(ask(&mut cart, add(full, variant(0, 1), 1)).is_ok());
}

#[test]
fn units_are_counted_per_variant_over_all_its_lines() {
    let max = i64::from(Quantity::MAX);
    let mut cart = given([create(), add(1, variant(1, 1), max)]);
    let asked = u64::from(Quantity::MAX) + 1;
    let refused = Err(Refused::QuantityTooLarge { asked });
    assert_eq!(ask(&mut cart, add(2, variant(1, 1), 1)), refused);
    let engraved = Command::AddLine {
        line_id: line_id(2),
        item: variant(1, 1),
        quantity: Quantity::ONE,
        attributes: engraved("For Ada"),
    };
    assert_eq!(ask(&mut cart, engraved.clone()), refused);
    let fewer = Command::ChangeQuantity { line_id: line_id(1), quantity: sample::quantity(max - 1) };
    ask(&mut cart, fewer).expect("granted");
    ask(&mut cart, engraved).expect("granted");
    let more = Command::ChangeQuantity { line_id: line_id(1), quantity: sample::quantity(max) };
    assert_eq!(ask(&mut cart, more), refused);
}

#[test]
fn a_line_is_changed_and_taken_out() {
    let mut cart = given([create(), add(1, variant(1, 1_000), 2)]);
    let change = Command::ChangeQuantity { line_id: line_id(1), quantity: sample::quantity(7) };
    let changed = Event::LineQuantityChanged { line_id: line_id(1), quantity: sample::quantity(7) };
    assert_eq!(ask(&mut cart, change.clone()), Ok(vec![changed]));
    assert_eq!(ask(&mut cart, change), Ok(vec![]));
    let remove = Command::RemoveLine { line_id: line_id(1) };
    assert_eq!(ask(&mut cart, remove.clone()), Ok(vec![Event::LineRemoved { line_id: line_id(1) }]));
    let refused = Err(Refused::LineNotFound { line_id: line_id(1) });
    assert_eq!(ask(&mut cart, remove), refused);
    let change = Command::ChangeQuantity { line_id: line_id(1), quantity: Quantity::ONE };
    assert_eq!(ask(&mut cart, change), refused);
}

#[test]
fn another_country_drops_the_shipping_that_was_priced_for_the_first() {
    let mut cart = ready();
    assert_eq!(ask(&mut cart, deliver_to("GB")), Ok(vec![]));
    assert_eq!(cart.shipping(), Some(&shipping(390)));
    ask(&mut cart, deliver_to("FR")).expect("granted");
    assert_eq!(cart.shipping(), None);
    assert_eq!(ask(&mut cart, submit_in_time(1, 2_390)), Err(Refused::ShippingNotChosen));
}

#[test]
fn another_address_in_the_same_country_keeps_the_shipping() {
    let mut cart = ready();
    let moved = Command::SetDelivery {
        contact: pricing::sealed("Yw"),
        address: pricing::sealed("b3RoZXI"),
        country: country("GB"),
    };
    assert_eq!(ask(&mut cart, moved).map(|events| events.len()), Ok(1));
    assert_eq!(cart.shipping(), Some(&shipping(390)));
}

#[test]
fn shipping_is_chosen_for_a_country_and_in_the_carts_currency() {
    let mut cart = given([create(), add(1, variant(1, 1_000), 2)]);
    assert_eq!(ask(&mut cart, ship_for(390)), Err(Refused::DeliveryNotSet));
    ask(&mut cart, deliver_to("GB")).expect("granted");
    let euro = ShippingQuote { price: Money::new(1, Currency::EUR), ..shipping(0) };
    let euro = ShippingOffer { shipping: euro, ..offer(0) };
    let refused = Refused::CurrencyMismatch { cart: Currency::GBP, given: Currency::EUR };
    assert_eq!(ask(&mut cart, Command::ChooseShipping { offer: euro }), Err(refused));
    assert_eq!(ask(&mut cart, ship_for(390)), Ok(vec![Event::ShippingChosen { shipping: shipping(390) }]));
    assert_eq!(ask(&mut cart, ship_for(390)), Ok(vec![]));
}

#[test]
fn shipping_that_was_priced_for_another_country_is_not_the_carts() {
    let refused = Refused::ShippingForAnotherCountry { offered: country("GB"), country: country("FR") };
    assert_eq!(refused.to_string(), "shipping was priced for GB, and the cart goes to FR");
    // Between the price that was looked up and the command, the shopper has moved.
    let mut moved = given([create(), add(1, variant(1, 1_000), 2), deliver_to("GB"), deliver_to("FR")]);
    assert_eq!(ask(&mut moved, ship_for(390)), Err(refused.clone()));

    let abroad = ShippingOffer { country: country("FR"), shipping: shipping(890) };
    ask(&mut moved, Command::ChooseShipping { offer: abroad }).expect("granted");
    let prices = vec![later(variant(1, 1_000))];
    let reprice = Command::Reprice { prices: prices.clone(), shipping: Some(offer(390)) };
    assert_eq!(ask(&mut moved, reprice), Err(refused.clone()));
    assert_eq!(ask(&mut moved, submit(1, 2_390, 3_600, &prices, 390)), Err(refused));
    assert_eq!(moved.quote().map(|quote| quote.total), Ok(gbp(2_890)));
}

#[test]
fn a_quote_says_what_is_missing() {
    let mut cart = given([create()]);
    assert_eq!(cart.quote(), Err(Refused::Empty));
    ask(&mut cart, add(1, variant(1, 1_000), 2)).expect("granted");
    assert_eq!(cart.quote(), Err(Refused::DeliveryNotSet));
    ask(&mut cart, deliver_to("GB")).expect("granted");
    assert_eq!(cart.quote(), Err(Refused::ShippingNotChosen));
    ask(&mut cart, ship_for(390)).expect("granted");
    assert_eq!(cart.quote().map(|quote| quote.total), Ok(gbp(2_390)));
    ask(&mut cart, add(2, variant(2, i64::MAX), 1)).expect("granted");
    assert_eq!(cart.quote(), Err(Refused::TotalOutOfRange));
}

#[test]
fn a_cart_in_time_is_submitted_at_the_quote_the_shopper_saw() {
    let mut cart = ready();
    let dearer = [later(variant(1, 9_999))];
    let events = ask(&mut cart, submit(1, 2_390, 3_599, &dearer, 999)).expect("granted");
    let [Event::Submitted { order_id: order, quote, payment_token, .. }] = events.as_slice() else {
        panic!("{events:?}");
    };
    assert_eq!((*order, quote.total, payment_token.as_str()), (order_id(1), gbp(2_390), "card_approved"));
    assert_eq!(cart.status(), CartStatus::Submitted { order_id: order_id(1) });
}

#[test]
fn nobody_is_charged_a_total_they_did_not_see() {
    let refused = Refused::TotalChanged { expected: gbp(2_000), actual: gbp(2_390) };
    assert_eq!(refused.to_string(), "the total is 23.90 GBP, not 20.00 GBP");
    assert_eq!(ready().decide(submit_in_time(1, 2_000)), Err(refused));
}

#[test]
fn an_expired_quote_is_honoured_when_the_total_is_the_same_today() {
    let mut cart = ready();
    let same = [later(variant(1, 1_000))];
    let events = ask(&mut cart, submit(1, 2_390, 3_600, &same, 390)).expect("granted");
    let [Event::Submitted { quote, .. }] = events.as_slice() else { panic!("{events:?}") };
    assert_eq!((quote.total, quote.expires_at), (gbp(2_390), sample::moment(7_200)));
}

#[test]
fn an_expired_quote_with_another_total_today_is_refused_with_both() {
    let refused = Refused::QuoteExpired { old_total: gbp(2_390), new_total: gbp(2_590) };
    assert_eq!(refused.code(), "QUOTE_EXPIRED");
    assert_eq!(refused.to_string(), "the quote has expired: the total was 23.90 GBP and is now 25.90");
    let dearer = [later(variant(1, 1_100))];
    assert_eq!(ready().decide(submit(1, 2_390, 3_600, &dearer, 390)), Err(refused.clone()));
    // Not even when the shopper guessed it: they were quoted the old one.
    assert_eq!(ready().decide(submit(1, 2_590, 3_600, &dearer, 390)), Err(refused));
}

#[test]
fn an_expired_quote_needs_everything_still_to_be_on_offer() {
    let sku = Sku::try_new("MUG-RED").expect("sku");
    let refused = Refused::LineUnavailable { line_id: line_id(1), sku };
    assert_eq!(ready().decide(submit(1, 2_390, 3_600, &[], 390)), Err(refused));
    let mut unshippable = submit(1, 2_390, 3_600, &[variant(1, 1_000)], 390);
    if let Command::Submit { current_shipping, .. } = &mut unshippable {
        *current_shipping = None;
    }
    let refused = Refused::ShippingUnavailable { method: shipping(0).method };
    assert_eq!(ready().decide(unshippable), Err(refused));
}

#[test]
fn taking_todays_prices_makes_the_cart_buyable_again() {
    let mut cart = ready();
    let prices = vec![later(variant(1, 1_100)), later(variant(9, 1))];
    let reprice = Command::Reprice { prices, shipping: Some(offer(490)) };
    let repriced = Event::Repriced { prices: vec![later(variant(1, 1_100))], shipping: Some(shipping(490)) };
    assert_eq!(ask(&mut cart, reprice.clone()), Ok(vec![repriced]));
    assert_eq!(ask(&mut cart, reprice), Ok(vec![]));
    assert_eq!(ask(&mut cart, submit(1, 2_690, 3_600, &[], 0)).map(|events| events.len()), Ok(1));
}

#[test]
fn a_cart_becomes_one_order() {
    let mut cart = ready();
    ask(&mut cart, submit_in_time(1, 2_390)).expect("granted");
    assert_eq!(ask(&mut cart, submit_in_time(1, 2_390)), Ok(vec![]));
    assert_eq!(ask(&mut cart, submit(1, 1, 9_999, &[], 0)), Ok(vec![]));
    assert_eq!(ask(&mut cart, submit_in_time(2, 2_390)), Err(Refused::NotOpen));
    for change in [
        add(2, variant(2, 1), 1),
        Command::RemoveLine { line_id: line_id(1) },
        deliver_to("FR"),
        ship_for(1),
        Command::Reprice { prices: vec![], shipping: None },
        Command::Merge { from: cart_id(2), lines: vec![] },
        Command::CloseInto { cart_id: cart_id(2) },
    ] {
        assert_eq!(ask(&mut cart, change), Err(Refused::NotOpen));
    }
}

#[test]
fn a_payment_token_is_one_bounded_line() {
    for token in [String::new(), "x".repeat(256), "a\0b".to_owned()] {
        let mut asked = submit_in_time(1, 2_390);
        if let Command::Submit { payment_token, .. } = &mut asked {
            *payment_token = token;
        }
        assert_eq!(ready().decide(asked).map_err(|refused| refused.code()), Err("TEXT_INVALID"));
    }
}

#[test]
fn a_cart_whose_order_came_to_nothing_is_bought_as_another_order() {
    let mut cart = ready();
    let reopen = |number| Command::Reopen { order_id: order_id(number) };
    let not_that = |number| Err(Refused::NotSubmittedAs { order_id: order_id(number) });
    assert_eq!(ask(&mut cart, reopen(1)), not_that(1));
    ask(&mut cart, submit_in_time(1, 2_390)).expect("granted");
    assert_eq!(ask(&mut cart, reopen(2)), not_that(2));
    assert_eq!(ask(&mut cart, reopen(1)), Ok(vec![Event::Reopened { order_id: order_id(1) }]));
    assert_eq!(ask(&mut cart, reopen(1)), Ok(vec![]));
    let used = Refused::OrderIdUsed { order_id: order_id(1) };
    assert_eq!(ask(&mut cart, submit_in_time(1, 2_390)), Err(used));
    ask(&mut cart, submit_in_time(2, 2_390)).expect("granted");
    // The first order's cancellation, told again, must not open what is now the second order.
    assert_eq!(ask(&mut cart, reopen(1)), Ok(vec![]));
    assert_eq!(cart.status(), CartStatus::Submitted { order_id: order_id(2) });
}

#[test]
fn a_merge_adds_up_quantities_takes_newer_prices_and_counts_once() {
    let mut cart = given([create(), add(1, variant(1, 1_000), 2), add(2, variant(2, 500), 1)]);
    let theirs = vec![
        line(8, later(variant(1, 1_100)), 3),
        line(9, PricedVariant { honoured_until: sample::moment(60), ..variant(2, 400) }, 1),
        line(10, variant(3, 700), 1),
    ];
    let merge = Command::Merge { from: cart_id(2), lines: theirs };
    let merged = Event::Merged {
        from: cart_id(2),
        lines: vec![
            line(1, later(variant(1, 1_100)), 3),
            line(2, variant(2, 500), 1),
            line(10, variant(3, 700), 1),
        ],
    };
    assert_eq!(ask(&mut cart, merge.clone()), Ok(vec![merged]));
    assert_eq!(quantities(&cart), [(5, 1_100), (2, 500), (1, 700)]);
    assert_eq!(ask(&mut cart, merge), Ok(vec![]));
    assert_eq!(quantities(&cart), [(5, 1_100), (2, 500), (1, 700)]);
}

#[test]
fn a_merge_keeps_every_bound_of_the_cart() {
    let mut cart = given([create(), add(1, variant(1, 1), i64::from(Quantity::MAX))]);
    let merge = |lines| Command::Merge { from: cart_id(2), lines };
    let asked = u64::from(Quantity::MAX) + 1;
    assert_eq!(
        ask(&mut cart, merge(vec![line(2, variant(1, 1), 1)])),
        Err(Refused::QuantityTooLarge { asked })
    );
    let taken = Refused::LineIdTaken { line_id: line_id(1) };
    assert_eq!(ask(&mut cart, merge(vec![line(1, variant(2, 1), 1)])), Err(taken));
    let most = u16::try_from(MAX_LINES).expect("few");
    let many = (2..most + 2).map(|number| line(number, variant(number, 1), 1)).collect();
    assert_eq!(ask(&mut cart, merge(many)), Err(Refused::TooManyLines));
    let into_itself = Command::Merge { from: cart_id(1), lines: vec![] };
    assert_eq!(ask(&mut cart, into_itself), Err(Refused::MergeIntoItself));
}

#[test]
fn a_merged_cart_is_closed() {
    let mut cart = ready();
    let close = |number| Command::CloseInto { cart_id: cart_id(number) };
    assert_eq!(ask(&mut cart, close(1)), Err(Refused::MergeIntoItself));
    assert_eq!(ask(&mut cart, close(2)), Ok(vec![Event::MergedInto { cart_id: cart_id(2) }]));
    assert_eq!(ask(&mut cart, close(2)), Ok(vec![]));
    assert_eq!(ask(&mut cart, close(3)), Err(Refused::NotOpen));
    assert_eq!(ask(&mut cart, submit_in_time(1, 2_390)), Err(Refused::NotOpen));
}

#[test]
fn what_is_stored_is_what_was_agreed() {
    for (name, event) in sample::checked(Event::TYPES, samples()) {
        insta::assert_json_snapshot!(name, event);
    }
}

fn any_line() -> impl Strategy<Value = CartLine> {
    (0..6_u16, 0..4_u16, 0..1_000_i64, 1..=500_000_i64, any::<bool>(), 0..100_i64).prop_map(
        |(id, number, price, count, plain, seconds)| {
            let item = PricedVariant { honoured_until: sample::moment(seconds), ..variant(number, price) };
            let attributes = if plain { BTreeMap::new() } else { engraved("For Ada") };
            CartLine { attributes, ..line(id, item, count) }
        },
    )
}

fn any_moment() -> impl Strategy<Value = Timestamp> {
    (0..120_i64).prop_map(sample::moment)
}

fn any_command() -> impl Strategy<Value = Command> {
    let prices =
        prop::collection::vec((0..4_u16, 0..1_000_i64).prop_map(|(n, price)| variant(n, price)), 0..6);
    let lines = prop::collection::vec(any_line(), 0..5);
    prop_oneof![
        6 => any_line().prop_map(|CartLine { line_id, item, quantity, attributes }| Command::AddLine {
            line_id, item, quantity, attributes
        }),
        2 => (0..6_u16, 1..=1_000_000_i64).prop_map(|(id, count)| Command::ChangeQuantity {
            line_id: line_id(id), quantity: sample::quantity(count)
        }),
        1 => (0..6_u16).prop_map(|id| Command::RemoveLine { line_id: line_id(id) }),
        1 => prop::sample::select(vec!["GB", "FR"]).prop_map(deliver_to),
        2 => (0..500_i64).prop_map(ship_for),
        1 => (prices.clone(), 0..500_i64).prop_map(|(prices, price)| Command::Reprice {
            prices, shipping: Some(offer(price))
        }),
        1 => (2..5_u16, lines).prop_map(|(from, lines)| Command::Merge { from: cart_id(from), lines }),
        1 => (prices, any_moment(), 0..4_u16, 0..5_000_i64).prop_map(|(current, at, order, total)| {
            Command::Submit {
                order_id: order_id(order),
                payment_token: "card".to_owned(),
                expected_total: gbp(total),
                current,
                current_shipping: Some(offer(100)),
                at,
            }
        }),
        1 => (0..4_u16).prop_map(|order| Command::Reopen { order_id: order_id(order) }),
    ]
}

proptest! {
    #[test]
    fn a_cart_keeps_its_bounds_whatever_is_asked(commands in prop::collection::vec(any_command(), 1..60)) {
        let (mut cart, mut replayed) = (given([create()]), given([create()]));
        for command in commands {
            let Ok(events) = ask(&mut cart, command) else { continue };
            prop_assert!(cart.lines().len() <= MAX_LINES);
            for line in cart.lines() {
                let same = |other: &&CartLine| other.item.variant_id == line.item.variant_id;
                let units: u64 = cart.lines().iter().filter(same).map(|one| u64::from(one.quantity.get())).sum();
                prop_assert!(units <= u64::from(Quantity::MAX));
                let twins = cart.lines().iter().filter(same).filter(|one| one.attributes == line.attributes);
                prop_assert_eq!(twins.count(), 1);
                prop_assert_eq!(cart.lines().iter().filter(|one| one.line_id == line.line_id).count(), 1);
            }
            for event in events {
                if let Event::Submitted { quote, .. } = &event {
                    prop_assert_eq!(quote.lines.len(), cart.lines().len());
                }
                replayed.evolve(event);
            }
        }
        prop_assert_eq!(&replayed, &cart);
        let snapshot = serde_json::to_string(&cart).expect("json");
        prop_assert_eq!(&serde_json::from_str::<Cart>(&snapshot).expect("state"), &cart);
    }

    #[test]
    fn only_the_expected_total_is_ever_bought(
        price in 0..1_000_i64, today in 0..1_000_i64, expected in 0..3_000_i64, seconds in 0..7_200_i64,
    ) {
        let cart = given([create(), add(1, variant(1, price), 2), deliver_to("GB"), ship_for(390)]);
        let asked = submit(1, expected, seconds, &[later(variant(1, today))], 390);
        if let Ok(events) = cart.decide(asked) {
            let [Event::Submitted { quote, .. }] = events.as_slice() else { panic!("{events:?}") };
            prop_assert_eq!(quote.total, gbp(expected));
            prop_assert_eq!(quote.total, gbp(price * 2 + 390));
            prop_assert!(!quote.has_expired(sample::moment(seconds)));
        }
    }
}
