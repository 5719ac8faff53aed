//! Given, when, then: what an order lets happen, and that what is captured is the total however it leaves.

use std::collections::BTreeMap;

use cqrs_es::test::TestFramework;
use proptest::prelude::*;

use super::{
    CancelReason, FulfilmentStatus, Order, OrderCommand as Command, OrderEvent as Event,
    OrderRefusal as Refused, OrderStatus, ReturnedUnits, ShippedLine, StockHold, samples,
};
use crate::inventory::StockItem;
use crate::kernel::{
    CartId, CountryCode, Currency, LineId, LocationCode, Money, MoneyError, OrderId, Refusal, ReturnId,
    ShipmentId, VariantId, sample,
};
use crate::pricing::{PricedLine, PricedVariant, Quote, ShippingQuote, TaxTreatment, samples as pricing};

fn gbp(minor: i64) -> Money {
    Money::new(minor, Currency::GBP)
}

fn line_id(number: u16) -> LineId {
    LineId::new(sample::id(0x6000 + number))
}

fn variant_id(number: u16) -> VariantId {
    VariantId::new(sample::id(0x1000 + number))
}

fn shipment_id(number: u16) -> ShipmentId {
    ShipmentId::new(sample::id(0x3000 + number))
}

/// The quote of these (price, quantity) lines, numbered from 0, with British tax and this shipping.
fn quote(lines: &[(i64, i64)], shipping: i64) -> Quote {
    let none = BTreeMap::new();
    let item = |number, price| PricedVariant {
        variant_id: variant_id(number),
        unit_price: gbp(price),
        ..pricing::priced_variant().expect("sample")
    };
    let items: Vec<_> = (0..).zip(lines).map(|(number, (price, _))| item(number, *price)).collect();
    let priced: Vec<_> = (0..)
        .zip(items.iter().zip(lines))
        .map(|(number, (item, (_, count)))| PricedLine {
            line_id: line_id(number),
            item,
            quantity: sample::quantity(*count),
            attributes: &none,
        })
        .collect();
    let shipping = ShippingQuote { price: gbp(shipping), ..pricing::shipping().expect("sample") };
    let to = CountryCode::try_new("GB").expect("country");
    Quote::compute(&priced, shipping, to, TaxTreatment::Standard).expect("quote")
}

fn place(quote: Quote) -> Command {
    Command::Place {
        order_id: OrderId::new(sample::id(0x2000)),
        cart_id: CartId::new(sample::id(0x5000)),
        customer_id: None,
        contact: pricing::sealed("Yw"),
        address: pricing::sealed("YQ"),
        quote,
        payment_token: "card_approved".to_owned(),
    }
}

fn hold(location: &str, number: u16, count: i64) -> StockHold {
    let location = LocationCode::try_new(location).expect("location");
    StockHold {
        item: StockItem { variant_id: variant_id(number), location },
        quantity: sample::quantity(count),
    }
}

/// Everything a quote takes, at one location.
fn covering(quote: &Quote) -> Vec<StockHold> {
    let location = LocationCode::try_new("LON").expect("location");
    let hold = |(variant_id, quantity)| StockHold {
        item: StockItem { variant_id, location: location.clone() },
        quantity,
    };
    quote.demand().into_iter().map(hold).collect()
}

fn shipped(number: u16, count: i64) -> ShippedLine {
    ShippedLine {
        line_id: line_id(number),
        variant_id: variant_id(number),
        quantity: sample::quantity(count),
    }
}

fn dispatch(shipment: u16, lines: Vec<ShippedLine>) -> Command {
    Command::Dispatch {
        shipment_id: shipment_id(shipment),
        lines,
        carrier: "Royal Mail".to_owned(),
        tracking: "RM1".to_owned(),
    }
}

fn take_back(number: u16, of: u16, count: i64) -> Command {
    let (return_id, quantity) = (ReturnId::new(sample::id(0x4000 + number)), sample::quantity(count));
    Command::TakeBack { units: ReturnedUnits { return_id, variant_id: variant_id(of), quantity } }
}

