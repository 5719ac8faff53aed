//! Given, when, then: what a payment lets happen, and that money adds up whatever is asked and answered.

use chrono::Duration;
use cqrs_es::test::TestFramework;
use proptest::prelude::*;
use uuid::Uuid;

use super::{
    Authorisation, MAX_GATEWAY_TEXT, MAX_PAYMENT_TOKEN, Payment, PaymentCommand as Command,
    PaymentEvent as Event, PaymentRefusal as Refused, PaymentStatus as Status, Progress, samples,
};
use crate::catalogue::DomainEvent;
use crate::kernel::{Currency, Money, OrderId, PaymentId, RefundId, Refusal, sample};
use crate::ledger::{Account, Ledger};

const REFERENCE: &str = "sim_0001";

fn gbp(minor: i64) -> Money {
    Money::new(minor, Currency::GBP)
}

fn order_id() -> OrderId {
    OrderId::new(sample::id(0x2000))
}

const fn capture_id(number: u16) -> Uuid {
    sample::id(0x4000 + number)
}

fn refund_id(number: u16) -> RefundId {
    RefundId::new(sample::id(0x7000 + number))
}

/// The refund that a capture becomes when it comes after the cancel.
fn late(number: u16) -> RefundId {
    RefundId::derived(capture_id(number), "cancelled")
}

/// A hundred, to be held within 15 minutes.
fn request() -> Command {
    Command::RequestAuthorisation {
        payment_id: PaymentId::new(sample::id(0x9000)),
        order_id: order_id(),
        amount: gbp(100),
        payment_token: "card_approved".to_owned(),
        deadline: sample::moment(900),
    }
}

fn held(amount: i64) -> Command {
    Command::RecordAuthorised { amount: gbp(amount), gateway_reference: REFERENCE.to_owned() }
}

fn action(url: &str) -> Command {
    Command::RequireAction { url: url.to_owned() }
}

fn declined() -> Command {
    Command::RecordDeclined { code: "insufficient_funds".to_owned() }
}

fn expire(seconds: i64) -> Command {
    Command::Expire { at: sample::moment(seconds) }
}

fn capture(number: u16, amount: i64) -> Command {
    Command::RequestCapture { capture_id: capture_id(number), amount: gbp(amount) }
}

fn capture_due(number: u16, due: i64) -> Command {
    Command::CaptureDue { capture_id: capture_id(number), due: gbp(due) }
}

fn fell_short(shortfall: i64) -> Event {
    Event::CaptureFellShort { order_id: order_id(), shortfall: gbp(shortfall) }
}

fn captured(number: u16, amount: i64) -> Command {
    Command::RecordCaptured { capture_id: capture_id(number), amount: gbp(amount) }
}

fn capture_failed(number: u16) -> Command {
    Command::RecordCaptureFailed { capture_id: capture_id(number), code: "no".to_owned() }
}

fn cancel(number: u16) -> Command {
    Command::Cancel { refund_id: refund_id(number) }
}

fn voided() -> Command {
    Command::RecordVoided { gateway_reference: REFERENCE.to_owned() }
}

fn void_failed() -> Command {
    Command::RecordVoidFailed { gateway_reference: REFERENCE.to_owned(), code: "no".to_owned() }
}

fn refund(number: u16, amount: i64) -> Command {
    let reason = "damaged".to_owned();
    Command::RequestRefund { refund_id: refund_id(number), amount: gbp(amount), reason }
}

fn refunded(number: u16) -> Command {
    Command::RecordRefunded { refund_id: refund_id(number) }
}

fn refund_failed(number: u16) -> Command {
    Command::RecordRefundFailed { refund_id: refund_id(number), code: "no".to_owned() }
}

fn authorised_event() -> Event {
    let gateway_reference = REFERENCE.to_owned();
    Event::Authorised { order_id: order_id(), amount: gbp(100), gateway_reference }
}

fn conflicted(asked: i64, got: Money, gateway_reference: &str) -> Event {
    let gateway_reference = gateway_reference.to_owned();
    Event::Conflicted { order_id: order_id(), asked: gbp(asked), got, gateway_reference }
}

fn captured_event(number: u16, amount: i64, total: i64) -> Event {
    Event::Captured {
        order_id: order_id(),
        capture_id: capture_id(number),
        amount: gbp(amount),
        captured_total: gbp(total),
    }
}

fn void_requested(amount: i64) -> Event {
    Event::VoidRequested { order_id: order_id(), amount: gbp(amount) }
}

fn cancellation_requested() -> Event {
    Event::CancellationRequested { order_id: order_id() }
}

fn cancel_refund(refund_id: RefundId, amount: i64) -> Event {
    let reason = "cancelled".to_owned();
    Event::RefundRequested { order_id: order_id(), refund_id, amount: gbp(amount), reason }
}

fn ask(payment: &mut Payment, command: Command) -> Result<Vec<Event>, Refused> {
    let events = payment.decide(command)?;
    for event in &events {
        payment.evolve(event.clone());
    }
    Ok(events)
}

/// The payment after these requests and answers, all of them granted.
fn given(commands: impl IntoIterator<Item = Command>) -> Payment {
    let mut payment = Payment::default();
    for command in commands {
        ask(&mut payment, command).expect("granted");
    }
    payment
}

