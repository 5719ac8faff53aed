//! Given, when, then: what a shipment lets happen, and what holds whatever the carrier says.

use cqrs_es::test::TestFramework;
use proptest::prelude::*;

use super::{
    CarrierStatus, MAX_LINES, REMEMBERED_REPORTS, Shipment, ShipmentCommand as Command,
    ShipmentEvent as Event, ShipmentRefusal as Refused, ShipmentStatus as Status, samples,
};
use crate::kernel::{
    LineId, LocationCode, OrderId, Quantity, Refusal, ShipmentId, Timestamp, VariantId, sample,
};
use crate::order::ShippedLine;

const STATUSES: [CarrierStatus; 6] = [
    CarrierStatus::PickedUp,
    CarrierStatus::InTransit,
    CarrierStatus::OutForDelivery,
    CarrierStatus::AttemptFailed,
    CarrierStatus::Delivered,
    CarrierStatus::Failed,
];

fn order_id() -> OrderId {
    OrderId::new(sample::id(0x21))
}

fn line(number: u16, count: i64) -> ShippedLine {
    let (line_id, variant_id) = (LineId::new(sample::id(number)), VariantId::new(sample::id(0x100 + number)));
    ShippedLine { line_id, variant_id, quantity: sample::quantity(count) }
}

fn open(lines: &[ShippedLine]) -> Command {
    Command::Open {
        shipment_id: ShipmentId::new(sample::id(0x31)),
        order_id: order_id(),
        location: LocationCode::try_new("LON").expect("location"),
        lines: lines.to_vec(),
    }
}

fn pack(lines: &[ShippedLine]) -> Command {
    Command::Pack { lines: Some(lines.to_vec()) }
}

fn pack_all() -> Command {
    Command::Pack { lines: None }
}

fn dispatch() -> Command {
    Command::Dispatch { carrier: "Royal Mail".to_owned(), tracking: "RM1".to_owned() }
}

fn at(seconds: i64) -> Timestamp {
    sample::moment(seconds)
}

fn report(id: &str, status: CarrierStatus, seconds: i64) -> Command {
    Command::RecordCarrierReport { report_id: id.to_owned(), status, at: at(seconds) }
}

/// The shipment after these requests, all of them granted.
fn given(commands: impl IntoIterator<Item = Command>) -> Shipment {
    let mut shipment = Shipment::default();
    for command in commands {
        ask(&mut shipment, command).expect("granted");
    }
    shipment
}

/// A parcel with three of one line that has left.
fn given_dispatched(reports: impl IntoIterator<Item = Command>) -> Shipment {
    given([open(&[line(1, 3)]), pack_all(), dispatch()].into_iter().chain(reports))
}

fn ask(shipment: &mut Shipment, command: Command) -> Result<Vec<Event>, Refused> {
    let events = shipment.decide(command)?;
    for event in &events {
        shipment.evolve(event.clone());
    }
    Ok(events)
}

#[test]
fn what_was_never_opened_refuses_everything_else() {
    for command in [pack_all(), dispatch(), report("a", CarrierStatus::PickedUp, 1), Command::Cancel] {
        assert_eq!(Shipment::default().decide(command), Err(Refused::NotFound));
    }
}

#[test]
fn it_is_opened_once() {
    let shipment = given([open(&[line(1, 3), line(2, 1)])]);
    assert_eq!(shipment.status(), Status::Open);
    assert_eq!(shipment.decide(open(&[line(1, 3), line(2, 1)])), Ok(vec![]));
    assert_eq!(shipment.decide(open(&[line(1, 3)])), Err(Refused::AlreadyExists));
}

#[test]
fn it_sends_something_and_not_everything() {
    let nothing = Shipment::default();
    assert_eq!(nothing.decide(open(&[])), Err(Refused::NoLines));
    let lines = vec![line(1, 1); MAX_LINES + 1];
    assert_eq!(nothing.decide(open(&lines)), Err(Refused::TooManyLines { given: MAX_LINES + 1 }));
    let most = line(1, i64::from(Quantity::MAX));
    let refused = nothing.decide(open(&[most, most])).expect_err("refused");
    assert_eq!(refused.code(), "QUANTITY_INVALID");
}