fn cancel() -> Command {
    Command::Cancel { reason: CancelReason::Customer, holds: vec![], note: None }
}

fn delivered(shipment: u16) -> Command {
    Command::RecordDelivered { shipment_id: shipment_id(shipment) }
}

fn ask(order: &mut Order, command: Command) -> Result<Vec<Event>, Refused> {
    let events = order.decide(command)?;
    for event in &events {
        order.evolve(event.clone());
    }
    Ok(events)
}

/// The order after these requests, all of them granted.
fn given(commands: impl IntoIterator<Item = Command>) -> Order {
    let mut order = Order::default();
    for command in commands {
        ask(&mut order, command).expect("granted");
    }
    order
}

/// An order of three mugs at 3.33 (11.99 with tax) and a pot at 20.00 (24.00), shipping 3.90 (4.68): 40.67.
fn two_lines() -> Quote {
    quote(&[(333, 3), (2_000, 1)], 390)
}

fn confirmed() -> Order {
    let quote = two_lines();
    let allocations = covering(&quote);
    given([place(quote), Command::Confirm { allocations }])
}

fn json(value: impl serde::Serialize) -> String {
    serde_json::to_string(&value).expect("json")
}

fn captured(events: &[Event]) -> Money {
    match events {
        [Event::Dispatched { to_capture, .. }] => *to_capture,
        other => panic!("{other:?}"),
    }
}

#[test]
fn nothing_but_its_placing_happens_to_an_order_that_does_not_exist() {
    let all = [
        Command::RecordReserved { holds: vec![] },
        Command::Confirm { allocations: vec![] },
        cancel(),
        dispatch(1, vec![shipped(0, 1)]),
        delivered(1),
        Command::Complete { captured: gbp(0) },
    ];
    for command in all {
        assert_eq!(Order::default().decide(command), Err(Refused::NotFound));
    }
    assert_eq!(Refused::NotFound.code(), "NOT_FOUND");
}

#[test]
fn an_order_is_placed_once() {
    let samples = samples();
    let placed = || vec![samples[0].clone()];
    let Event::Placed { order_id, cart_id, customer_id, contact, address, quote, payment_token } =
        samples[0].clone()
    else {
        panic!("{samples:?}")
    };
    let place = Command::Place { order_id, cart_id, customer_id, contact, address, quote, payment_token };
    let framework = || TestFramework::<Order>::with(());
    framework().given_no_previous_events().when(place.clone()).then_expect_events(placed());
    framework().given(placed()).when(place).then_expect_events(vec![]);
    framework().given(placed()).when(self::place(two_lines())).then_expect_error(Refused::AlreadyExists);
}

#[test]
fn a_quote_that_does_not_add_up_is_not_an_order() {
    let mut wrong = two_lines();
    wrong.total = gbp(wrong.total.minor() + 1);
    assert_eq!(Order::default().decide(place(wrong)), Err(Refused::QuoteDoesNotAddUp));
    let mut empty = two_lines();
    empty.lines.clear();
    assert_eq!(Order::default().decide(place(empty)), Err(Refused::NoLines));
    let mut mixed = two_lines();
    mixed.lines[0].gross = Money::new(1, Currency::EUR);
    let refused = Order::default().decide(place(mixed)).expect_err("refused");
    assert_eq!(refused.code(), "CURRENCY_MISMATCH");
    let mut huge = two_lines();
    huge.lines[0].gross = gbp(i64::MAX);
    assert_eq!(Order::default().decide(place(huge)), Err(Refused::Money(MoneyError::OutOfRange)));
}