const NOTHING: Result<Vec<Event>, Refused> = Ok(Vec::new());

#[test]
fn nothing_but_its_request_happens_to_a_payment_that_does_not_exist() {
    let all = [
        held(100),
        action("https://bank.example"),
        declined(),
        expire(9_999),
        capture(1, 1),
        capture_due(1, 1),
        captured(1, 1),
        capture_failed(1),
        cancel(1),
        voided(),
        void_failed(),
        refund(1, 1),
        refunded(1),
        refund_failed(1),
    ];
    for command in all {
        assert_eq!(Payment::default().decide(command), Err(Refused::NotFound));
    }
    assert_eq!(Refused::NotFound.code(), "NOT_FOUND");
    assert_eq!(Payment::default().captured(), Money::zero(Currency::XXX));
}

#[test]
fn an_authorisation_is_requested_once() {
    let requested = || vec![samples()[0].clone()];
    let Event::AuthorisationRequested { payment_id, order_id, amount, payment_token, deadline } =
        samples()[0].clone()
    else {
        panic!("the first sample is the first event")
    };
    let again = Command::RequestAuthorisation { payment_id, order_id, amount, payment_token, deadline };
    let framework = || TestFramework::<Payment>::with(());
    framework().given_no_previous_events().when(again.clone()).then_expect_events(requested());
    framework().given(requested()).when(again).then_expect_events(vec![]);
    framework().given(requested()).when(request()).then_expect_error(Refused::AlreadyExists);
}

#[test]
fn a_request_is_for_a_sound_amount_and_token() {
    let with = |minor, token: &str| Command::RequestAuthorisation {
        payment_id: PaymentId::default(),
        order_id: order_id(),
        amount: gbp(minor),
        payment_token: token.to_owned(),
        deadline: sample::moment(0),
    };
    let code = |command| Payment::default().decide(command).map_err(|refused| refused.code());
    assert_eq!(code(with(-1, "card")), Err("AMOUNT_NOT_POSITIVE"));
    assert_eq!(code(with(1, "")), Err("TEXT_INVALID"));
    assert_eq!(code(with(1, &"x".repeat(MAX_PAYMENT_TOKEN + 1))), Err("TEXT_INVALID"));
    assert_eq!(code(with(0, "card")).map(|events| events.len()), Ok(1));
}

#[test]
fn the_same_answer_five_times_has_one_effect() {
    let mut payment = given([request()]);
    assert_eq!(ask(&mut payment, held(100)), Ok(vec![authorised_event()]));
    for _ in 0..4 {
        assert_eq!(ask(&mut payment, held(100)), NOTHING);
    }
    assert_eq!(payment.status(), Status::Authorised);
    // An earlier answer that is told late changes nothing.
    for stale in [action("https://bank.example"), declined(), expire(9_999)] {
        assert_eq!(ask(&mut payment, stale), NOTHING);
    }
}

#[test]
fn a_second_step_is_asked_for_once() {
    let mut payment = given([request()]);
    let url = "https://bank.example/1";
    let required = Event::ActionRequired { order_id: order_id(), url: url.to_owned() };
    assert_eq!(ask(&mut payment, action(url)), Ok(vec![required]));
    assert_eq!(ask(&mut payment, action(url)), NOTHING);
    assert_eq!(payment.status(), Status::ActionRequired);
    assert_eq!(ask(&mut payment, action("https://bank.example/2")).map(|events| events.len()), Ok(1));
    assert_eq!(ask(&mut payment, held(100)), Ok(vec![authorised_event()]));
}

#[test]
fn nobody_is_sent_to_pay_for_a_cancelled_order() {
    let mut payment = given([request(), cancel(1)]);
    assert_eq!(ask(&mut payment, action("https://bank.example")), NOTHING);
}

#[test]
fn a_decline_is_recorded_once() {
    let mut payment = given([request()]);
    let event = Event::Declined { order_id: order_id(), code: "insufficient_funds".to_owned() };
    assert_eq!(ask(&mut payment, declined()), Ok(vec![event]));
    assert_eq!(ask(&mut payment, declined()), NOTHING);
    assert_eq!(ask(&mut payment, expire(9_999)), NOTHING);
    assert_eq!(ask(&mut payment, cancel(1)), NOTHING);
    assert_eq!(payment.status(), Status::Declined);
}

#[test]
fn waiting_ends_at_the_deadline_and_not_before() {
    let mut payment = given([request(), action("https://bank.example")]);
    assert_eq!(ask(&mut payment, expire(899)), NOTHING);
    assert_eq!(ask(&mut payment, expire(900)), Ok(vec![Event::Expired { order_id: order_id() }]));
    assert_eq!(ask(&mut payment, expire(900)), NOTHING);
    assert_eq!(payment.status(), Status::Expired);
}

#[test]
fn money_that_comes_after_the_payment_was_given_up_goes_back_by_itself() {
    for given_up in [declined(), expire(900), cancel(1)] {
        let mut payment = given([request(), given_up]);
        assert_eq!(ask(&mut payment, held(100)), Ok(vec![authorised_event(), void_requested(100)]));
        assert_eq!(ask(&mut payment, held(100)), NOTHING);
        assert_eq!(payment.status(), Status::VoidPending);
        assert_eq!(ask(&mut payment, capture(1, 1)), Err(Refused::Cancelled));
        let event = Event::Voided { order_id: order_id(), amount: gbp(100) };
        assert_eq!(ask(&mut payment, voided()), Ok(vec![event]));
        assert_eq!(ask(&mut payment, voided()), NOTHING);
        assert_eq!(payment.status(), Status::Voided);
    }
}

