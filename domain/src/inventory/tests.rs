//! Given, when, then: what a stock item lets happen, and what holds whatever is asked of it.

use proptest::prelude::*;

use super::{
    AdjustmentReason, Claim, Inventory, InventoryCommand as Command, InventoryEvent as Event,
    InventoryRefusal as Refused, MAX_ADJUSTMENT, MAX_ON_HAND, MAX_SAFETY_STOCK, REMEMBERED_RETURNS,
    StockItem, samples,
};
use crate::kernel::{
    LocationCode, OrderId, Quantity, Refusal, ReturnId, ShipmentId, Timestamp, VariantId, sample,
};

const OURS: u16 = 1;
const OTHERS: u16 = 2;

fn item() -> StockItem {
    let location = LocationCode::try_new("LON").expect("location");
    StockItem { variant_id: VariantId::new(sample::id(0x11)), location }
}

fn order(number: u16) -> OrderId {
    OrderId::new(sample::id(0x1000 + number))
}

fn shipment(number: u16) -> ShipmentId {
    ShipmentId::new(sample::id(0x2000 + number))
}

fn returned(number: u16) -> ReturnId {
    ReturnId::new(sample::id(0x3000 + number))
}

fn at(seconds: i64) -> Timestamp {
    sample::moment(seconds)
}

fn receive(count: i64) -> Command {
    Command::Receive { item: item(), quantity: sample::quantity(count), reference: "PO-1".to_owned() }
}

fn adjust(delta: i64) -> Command {
    Command::Adjust { item: item(), delta, reason: AdjustmentReason::Counted, note: String::new() }
}

fn keep_back(quantity: u32) -> Command {
    Command::SetSafetyStock { item: item(), quantity }
}

fn reserve(number: u16, count: i64) -> Command {
    let quantity = sample::quantity(count);
    Command::Reserve { item: item(), order_id: order(number), quantity, expires_at: at(900) }
}

fn expire(number: u16, seconds: i64) -> Command {
    Command::Expire { item: item(), order_id: order(number), at: at(seconds) }
}

fn allocate(number: u16, count: i64) -> Command {
    Command::Allocate { item: item(), order_id: order(number), quantity: sample::quantity(count) }
}

fn release(number: u16) -> Command {
    Command::Release { item: item(), order_id: order(number) }
}

fn ship(number: u16, parcel: u16, count: i64) -> Command {
    let (order_id, shipment_id) = (order(number), shipment(parcel));
    Command::Ship { item: item(), order_id, shipment_id, quantity: sample::quantity(count) }
}

fn take_back(number: u16, back: u16, count: i64) -> Command {
    let (order_id, return_id) = (order(number), returned(back));
    Command::Return { item: item(), order_id, return_id, quantity: sample::quantity(count) }
}

/// The stock item after these requests, all of them granted.
fn given(commands: impl IntoIterator<Item = Command>) -> Inventory {
    let mut stock = Inventory::default();
    for command in commands {
        ask(&mut stock, command).expect("granted");
    }
    stock
}

fn ask(stock: &mut Inventory, command: Command) -> Result<Vec<Event>, Refused> {
    let events = stock.decide(command)?;
    for event in &events {
        stock.evolve(event.clone());
    }
    Ok(events)
}

/// On hand, committed, reserved and available.
fn counts(stock: &Inventory) -> (i64, i64, i64, i64) {
    (stock.on_hand(), stock.committed(), stock.reserved(), stock.available())
}

#[test]
fn nobodys_stock_is_out_of_stock() {
    let untouched = Inventory::default();
    assert_eq!(untouched.decide(reserve(OURS, 1)), Err(Refused::OutOfStock { available: 0 }));
    assert_eq!(untouched.decide(allocate(OURS, 1)), Err(Refused::OutOfStock { available: 0 }));
    assert_eq!(untouched.decide(ship(OURS, 1, 1)), Err(Refused::NotAllocated));
    assert_eq!(untouched.decide(release(OURS)), Ok(vec![]));
    assert_eq!(untouched.decide(expire(OURS, 9_999)), Ok(vec![]));
    assert_eq!(untouched.item(), None);
}

#[test]
fn the_first_goods_make_it() {
    for first in [receive(5), adjust(5), keep_back(5), take_back(OURS, 1, 5)] {
        assert_eq!(given([first]).item(), Some(&item()));
    }
}