#[test]
fn stock_is_noted_as_held_when_every_variant_is_covered() {
    let mut order = given([place(two_lines())]);
    let record = |holds| Command::RecordReserved { holds };
    let refused = |number, ordered, covered| {
        Err(Refused::StockNotCovered { variant_id: variant_id(number), ordered, covered })
    };
    assert_eq!(ask(&mut order, record(vec![])), refused(0, 3, 0));
    assert_eq!(ask(&mut order, record(vec![hold("LON", 0, 3)])), refused(1, 1, 0));
    // Two locations together are enough.
    let holds = vec![hold("LON", 0, 2), hold("LEEDS", 0, 1), hold("LON", 1, 1)];
    let reserved = Event::StockReserved { holds: holds.clone() };
    assert_eq!(ask(&mut order, record(holds.clone())), Ok(vec![reserved]));
    assert_eq!(ask(&mut order, record(holds.clone())), Ok(vec![]));
    assert_eq!(order.holds(), holds);
    assert_eq!(ask(&mut order, record(vec![hold("LON", 0, 3)])), Err(Refused::AlreadyReserved));
}

#[test]
fn lines_of_one_variant_are_covered_together() {
    let mut quote = quote(&[(100, 2), (100, 3)], 0);
    quote.lines[1].variant_id = variant_id(0);
    let mut order = given([place(quote)]);
    let confirm = |count| Command::Confirm { allocations: vec![hold("LON", 0, count)] };
    let refused = Refused::StockNotCovered { variant_id: variant_id(0), ordered: 5, covered: 4 };
    assert_eq!(ask(&mut order, confirm(4)), Err(refused));
    assert_eq!(ask(&mut order, confirm(5)).map(|events| events.len()), Ok(1));
}

#[test]
fn an_order_is_confirmed_once() {
    let mut order = confirmed();
    assert_eq!(order.status(), OrderStatus::Confirmed);
    let allocations = covering(&two_lines());
    assert_eq!(ask(&mut order, Command::Confirm { allocations }), Ok(vec![]));
    let other = Command::Confirm { allocations: vec![hold("LEEDS", 0, 3), hold("LEEDS", 1, 1)] };
    assert_eq!(ask(&mut order, other), Err(Refused::AlreadyConfirmed));
    assert_eq!(ask(&mut order, Command::RecordReserved { holds: vec![hold("LON", 0, 3)] }), Ok(vec![]));
}

#[test]
fn no_more_comes_back_than_left_and_the_refusal_says_how_much_still_can() {
    let mut order = confirmed();
    let exceeds =
        |remaining, asked| Refused::ReturnExceedsDispatched { variant_id: variant_id(0), remaining, asked };
    assert_eq!(ask(&mut order, take_back(1, 0, 1)), Err(exceeds(0, 1)), "nothing has left");
    ask(&mut order, dispatch(1, vec![shipped(0, 1)])).expect("granted");
    ask(&mut order, dispatch(2, vec![shipped(0, 2), shipped(1, 1)])).expect("granted");
    assert_eq!(ask(&mut order, take_back(1, 0, 4)), Err(exceeds(3, 4)));
    assert_eq!(ask(&mut order, take_back(1, 0, 2)).map(|events| events.len()), Ok(1));
    assert_eq!(ask(&mut order, take_back(2, 0, 2)), Err(exceeds(1, 2)));
    assert_eq!(exceeds(1, 2).code(), "RETURN_EXCEEDS_DISPATCHED");
    ask(&mut order, take_back(2, 0, 1)).expect("granted");
    ask(&mut order, take_back(3, 1, 1)).expect("the other line's are its own");
    assert_eq!((order.returnable(variant_id(0)), order.returns().len()), (0, 3));
}

#[test]
fn what_came_back_comes_back_once_however_often_it_is_told() {
    let mut order = confirmed();
    ask(&mut order, dispatch(1, vec![shipped(0, 3)])).expect("granted");
    ask(&mut order, take_back(1, 0, 3)).expect("granted");
    assert_eq!(ask(&mut order, take_back(1, 0, 3)), Ok(vec![]));
    let used = Refused::ReturnIdUsed { return_id: ReturnId::new(sample::id(0x4001)) };
    assert_eq!(ask(&mut order, take_back(1, 0, 1)), Err(used));
    assert_eq!(Order::default().decide(take_back(1, 0, 1)), Err(Refused::NotFound));
}

