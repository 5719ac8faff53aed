//! Given, when, then: what a product lets happen, and what holds whatever is asked of it.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::{
    MAX_DESCRIPTION, MAX_PRICE, MAX_TITLE, MAX_VARIANTS, Product, ProductCommand as Command,
    ProductEvent as Event, ProductOption, ProductRefusal as Refused, Variant, samples,
};
use crate::kernel::{Currency, Money, ProductId, Refusal, Sku, VariantId, sample};

fn pounds(minor: i64) -> Money {
    Money::new(minor, Currency::GBP)
}

fn euros(minor: i64) -> Money {
    Money::new(minor, Currency::EUR)
}

fn option(name: &str, values: &[&str]) -> ProductOption {
    ProductOption { name: name.to_owned(), values: values.iter().map(ToString::to_string).collect() }
}

fn create_with(options: Vec<ProductOption>) -> Command {
    let product_id = ProductId::new(sample::id(0x10));
    Command::Create { product_id, title: "Bag".to_owned(), description: "Carries.".to_owned(), options }
}

fn create() -> Command {
    create_with(vec![option("Colour", &["Red", "Blue", "Green"])])
}

fn id(number: u16) -> VariantId {
    VariantId::new(sample::id(0x100 + number))
}

fn variant(number: u16, colour: &str, prices: &[Money]) -> Variant {
    Variant {
        variant_id: id(number),
        sku: Sku::try_new(format!("BAG-{number}")).expect("sku"),
        options: BTreeMap::from([("Colour".to_owned(), colour.to_owned())]),
        prices: prices.to_vec(),
    }
}

fn add(number: u16, colour: &str, prices: &[Money]) -> Command {
    Command::AddVariant { variant: variant(number, colour, prices) }
}

fn remove(number: u16) -> Command {
    Command::RemoveVariant { variant_id: id(number) }
}

fn price(number: u16, price: Money) -> Command {
    Command::SetPrice { variant_id: id(number), price }
}

fn withdraw(number: u16, currency: Currency) -> Command {
    Command::WithdrawPrice { variant_id: id(number), currency }
}

fn describe(title: &str, description: &str) -> Command {
    Command::Describe { title: Some(title.to_owned()), description: Some(description.to_owned()) }
}

fn categorise(categories: &[&str]) -> Command {
    Command::Categorise { categories: categories.iter().map(ToString::to_string).collect() }
}

/// The product after these requests, all of them granted.
fn given(commands: impl IntoIterator<Item = Command>) -> Product {
    let mut product = Product::default();
    for command in commands {
        ask(&mut product, command).expect("granted");
    }
    product
}

fn ask(product: &mut Product, command: Command) -> Result<Vec<Event>, Refused> {
    let events = product.decide(command)?;
    for event in &events {
        product.evolve(event.clone());
    }
    Ok(events)
}

fn code(decision: Result<Vec<Event>, Refused>) -> &'static str {
    decision.expect_err("refused").code()
}

#[test]
fn what_was_never_created_refuses_everything_else() {
    let attributes = Command::SetAttributes { attributes: BTreeMap::new() };
    let others = [
        describe("Bag", ""),
        categorise(&[]),
        attributes,
        add(1, "Red", &[]),
        remove(1),
        price(1, pounds(1)),
        withdraw(1, Currency::GBP),
        Command::Publish,
        Command::Unpublish,
    ];
    for command in others {
        assert_eq!(Product::default().decide(command), Err(Refused::NotFound));
    }
}

#[test]
fn it_is_created_once() {
    let product = given([create()]);
    assert_eq!(product.decide(create()), Ok(vec![]));
    assert_eq!(product.decide(create_with(vec![])), Err(Refused::AlreadyExists));
}

#[test]
fn its_texts_are_bounded() {
    let product = given([create()]);
    let longest = describe(&"é".repeat(MAX_TITLE), &"d".repeat(MAX_DESCRIPTION));
    assert!(product.decide(longest).is_ok());
    assert_eq!(code(product.decide(describe(&"t".repeat(MAX_TITLE + 1), ""))), "TEXT_INVALID");
    assert_eq!(code(product.decide(describe("Bag", &"d".repeat(MAX_DESCRIPTION + 1)))), "TEXT_INVALID");
    assert_eq!(code(product.decide(describe("  ", ""))), "TEXT_INVALID");
    assert_eq!(code(product.decide(categorise(&[""]))), "TEXT_INVALID");
    assert_eq!(code(product.decide(categorise(&["Bags"; 51]))), "TOO_MANY");
    let attributes = BTreeMap::from([("material".to_owned(), "x".repeat(1_001))]);
    assert_eq!(code(product.decide(Command::SetAttributes { attributes })), "TEXT_INVALID");
    let attributes = (0..101).map(|n| (n.to_string(), String::new())).collect();
    assert_eq!(code(product.decide(Command::SetAttributes { attributes })), "TOO_MANY");
}

