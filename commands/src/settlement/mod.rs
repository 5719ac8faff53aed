//! The settlement process: asks the gateway for what payments have requested, and records what it answers. What is
//! still unanswered is read from the payment itself, so a crash between the call and the answer, a time-out and a
//! second worker all come to the same: the same call again, with the same key.

mod again;

use std::sync::Arc;

use async_trait::async_trait;
use cqrs_es::Aggregate;
use daybook_domain::catalogue::DomainEvent;
use daybook_domain::payment::{
    Authorisation, Payment, PaymentCommand, PaymentEvent, PaymentRequest, Progress as Movement,
};
use daybook_eventstore::RecordedEvent;
use futures::future::try_join_all;
use uuid::Uuid;

use crate::gateway::{
    AuthoriseRequest, CaptureRequest, GatewayError, PaymentGateway, RefundRequest, VoidRequest,
};
use crate::process::{Process, ProcessError, Progress, Reaction, tell};
use crate::shop::Shop;
use crate::timers::Timers;
use again::{AGAIN_LATER, Refused};

/// The settlement process.
#[derive(Clone)]
pub struct Settlement {
    shop: Shop,
    timers: Timers,
    gateway: Arc<dyn PaymentGateway>,
}

/// Something that a payment requested and the gateway has not answered.
#[derive(Debug)]
enum Outstanding {
    Authorise(AuthoriseRequest),
    Capture(CaptureRequest),
    Void(VoidRequest),
    Refund(RefundRequest),
}

impl Settlement {
    /// Its name.
    pub const NAME: &'static str = "settlement";

    /// The settlement of this shop with this gateway, which is to answer within a bound.
    pub fn new(shop: Shop, timers: Timers, gateway: Arc<dyn PaymentGateway>) -> Self {
        Self { shop, timers, gateway }
    }

    async fn settle(&self, reaction: &Reaction) -> Result<Progress, ProcessError> {
        let payment = self.shop.payments.recall(&reaction.aggregate_id).await?.state;
        let Some(request) = payment.request() else { return Ok(Progress::Done) };
        let asked = outstanding(&payment, request, reaction);
        let answers = try_join_all(asked.into_iter().map(|one| self.ask_gateway(one, reaction))).await?;
        let waiting = answers.contains(&Progress::Waiting);
        Ok(if waiting { Progress::Waiting } else { Progress::Done })
    }

    /// Makes one call and records its answer; waits when there is none yet.
    async fn ask_gateway(&self, one: Outstanding, reaction: &Reaction) -> Result<Progress, ProcessError> {
        let step = format!("record {}", one.key());
        let command = match self.call(one).await {
            Ok(command) => command,
            Err(error) => {
                tracing::warn!(payment = reaction.aggregate_id, correlation_id = %reaction.correlation_id(),
                    error = &error as &dyn std::error::Error, "the gateway's answer is unknown; asking again");
                None
            }
        };
        let Some(command) = command else { return Ok(Progress::Waiting) };
        let context = reaction.context(&step, self.shop.clock.now());
        tell(&self.shop.payments, &reaction.aggregate_id, command, &context, |_| false).await?;
        Ok(Progress::Done)
    }

    async fn call(&self, one: Outstanding) -> Result<Option<PaymentCommand>, GatewayError> {
        match one {
            Outstanding::Authorise(request) => answered(
                self.gateway.authorise(request).await.map(crate::gateway::AuthoriseAnswer::command),
                |code| PaymentCommand::RecordDeclined { code },
            ),
            Outstanding::Capture(request) => {
                let capture_id = request.capture_id;
                answered(
                    self.gateway.capture(request).await.map(|answer| answer.command(capture_id)),
                    |code| PaymentCommand::RecordCaptureFailed { capture_id, code },
                )
            }
            Outstanding::Void(request) => {
                let (answered_of, refused_of) =
                    (request.gateway_reference.clone(), request.gateway_reference.clone());
                answered(self.gateway.void(request).await.map(|answer| answer.command(answered_of)), |code| {
                    PaymentCommand::RecordVoidFailed { gateway_reference: refused_of, code }
                })
            }
            Outstanding::Refund(request) => {
                let refund_id = request.refund_id;
                answered(self.gateway.refund(request).await.map(|answer| answer.command(refund_id)), |code| {
                    PaymentCommand::RecordRefundFailed { refund_id, code }
                })
            }
        }
    }
}

/// A rejected call is a refusal like any other; only an unknown outcome stays an error.
fn answered(
    answer: Result<Option<PaymentCommand>, GatewayError>,
    refused: impl FnOnce(String) -> PaymentCommand,
) -> Result<Option<PaymentCommand>, GatewayError> {
    match answer {
        Err(GatewayError::Rejected { code }) => Ok(Some(refused(code))),
        other => other,
    }
}

impl Outstanding {
    fn key(&self) -> String {
        match self {
            Self::Authorise(request) => format!("authorise {}", request.key()),
            Self::Capture(request) => format!("capture {}", request.key()),
            Self::Void(request) => format!("void {}", request.key()),
            Self::Refund(request) => format!("refund {}", request.key()),
        }
    }
}