#[test]
fn a_sale_goes_from_hold_to_promise_to_parcel() {
    let mut stock = given([receive(10), keep_back(2), reserve(OURS, 3)]);
    assert_eq!(counts(&stock), (10, 0, 3, 5));
    let allocated = Event::Allocated {
        item: item(),
        order_id: order(OURS),
        quantity: sample::quantity(3),
        from_reservation: true,
    };
    assert_eq!(ask(&mut stock, allocate(OURS, 3)), Ok(vec![allocated]));
    assert_eq!(counts(&stock), (10, 3, 0, 5));
    ask(&mut stock, ship(OURS, 1, 3)).expect("shipped");
    assert_eq!(counts(&stock), (7, 0, 0, 5));
    assert_eq!(stock.claim(order(OURS)), None);
    ask(&mut stock, take_back(OURS, 1, 1)).expect("returned");
    assert_eq!(counts(&stock), (8, 0, 0, 6));
}

#[test]
fn the_last_ten_units_are_held_by_exactly_ten_of_a_thousand() {
    let mut stock = given([receive(10)]);
    let (held, told): (Vec<_>, Vec<_>) =
        (0..1_000).map(|number| ask(&mut stock, reserve(number, 1))).partition(Result::is_ok);
    assert_eq!((held.len(), told.len()), (10, 990));
    assert!(told.iter().all(|refused| *refused == Err(Refused::OutOfStock { available: 0 })));
}

#[test]
fn safety_stock_is_never_sold_and_never_reported_as_negative() {
    let stock = given([receive(5), keep_back(7)]);
    assert_eq!(counts(&stock), (5, 0, 0, 0));
    assert_eq!(stock.decide(reserve(OURS, 1)), Err(Refused::OutOfStock { available: 0 }));
}

#[test]
fn a_hold_is_taken_once_per_order() {
    let stock = given([receive(10), reserve(OURS, 3)]);
    assert_eq!(stock.decide(reserve(OURS, 3)), Ok(vec![]));
    assert_eq!(stock.decide(reserve(OURS, 4)), Err(Refused::ReservationDiffers { reserved: 3 }));
    assert_eq!(stock.decide(allocate(OURS, 4)), Err(Refused::ReservationDiffers { reserved: 3 }));
    let promised = given([receive(10), reserve(OURS, 3), allocate(OURS, 3)]);
    assert_eq!(promised.decide(reserve(OURS, 3)), Ok(vec![]));
    assert_eq!(promised.decide(allocate(OURS, 3)), Ok(vec![]));
    assert_eq!(promised.decide(allocate(OURS, 2)), Err(Refused::AllocationDiffers { allocated: 3 }));
}

#[test]
fn a_hold_runs_out_at_its_end_and_not_before() {
    let mut stock = given([receive(10), reserve(OURS, 3)]);
    assert_eq!(stock.decide(expire(OURS, 899)), Ok(vec![]));
    let expired =
        Event::ReservationExpired { item: item(), order_id: order(OURS), quantity: sample::quantity(3) };
    assert_eq!(ask(&mut stock, expire(OURS, 900)), Ok(vec![expired]));
    assert_eq!(counts(&stock), (10, 0, 0, 10));
    assert_eq!(stock.decide(expire(OURS, 900)), Ok(vec![]));
}

#[test]
fn a_promise_does_not_run_out() {
    let stock = given([receive(10), reserve(OURS, 3), allocate(OURS, 3)]);
    assert_eq!(stock.decide(expire(OURS, 9_999)), Ok(vec![]));
}

#[test]
fn after_a_hold_ran_out_the_promise_is_made_from_what_is_left() {
    let ran_out = [receive(3), reserve(OURS, 3), expire(OURS, 900)];
    let mut left = given(ran_out.clone());
    let taken = Event::Allocated {
        item: item(),
        order_id: order(OURS),
        quantity: sample::quantity(3),
        from_reservation: false,
    };
    assert_eq!(ask(&mut left, allocate(OURS, 3)), Ok(vec![taken]));
    assert_eq!(counts(&left), (3, 3, 0, 0));
    let sold = given(ran_out.into_iter().chain([reserve(OTHERS, 1)]));
    assert_eq!(sold.decide(allocate(OURS, 3)), Err(Refused::OutOfStock { available: 2 }));
}

#[test]
fn a_release_gives_back_what_is_held_or_still_to_leave_once() {
    let event =
        |reserved, allocated| Event::Released { item: item(), order_id: order(OURS), reserved, allocated };
    let mut held = given([receive(10), reserve(OURS, 3)]);
    assert_eq!(ask(&mut held, release(OURS)), Ok(vec![event(3, 0)]));
    assert_eq!(counts(&held), (10, 0, 0, 10));
    assert_eq!(held.decide(release(OURS)), Ok(vec![]));
    let mut half_gone = given([receive(10), allocate(OURS, 4), ship(OURS, 1, 1)]);
    assert_eq!(ask(&mut half_gone, release(OURS)), Ok(vec![event(0, 3)]));
    assert_eq!(counts(&half_gone), (9, 0, 0, 9));
}