#[test]
fn another_amount_or_currency_is_a_conflict_and_nothing_is_captured_on_it() {
    for got in [gbp(99), gbp(101), gbp(i64::MIN), Money::new(100, Currency::EUR)] {
        let mut payment = given([request()]);
        let answer = Command::RecordAuthorised { amount: got, gateway_reference: REFERENCE.to_owned() };
        assert_eq!(ask(&mut payment, answer.clone()), Ok(vec![conflicted(100, got, REFERENCE)]));
        assert_eq!(ask(&mut payment, answer), NOTHING);
        assert_eq!(payment.status(), Status::Conflict);
        assert_eq!(ask(&mut payment, capture(1, 1)), Err(Refused::InConflict));
    }
}

#[test]
fn a_conflicting_amount_is_let_go_with_the_order() {
    let mut payment = given([request(), held(90), cancel(1)]);
    assert_eq!(payment.voids().iter().map(|void| void.amount).collect::<Vec<_>>(), [gbp(90)]);
    let mut too_late = given([request(), cancel(1)]);
    let both = vec![conflicted(100, gbp(90), REFERENCE), void_requested(90)];
    assert_eq!(ask(&mut too_late, held(90)), Ok(both));
    assert_eq!(ask(&mut payment, held(90)), NOTHING);
}

const SECOND: &str = "sim_0002";

fn second(amount: i64) -> Command {
    Command::RecordAuthorised { amount: gbp(amount), gateway_reference: SECOND.to_owned() }
}

fn extra_void_requested(amount: i64) -> Event {
    let gateway_reference = SECOND.to_owned();
    Event::ExtraVoidRequested { order_id: order_id(), amount: gbp(amount), gateway_reference }
}

#[test]
fn a_second_charge_goes_back_and_the_first_is_captured_all_the_same() {
    for amount in [100, 90] {
        let mut payment = given([request(), held(100)]);
        let gateway_reference = SECOND.to_owned();
        let extra = Event::ExtraAuthorised { order_id: order_id(), amount: gbp(amount), gateway_reference };
        assert_eq!(ask(&mut payment, second(amount)), Ok(vec![extra, extra_void_requested(amount)]));
        assert_eq!(ask(&mut payment, second(amount)), NOTHING);
        assert_eq!((payment.status(), payment.capturable()), (Status::Authorised, gbp(100)));
        let let_go = Command::RecordVoided { gateway_reference: SECOND.to_owned() };
        assert_eq!(ask(&mut payment, let_go.clone()).map(|events| events.len()), Ok(1));
        assert_eq!(ask(&mut payment, let_go), NOTHING);
        assert_eq!(ask(&mut payment, second(amount)), NOTHING);
        assert_eq!((payment.status(), payment.capturable()), (Status::Authorised, gbp(100)));
        ask(&mut payment, capture(1, 100)).expect("granted");
        assert_eq!(ask(&mut payment, captured(1, 100)), Ok(vec![captured_event(1, 100, 100)]));
    }
}

#[test]
fn a_second_charge_that_the_gateway_keeps_is_asked_for_again() {
    let mut payment = given([request(), held(100), second(100)]);
    assert_eq!(ask(&mut payment, Command::VoidExtras), NOTHING);
    for refused in 1..=2 {
        let gateway_reference = SECOND.to_owned();
        let failed = Command::RecordVoidFailed { gateway_reference, code: "no".to_owned() };
        assert_eq!(ask(&mut payment, failed.clone()).map(|events| events.len()), Ok(1));
        assert_eq!(ask(&mut payment, failed), NOTHING);
        assert_eq!(payment.extras()[0].refused, refused);
        assert_eq!(ask(&mut payment, Command::VoidExtras), Ok(vec![extra_void_requested(100)]));
    }
    assert_eq!(payment.voids(), []);
}

#[test]
fn another_word_about_the_same_hold_is_a_conflict() {
    let mut payment = given([request(), held(100)]);
    assert_eq!(ask(&mut payment, held(90)), Ok(vec![conflicted(100, gbp(90), REFERENCE)]));
    assert_eq!(ask(&mut payment, held(90)), NOTHING);
    assert_eq!(payment.authorised(), gbp(100));
}

#[test]
fn a_part_is_captured_and_then_the_rest() {
    let mut payment = given([request(), held(100)]);
    let asked = Event::CaptureRequested { order_id: order_id(), capture_id: capture_id(1), amount: gbp(40) };
    assert_eq!(ask(&mut payment, capture(1, 40)), Ok(vec![asked]));
    assert_eq!(payment.status(), Status::Authorised);
    assert_eq!(ask(&mut payment, captured(1, 40)), Ok(vec![captured_event(1, 40, 40)]));
    assert_eq!(payment.status(), Status::PartiallyCaptured);
    ask(&mut payment, capture(2, 60)).expect("granted");
    assert_eq!(ask(&mut payment, captured(2, 60)), Ok(vec![captured_event(2, 60, 100)]));
    assert_eq!(payment.status(), Status::Captured);
    for number in [1, 2] {
        assert_eq!(ask(&mut payment, capture_failed(number)), NOTHING);
    }
    assert_eq!(ask(&mut payment, captured(1, 40)), NOTHING);
}