fn outstanding(payment: &Payment, request: &PaymentRequest, reaction: &Reaction) -> Vec<Outstanding> {
    let payment_id = request.payment_id;
    let reference = match payment.authorisation() {
        // Giving up waiting is no answer: what the gateway holds by then is known only by asking on, and goes back by
        // the payment's own decision. Nobody asks once there was one, since its reaction has come to its end.
        Authorisation::Pending | Authorisation::Expired => {
            return vec![Outstanding::Authorise(AuthoriseRequest {
                payment_id,
                order_id: request.order_id,
                amount: request.amount,
                payment_token: request.payment_token.clone(),
                correlation_id: reaction.correlation_id(),
                traceparent: reaction.traceparent().map(str::to_owned),
            })];
        }
        Authorisation::Held { gateway_reference, .. } => gateway_reference.clone(),
        Authorisation::ActionRequired { .. } | Authorisation::Declined { .. } => return Vec::new(),
    };
    let captures = payment.captures().iter().filter(|one| one.progress == Movement::Pending).map(|one| {
        let (capture_id, amount, gateway_reference) = (one.capture_id, one.amount, reference.clone());
        Outstanding::Capture(CaptureRequest { payment_id, gateway_reference, capture_id, amount })
    });
    let refused = payment.voids().iter().filter(|one| one.progress == Movement::Failed).count();
    let voids = payment.voids().iter().filter(|one| one.progress == Movement::Pending).map(|_| {
        Outstanding::Void(VoidRequest { payment_id, gateway_reference: reference.clone(), refused })
    });
    let refunds = payment.refunds().iter().filter(|one| one.progress == Movement::Pending).map(|one| {
        let (refund_id, amount, gateway_reference) = (one.refund_id, one.amount, reference.clone());
        Outstanding::Refund(RefundRequest { payment_id, gateway_reference, refund_id, amount })
    });
    let extras = payment.extras().iter().filter(|one| one.progress == Movement::Pending).map(|one| {
        let (gateway_reference, refused) = (one.gateway_reference.clone(), one.refused);
        Outstanding::Void(VoidRequest { payment_id, gateway_reference, refused })
    });
    captures.chain(voids).chain(refunds).chain(extras).collect()
}

/// Whether only a person can help with what the event says. Asking again gets nobody anything: somebody is told, and the
/// payment goes on saying it.
fn is_for_people(reaction: &Reaction) -> bool {
    let DomainEvent::Payment(event) = &reaction.event else { return false };
    matches!(event, PaymentEvent::CaptureFellShort { .. } | PaymentEvent::Conflicted { .. })
}

fn tell_people(reaction: &Reaction) {
    let (payment, correlation_id) = (&reaction.aggregate_id, reaction.correlation_id());
    if let DomainEvent::Payment(PaymentEvent::CaptureFellShort { shortfall, .. }) = &reaction.event {
        metrics::counter!("daybook_payment_shortfalls_total").increment(1);
        tracing::error!(payment, %correlation_id, %shortfall, currency = shortfall.currency().code(),
            "less is held than is due; somebody must see to the rest");
    } else if let DomainEvent::Payment(PaymentEvent::Conflicted { asked, got, .. }) = &reaction.event {
        metrics::counter!("daybook_payment_conflicts_total").increment(1);
        tracing::error!(payment, %correlation_id, %asked, asked_in = asked.currency().code(), %got,
            got_in = got.currency().code(), "what is charged is not what was asked; somebody must see to it");
    }
}

#[async_trait]
impl Process for Settlement {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn hear(&self, event: &RecordedEvent) {
        self.shop.hear(event);
    }

    fn follows(&self, aggregate_type: &str) -> bool {
        aggregate_type == Payment::TYPE
    }

    fn key(&self, reaction: &Reaction) -> Option<Uuid> {
        let asked = matches!(
            &reaction.event,
            DomainEvent::Payment(
                PaymentEvent::AuthorisationRequested { .. }
                    | PaymentEvent::CaptureRequested { .. }
                    | PaymentEvent::VoidRequested { .. }
                    | PaymentEvent::RefundRequested { .. }
                    | PaymentEvent::ExtraVoidRequested { .. }
            )
        );
        let concerns = asked || Refused::by(reaction).is_some() || is_for_people(reaction);
        concerns.then(|| reaction.aggregate_id.parse().ok()).flatten()
    }

    async fn react(&self, reaction: &Reaction) -> Result<Progress, ProcessError> {
        if is_for_people(reaction) {
            tell_people(reaction);
            return Ok(Progress::Done);
        }
        match Refused::by(reaction) {
            Some((refused, _)) => self.note_refused(refused, reaction).await.map(|()| Progress::Done),
            None => self.settle(reaction).await,
        }
    }

    async fn due(&self, what: &str, reaction: &Reaction) -> Result<Progress, ProcessError> {
        match (what, Refused::by(reaction)) {
            (AGAIN_LATER, Some(refused)) => self.ask_again(refused, reaction).await.map(|()| Progress::Done),
            (_, Some(_) | None) => Err(ProcessError::Unknown(what.to_owned())),
        }
    }
}
