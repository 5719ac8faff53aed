//! The auditors' questions: pages of events by whatever they can be looked for, put to an API over the whole year.

use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::api::{Client, Document, Role, Shop};
use crate::failure::{During, Failure, Result};
use crate::ports::Ports;
use crate::process::Signal;
use crate::progress::Step;

use super::dice::Dice;
use super::load::{self, Measured, Worker};
use super::replay::Bench;

/// How many auditors ask at once, and for how long.
const AUDITORS: usize = 2;
const LASTING: Duration = Duration::from_secs(20);
/// How long the API may take to answer for the first time.
const STARTING: Duration = Duration::from_mins(1);
/// How long it may take to end.
const GRACE: Duration = Duration::from_secs(10);
/// How many of each thing are asked about.
const SAMPLE: usize = 500;

const EVENTS: &str = "query ($filter: AuditEventFilterInput, $newest: Boolean) {
    auditEvents(filter: $filter, newestFirst: $newest, first: 50) {
        pageInfo { hasNextPage endCursor }
        nodes { position type aggregateType aggregateId actor occurredAt causationId correlationId payload }
} }";

/// What there is to ask about.
struct Subjects {
    orders: Vec<String>,
    customers: Vec<String>,
    aggregates: Vec<String>,
    correlations: Vec<String>,
    types: Vec<String>,
    days: Vec<String>,
}

impl Subjects {
    fn of(bench: &Bench) -> Result<Self> {
        let some = |what: &str, of: &str| -> Result<Vec<String>> {
            let query = format!("SELECT {what} FROM {of} GROUP BY 1 ORDER BY md5({what}) LIMIT {SAMPLE}");
            let found = bench.ask("daybook_read", &query)?;
            let found: Vec<String> = found.lines().map(str::to_owned).collect();
            if found.is_empty() { Err(Failure::new(format!("there is no {what}"))) } else { Ok(found) }
        };
        let events = "live.audit_events WHERE position % 499 = 0";
        Ok(Self {
            orders: some("key", "live.orders")?,
            customers: some("customer_id::text", "live.orders WHERE customer_id IS NOT NULL")?,
            aggregates: some("aggregate_id", events)?,
            correlations: some("correlation_id::text", events)?,
            types: some("event_type", events)?,
            days: some("occurred_at::date::text", events)?,
        })
    }

    /// What an auditor looks for next.
    fn filter(&self, dice: &mut Dice) -> Value {
        let mut one = |all: &[String]| dice.one_of(all).cloned().unwrap_or_default();
        let filters = [
            json!({ "orderId": global("Order", &one(&self.orders)) }),
            json!({ "customerId": global("Customer", &one(&self.customers)) }),
            json!({ "aggregateId": one(&self.aggregates) }),
            json!({ "correlationId": one(&self.correlations) }),
            json!({ "type": one(&self.types) }),
            json!({ "actor": "import:online-retail", "type": one(&self.types) }),
            json!({ "aggregateType": "Payment", "occurredFrom": format!("{}T00:00:00Z", one(&self.days)) }),
            on(&one(&self.days), json!({ "type": one(&self.types) })),
            on(&one(&self.days), json!({})),
        ];
        dice.one_of(&filters).cloned().unwrap_or_default()
    }
}

/// The same on one day.
fn on(day: &str, mut filter: Value) -> Value {
    filter["occurredFrom"] = format!("{day}T00:00:00Z").into();
    filter["occurredBefore"] = format!("{day}T23:59:59Z").into();
    filter
}

/// A global id, as the API gives them out.
fn global(name: &str, key: &str) -> String {
    use base64::Engine as _;

    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(format!("{name}:{key}"))
}

/// An auditor, who asks one thing after another.
struct Auditor<'a> {
    client: Client,
    document: Document,
    subjects: &'a Subjects,
    dice: Dice,
}

impl Worker for Auditor<'_> {
    fn once(&mut self) -> Result<Duration> {
        let newest = self.dice.below(2) == 1;
        let variables = json!({ "filter": self.subjects.filter(&mut self.dice), "newest": newest });
        let began = Instant::now();
        self.client.query_unread(&self.document, &variables).during(|| format!("asked for {variables}"))?;
        Ok(began.elapsed())
    }
}

/// Builds the index, starts an API, and asks.
pub(super) fn ask(bench: &Bench) -> Result<Measured> {
    let step = Step::begin("Building the index of events");
    let (took, _) = bench.time(&bench.replay(&["rebuild", "audit", "--switch"]))?;
    // As the server's own vacuuming leaves them after a while.
    bench.ask("daybook_read", "VACUUM (ANALYZE)")?;
    step.done(&format!("in {} s", took.as_secs()));
    let subjects = Subjects::of(bench)?;
    let port = Ports::default().take("daybook-api")?;
    let api = bench.program("daybook-api").env("DAYBOOK_LISTEN", format!("127.0.0.1:{port}"));
    let mut api = api.log_to(&bench.folder.join("api.log")).stop_with(Signal::TERM, GRACE).start()?;
    let shop = Shop::new(port, bench.setting("DAYBOOK_TOKEN_KEY"));
    let token = shop.token(Role::Auditor, "bench")?;
    let document = Document::new(EVENTS);
    let deadline = Instant::now() + STARTING;
    while Client::new(port, Some(&token)).query(&document, &json!({})).is_err() {
        bench.interrupt.check()?;
        if Instant::now() > deadline || api.ended().is_some() {
            let log = crate::servers::last_lines(&bench.folder.join("api.log"));
            return Err(Failure::new(format!("the API does not answer: {log}")));
        }
        thread::sleep(Duration::from_millis(100));
    }
    let step = Step::begin(format!("audit-query, {AUDITORS} auditors"));
    let measured = load::apply(AUDITORS, LASTING, &bench.interrupt, |number| Auditor {
        client: Client::new(port, Some(&token)),
        document: document.clone(),
        subjects: &subjects,
        dice: Dice::of(number + 1),
    })?;
    api.stop();
    if let Some(error) = &measured.first_error {
        return Err(Failure::new(format!("{} questions failed, the first: {error}", measured.errors)));
    }
    step.done(&format!("{} questions", measured.latencies.len()));
    Ok(measured)
}