#[test]
fn a_capture_is_requested_once_and_within_what_is_held() {
    let mut payment = given([request()]);
    assert_eq!(ask(&mut payment, capture(1, 40)), Err(Refused::NotAuthorised));
    ask(&mut payment, held(100)).expect("granted");
    ask(&mut payment, capture(1, 40)).expect("granted");
    assert_eq!(ask(&mut payment, capture(1, 40)), NOTHING);
    let used = Err(Refused::CaptureIdUsed { capture_id: capture_id(1) });
    assert_eq!(ask(&mut payment, capture(1, 41)), used);
    let refused = Refused::CaptureExceedsAuthorised { remaining: gbp(60), asked: gbp(61) };
    assert_eq!(refused.to_string(), "0.60 GBP can still be captured, not 0.61");
    assert_eq!(ask(&mut payment, capture(2, 61)), Err(refused));
    assert_eq!(ask(&mut payment, capture(2, -1)), Err(Refused::AmountNotPositive));
    assert_eq!(ask(&mut payment, capture(2, 0)), NOTHING);
    let euro = Command::RequestCapture { capture_id: capture_id(2), amount: Money::new(1, Currency::EUR) };
    let refused = Refused::CurrencyMismatch { payment: Currency::GBP, given: Currency::EUR };
    assert_eq!(ask(&mut payment, euro), Err(refused));
    let unknown = Refused::CaptureNotFound { capture_id: capture_id(9) };
    assert_eq!(ask(&mut payment, captured(9, 1)), Err(unknown.clone()));
    assert_eq!(ask(&mut payment, capture_failed(9)), Err(unknown));
}

fn capture_requested(number: u16, amount: i64) -> Event {
    Event::CaptureRequested { order_id: order_id(), capture_id: capture_id(number), amount: gbp(amount) }
}

#[test]
fn of_what_is_due_only_what_was_not_asked_for_is_captured() {
    let mut payment = given([request(), held(100)]);
    assert_eq!(ask(&mut payment, capture_due(1, 40)), Ok(vec![capture_requested(1, 40)]));
    // Due is the sum so far: told again, told late and told while the first is on its way.
    assert_eq!(ask(&mut payment, capture_due(1, 40)), NOTHING);
    assert_eq!(ask(&mut payment, capture_due(2, 40)), NOTHING);
    assert_eq!(ask(&mut payment, capture_due(2, 100)), Ok(vec![capture_requested(2, 60)]));
    assert_eq!(ask(&mut payment, capture_due(3, 40)), NOTHING);
}

#[test]
fn what_was_captured_by_hand_counts_towards_what_is_due() {
    let mut payment = given([request(), held(100), capture(9, 60), captured(9, 60)]);
    assert_eq!(ask(&mut payment, capture_due(1, 60)), NOTHING);
    assert_eq!(ask(&mut payment, capture_due(2, 100)), Ok(vec![capture_requested(2, 40)]));
}

#[test]
fn a_capture_that_failed_is_made_up_for_by_the_next() {
    let mut payment = given([request(), held(100), capture_due(1, 60), capture_failed(1)]);
    assert_eq!(ask(&mut payment, capture_due(2, 100)), Ok(vec![capture_requested(2, 100)]));
}

#[test]
fn what_is_due_and_not_held_any_more_is_on_record_once_and_never_asked_for() {
    let mut let_go = given([request(), held(100), voided()]);
    assert_eq!(ask(&mut let_go, capture_due(1, 60)), Ok(vec![fell_short(60)]));
    assert_eq!(ask(&mut let_go, capture_due(1, 60)), NOTHING);
    assert_eq!(ask(&mut let_go, capture_due(2, 100)), Ok(vec![fell_short(100)]));
    assert_eq!(ask(&mut let_go, capture_due(1, 60)), NOTHING, "told late");
    assert_eq!(ask(&mut let_go, capture_due(3, 0)), NOTHING);
    assert_eq!((let_go.shortfall(), let_go.captured()), (gbp(100), gbp(0)));
    let due = Command::CaptureDue { capture_id: capture_id(1), due: Money::new(1, Currency::EUR) };
    assert_eq!(ask(&mut let_go, due).map_err(|refused| refused.code()), Err("CURRENCY_MISMATCH"));
}

#[test]
fn what_is_still_held_is_taken_when_less_is_held_than_is_due() {
    let mut payment = given([request(), held(100), capture_due(1, 40), voided(), capture_failed(1)]);
    assert_eq!(payment.capturable(), gbp(40));
    assert_eq!(ask(&mut payment, capture_due(2, 100)), Ok(vec![capture_requested(2, 40), fell_short(60)]));
    assert_eq!(ask(&mut payment, capture_due(2, 100)), NOTHING);
    ask(&mut payment, capture_failed(2)).expect("granted");
    assert_eq!(
        ask(&mut payment, capture_due(3, 100)),
        Ok(vec![capture_requested(3, 40)]),
        "no more is missing"
    );
    ask(&mut payment, captured(3, 40)).expect("granted");
    assert_eq!(ask(&mut payment, capture_due(4, 100)), NOTHING);
    assert_eq!((payment.captured(), payment.shortfall()), (gbp(40), gbp(60)));
}