#[test]
fn a_line_listed_twice_is_one() {
    let mut shipment = given([open(&[line(1, 1), line(2, 1), line(1, 2)])]);
    assert_eq!(shipment.lines(), [line(1, 3), line(2, 1)]);
    let refused = shipment.decide(pack(&[line(1, 2), line(1, 2)]));
    assert_eq!(refused, Err(Refused::QuantityExceedsLine { line_id: line(1, 1).line_id, quantity: 3 }));
    ask(&mut shipment, pack(&[line(1, 1), line(1, 1)])).expect("packed");
    assert_eq!(shipment.lines(), [line(1, 2)]);
}

#[test]
fn what_is_not_in_the_parcel_remains() {
    let mut shipment = given([open(&[line(1, 3), line(2, 1), line(3, 2)])]);
    let packed = Event::Packed {
        order_id: order_id(),
        lines: vec![line(3, 2), line(1, 1)],
        remaining: vec![line(1, 2), line(2, 1)],
    };
    assert_eq!(ask(&mut shipment, pack(&[line(3, 2), line(1, 1)])), Ok(vec![packed]));
    assert_eq!(shipment.status(), Status::Packed);
}

#[test]
fn all_packed_leaves_nothing() {
    let shipment = given([open(&[line(1, 3)])]);
    let packed = Event::Packed { order_id: order_id(), lines: vec![line(1, 3)], remaining: vec![] };
    assert_eq!(shipment.decide(pack_all()), Ok(vec![packed.clone()]));
    assert_eq!(shipment.decide(pack(&[line(1, 3)])), Ok(vec![packed]));
}

#[test]
fn only_its_own_lines_go_in() {
    let shipment = given([open(&[line(1, 3)])]);
    let line_id = line(2, 1).line_id;
    assert_eq!(shipment.decide(pack(&[line(2, 1)])), Err(Refused::LineNotInShipment { line_id }));
    let other_variant = ShippedLine { variant_id: VariantId::new(sample::id(0x999)), ..line(1, 1) };
    let line_id = line(1, 1).line_id;
    assert_eq!(shipment.decide(pack(&[other_variant])), Err(Refused::LineNotInShipment { line_id }));
    assert_eq!(shipment.decide(pack(&[])), Err(Refused::NoLines));
}

#[test]
fn it_is_packed_once() {
    let shipment = given([open(&[line(1, 3)]), pack(&[line(1, 2)])]);
    assert_eq!(shipment.decide(pack(&[line(1, 2)])), Ok(vec![]));
    assert_eq!(shipment.decide(pack(&[line(1, 1)])), Err(Refused::AlreadyPacked));
    assert_eq!(shipment.decide(pack_all()), Err(Refused::AlreadyPacked));
    assert_eq!(given_dispatched([]).decide(pack_all()), Ok(vec![]));
}

#[test]
fn it_leaves_once_and_only_packed() {
    let mut shipment = given([open(&[line(1, 3)])]);
    assert_eq!(shipment.decide(dispatch()), Err(Refused::NotPacked));
    ask(&mut shipment, pack_all()).expect("packed");
    ask(&mut shipment, dispatch()).expect("dispatched");
    assert_eq!((shipment.carrier(), shipment.tracking()), ("Royal Mail", "RM1"));
    assert_eq!(shipment.decide(dispatch()), Ok(vec![]));
    let other = Command::Dispatch { carrier: "DHL".to_owned(), tracking: "RM1".to_owned() };
    assert_eq!(shipment.decide(other), Err(Refused::AlreadyDispatched));
}

#[test]
fn a_carrier_has_a_name() {
    let shipment = given([open(&[line(1, 3)]), pack_all()]);
    assert_eq!(shipment.check_dispatch("", "RM1").expect_err("refused").code(), "TEXT_INVALID");
    assert_eq!(shipment.check_dispatch("DHL", ""), Ok(()));
    assert_eq!(given([open(&[line(1, 3)])]).check_dispatch("DHL", ""), Err(Refused::NotPacked));
}

