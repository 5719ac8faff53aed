//! The shop's processes run by hand: an event at a time, by a clock and with a gateway that the test moves. For what a
//! worker reaches only by bad luck.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use chrono::TimeDelta;
use daybook_commands::Shop;
use daybook_commands::checkout::{Checkout, CheckoutPolicy};
use daybook_commands::gateway::{
    AuthoriseAnswer, AuthoriseRequest, CaptureAnswer, CaptureRequest, GatewayError, PaymentGateway,
    RefundAnswer, RefundRequest, VoidAnswer, VoidRequest,
};
use daybook_commands::process::{Process, ProcessError, Progress, Reaction, fire};
use daybook_commands::settlement::Settlement;
use daybook_commands::timers::{Timer, Timers};
use daybook_eventstore::LogReader;

use super::TestClock;
use super::shop::TestShop;

/// A gateway that does as it is told to, and remembers what it was asked for.
#[derive(Debug, Default)]
pub(crate) struct ToldGateway {
    mood: Mutex<Mood>,
    asked: Mutex<Vec<String>>,
}

/// What a gateway makes of its calls.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Mood {
    /// It does them.
    #[default]
    Willing,
    /// It refuses them, except to hold money.
    Refusing,
    /// Its answers are lost.
    Silent,
}

/// The processes of a shop.
pub(crate) struct Steps {
    pub(crate) shop: Shop,
    pub(crate) gateway: Arc<ToldGateway>,
    pub(crate) clock: Arc<TestClock>,
    processes: Vec<Arc<dyn Process>>,
    timers: Timers,
    reader: LogReader,
    done: i64,
}

impl ToldGateway {
    pub(crate) fn is(&self, mood: Mood) {
        *self.mood.lock().expect("not poisoned") = mood;
    }

    /// The keys it was asked with, in order.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().expect("not poisoned").clone()
    }

    fn hear(&self, key: String) -> Result<bool, GatewayError> {
        self.asked.lock().expect("not poisoned").push(key);
        match *self.mood.lock().expect("not poisoned") {
            Mood::Willing => Ok(true),
            Mood::Refusing => Ok(false),
            Mood::Silent => Err(GatewayError::TimedOut),
        }
    }
}

#[async_trait]
impl PaymentGateway for ToldGateway {
    async fn authorise(&self, request: AuthoriseRequest) -> Result<AuthoriseAnswer, GatewayError> {
        self.hear(format!("authorise:{}", request.key()))?;
        let gateway_reference = format!("told_{}", request.payment_id);
        Ok(AuthoriseAnswer::Authorised { amount: request.amount, gateway_reference })
    }

    async fn capture(&self, request: CaptureRequest) -> Result<CaptureAnswer, GatewayError> {
        let willing = self.hear(format!("capture:{}", request.key()))?;
        let (amount, code) = (request.amount, "no".to_owned());
        Ok(if willing { CaptureAnswer::Captured { amount } } else { CaptureAnswer::Failed { code } })
    }

    async fn void(&self, request: VoidRequest) -> Result<VoidAnswer, GatewayError> {
        let willing = self.hear(request.key())?;
        Ok(if willing { VoidAnswer::Voided } else { VoidAnswer::Failed { code: "no".to_owned() } })
    }

    async fn refund(&self, request: RefundRequest) -> Result<RefundAnswer, GatewayError> {
        let willing = self.hear(format!("refund:{}", request.key()))?;
        Ok(if willing { RefundAnswer::Refunded } else { RefundAnswer::Failed { code: "no".to_owned() } })
    }
}

impl Steps {
    /// The processes of this shop, which have reacted to nothing yet.
    pub(crate) fn of(shop: &TestShop) -> Self {
        Self::with(shop, shop.shop.clone())
    }

    /// The same in a worker with a memory of its own, which hears of nothing.
    pub(crate) fn remembering(shop: &TestShop) -> Self {
        Self::with(shop, shop.shop.hearing())
    }