#[test]
fn a_failed_capture_may_be_asked_for_again_under_another_id() {
    let mut payment = given([request(), held(100), capture(1, 100)]);
    let failed = Event::CaptureFailed {
        order_id: order_id(),
        capture_id: capture_id(1),
        amount: gbp(100),
        code: "no".to_owned(),
    };
    assert_eq!(ask(&mut payment, capture_failed(1)), Ok(vec![failed]));
    assert_eq!(ask(&mut payment, capture_failed(1)), NOTHING);
    assert_eq!(payment.capturable(), gbp(100));
    ask(&mut payment, capture(2, 100)).expect("granted");
    // The first one succeeded after all: both cannot be, so a person must look.
    let reference = capture_id(1).to_string();
    assert_eq!(ask(&mut payment, captured(1, 100)), Ok(vec![conflicted(100, gbp(100), &reference)]));
    assert_eq!(payment.captured(), gbp(0));
}

#[test]
fn a_capture_that_succeeds_after_it_failed_counts_when_it_fits() {
    let mut payment = given([request(), held(100), capture(1, 100), capture_failed(1)]);
    assert_eq!(ask(&mut payment, captured(1, 100)), Ok(vec![captured_event(1, 100, 100)]));
}

#[test]
fn another_captured_amount_is_a_conflict_that_settles_the_capture() {
    for got in [35, 41, 100] {
        let mut payment = given([request(), held(100), capture(1, 40)]);
        let reference = capture_id(1).to_string();
        let both = vec![conflicted(40, gbp(got), &reference), captured_event(1, got, got)];
        assert_eq!(ask(&mut payment, captured(1, got)), Ok(both));
        assert_eq!(ask(&mut payment, captured(1, got)), NOTHING);
        assert_eq!((payment.captured(), payment.capturable()), (gbp(got), gbp(100 - got)));
        assert_eq!(payment.status(), Status::Conflict);
        assert_eq!(ask(&mut payment, refund(1, got)).map(|events| events.len()), Ok(1));
    }
}

#[test]
fn a_captured_amount_that_cannot_be_is_only_a_conflict() {
    for got in [gbp(101), gbp(i64::MAX), gbp(-1), Money::new(40, Currency::EUR)] {
        let mut payment = given([request(), held(100), capture(1, 40)]);
        let answer = Command::RecordCaptured { capture_id: capture_id(1), amount: got };
        let reference = capture_id(1).to_string();
        assert_eq!(ask(&mut payment, answer.clone()), Ok(vec![conflicted(40, got, &reference)]));
        assert_eq!(ask(&mut payment, answer), NOTHING);
        assert_eq!(payment.captured(), gbp(0));
    }
}

#[test]
fn a_cancelled_payment_gives_back_what_was_really_captured() {
    let mut payment = given([request(), held(100), capture(1, 40), cancel(1)]);
    let reference = capture_id(1).to_string();
    let all = vec![
        conflicted(40, gbp(35), &reference),
        captured_event(1, 35, 35),
        cancel_refund(late(1), 35),
        void_requested(65),
    ];
    assert_eq!(ask(&mut payment, captured(1, 35)), Ok(all));
}

#[test]
fn a_cancel_lets_go_what_is_held() {
    let mut payment = given([request(), held(100)]);
    assert_eq!(ask(&mut payment, cancel(1)), Ok(vec![void_requested(100)]));
    assert_eq!(ask(&mut payment, cancel(1)), NOTHING);
    assert_eq!(ask(&mut payment, cancel(2)), NOTHING);
}

#[test]
fn a_void_that_failed_is_asked_for_again_by_the_next_cancel() {
    let mut payment = given([request(), held(100), cancel(1)]);
    let failed = Event::VoidFailed { order_id: order_id(), code: "no".to_owned() };
    assert_eq!(ask(&mut payment, void_failed()), Ok(vec![failed]));
    assert_eq!(ask(&mut payment, void_failed()), NOTHING);
    assert_eq!(payment.status(), Status::Authorised);
    assert_eq!(ask(&mut payment, capture(1, 1)), Err(Refused::Cancelled));
    assert_eq!(ask(&mut payment, cancel(1)), Ok(vec![void_requested(100)]));
    assert_eq!(payment.voids().len(), 2);
    assert_eq!(ask(&mut payment, voided()).map(|events| events.len()), Ok(1));
    assert_eq!(payment.status(), Status::Voided);
}

#[test]
fn what_the_gateway_lets_go_by_itself_cannot_be_captured_and_what_was_captured_stays() {
    let mut payment = given([request()]);
    assert_eq!(ask(&mut payment, voided()), Err(Refused::NotAuthorised));
    ask(&mut payment, held(100)).expect("granted");
    ask(&mut payment, capture(1, 40)).expect("granted");
    let event = Event::Voided { order_id: order_id(), amount: gbp(60) };
    assert_eq!(ask(&mut payment, voided()), Ok(vec![event]));
    let refused = Refused::CaptureExceedsAuthorised { remaining: gbp(0), asked: gbp(1) };
    assert_eq!(ask(&mut payment, capture(2, 1)), Err(refused));
    assert_eq!(ask(&mut payment, captured(1, 40)), Ok(vec![captured_event(1, 40, 40)]));
}