#[test]
fn it_can_be_cancelled_until_it_leaves() {
    for before in [vec![open(&[line(1, 3)])], vec![open(&[line(1, 3)]), pack_all()]] {
        let mut shipment = given(before);
        let cancelled = Event::Cancelled { order_id: order_id() };
        assert_eq!(ask(&mut shipment, Command::Cancel), Ok(vec![cancelled]));
        assert_eq!(shipment.decide(Command::Cancel), Ok(vec![]));
        assert_eq!(shipment.decide(pack_all()), Err(Refused::Cancelled));
        assert_eq!(shipment.decide(dispatch()), Err(Refused::Cancelled));
    }
    assert_eq!(given_dispatched([]).decide(Command::Cancel), Err(Refused::AlreadyDispatched));
}

#[test]
fn a_carrier_cannot_know_what_has_not_left() {
    let packed = given([open(&[line(1, 3)]), pack_all()]);
    let refused = packed.decide(report("a", CarrierStatus::Delivered, 1));
    assert_eq!(refused, Err(Refused::NotDispatched));
}

#[test]
fn delivered_before_in_transit_stays_delivered() {
    let mut shipment = given_dispatched([]);
    let events = ask(&mut shipment, report("b", CarrierStatus::Delivered, 20)).expect("recorded");
    let (order_id, report_id, status) = (order_id(), "b".to_owned(), CarrierStatus::Delivered);
    let reported = Event::CarrierReported { order_id, report_id, status, at: at(20) };
    assert_eq!(events, [reported, Event::Delivered { order_id, at: at(20) }]);
    for late in [CarrierStatus::InTransit, CarrierStatus::Failed, CarrierStatus::Delivered] {
        assert_eq!(shipment.decide(report("a", late, 30)), Ok(vec![]));
    }
    assert_eq!(shipment.status(), Status::Delivered);
}

#[test]
fn a_parcel_that_comes_back_has_failed_for_good() {
    let shipment = given_dispatched([report("a", CarrierStatus::Failed, 20)]);
    assert_eq!(shipment.status(), Status::Failed);
    assert_eq!(shipment.decide(report("b", CarrierStatus::Delivered, 30)), Ok(vec![]));
}

#[test]
fn a_report_told_twice_counts_once() {
    let shipment = given_dispatched([report("a", CarrierStatus::PickedUp, 10)]);
    assert_eq!(shipment.decide(report("a", CarrierStatus::PickedUp, 10)), Ok(vec![]));
    assert_eq!(shipment.decide(report("a", CarrierStatus::InTransit, 20)), Ok(vec![]));
    assert_eq!(shipment.decide(report("b", CarrierStatus::PickedUp, 20)), Ok(vec![]));
}

#[test]
fn after_an_attempt_in_vain_the_van_goes_out_again() {
    let mut shipment = given_dispatched([
        report("a", CarrierStatus::OutForDelivery, 10),
        report("b", CarrierStatus::AttemptFailed, 20),
    ]);
    let out_again = ask(&mut shipment, report("c", CarrierStatus::OutForDelivery, 30)).expect("recorded");
    assert_eq!(out_again.len(), 1);
    let outdated = report("d", CarrierStatus::AttemptFailed, 25);
    assert_eq!(shipment.decide(outdated), Ok(vec![]));
    assert_eq!(shipment.decide(report("e", CarrierStatus::InTransit, 40)), Ok(vec![]));
    assert_eq!(shipment.carrier_status(), Some(CarrierStatus::OutForDelivery));
}

#[test]
fn a_report_has_an_id() {
    let refused = given_dispatched([]).decide(report("", CarrierStatus::PickedUp, 1)).expect_err("refused");
    assert_eq!(
        refused.to_string(),
        "report id must have 1 to 128 characters, none of them a control character"
    );
}

#[test]
fn only_the_latest_reports_are_remembered() {
    let attempts = [CarrierStatus::OutForDelivery, CarrierStatus::AttemptFailed];
    let reports = (0..100).zip(attempts.into_iter().cycle());
    let shipment = given_dispatched(reports.map(|(n, status)| report(&n.to_string(), status, n)));
    assert_eq!(shipment.reports.len(), REMEMBERED_REPORTS);
}