#[test]
fn its_options_are_distinct_and_have_values() {
    let refused = |options| Product::default().decide(create_with(options)).expect_err("refused");
    let text = |text: &str| text.to_owned();
    assert_eq!(refused(vec![option("Colour", &[])]), Refused::OptionEmpty { option: text("Colour") });
    let twice = vec![option("Colour", &["Red"]), option("Colour", &["Blue"])];
    assert_eq!(refused(twice), Refused::OptionRepeated { text: text("Colour") });
    assert_eq!(
        refused(vec![option("Colour", &["Red", "Red"])]),
        Refused::OptionRepeated { text: text("Red") }
    );
    let names: Vec<String> = (0..101).map(|n| n.to_string()).collect();
    let many: Vec<&str> = names.iter().map(String::as_str).collect();
    assert_eq!(
        refused(vec![option("Size", &many)]).to_string(),
        "a product has at most 100 values of an option, not 101"
    );
    let options = many.iter().take(11).map(|name| option(name, &["a"])).collect();
    assert_eq!(refused(options).to_string(), "a product has at most 10 options, not 11");
}

#[test]
fn saying_the_same_again_changes_nothing() {
    let attributes =
        Command::SetAttributes { attributes: BTreeMap::from([("a".to_owned(), "b".to_owned())]) };
    let all = [
        describe("Jumbo bag", "Carries more."),
        categorise(&["Bags", "Gifts"]),
        attributes,
        add(1, "Red", &[]),
        price(1, pounds(1_250)),
        Command::Publish,
        Command::Unpublish,
        withdraw(1, Currency::GBP),
        remove(1),
    ];
    let mut product = given([create()]);
    for command in all {
        assert_eq!(ask(&mut product, command.clone()).map(|events| events.len()), Ok(1));
        assert_eq!(product.decide(command), Ok(vec![]));
    }
}

#[test]
fn a_category_named_twice_is_one() {
    let product = given([create(), categorise(&["Bags", "Gifts", "Bags"])]);
    assert_eq!(product.categories(), ["Bags", "Gifts"]);
}

#[test]
fn a_variant_has_one_known_value_for_each_option() {
    let product = given([create()]);
    let with = |options: &[(&str, &str)]| {
        let options = options.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        product.decide(Command::AddVariant { variant: Variant { options, ..variant(1, "Red", &[]) } })
    };
    let text = |text: &str| text.to_owned();
    assert_eq!(with(&[]), Err(Refused::OptionMissing { option: text("Colour") }));
    let unknown = Refused::OptionValueUnknown { option: text("Colour"), value: text("Mauve") };
    assert_eq!(with(&[("Colour", "Mauve")]), Err(unknown));
    let unknown = Refused::OptionUnknown { option: text("Size") };
    assert_eq!(with(&[("Colour", "Red"), ("Size", "L")]), Err(unknown));
}

#[test]
fn no_two_variants_are_alike() {
    let product = given([create(), add(1, "Red", &[])]);
    let sku = variant(1, "Red", &[]).sku;
    assert_eq!(product.decide(add(2, "Red", &[])), Err(Refused::OptionsTaken { sku: sku.clone() }));
    let same_sku = Variant { sku: sku.clone(), ..variant(2, "Blue", &[]) };
    assert_eq!(product.decide(Command::AddVariant { variant: same_sku }), Err(Refused::SkuTaken { sku }));
    assert_eq!(product.decide(add(1, "Blue", &[])), Err(Refused::VariantExists));
}

#[test]
fn without_options_there_is_one_variant() {
    let plain = |number| Command::AddVariant {
        variant: Variant { options: BTreeMap::new(), ..variant(number, "", &[]) },
    };
    let product = given([create_with(vec![]), plain(1)]);
    assert_eq!(code(product.decide(plain(2))), "OPTIONS_TAKEN");
}

#[test]
fn there_are_at_most_so_many_variants() {
    let sizes: Vec<String> = (0..100).map(|n| n.to_string()).collect();
    let sizes: Vec<&str> = sizes.iter().map(String::as_str).collect();
    let most = u16::try_from(MAX_VARIANTS).expect("few");
    let nth = |number: u16| {
        let (size, colour) =
            (sizes[usize::from(number % 100)], ["Red", "Blue", "Green"][usize::from(number / 100)]);
        let mut added = variant(number, colour, &[]);
        added.options.insert("Size".to_owned(), size.to_owned());
        Command::AddVariant { variant: added }
    };
    let options = vec![option("Colour", &["Red", "Blue", "Green"]), option("Size", &sizes)];
    let product = given(std::iter::once(create_with(options)).chain((0..most).map(nth)));
    let refused = product.decide(nth(most)).expect_err("refused");
    assert_eq!(refused.to_string(), "a product has at most 250 variants, not 251");
}