#[test]
fn a_cancel_before_the_gateway_answered_waits_for_the_answer() {
    let mut payment = given([request()]);
    assert_eq!(ask(&mut payment, cancel(1)), Ok(vec![cancellation_requested()]));
    assert_eq!(ask(&mut payment, cancel(1)), NOTHING);
    assert_eq!(payment.status(), Status::Pending);
    assert_eq!(ask(&mut payment, declined()).map(|events| events.len()), Ok(1));
}

#[test]
fn a_cancel_that_loses_against_a_capture_becomes_a_refund() {
    let mut payment = given([request(), held(100), capture(1, 40)]);
    assert_eq!(ask(&mut payment, cancel(1)), Ok(vec![cancellation_requested()]));
    assert_eq!(ask(&mut payment, cancel(1)), NOTHING);
    assert_eq!(ask(&mut payment, capture(2, 1)), Err(Refused::Cancelled));
    let won = vec![captured_event(1, 40, 40), cancel_refund(late(1), 40), void_requested(60)];
    assert_eq!(ask(&mut payment, captured(1, 40)), Ok(won));
    assert_eq!(ask(&mut payment, captured(1, 40)), NOTHING);
    ask(&mut payment, Command::RecordRefunded { refund_id: late(1) }).expect("granted");
    ask(&mut payment, voided()).expect("granted");
    assert_eq!(payment.status(), Status::Refunded);
}

#[test]
fn a_cancel_that_wins_against_a_capture_lets_everything_go() {
    let mut payment = given([request(), held(100), capture(1, 40), cancel(1)]);
    let events = ask(&mut payment, capture_failed(1)).expect("granted");
    assert_eq!(events.last(), Some(&void_requested(100)));
    assert_eq!(events.len(), 2);
}

#[test]
fn a_cancel_waits_for_the_last_of_several_captures_before_it_lets_the_rest_go() {
    let mut payment = given([request(), held(100), capture(1, 40), capture(2, 30), cancel(1)]);
    let first = vec![captured_event(1, 40, 40), cancel_refund(late(1), 40)];
    assert_eq!(ask(&mut payment, captured(1, 40)), Ok(first));
    let events = ask(&mut payment, capture_failed(2)).expect("granted");
    assert_eq!(events.last(), Some(&void_requested(60)));
}

#[test]
fn a_cancel_of_a_captured_payment_is_a_refund_of_what_is_left() {
    let mut payment =
        given([request(), held(100), capture(1, 80), captured(1, 80), refund(9, 10), refund(8, 5)]);
    ask(&mut payment, refunded(9)).expect("granted");
    assert_eq!(ask(&mut payment, cancel(1)), Ok(vec![cancel_refund(refund_id(1), 65), void_requested(20)]));
    assert_eq!(ask(&mut payment, cancel(1)), NOTHING);
    assert_eq!(payment.refundable(), gbp(0));
    // What could not be paid back is tried again, under another id.
    ask(&mut payment, refund_failed(1)).expect("granted");
    assert_eq!(ask(&mut payment, cancel(1)), NOTHING);
    assert_eq!(ask(&mut payment, cancel(2)), Ok(vec![cancel_refund(refund_id(2), 65)]));
}

#[test]
fn no_more_is_refunded_than_was_captured() {
    let mut payment = given([request(), held(100), capture(1, 80)]);
    let refused = |remaining, asked| {
        Err(Refused::RefundExceedsCaptured { remaining: gbp(remaining), asked: gbp(asked) })
    };
    assert_eq!(ask(&mut payment, refund(1, 1)), refused(0, 1));
    ask(&mut payment, captured(1, 80)).expect("granted");
    ask(&mut payment, refund(1, 50)).expect("granted");
    assert_eq!(ask(&mut payment, refund(2, 31)), refused(30, 31));
    assert_eq!(ask(&mut payment, refund(1, 50)), NOTHING);
    assert_eq!(ask(&mut payment, refund(1, 51)), Err(Refused::RefundIdUsed { refund_id: refund_id(1) }));
    for amount in [0, -1] {
        assert_eq!(ask(&mut payment, refund(2, amount)), Err(Refused::AmountNotPositive));
    }
    let told = Refused::RefundExceedsCaptured { remaining: gbp(30), asked: gbp(31) };
    assert_eq!(
        (told.code(), told.to_string()),
        ("REFUND_EXCEEDS_CAPTURED", "0.30 GBP can still be refunded, not 0.31".to_owned())
    );
    let unknown = Refused::RefundNotFound { refund_id: refund_id(9) };
    assert_eq!(ask(&mut payment, refunded(9)), Err(unknown.clone()));
    assert_eq!(ask(&mut payment, refund_failed(9)), Err(unknown));
}

#[test]
fn a_refund_is_paid_once() {
    let mut payment = given([request(), held(100), capture(1, 100), captured(1, 100), refund(1, 30)]);
    assert_eq!(payment.status(), Status::Captured);
    let event = |number, amount, total| Event::Refunded {
        order_id: order_id(),
        refund_id: refund_id(number),
        amount: gbp(amount),
        refunded_total: gbp(total),
    };
    assert_eq!(ask(&mut payment, refunded(1)), Ok(vec![event(1, 30, 30)]));
    assert_eq!(ask(&mut payment, refunded(1)), NOTHING);
    assert_eq!(payment.status(), Status::PartiallyRefunded);
    ask(&mut payment, refund(2, 70)).expect("granted");
    assert_eq!(ask(&mut payment, refunded(2)), Ok(vec![event(2, 70, 100)]));
    assert_eq!(payment.status(), Status::Refunded);
}

