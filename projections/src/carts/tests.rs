//! Given a cart's events: the row.

use cqrs_es::Aggregate as _;
use daybook_domain::cart::{Cart, CartEvent};
use daybook_domain::catalogue::DomainEvent;
use daybook_domain::pricing::TaxTreatment;
use daybook_domain::{CartId, Currency, OrderId};
use uuid::Uuid;

use super::Carts;
use crate::runtime::FoldError;
use crate::runtime::testing::{fold_all, moment};

fn facts(events: &[CartEvent]) -> Vec<(String, DomainEvent)> {
    let id = Uuid::from_u128(1).to_string();
    events.iter().map(|event| (id.clone(), DomainEvent::Cart(event.clone()))).collect()
}

fn created() -> CartEvent {
    CartEvent::Created {
        cart_id: CartId::new(Uuid::from_u128(1)),
        customer_id: None,
        currency: Currency::GBP,
        tax: TaxTreatment::Standard,
    }
}

#[test]
fn a_row_is_the_carts_own_state() {
    let events = [created(), CartEvent::Reopened { order_id: OrderId::new(Uuid::from_u128(2)) }];
    let row = fold_all::<Carts>(facts(&events)).expect("the fold succeeds").expect("there is a row");
    let mut cart = Cart::default();
    for event in events {
        cart.apply(event);
    }
    assert_eq!(row.cart, cart);
    assert_eq!((row.created_at, row.updated_at), (moment(1), moment(2)));
}

#[test]
fn a_cart_begins_with_its_creation() {
    let reopened = CartEvent::Reopened { order_id: OrderId::new(Uuid::from_u128(2)) };
    assert_eq!(fold_all::<Carts>(facts(&[reopened])), Err(FoldError::NothingYet("cart")));
}
