//! Given a product's events: its row, its facets and its prices.

use std::collections::BTreeMap;

use daybook_domain::catalogue::DomainEvent;
use daybook_domain::product::{ProductEvent, Variant};
use daybook_domain::{Currency, Money, ProductId, VariantId};
use uuid::Uuid;

use super::facet::Facet;
use super::{ProductRow, Products};
use crate::runtime::FoldError;
use crate::runtime::testing::fold_all;

fn facts(events: Vec<ProductEvent>) -> Vec<(String, DomainEvent)> {
    let id = Uuid::from_u128(1).to_string();
    events.into_iter().map(|event| (id.clone(), DomainEvent::Product(event))).collect()
}

fn created() -> ProductEvent {
    ProductEvent::Created {
        product_id: ProductId::new(Uuid::from_u128(1)),
        title: "Lantern".to_owned(),
        description: String::new(),
        options: Vec::new(),
    }
}

fn variant(n: u128, size: &str, pence: i64) -> ProductEvent {
    let variant = Variant {
        variant_id: VariantId::new(Uuid::from_u128(n)),
        sku: format!("SKU-{n}").parse().expect("a sku"),
        options: BTreeMap::from([("Size".to_owned(), size.to_owned())]),
        prices: vec![Money::new(pence, Currency::GBP)],
    };
    ProductEvent::VariantAdded { variant }
}

fn given(events: Vec<ProductEvent>) -> ProductRow {
    fold_all::<Products>(facts(events)).expect("the fold succeeds").expect("there is a row")
}

#[test]
fn the_lowest_price_is_that_of_the_cheapest_variant_that_is_left() {
    let mut events = vec![created(), variant(2, "S", 300), variant(3, "M", 200)];
    assert_eq!(given(events.clone()).lowest_price(Currency::GBP), Some(Money::new(200, Currency::GBP)));
    assert_eq!(given(events.clone()).lowest_price(Currency::EUR), None);
    events.push(ProductEvent::VariantRemoved { variant_id: VariantId::new(Uuid::from_u128(3)) });
    assert_eq!(given(events).lowest_price(Currency::GBP), Some(Money::new(300, Currency::GBP)));
}

#[test]
fn a_products_facets_are_its_categories_attributes_and_its_variants_options() {
    let attributes = BTreeMap::from([("Colour".to_owned(), "Red".to_owned())]);
    let row = given(vec![
        created(),
        variant(2, "S", 300),
        variant(3, "S", 300),
        ProductEvent::Categorised { categories: vec!["Lights".to_owned()] },
        ProductEvent::AttributesSet { attributes },
    ]);
    let expected = [
        Facet::Category("Lights".to_owned()),
        Facet::Attribute { name: "Colour".to_owned(), value: "Red".to_owned() },
        Facet::Option { name: "Size".to_owned(), value: "S".to_owned() },
    ];
    assert_eq!(Facet::of(&row), expected.clone().into());
    let read_back: Vec<_> = expected.iter().filter_map(|facet| Facet::from_word(&facet.word())).collect();
    assert_eq!(read_back, expected);
}

#[test]
fn a_product_begins_with_its_creation() {
    assert_eq!(
        fold_all::<Products>(facts(vec![ProductEvent::Published {}])),
        Err(FoldError::NothingYet("product"))
    );
}
