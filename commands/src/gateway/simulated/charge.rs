//! A charge in the simulated gateway's books, and what can be done with it. Pure: no I/O, no clock.

use daybook_domain::{Currency, Money, OrderId, PaymentId};
use uuid::Uuid;

use super::card::TestCard;
use crate::gateway::{
    AuthoriseAnswer, AuthoriseRequest, CaptureAnswer, CaptureRequest, GatewayError, GatewayOutcome,
    RefundAnswer, RefundRequest, VoidAnswer, VoidRequest,
};

/// Where a charge stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChargeStatus {
    /// The amount was held; what was captured, voided and refunded of it says how it is now.
    Authorised,
    /// Nothing is held, nor will be.
    Declined,
    /// The shopper must take a second step.
    ActionRequired,
}

/// What a shopper made of the second step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ActionResult {
    /// Confirmed the payment.
    Confirmed,
    /// Failed or gave up.
    Failed,
}

/// What the simulated gateway holds, took and gave back for one payment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Charge {
    /// The gateway's name for it.
    pub reference: String,
    /// The payment.
    pub payment_id: PaymentId,
    /// The order that is paid.
    pub order_id: OrderId,
    /// Where it stands.
    pub status: ChargeStatus,
    /// What is held, or would be after the second step.
    pub amount: Money,
    /// What was taken of it, in minor units.
    pub captured: i64,
    /// What was let go of it.
    pub voided: i64,
    /// What was paid back of what was taken.
    pub refunded: i64,
    pub(super) failed_refunds: i64,
    pub(super) card: String,
    pub(super) correlation_id: Uuid,
    pub(super) traceparent: Option<String>,
}

impl ChargeStatus {
    /// Its name in the books.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Authorised => "authorised",
            Self::Declined => "declined",
            Self::ActionRequired => "action_required",
        }
    }

    pub(super) fn of(text: &str) -> Option<Self> {
        [Self::Authorised, Self::Declined, Self::ActionRequired]
            .into_iter()
            .find(|status| status.as_str() == text)
    }
}

/// What came of a request: the answer, and the same as a notice tells it.
type Done<A> = (A, GatewayOutcome);

impl Charge {
    /// The charge that a request makes, for a card of this kind.
    pub(super) fn open(request: &AuthoriseRequest) -> Self {
        let card = TestCard::of(&request.payment_token);
        let status = if card == TestCard::Decline {
            ChargeStatus::Declined
        } else if card == TestCard::Action {
            ChargeStatus::ActionRequired
        } else {
            ChargeStatus::Authorised
        };
        let amount = if card == TestCard::WrongAmount {
            one_less(request.amount)
        } else if card == TestCard::WrongCurrency {
            another_currency(request.amount)
        } else {
            request.amount
        };
        Self {
            reference: format!("sim_{}", request.payment_id.uuid().simple()),
            payment_id: request.payment_id,
            order_id: request.order_id,
            status,
            amount,
            captured: 0,
            voided: 0,
            refunded: 0,
            failed_refunds: 0,
            card: request.payment_token.clone(),
            correlation_id: request.correlation_id,
            traceparent: request.traceparent.clone(),
        }
    }

    /// The card that is charged.
    pub(super) fn test_card(&self) -> TestCard {
        TestCard::of(&self.card)
    }

    /// How the charge answers the request that made it; `actions` is where second steps are taken.
    pub(super) fn opened(&self, actions: &str) -> (AuthoriseAnswer, Option<GatewayOutcome>) {
        match self.status {
            ChargeStatus::ActionRequired => {
                (AuthoriseAnswer::ActionRequired { url: format!("{actions}/{}", self.reference) }, None)
            }
            ChargeStatus::Declined => {
                let code = "insufficient_funds".to_owned();
                (AuthoriseAnswer::Declined { code: code.clone() }, Some(GatewayOutcome::Declined { code }))
            }
            ChargeStatus::Authorised => {
                let (amount, gateway_reference) = (self.amount, self.reference.clone());
                let answer =
                    AuthoriseAnswer::Authorised { amount, gateway_reference: gateway_reference.clone() };
                (answer, Some(GatewayOutcome::Authorised { amount, gateway_reference }))
            }
        }
    }

    /// Ends the second step; nothing when there is none to end.
    pub(super) fn complete(&mut self, result: ActionResult) -> Option<GatewayOutcome> {
        if self.status != ChargeStatus::ActionRequired {
            return None;
        }
        match result {
            ActionResult::Confirmed => {
                self.status = ChargeStatus::Authorised;
                let gateway_reference = self.reference.clone();
                Some(GatewayOutcome::Authorised { amount: self.amount, gateway_reference })
            }
            ActionResult::Failed => {
                self.status = ChargeStatus::Declined;
                Some(GatewayOutcome::Declined { code: "authentication_failed".to_owned() })
            }
        }
    }