#[test]
fn a_shipment_takes_its_units_once_and_never_more_than_promised() {
    let stock = given([receive(10), allocate(OURS, 4), ship(OURS, 1, 3)]);
    assert_eq!(stock.decide(ship(OURS, 1, 3)), Ok(vec![]));
    assert_eq!(stock.decide(ship(OURS, 1, 1)), Err(Refused::ShipmentDiffers { shipped: 3 }));
    assert_eq!(stock.decide(ship(OURS, 2, 2)), Err(Refused::ExceedsAllocation { outstanding: 1 }));
    assert_eq!(stock.decide(ship(OTHERS, 2, 1)), Err(Refused::NotAllocated));
    let held = given([receive(10), reserve(OURS, 4)]);
    assert_eq!(held.decide(ship(OURS, 1, 4)), Err(Refused::NotAllocated));
}

#[test]
fn an_order_is_forgotten_when_its_last_unit_has_left() {
    let stock = given([receive(10), allocate(OURS, 4), ship(OURS, 1, 3), ship(OURS, 2, 1)]);
    assert_eq!(stock.claim(order(OURS)), None);
    assert_eq!(stock.decide(ship(OURS, 2, 1)), Err(Refused::NotAllocated));
    assert_eq!(counts(&stock), (6, 0, 0, 6));
}

#[test]
fn a_return_counts_once() {
    let stock = given([receive(1), take_back(OURS, 1, 2)]);
    assert_eq!(stock.decide(take_back(OURS, 1, 2)), Ok(vec![]));
    assert_eq!(stock.on_hand(), 3);
}

#[test]
fn only_the_latest_returns_are_remembered() {
    let most = u16::try_from(REMEMBERED_RETURNS).expect("few");
    let stock = given((0..=most).map(|number| take_back(OURS, number, 1)));
    assert_eq!(stock.returns.len(), REMEMBERED_RETURNS);
    assert_eq!(stock.decide(take_back(OURS, most, 1)), Ok(vec![]));
}

#[test]
fn a_correction_never_takes_what_is_held_or_promised() {
    let mut stock = given([receive(10), allocate(OURS, 3), reserve(OTHERS, 2)]);
    assert_eq!(stock.decide(adjust(-6)), Err(Refused::AdjustmentBelowCommitted { free: 5 }));
    ask(&mut stock, adjust(-5)).expect("granted");
    assert_eq!(counts(&stock), (5, 3, 2, 0));
    assert_eq!(Inventory::default().decide(adjust(-1)), Err(Refused::AdjustmentBelowCommitted { free: 0 }));
}

#[test]
fn corrections_and_safety_stock_are_bounded() {
    let stock = given([receive(10), keep_back(1)]);
    assert_eq!(stock.decide(adjust(0)), Ok(vec![]));
    for absurd in [i64::MAX, MAX_ADJUSTMENT + 1, -MAX_ADJUSTMENT - 1, i64::MIN] {
        assert_eq!(stock.decide(adjust(absurd)), Err(Refused::AdjustmentTooLarge));
    }
    assert_eq!(stock.decide(keep_back(1)), Ok(vec![]));
    assert_eq!(stock.decide(keep_back(MAX_SAFETY_STOCK + 1)), Err(Refused::SafetyStockTooLarge));
}

#[test]
fn no_more_comes_in_than_can_be_counted() {
    let full = Inventory { on_hand: MAX_ON_HAND, ..Inventory::default() };
    let refused = Err(Refused::StockLimitExceeded { on_hand: MAX_ON_HAND });
    assert_eq!(full.decide(receive(1)), refused);
    assert_eq!(full.decide(adjust(1)), refused);
    assert_eq!(full.decide(take_back(OURS, 1, 1)), refused);
}

#[test]
fn notes_and_references_are_bounded() {
    let reference = "x".repeat(201);
    let refused = Inventory::default()
        .decide(Command::Receive { item: item(), quantity: Quantity::ONE, reference })
        .expect_err("refused");
    assert_eq!(refused.code(), "TEXT_INVALID");
    let note = "a\0b".to_owned();
    let refused = Inventory::default()
        .decide(Command::Adjust { item: item(), delta: 1, reason: AdjustmentReason::Found, note })
        .expect_err("refused");
    assert_eq!(refused.to_string(), "note must have 0 to 500 characters, none of them a control character");
}