#[test]
fn a_cancelled_order_names_everything_that_may_be_held() {
    let quote = two_lines();
    let noted = vec![hold("LON", 0, 3), hold("LON", 1, 1)];
    let mut order = given([
        place(quote),
        Command::RecordReserved { holds: noted },
        Command::Confirm { allocations: vec![hold("LEEDS", 0, 3), hold("LON", 1, 2)] },
    ]);
    let note = Some(pricing::sealed("bm90ZQ"));
    let cancel = |given| Command::Cancel { reason: CancelReason::Staff, holds: given, note: note.clone() };
    let holds = vec![hold("LON", 0, 3), hold("LON", 1, 2), hold("LEEDS", 0, 3), hold("YORK", 1, 1)];
    let cancelled = Event::Cancelled { reason: CancelReason::Staff, holds, note: note.clone() };
    assert_eq!(ask(&mut order, cancel(vec![hold("YORK", 1, 1)])), Ok(vec![cancelled]));
    assert_eq!(order.status(), OrderStatus::Cancelled);
    assert_eq!(order.cancel_reason(), Some(CancelReason::Staff));
    assert_eq!(ask(&mut order, cancel(vec![])), Ok(vec![]));
}

#[test]
fn a_cancelled_order_goes_no_further() {
    let mut order = given([place(two_lines()), cancel()]);
    let holds = covering(&two_lines());
    for command in [
        Command::RecordReserved { holds: holds.clone() },
        Command::Confirm { allocations: holds },
        dispatch(1, vec![shipped(0, 1)]),
    ] {
        assert_eq!(ask(&mut order, command), Err(Refused::Cancelled));
    }
    assert_eq!(Refused::Cancelled.code(), "ORDER_CANCELLED");
    assert_eq!(ask(&mut order, Command::Complete { captured: gbp(4_067) }), Ok(vec![]));
}

#[test]
fn a_dispatched_order_cannot_be_cancelled() {
    let mut order = confirmed();
    ask(&mut order, dispatch(1, vec![shipped(1, 1)])).expect("granted");
    assert_eq!(ask(&mut order, cancel()), Err(Refused::AlreadyDispatched));
    assert_eq!(Refused::AlreadyDispatched.code(), "ALREADY_DISPATCHED");
}

#[test]
fn nothing_leaves_before_the_order_is_confirmed() {
    let mut order = given([place(two_lines())]);
    assert_eq!(ask(&mut order, dispatch(1, vec![shipped(0, 1)])), Err(Refused::NotConfirmed));
}

#[test]
fn half_an_order_is_captured_for_what_left_and_the_rest_with_the_rest() {
    let mut order = confirmed();
    // One mug is 4.00 of 11.99, and the first shipment carries the shipping of 4.68.
    let first = ask(&mut order, dispatch(1, vec![shipped(0, 1)])).expect("granted");
    assert_eq!(captured(&first), gbp(400 + 468));
    assert_eq!(order.fulfilment_status(), FulfilmentStatus::PartiallyFulfilled);
    assert_eq!(order.remaining(), [shipped(0, 2), shipped(1, 1)]);
    let rest = ask(&mut order, dispatch(2, vec![shipped(0, 2), shipped(1, 1)])).expect("granted");
    assert_eq!(captured(&rest), gbp(799 + 2_400));
    assert_eq!(order.due(), order.placement().expect("placed").quote.total);
    assert_eq!(order.fulfilment_status(), FulfilmentStatus::Fulfilled);
    assert_eq!(order.remaining(), []);
}