#[test]
fn a_refund_that_fails_even_later_may_be_refunded_again() {
    for before in [vec![], vec![refunded(1)]] {
        let mut payment = given([request(), held(100), capture(1, 100), captured(1, 100), refund(1, 30)]);
        for answer in before {
            ask(&mut payment, answer).expect("granted");
        }
        let failed = Event::RefundFailed {
            order_id: order_id(),
            refund_id: refund_id(1),
            amount: gbp(30),
            code: "no".to_owned(),
        };
        assert_eq!(ask(&mut payment, refund_failed(1)), Ok(vec![failed]));
        assert_eq!(ask(&mut payment, refund_failed(1)), NOTHING);
        assert_eq!(ask(&mut payment, refunded(1)), NOTHING);
        assert_eq!(payment.refundable(), gbp(100));
        assert_eq!(payment.status(), Status::Captured);
    }
}

#[test]
fn an_answer_is_kept_whatever_text_it_brings() {
    let mut payment = given([request()]);
    let noise = format!("a\0b{}", "x".repeat(9_999));
    ask(&mut payment, Command::RecordDeclined { code: noise }).expect("granted");
    let Authorisation::Declined { code } = payment.authorisation() else { panic!("{payment:?}") };
    assert!(code.starts_with("abx") && code.len() == MAX_GATEWAY_TEXT);
    let mut payment = given([request()]);
    let answer = Command::RecordAuthorised { amount: gbp(100), gateway_reference: "a\nb".to_owned() };
    ask(&mut payment, answer.clone()).expect("granted");
    assert_eq!(ask(&mut payment, answer), NOTHING);
}

#[test]
fn what_is_stored_is_what_was_agreed() {
    for (name, event) in sample::checked(Event::TYPES, samples()) {
        insta::assert_json_snapshot!(name, event);
    }
}