#[test]
fn what_is_stored_is_what_was_agreed() {
    for (name, event) in sample::checked(Event::TYPES, samples()) {
        insta::assert_json_snapshot!(name, event);
    }
}

#[test]
fn why_stock_is_corrected_is_stored_by_these_names() {
    let reasons = [
        AdjustmentReason::Counted,
        AdjustmentReason::Damaged,
        AdjustmentReason::Lost,
        AdjustmentReason::Found,
        AdjustmentReason::Other,
    ];
    let stored = r#"["counted","damaged","lost","found","other"]"#;
    assert_eq!(serde_json::to_string(&reasons).expect("json"), stored);
}

fn any_command() -> impl Strategy<Value = Command> {
    let orders = 0..6_u16;
    let odd_delta = prop_oneof![9 => -15..15_i64, 1 => Just(i64::MAX), 1 => Just(i64::MIN)];
    prop_oneof![
        2 => (1..20_i64).prop_map(receive),
        2 => odd_delta.prop_map(adjust),
        1 => (0..8_u32).prop_map(keep_back),
        4 => (orders.clone(), 1..9_i64).prop_map(|(order, count)| reserve(order, count)),
        2 => (orders.clone(), 890..910_i64).prop_map(|(order, seconds)| expire(order, seconds)),
        4 => (orders.clone(), 1..9_i64).prop_map(|(order, count)| allocate(order, count)),
        1 => orders.clone().prop_map(release),
        4 => (orders.clone(), 0..4_u16, 1..9_i64).prop_map(|(order, parcel, count)| ship(order, parcel, count)),
        1 => (orders, 0..4_u16, 1..9_i64).prop_map(|(order, back, count)| take_back(order, back, count)),
    ]
}

/// What an event brings in and sends out.
fn movement(event: &Event) -> i64 {
    match event {
        Event::Received { quantity, .. } | Event::Returned { quantity, .. } => quantity.count(),
        Event::Adjusted { delta, .. } => *delta,
        Event::Shipped { quantity, .. } => -quantity.count(),
        Event::SafetyStockSet { .. }
        | Event::Reserved { .. }
        | Event::ReservationExpired { .. }
        | Event::Allocated { .. }
        | Event::Released { .. } => 0,
    }
}

/// The sums of the claims: reserved and committed.
fn claimed(stock: &Inventory) -> (i64, i64) {
    stock.claims.values().fold((0, 0), |(reserved, committed), claim| match claim {
        Claim::Reserved { quantity, .. } => (reserved + quantity.count(), committed),
        Claim::Allocated { outstanding, .. } => (reserved, committed + i64::from(*outstanding)),
    })
}

/// Whether asking this again may only ever be "already so".
fn is_once_only(command: &Command) -> bool {
    match command {
        Command::SetSafetyStock { .. }
        | Command::Reserve { .. }
        | Command::Expire { .. }
        | Command::Allocate { .. }
        | Command::Release { .. }
        | Command::Return { .. } => true,
        // A delivery or correction told twice is known by its command id; a shipment's last unit ends its entry.
        Command::Receive { .. } | Command::Adjust { .. } | Command::Ship { .. } => false,
    }
}

proptest! {
    #[test]
    fn nothing_is_sold_twice_whatever_is_asked(commands in prop::collection::vec(any_command(), 1..120)) {
        let (mut stock, mut replayed, mut moved) = (Inventory::default(), Inventory::default(), 0);
        for command in commands {
            let Ok(events) = ask(&mut stock, command.clone()) else { continue };
            moved += events.iter().map(movement).sum::<i64>();
            prop_assert_eq!(stock.on_hand(), moved);
            prop_assert!(stock.reserved() >= 0 && stock.committed() >= 0);
            prop_assert!(stock.reserved() + stock.committed() <= stock.on_hand());
            prop_assert_eq!(claimed(&stock), (stock.reserved(), stock.committed()));
            let room = stock.on_hand() - stock.committed() - stock.reserved();
            prop_assert!((0..=room).contains(&stock.available()));
            if is_once_only(&command) {
                prop_assert_eq!(stock.decide(command), Ok(vec![]));
            }
            for event in events {
                replayed.evolve(event);
            }
        }
        prop_assert_eq!(&replayed, &stock);
        let snapshot = serde_json::to_string(&stock).expect("json");
        prop_assert_eq!(&serde_json::from_str::<Inventory>(&snapshot).expect("state"), &stock);
    }
}