#[test]
fn what_is_stored_is_what_was_agreed() {
    for (name, event) in sample::checked(Event::TYPES, samples()) {
        insta::assert_json_snapshot!(name, event);
    }
}

#[test]
fn what_a_carrier_says_is_stored_by_these_names() {
    let stored = r#"["picked_up","in_transit","out_for_delivery","attempt_failed","delivered","failed"]"#;
    assert_eq!(serde_json::to_string(&STATUSES).expect("json"), stored);
}

#[test]
fn as_a_cqrs_es_aggregate_it_decides_the_same() {
    let order_id = order_id();
    let mut shipment = Shipment::default();
    let mut history = |command| ask(&mut shipment, command).expect("granted");
    let left = [open(&[line(1, 3)]), pack_all(), dispatch()].into_iter().flat_map(&mut history);
    let left: Vec<Event> = left.collect();
    TestFramework::<Shipment>::with(())
        .given(left.clone())
        .when(report("a", CarrierStatus::Delivered, 1))
        .then_expect_events(vec![
            Event::CarrierReported {
                order_id,
                report_id: "a".to_owned(),
                status: CarrierStatus::Delivered,
                at: at(1),
            },
            Event::Delivered { order_id, at: at(1) },
        ]);
    TestFramework::<Shipment>::with(())
        .given(left)
        .when(Command::Cancel)
        .then_expect_error(Refused::AlreadyDispatched);
}

fn any_command() -> impl Strategy<Value = Command> {
    let lines = || prop::collection::vec((0..4_u16, 1..5_i64).prop_map(|(n, count)| line(n, count)), 0..4);
    prop_oneof![
        2 => lines().prop_map(|lines| open(&lines)),
        2 => prop::option::of(lines()).prop_map(|lines| Command::Pack { lines }),
        2 => Just(dispatch()),
        8 => (0..9_u8, prop::sample::select(&STATUSES[..]), 0..50_i64).prop_map(|(id, status, at)| report(&id.to_string(), status, at)),
        1 => Just(Command::Cancel),
    ]
}

/// How far a status is; none that is recorded later may be less.
fn progress(status: Status) -> u8 {
    match status {
        Status::Unopened => 0,
        Status::Open => 1,
        Status::Packed => 2,
        Status::Dispatched => 3,
        Status::Delivered | Status::Failed | Status::Cancelled => 4,
    }
}

fn units(lines: &[ShippedLine]) -> i64 {
    lines.iter().map(|line| line.quantity.count()).sum()
}

proptest! {
    #[test]
    fn it_never_goes_back_whatever_is_asked(commands in prop::collection::vec(any_command(), 1..60)) {
        let (mut shipment, mut ends) = (Shipment::default(), 0);
        for command in commands {
            let before = shipment.clone();
            let Ok(events) = ask(&mut shipment, command.clone()) else { continue };
            prop_assert!(progress(shipment.status()) >= progress(before.status()));
            prop_assert!(progress(before.status()) < 4 || shipment == before);
            prop_assert_eq!(shipment.decide(command), Ok(vec![]));
            for event in &events {
                if let Event::Packed { lines, remaining, .. } = event {
                    prop_assert_eq!(units(lines) + units(remaining), units(before.lines()));
                }
            }
            let is_end = |event: &&Event| matches!(event, Event::Delivered { .. } | Event::Failed { .. });
            ends += events.iter().filter(is_end).count();
        }
        prop_assert!(ends <= 1);
        let snapshot = serde_json::to_string(&shipment).expect("json");
        prop_assert_eq!(&serde_json::from_str::<Shipment>(&snapshot).expect("state"), &shipment);
    }

    #[test]
    fn a_history_of_reports_told_again_changes_nothing(
        reports in prop::collection::vec((prop::sample::select(&STATUSES[..]), 0..50_i64), 1..12),
    ) {
        let tell = |shipment: &mut Shipment| {
            for (id, (status, seconds)) in reports.iter().enumerate() {
                ask(shipment, report(&id.to_string(), *status, *seconds)).expect("granted");
            }
        };
        let mut shipment = given_dispatched([]);
        tell(&mut shipment);
        let told_once = shipment.clone();
        tell(&mut shipment);
        prop_assert_eq!(shipment, told_once);
    }
}