#[test]
fn statuses_are_stored_by_these_names() {
    let all = [
        Status::Pending,
        Status::ActionRequired,
        Status::Authorised,
        Status::PartiallyCaptured,
        Status::Captured,
        Status::PartiallyRefunded,
        Status::Refunded,
        Status::VoidPending,
        Status::Voided,
        Status::Declined,
        Status::Expired,
        Status::Conflict,
    ];
    let names: Vec<_> = all.iter().map(|status| serde_json::to_string(status).expect("json")).collect();
    insta::assert_snapshot!(names.join(" "), @r#""pending" "action_required" "authorised" "partially_captured" "captured" "partially_refunded" "refunded" "void_pending" "voided" "declined" "expired" "conflict""#);
}

fn any_command() -> impl Strategy<Value = Command> {
    let amount = || prop_oneof![3 => 0..60_i64, 1 => -5..200_i64];
    let any_held = prop_oneof![4 => Just(100_i64), 1 => 90..110_i64];
    prop_oneof![
        4 => any_held.prop_map(held),
        1 => Just(action("https://bank.example")),
        1 => Just(declined()),
        1 => (800..1_000_i64).prop_map(expire),
        6 => (0..4_u16, amount()).prop_map(|(number, amount)| capture(number, amount)),
        3 => (0..4_u16, amount()).prop_map(|(number, due)| capture_due(number, due)),
        6 => (0..4_u16, amount()).prop_map(|(number, amount)| captured(number, amount)),
        2 => (0..4_u16).prop_map(capture_failed),
        1 => (0..3_u16).prop_map(cancel),
        1 => Just(voided()),
        1 => Just(void_failed()),
        1 => Just(second(100)),
        1 => Just(Command::VoidExtras),
        4 => (3..7_u16, amount()).prop_map(|(number, amount)| refund(number, amount)),
        3 => (0..7_u16).prop_map(refunded),
        2 => (0..7_u16).prop_map(refund_failed),
        1 => (0..4_u16).prop_map(|number| Command::RecordRefunded { refund_id: late(number) }),
        1 => (0..4_u16).prop_map(|number| Command::RecordRefundFailed {
            refund_id: late(number),
            code: "no".to_owned(),
        }),
    ]
}

/// The answer that a gateway gives to a capture is the amount it was asked for, unless it is wrong.
fn rightly(command: Command, payment: &Payment, honest: bool) -> Command {
    let Command::RecordCaptured { capture_id, .. } = command else { return command };
    match payment.captures().iter().find(|one| one.capture_id == capture_id) {
        Some(asked) if honest => Command::RecordCaptured { capture_id, amount: asked.amount },
        Some(_) | None => command,
    }
}

fn total(amounts: impl Iterator<Item = (Money, Progress)>) -> i64 {
    amounts.filter(|(_, progress)| *progress != Progress::Failed).map(|(amount, _)| amount.minor()).sum()
}

fn check_invariants(payment: &Payment) -> Result<(), TestCaseError> {
    let captures = total(payment.captures().iter().map(|one| (one.amount, one.progress)));
    let voids = total(payment.voids().iter().map(|one| (one.amount, one.progress)));
    let refunds = total(payment.refunds().iter().map(|one| (one.amount, one.progress)));
    prop_assert!(captures + voids <= payment.authorised().minor());
    prop_assert!(refunds <= payment.captured().minor());
    prop_assert!(payment.refunded().minor() <= payment.captured().minor());
    prop_assert_eq!(payment.capturable().minor(), payment.authorised().minor() - captures - voids);
    prop_assert_eq!(payment.refundable().minor(), payment.captured().minor() - refunds);
    Ok(())
}

/// The order's books say of the payment what it says of itself.
fn check_books(payment: &Payment, happened: &[Event]) -> Result<(), TestCaseError> {
    let events: Vec<_> = happened.iter().cloned().map(DomainEvent::Payment).collect();
    let ledger = Ledger::of((1..).zip(&events)).expect("sums that fit");
    prop_assert!(ledger.is_balanced().expect("sums that fit"));
    let balance = |account: Account| {
        let found = ledger.balances().find(|balance| balance.account == account);
        found.map_or(0, |balance| balance.amount.minor())
    };
    let done =
        |(amount, progress): (Money, Progress)| if progress == Progress::Done { amount.minor() } else { 0 };
    let captures: i64 = payment.captures().iter().map(|one| done((one.amount, one.progress))).sum();
    let voids: i64 = payment.voids().iter().map(|one| done((one.amount, one.progress))).sum();
    let extras = payment.extras().iter().filter(|one| one.progress != Progress::Done);
    let extras: i64 = extras.map(|one| one.amount.minor()).sum();
    prop_assert_eq!(balance(Account::Held), payment.authorised().minor() - captures - voids + extras);
    prop_assert_eq!(balance(Account::Gateway), payment.captured().minor() - payment.refunded().minor());
    Ok(())
}

proptest! {
    #[test]
    fn money_adds_up_whatever_is_asked_and_answered(
        steps in prop::collection::vec((any_command(), prop::bool::weighted(0.9)), 1..80),
    ) {
        let (mut payment, mut replayed) = (given([request()]), given([request()]));
        let mut happened = Payment::default().decide(request()).expect("granted");
        for (command, honest) in steps {
            let command = rightly(command, &payment, honest);
            let Ok(events) = ask(&mut payment, command.clone()) else { continue };
            check_invariants(&payment)?;
            happened.extend(events.iter().cloned());
            check_books(&payment, &happened)?;
            // Whatever was granted is harmless when it is told again, except that a void has no id.
            if !matches!(command, Command::RecordVoided { .. } | Command::RecordVoidFailed { .. }) {
                prop_assert_eq!(payment.decide(command), Ok(vec![]));
            }
            for event in events {
                replayed.evolve(event);
            }
        }
        prop_assert_eq!(&replayed, &payment);
        let snapshot = serde_json::to_string(&payment).expect("json");
        prop_assert_eq!(&serde_json::from_str::<Payment>(&snapshot).expect("state"), &payment);
    }

    #[test]
    fn a_cancelled_payment_ends_with_nothing_kept(
        steps in prop::collection::vec((any_command(), Just(true)), 0..40),
        won in any::<u8>(),
    ) {
        let mut payment = given([request()]);
        for (command, honest) in steps {
            let command = rightly(command, &payment, honest);
            drop(ask(&mut payment, command));
        }
        ask(&mut payment, cancel(50)).expect("a cancel is never refused");
        // The gateway answers everything that is open, each capture one way or the other.
        drop(ask(&mut payment, held(100)));
        for (number, one) in payment.captures().to_vec().into_iter().enumerate() {
            let capture_id = one.capture_id;
            let answer = if won & (1 << number) == 0 {
                Command::RecordCaptureFailed { capture_id, code: "no".to_owned() }
            } else {
                Command::RecordCaptured { capture_id, amount: one.amount }
            };
            ask(&mut payment, answer).expect("an answer is never refused");
        }
        // A refund or void that failed is for staff, who cancel again.
        ask(&mut payment, cancel(51)).expect("a cancel is never refused");
        for _ in payment.voids().to_vec() {
            // Whichever of the two names came first is that of the payment's own hold.
            let Authorisation::Held { gateway_reference, .. } = payment.authorisation().clone() else { break };
            ask(&mut payment, Command::RecordVoided { gateway_reference }).expect("an answer is never refused");
        }
        for one in payment.refunds().to_vec() {
            ask(&mut payment, Command::RecordRefunded { refund_id: one.refund_id }).expect("granted");
        }
        check_invariants(&payment)?;
        prop_assert_eq!(payment.refunded(), payment.captured());
        prop_assert_eq!(payment.capturable().minor(), 0);
    }

    #[test]
    fn waiting_never_ends_early(seconds in 0..2_000_i64, amount in 0..i64::MAX) {
        let deadline = sample::moment(0) + Duration::seconds(seconds);
        let mut payment = given([Command::RequestAuthorisation {
            payment_id: PaymentId::default(),
            order_id: order_id(),
            amount: gbp(amount),
            payment_token: "card".to_owned(),
            deadline,
        }]);
        let ended = ask(&mut payment, expire(1_000)).expect("granted");
        prop_assert_eq!(!ended.is_empty(), seconds <= 1_000);
    }
}