#[test]
fn no_more_leaves_than_was_ordered() {
    let mut order = confirmed();
    ask(&mut order, dispatch(1, vec![shipped(0, 2)])).expect("granted");
    let refused =
        |remaining, asked| Err(Refused::DispatchExceedsOrdered { line_id: line_id(0), remaining, asked });
    assert_eq!(ask(&mut order, dispatch(2, vec![shipped(0, 2)])), refused(1, 2));
    assert_eq!(ask(&mut order, dispatch(2, vec![shipped(0, 1), shipped(0, 1)])), refused(1, 2));
    assert_eq!(ask(&mut order, dispatch(2, vec![])), Err(Refused::NothingToDispatch));
    let unknown = Err(Refused::LineNotFound { line_id: line_id(7) });
    assert_eq!(ask(&mut order, dispatch(2, vec![shipped(7, 1)])), unknown);
    let other_variant = ShippedLine { variant_id: variant_id(1), ..shipped(0, 1) };
    let unknown = Err(Refused::LineNotFound { line_id: line_id(0) });
    assert_eq!(ask(&mut order, dispatch(2, vec![other_variant])), unknown);
}

#[test]
fn a_shipment_leaves_once() {
    let mut order = confirmed();
    ask(&mut order, dispatch(1, vec![shipped(0, 1)])).expect("granted");
    assert_eq!(ask(&mut order, dispatch(1, vec![shipped(0, 1)])), Ok(vec![]));
    let refused = Err(Refused::ShipmentAlreadyDispatched { shipment_id: shipment_id(1) });
    assert_eq!(ask(&mut order, dispatch(1, vec![shipped(0, 2)])), refused);
}

#[test]
fn carrier_and_tracking_are_bounded_lines() {
    for (carrier, tracking) in [(String::new(), "RM1".to_owned()), ("DHL".to_owned(), "x".repeat(129))] {
        let command =
            Command::Dispatch { shipment_id: shipment_id(1), lines: vec![shipped(0, 1)], carrier, tracking };
        assert_eq!(confirmed().decide(command).map_err(|refused| refused.code()), Err("TEXT_INVALID"));
    }
}

#[test]
fn an_order_is_delivered_when_all_its_shipments_arrived() {
    let mut order = confirmed();
    assert_eq!(order.fulfilment_status(), FulfilmentStatus::Unfulfilled);
    let unknown = Refused::ShipmentNotFound { shipment_id: shipment_id(1) };
    assert_eq!(ask(&mut order, delivered(1)), Err(unknown));
    ask(&mut order, dispatch(1, vec![shipped(0, 3)])).expect("granted");
    ask(&mut order, delivered(1)).expect("granted");
    assert_eq!(ask(&mut order, delivered(1)), Ok(vec![]));
    assert_eq!(order.fulfilment_status(), FulfilmentStatus::PartiallyFulfilled);
    ask(&mut order, dispatch(2, vec![shipped(1, 1)])).expect("granted");
    assert_eq!(order.fulfilment_status(), FulfilmentStatus::Fulfilled);
    ask(&mut order, delivered(2)).expect("granted");
    assert_eq!(order.fulfilment_status(), FulfilmentStatus::Delivered);
}

#[test]
fn an_order_is_complete_when_all_is_delivered_and_paid() {
    let complete = |captured| Command::Complete { captured: gbp(captured) };
    let mut order = confirmed();
    assert_eq!(ask(&mut order, complete(4_067)), Ok(vec![]));
    ask(&mut order, dispatch(1, vec![shipped(0, 3), shipped(1, 1)])).expect("granted");
    assert_eq!(ask(&mut order, complete(4_067)), Ok(vec![]));
    ask(&mut order, delivered(1)).expect("granted");
    assert_eq!(ask(&mut order, complete(4_066)), Ok(vec![]));
    assert_eq!(ask(&mut order, complete(4_067)), Ok(vec![Event::Completed {}]));
    assert_eq!(ask(&mut order, complete(4_067)), Ok(vec![]));
    assert_eq!(order.status(), OrderStatus::Completed);
    assert_eq!(ask(&mut order, cancel()), Err(Refused::AlreadyDispatched));
}

#[test]
fn what_is_stored_is_what_was_agreed() {
    for (name, event) in sample::checked(Event::TYPES, samples()) {
        insta::assert_json_snapshot!(name, event);
    }
}