    /// The same processes started anew, as another worker would that finds this checkpoint.
    pub(crate) fn anew(&self, test: &TestShop, from: i64) -> Self {
        let begun = Self::on(test, test.elsewhere(), self.gateway.clone(), self.clock.clone());
        Self { done: from, ..begun }
    }

    fn with(test: &TestShop, shop: Shop) -> Self {
        Self::on(test, shop, Arc::default(), Arc::new(TestClock::new()))
    }

    fn on(test: &TestShop, shop: Shop, gateway: Arc<ToldGateway>, clock: Arc<TestClock>) -> Self {
        let pool = test.events.pool.clone();
        let shop = Shop { clock: clock.clone(), ..shop };
        let timers = Timers::new(pool.clone(), clock.clone());
        let checkout = Checkout::new(shop.clone(), timers.clone(), CheckoutPolicy::default());
        let settlement = Settlement::new(shop.clone(), timers.clone(), gateway.clone());
        let processes: Vec<Arc<dyn Process>> = vec![Arc::new(checkout), Arc::new(settlement)];
        Self { shop, gateway, clock, processes, timers, reader: LogReader::new(pool), done: 0 }
    }

    /// Reacts to every event there is, and to what comes of that; says what did not come to its end.
    pub(crate) async fn run(&mut self) -> Vec<String> {
        self.run_until("").await
    }

    /// The same up to the next event of a type, to which nobody reacts yet.
    pub(crate) async fn run_until(&mut self, event_type: &str) -> Vec<String> {
        let mut unfinished = Vec::new();
        loop {
            let events = self.reader.read(self.done, 1).await.expect("the log");
            let next = events.first().filter(|event| event.event_type != event_type);
            let Some(event) = next else { return unfinished };
            self.done = event.position;
            unfinished.extend(self.react_to(event.position).await);
        }
    }

    /// The last event that was reacted to.
    pub(crate) const fn done(&self) -> i64 {
        self.done
    }

    /// Reacts to the next event, if there is one that is not after `last`; says what did not come to its end.
    pub(crate) async fn run_on(&mut self, last: i64) -> Option<Vec<String>> {
        let events = self.reader.read(self.done, 1).await.expect("the log");
        let event = events.first().filter(|event| event.position <= last)?;
        self.done = event.position;
        Some(self.react_to(event.position).await)
    }

    /// Reacts to the latest event of a type once more, as after a crash.
    pub(crate) async fn again(&self, event_type: &str) -> Vec<String> {
        let events = self.reader.read(0, 10_000).await.expect("the log");
        let event = events.iter().rev().find(|event| event.event_type == event_type).expect("such an event");
        self.react_to(event.position).await
    }

    /// Lets time pass, fires what is due then, and reacts to what comes of that.
    pub(crate) async fn after(&mut self, by: TimeDelta) -> Vec<String> {
        self.clock.advance(by);
        let handler = |timer| fire(&self.processes, &self.reader, self.shop.store.upcasters(), timer);
        self.timers.fire_due(&handler).await.expect("the timers");
        self.run().await
    }

    /// Fires one timer.
    pub(crate) async fn fire(&self, timer: Timer) -> Result<(), ProcessError> {
        fire(&self.processes, &self.reader, self.shop.store.upcasters(), timer).await
    }

    async fn react_to(&self, position: i64) -> Vec<String> {
        let event = self.reader.find(position).await.expect("the log").expect("an event");
        let mut unfinished = Vec::new();
        for process in &self.processes {
            let reaction = Reaction::to(&event, process.name(), self.shop.store.upcasters())
                .expect("an event that is known");
            let reaction = reaction.expect("nothing is imported");
            if process.key(&reaction).is_none() {
                continue;
            }
            let said = match process.react(&reaction).await {
                Ok(Progress::Done) => continue,
                Ok(Progress::Waiting) => ProcessError::Waiting.to_string(),
                Err(error) => error.to_string(),
            };
            unfinished.push(format!("{}: {said}", event.event_type));
        }
        unfinished
    }
}