    /// Takes a part of what is held.
    pub(super) fn capture(&mut self, request: &CaptureRequest) -> Result<Done<CaptureAnswer>, GatewayError> {
        let (capture_id, amount) = (request.capture_id, request.amount);
        self.takes(amount)?;
        let failure = if self.test_card() == TestCard::CaptureDeclined {
            Some("capture_declined")
        } else if self.status != ChargeStatus::Authorised {
            Some("charge_not_authorised")
        } else if amount.minor() > self.held() {
            Some("amount_exceeds_held")
        } else {
            None
        };
        if let Some(code) = failure.map(str::to_owned) {
            let answer = CaptureAnswer::Failed { code: code.clone() };
            return Ok((answer, GatewayOutcome::CaptureFailed { capture_id, code }));
        }
        self.captured += amount.minor();
        Ok((CaptureAnswer::Captured { amount }, GatewayOutcome::Captured { capture_id, amount }))
    }

    /// Lets go of what is held.
    pub(super) fn void(&mut self, request: &VoidRequest) -> Done<VoidAnswer> {
        if self.test_card() == TestCard::VoidFails && request.refused == 0 {
            let code = "void_refused".to_owned();
            let answer = VoidAnswer::Failed { code: code.clone() };
            return (answer, GatewayOutcome::VoidFailed { gateway_reference: self.reference.clone(), code });
        }
        match self.status {
            ChargeStatus::Authorised => self.voided += self.held(),
            ChargeStatus::ActionRequired => self.status = ChargeStatus::Declined,
            ChargeStatus::Declined => {}
        }
        (VoidAnswer::Voided, GatewayOutcome::Voided { gateway_reference: self.reference.clone() })
    }

    /// Pays back a part of what was taken.
    pub(super) fn refund(&mut self, request: &RefundRequest) -> Result<Done<RefundAnswer>, GatewayError> {
        let refund_id = request.refund_id;
        self.takes(request.amount)?;
        let fails = matches!(self.test_card(), TestCard::RefundFails | TestCard::RefundFailsLate);
        let failure = if request.amount.minor() > self.captured - self.refunded {
            Some("amount_exceeds_captured")
        } else if fails && self.failed_refunds == 0 {
            Some("refund_refused")
        } else {
            None
        };
        if let Some(code) = failure.map(str::to_owned) {
            self.failed_refunds += 1;
            let answer = RefundAnswer::Failed { code: code.clone() };
            return Ok((answer, GatewayOutcome::RefundFailed { refund_id, code }));
        }
        self.refunded += request.amount.minor();
        Ok((RefundAnswer::Refunded, GatewayOutcome::Refunded { refund_id }))
    }

    /// What can still be taken, in minor units.
    fn held(&self) -> i64 {
        self.amount.minor() - self.captured - self.voided
    }

    /// Whether an amount is one that this charge can move at all.
    fn takes(&self, amount: Money) -> Result<(), GatewayError> {
        let code = if amount.currency() != self.amount.currency() {
            "currency_mismatch"
        } else if amount.is_negative() || amount.is_zero() {
            "invalid_amount"
        } else {
            return Ok(());
        };
        Err(GatewayError::Rejected { code: code.to_owned() })
    }
}

fn one_less(amount: Money) -> Money {
    Money::new(amount.minor().saturating_sub(1), amount.currency())
}

fn another_currency(amount: Money) -> Money {
    let other = if amount.currency() == Currency::EUR { Currency::USD } else { Currency::EUR };
    Money::new(amount.minor(), other)
}

#[cfg(test)]
mod tests {
    use daybook_domain::RefundId;

    use super::*;

    fn gbp(minor: i64) -> Money {
        Money::new(minor, Currency::GBP)
    }

    fn charge(card: &str) -> Charge {
        Charge::open(&AuthoriseRequest {
            payment_id: PaymentId::new(Uuid::from_u128(1)),
            order_id: OrderId::new(Uuid::from_u128(2)),
            amount: gbp(1_000),
            payment_token: card.to_owned(),
            correlation_id: Uuid::from_u128(3),
            traceparent: None,
        })
    }

    fn capture(charge: &mut Charge, minor: i64) -> CaptureAnswer {
        let request = CaptureRequest {
            payment_id: charge.payment_id,
            gateway_reference: charge.reference.clone(),
            capture_id: Uuid::from_u128(4),
            amount: gbp(minor),
        };
        charge.capture(&request).expect("a capture that makes sense").0
    }

    fn refund(charge: &mut Charge, minor: i64) -> RefundAnswer {
        let request = RefundRequest {
            payment_id: charge.payment_id,
            gateway_reference: charge.reference.clone(),
            refund_id: RefundId::new(Uuid::from_u128(5)),
            amount: gbp(minor),
        };
        charge.refund(&request).expect("a refund that makes sense").0
    }

    fn failed<A>(code: &str, answer: impl Fn(String) -> A) -> A {
        answer(code.to_owned())
    }

