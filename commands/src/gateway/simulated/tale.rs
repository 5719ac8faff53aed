//! How one result is told: by the answer, by webhooks, by both, or by nobody the first time. Pure.

use std::time::Duration;

use chrono::TimeDelta;
use daybook_domain::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use super::books::Told;
use super::card::{Operation, Telling};
use super::charge::Charge;
use crate::gateway::{
    AuthoriseAnswer, CaptureAnswer, GatewayError, GatewayNotice, GatewayOutcome, RefundAnswer, VoidAnswer,
};

/// How long a webhook that is told before its answer is kept back from the delivery.
const FIRST_TRY: TimeDelta = TimeDelta::seconds(2);

/// An answer that can be put off.
pub(super) trait Answer: Serialize + DeserializeOwned + Send {
    /// What says that the result comes as a notice.
    const PENDING: Self;
}

impl Answer for AuthoriseAnswer {
    const PENDING: Self = Self::Pending;
}

impl Answer for CaptureAnswer {
    const PENDING: Self = Self::Pending;
}

impl Answer for VoidAnswer {
    const PENDING: Self = Self::Pending;
}

impl Answer for RefundAnswer {
    const PENDING: Self = Self::Pending;
}

/// How the result of one request is told.
pub(super) struct Tale {
    pub(super) telling: Telling,
    pub(super) notice: Option<GatewayNotice>,
    lost: bool,
}

impl Tale {
    /// How the charge's card has the result of this request told; `key` makes the notice's id.
    pub(super) fn new(
        charge: &Charge,
        operation: Operation,
        key: &str,
        outcome: Option<GatewayOutcome>,
    ) -> Self {
        let card = charge.test_card();
        let notice = outcome.map(|outcome| GatewayNotice {
            event_id: Uuid::new_v5(&charge.payment_id.uuid(), key.as_bytes()),
            payment_id: charge.payment_id,
            correlation_id: charge.correlation_id,
            traceparent: charge.traceparent.clone(),
            outcome,
        });
        Self { telling: card.telling(operation), notice, lost: card.loses_answer(operation) }
    }

    /// What is answered when this would be the answer.
    pub(super) fn answer<A: Answer>(&self, answer: A) -> A {
        match self.telling {
            Telling::NoticesLater(_) => A::PENDING,
            Telling::Answer | Telling::AnswerAndNotices(_) | Telling::NoticeFirst => answer,
        }
    }

    /// The webhooks that are to be written down.
    pub(super) fn told(&self, now: Timestamp, late_by: Duration) -> Option<Told<'_>> {
        let notice = self.notice.as_ref()?;
        let (copies, due_at) = match self.telling {
            Telling::Answer => return None,
            Telling::AnswerAndNotices(copies) => (copies, now),
            Telling::NoticeFirst => (1, now + FIRST_TRY),
            Telling::NoticesLater(copies) => (copies, now + late_by),
        };
        Some(Told { notice, copies, due_at })
    }

    /// The answer, unless it gets lost on its way.
    pub(super) fn unless_lost<A>(&self, answer: A) -> Result<A, GatewayError> {
        if self.lost { Err(GatewayError::TimedOut) } else { Ok(answer) }
    }
}

#[cfg(test)]
mod tests {
    use daybook_domain::{Currency, Money, OrderId, PaymentId};

    use super::*;
    use crate::gateway::AuthoriseRequest;

    fn told(card: &str) -> (AuthoriseAnswer, Option<(i32, i64)>, bool) {
        let request = AuthoriseRequest {
            payment_id: PaymentId::new(Uuid::from_u128(1)),
            order_id: OrderId::new(Uuid::from_u128(2)),
            amount: Money::new(1_000, Currency::GBP),
            payment_token: card.to_owned(),
            correlation_id: Uuid::from_u128(3),
            traceparent: None,
        };
        let charge = Charge::open(&request);
        let (answer, outcome) = charge.opened("http://shop/actions");
        let tale = Tale::new(&charge, Operation::Authorise, &request.key(), outcome);
        let now = Timestamp::from_timestamp(0, 0).expect("a moment");
        let webhooks = tale.told(now, Duration::from_millis(300));
        let webhooks = webhooks.map(|told| (told.copies, told.due_at.timestamp_millis()));
        (tale.answer(answer), webhooks, tale.unless_lost(()).is_err())
    }

    fn authorised() -> AuthoriseAnswer {
        AuthoriseAnswer::Authorised {
            amount: Money::new(1_000, Currency::GBP),
            gateway_reference: "sim_00000000000000000000000000000001".to_owned(),
        }
    }

    #[test]
    fn each_card_tells_its_result_in_its_own_way() {
        assert_eq!(told("card_approve"), (authorised(), None, false));
        assert_eq!(told("card_timeout_once"), (authorised(), None, true));
        assert_eq!(told("card_timeout_capture"), (authorised(), None, false));
        assert_eq!(told("card_twice"), (authorised(), Some((5, 0)), false));
        assert_eq!(told("card_webhook_first"), (authorised(), Some((1, 2_000)), false));
        assert_eq!(told("card_late"), (AuthoriseAnswer::Pending, Some((1, 300)), false));
        assert_eq!(told("card_late_twice"), (AuthoriseAnswer::Pending, Some((5, 300)), false));
    }

    #[test]
    fn a_notice_has_the_same_id_whenever_its_request_is_made_again() {
        let charge = Charge::open(&AuthoriseRequest {
            payment_id: PaymentId::new(Uuid::from_u128(1)),
            order_id: OrderId::new(Uuid::from_u128(2)),
            amount: Money::new(1_000, Currency::GBP),
            payment_token: "card_twice".to_owned(),
            correlation_id: Uuid::from_u128(3),
            traceparent: None,
        });
        let id = |key| {
            let tale = Tale::new(
                &charge,
                Operation::Capture,
                key,
                Some(GatewayOutcome::Voided { gateway_reference: String::new() }),
            );
            tale.notice.map(|notice| notice.event_id)
        };
        assert_eq!(id("a"), id("a"));
        assert_ne!(id("a"), id("b"));
    }
}