#[test]
fn a_price_says_what_it_was_before() {
    let mut product = given([create(), add(1, "Red", &[pounds(1_250)])]);
    let set = |price, previous| Ok(vec![Event::PriceSet { variant_id: id(1), price, previous }]);
    assert_eq!(ask(&mut product, price(1, pounds(1_395))), set(pounds(1_395), Some(pounds(1_250))));
    assert_eq!(ask(&mut product, price(1, euros(1_600))), set(euros(1_600), None));
    let red = product.variant(id(1)).expect("variant");
    assert_eq!(
        (red.price_in(Currency::GBP), red.price_in(Currency::EUR)),
        (Some(pounds(1_395)), Some(euros(1_600)))
    );
    assert_eq!(product.decide(price(2, pounds(1))), Err(Refused::VariantNotFound));
    assert_eq!(product.decide(withdraw(2, Currency::GBP)), Err(Refused::VariantNotFound));
}

#[test]
fn prices_are_one_per_currency_and_in_range() {
    let product = given([create(), add(1, "Red", &[])]);
    let twice = product.decide(add(2, "Blue", &[pounds(1), pounds(2)]));
    assert_eq!(twice, Err(Refused::PriceRepeated { currency: "GBP" }));
    for absurd in [-1, MAX_PRICE + 1, i64::MIN, i64::MAX] {
        assert_eq!(product.decide(price(1, pounds(absurd))), Err(Refused::PriceOutOfRange));
        assert_eq!(product.decide(add(2, "Blue", &[pounds(absurd)])), Err(Refused::PriceOutOfRange));
    }
    assert!(product.decide(price(1, pounds(0))).is_ok());
}

#[test]
fn what_is_for_sale_can_be_bought() {
    let mut product = given([create()]);
    assert_eq!(product.decide(Command::Publish), Err(Refused::NothingToSell));
    ask(&mut product, add(1, "Red", &[])).expect("added");
    assert_eq!(product.decide(Command::Publish), Err(Refused::NothingToSell));
    ask(&mut product, price(1, pounds(1_250))).expect("priced");
    ask(&mut product, Command::Publish).expect("published");
    assert!(product.is_published());
    assert_eq!(product.decide(withdraw(1, Currency::GBP)), Err(Refused::NothingToSell));
    assert_eq!(product.decide(remove(1)), Err(Refused::NothingToSell));
    ask(&mut product, add(2, "Blue", &[euros(1)])).expect("added");
    ask(&mut product, remove(1)).expect("removed");
    assert_eq!(product.decide(remove(2)), Err(Refused::NothingToSell));
    ask(&mut product, Command::Unpublish).expect("unpublished");
    ask(&mut product, remove(2)).expect("removed");
}

#[test]
fn what_is_stored_is_what_was_agreed() {
    for (name, event) in sample::checked(Event::TYPES, samples()) {
        insta::assert_json_snapshot!(name, event);
    }
}

fn any_command() -> impl Strategy<Value = Command> {
    let numbers = 0..5_u16;
    let colours = || prop::sample::select(vec!["Red", "Blue", "Green", "Mauve"]);
    let money = || prop_oneof![(-2..4_i64).prop_map(pounds), (-2..4_i64).prop_map(euros)];
    let prices = prop::collection::vec(money(), 0..3);
    let currency = prop::sample::select(vec![Currency::GBP, Currency::EUR]);
    prop_oneof![
        1 => Just(create()),
        1 => ("[a-z\\n]{0,3}", ".{0,5}").prop_map(|(title, description)| describe(&title, &description)),
        6 => (numbers.clone(), colours(), prices).prop_map(|(number, colour, prices)| add(number, colour, &prices)),
        2 => numbers.clone().prop_map(remove),
        4 => (numbers.clone(), money()).prop_map(|(number, asked)| price(number, asked)),
        3 => (numbers, currency).prop_map(|(number, currency)| withdraw(number, currency)),
        3 => Just(Command::Publish),
        1 => Just(Command::Unpublish),
    ]
}

proptest! {
    #[test]
    fn what_is_for_sale_can_be_bought_whatever_is_asked(commands in prop::collection::vec(any_command(), 1..60)) {
        let mut product = given([create()]);
        for command in commands {
            let Ok(_) = ask(&mut product, command.clone()) else { continue };
            if !matches!(command, Command::Create { .. }) {
                prop_assert_eq!(product.decide(command), Ok(vec![]));
            }
            let variants = product.variants();
            prop_assert!(!product.is_published() || variants.iter().any(|variant| !variant.prices.is_empty()));
            let skus: BTreeSet<_> = variants.iter().map(|variant| &variant.sku).collect();
            let options: BTreeSet<_> = variants.iter().map(|variant| &variant.options).collect();
            prop_assert_eq!((skus.len(), options.len()), (variants.len(), variants.len()));
            for prices in variants.iter().map(|variant| &variant.prices) {
                let currencies: BTreeSet<_> = prices.iter().map(|price| price.currency().code()).collect();
                prop_assert_eq!(currencies.len(), prices.len());
                prop_assert!(prices.iter().all(|price| !price.is_negative()));
            }
        }
        let snapshot = serde_json::to_string(&product).expect("json");
        prop_assert_eq!(&serde_json::from_str::<Product>(&snapshot).expect("state"), &product);
    }
}