    #[test]
    fn each_card_opens_as_its_name_says() {
        let opened = |card| charge(card).opened("http://shop/actions").0;
        let held = |amount| AuthoriseAnswer::Authorised {
            amount,
            gateway_reference: "sim_00000000000000000000000000000001".to_owned(),
        };
        let declined = AuthoriseAnswer::Declined { code: "insufficient_funds".to_owned() };
        assert_eq!(opened("card_approve"), held(gbp(1_000)));
        assert_eq!(opened("card_wrong_amount"), held(gbp(999)));
        assert_eq!(opened("card_wrong_currency"), held(Money::new(1_000, Currency::EUR)));
        assert_eq!(opened("card_decline"), declined);
        assert_eq!(opened("card_nobody_knows"), declined);
        let url = "http://shop/actions/sim_00000000000000000000000000000001".to_owned();
        assert_eq!(opened("card_action"), AuthoriseAnswer::ActionRequired { url });
    }

    #[test]
    fn no_more_is_captured_than_is_held() {
        let mut charge = charge("card_approve");
        assert_eq!(capture(&mut charge, 600), CaptureAnswer::Captured { amount: gbp(600) });
        let too_much = failed("amount_exceeds_held", |code| CaptureAnswer::Failed { code });
        assert_eq!(capture(&mut charge, 401), too_much);
        assert_eq!(capture(&mut charge, 400), CaptureAnswer::Captured { amount: gbp(400) });
        assert_eq!(capture(&mut charge, 1), too_much);
        assert_eq!(charge.captured, 1_000);
    }

    fn void(charge: &mut Charge, refused: usize) -> VoidAnswer {
        let (payment_id, gateway_reference) = (charge.payment_id, charge.reference.clone());
        charge.void(&VoidRequest { payment_id, gateway_reference, refused }).0
    }

    #[test]
    fn a_void_that_was_refused_can_be_made_again() {
        let mut charge = charge("card_void_fails");
        assert_eq!(void(&mut charge, 0), failed("void_refused", |code| VoidAnswer::Failed { code }));
        assert_eq!(charge.voided, 0);
        assert_eq!(void(&mut charge, 1), VoidAnswer::Voided);
        assert_eq!(charge.voided, 1_000);
    }

    #[test]
    fn what_was_voided_cannot_be_captured() {
        let mut charge = charge("card_approve");
        capture(&mut charge, 600);
        assert_eq!(void(&mut charge, 0), VoidAnswer::Voided);
        assert_eq!(charge.voided, 400);
        assert_eq!(
            capture(&mut charge, 1),
            failed("amount_exceeds_held", |code| CaptureAnswer::Failed { code })
        );
    }

    #[test]
    fn no_more_is_refunded_than_was_captured() {
        let mut charge = charge("card_approve");
        capture(&mut charge, 600);
        assert_eq!(refund(&mut charge, 500), RefundAnswer::Refunded);
        assert_eq!(
            refund(&mut charge, 101),
            failed("amount_exceeds_captured", |code| RefundAnswer::Failed { code })
        );
        assert_eq!(refund(&mut charge, 100), RefundAnswer::Refunded);
    }

    #[test]
    fn a_refund_that_failed_can_be_made_again() {
        let mut charge = charge("card_refund_fails");
        capture(&mut charge, 600);
        assert_eq!(refund(&mut charge, 600), failed("refund_refused", |code| RefundAnswer::Failed { code }));
        assert_eq!(refund(&mut charge, 600), RefundAnswer::Refunded);
    }

    #[test]
    fn a_second_step_ends_once() {
        let mut charge = charge("card_action");
        assert_eq!(
            capture(&mut charge, 1),
            failed("charge_not_authorised", |code| CaptureAnswer::Failed { code })
        );
        assert!(matches!(charge.complete(ActionResult::Confirmed), Some(GatewayOutcome::Authorised { .. })));
        assert_eq!(charge.complete(ActionResult::Failed), None);
        assert_eq!(charge.status, ChargeStatus::Authorised);
    }

    #[test]
    fn a_second_step_that_failed_holds_nothing() {
        let mut charge = charge("card_action");
        let code = "authentication_failed".to_owned();
        assert_eq!(charge.complete(ActionResult::Failed), Some(GatewayOutcome::Declined { code }));
        assert_eq!(charge.complete(ActionResult::Confirmed), None);
    }

    #[test]
    fn amounts_that_make_no_sense_are_rejected() {
        let mut charge = charge("card_approve");
        for amount in [gbp(0), gbp(-1), Money::new(1, Currency::EUR)] {
            let request = CaptureRequest {
                payment_id: charge.payment_id,
                gateway_reference: charge.reference.clone(),
                capture_id: Uuid::from_u128(4),
                amount,
            };
            assert!(charge.capture(&request).is_err_and(|error| error.rejection().is_some()));
        }
    }
}
