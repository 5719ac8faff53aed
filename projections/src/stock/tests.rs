//! Given events of stock items: their levels.

use daybook_domain::catalogue::DomainEvent;
use daybook_domain::inventory::{AdjustmentReason, InventoryEvent, StockItem};
use daybook_domain::{OrderId, Quantity, ReturnId, ShipmentId, VariantId};
use uuid::Uuid;

use super::{Stock, StockByVariant, StockLevel};
use crate::runtime::testing::{fold_all, moment};

fn item(location: &str) -> StockItem {
    let variant_id = VariantId::new(Uuid::from_u128(1));
    StockItem { variant_id, location: location.parse().expect("a location") }
}

fn units(count: i64) -> Quantity {
    Quantity::try_new(count).expect("a quantity")
}

fn order() -> OrderId {
    OrderId::new(Uuid::from_u128(2))
}

fn received(location: &str, count: i64) -> InventoryEvent {
    InventoryEvent::Received { item: item(location), quantity: units(count), reference: String::new() }
}

fn reserved(count: i64) -> InventoryEvent {
    let (item, order_id, quantity) = (item("LON"), order(), units(count));
    InventoryEvent::Reserved { item, order_id, quantity, expires_at: moment(15) }
}

fn allocated(count: i64, from_reservation: bool) -> InventoryEvent {
    InventoryEvent::Allocated {
        item: item("LON"),
        order_id: order(),
        quantity: units(count),
        from_reservation,
    }
}

fn facts(events: Vec<InventoryEvent>) -> Vec<(String, DomainEvent)> {
    let fact = |event| (super::fold::item(&event).to_string(), DomainEvent::Inventory(event));
    events.into_iter().map(fact).collect()
}

fn given(events: Vec<InventoryEvent>) -> StockLevel {
    fold_all::<Stock>(facts(events)).expect("the fold succeeds").expect("there is a row")
}

fn numbers(level: &StockLevel) -> [i64; 4] {
    [level.on_hand, level.reserved, level.committed, level.available()]
}

#[test]
fn what_is_held_and_promised_is_not_available() {
    let mut events = vec![received("LON", 10), reserved(3)];
    assert_eq!(numbers(&given(events.clone())), [10, 3, 0, 7]);
    events.push(allocated(3, true));
    assert_eq!(numbers(&given(events.clone())), [10, 0, 3, 7]);
    let (item, order_id, shipment_id) = (item("LON"), order(), ShipmentId::default());
    events.push(InventoryEvent::Shipped { item, order_id, shipment_id, quantity: units(3) });
    assert_eq!(numbers(&given(events)), [7, 0, 0, 7]);
}

#[test]
fn what_is_given_back_is_available_again() {
    let (order_id, at) = (order(), || item("LON"));
    let expired = InventoryEvent::ReservationExpired { item: at(), order_id, quantity: units(3) };
    assert_eq!(numbers(&given(vec![received("LON", 10), reserved(3), expired])), [10, 0, 0, 10]);
    let released = InventoryEvent::Released { item: at(), order_id, reserved: 0, allocated: 4 };
    assert_eq!(numbers(&given(vec![received("LON", 10), allocated(4, false), released])), [10, 0, 0, 10]);
    let returned =
        InventoryEvent::Returned { item: at(), order_id, return_id: ReturnId::default(), quantity: units(2) };
    assert_eq!(numbers(&given(vec![returned])), [2, 0, 0, 2]);
}

#[test]
fn a_shortfall_is_never_reported_as_available() {
    let reason = AdjustmentReason::Lost;
    let lost = InventoryEvent::Adjusted { item: item("LON"), delta: -8, reason, note: String::new() };
    assert_eq!(numbers(&given(vec![received("LON", 10), allocated(5, false), lost])), [2, 0, 5, 0]);
    let kept = InventoryEvent::SafetyStockSet { item: item("LON"), quantity: 20 };
    assert_eq!(given(vec![received("LON", 10), kept]).available(), 0);
}

#[test]
fn a_variants_locations_are_kept_apart() {
    let row = fold_all::<StockByVariant>(facts(vec![received("ROT", 4), received("LON", 10), reserved(3)]));
    let levels = row.expect("the fold succeeds").expect("there is a row").levels;
    let shown: Vec<_> = levels.iter().map(|level| (level.location.as_str(), level.available())).collect();
    assert_eq!(shown, [("LON", 7), ("ROT", 4)]);
}