#[test]
fn statuses_and_reasons_are_stored_by_these_names() {
    let statuses =
        [OrderStatus::Placed, OrderStatus::Confirmed, OrderStatus::Cancelled, OrderStatus::Completed];
    let statuses = statuses.map(json).join(" ");
    assert_eq!(statuses, r#""placed" "confirmed" "cancelled" "completed""#);
    let axis = [
        FulfilmentStatus::Unfulfilled,
        FulfilmentStatus::PartiallyFulfilled,
        FulfilmentStatus::Fulfilled,
        FulfilmentStatus::Delivered,
    ];
    let axis = axis.map(json).join(" ");
    assert_eq!(axis, r#""unfulfilled" "partially_fulfilled" "fulfilled" "delivered""#);
    let reasons = [
        CancelReason::Customer,
        CancelReason::Staff,
        CancelReason::OutOfStock,
        CancelReason::PaymentDeclined,
        CancelReason::PaymentExpired,
        CancelReason::Fraud,
        CancelReason::Other,
    ];
    let reasons = reasons.map(json).join(" ");
    let agreed = r#""customer" "staff" "out_of_stock" "payment_declined" "payment_expired" "fraud" "other""#;
    assert_eq!(reasons, agreed);
}

/// Lines, shipping, and how the order leaves: per shipment, how many of each line are tried.
fn any_journey() -> impl Strategy<Value = (Vec<(i64, i64)>, i64, Vec<Vec<i64>>)> {
    prop::collection::vec((0..100_000_i64, 1..40_i64), 1..6).prop_flat_map(|lines| {
        let tried = prop::collection::vec(0..12_i64, lines.len());
        (Just(lines), 0..5_000_i64, prop::collection::vec(tried, 0..20))
    })
}

proptest! {
    #[test]
    fn what_is_captured_is_the_total_however_the_order_leaves((lines, shipping, tries) in any_journey()) {
        let quote = quote(&lines, shipping);
        let (total, allocations) = (quote.total, covering(&quote));
        let mut order = given([place(quote), Command::Confirm { allocations }]);
        let mut sum = gbp(0);
        let whole_rest = vec![i64::MAX; lines.len()];
        for (shipment, tried) in (0..).zip(tries.iter().chain([&whole_rest])) {
            let wanted = |line: &ShippedLine| (0..).zip(tried).find(|(number, _)| line_id(*number) == line.line_id);
            let leaving: Vec<_> = order
                .remaining()
                .into_iter()
                .filter_map(|line| {
                    let count = wanted(&line)?.1.min(&line.quantity.count()).to_owned();
                    (count > 0).then_some(ShippedLine { quantity: sample::quantity(count), ..line })
                })
                .collect();
            if leaving.is_empty() {
                continue;
            }
            let now = captured(&ask(&mut order, dispatch(shipment, leaving)).expect("granted"));
            prop_assert!(!now.is_negative());
            sum = sum.checked_add(now).expect("sum");
            prop_assert!(sum.minor() <= total.minor());
        }
        prop_assert_eq!(sum, total);
        prop_assert_eq!(order.fulfilment_status(), FulfilmentStatus::Fulfilled);
        prop_assert_eq!(order.remaining(), vec![]);
        let snapshot = serde_json::to_string(&order).expect("json");
        prop_assert_eq!(&serde_json::from_str::<Order>(&snapshot).expect("state"), &order);
    }

    #[test]
    fn a_cancel_and_a_dispatch_never_both_win(first_cancel in any::<bool>(), count in 1..=3_i64) {
        let mut order = confirmed();
        let both = [dispatch(1, vec![shipped(0, count)]), cancel()];
        let order_of = if first_cancel { [1, 0] } else { [0, 1] };
        let won = order_of.map(|index| ask(&mut order, both[index].clone()).is_ok());
        prop_assert_eq!(won, [true, false]);
    }
}
