//! A log of orders for the read models to follow, and the projectors that follow it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use cqrs_es::DomainEvent as _;
use daybook_domain::catalogue::DomainEvent;
use daybook_domain::order::{CancelReason, OrderEvent};
use daybook_domain::pricing::{Quote, QuotedLine, ShippingQuote};
use daybook_domain::{
    CartId, Clock, CommandId, Currency, IdSource, LineId, Money, OrderId, ProductId, Quantity, Sealed,
    SubjectId, VariantId,
};
use daybook_eventstore::process::{SystemClock, SystemIds};
use daybook_eventstore::{
    Append, Appended, Appender, FeedSource, Fingerprint, LogReader, Metadata, NewEvent, Part, Position,
    StreamId, Upcasters, Wake,
};
use daybook_projections::read::{Hot, ReadDb, hot};
use daybook_projections::registry::Targets;
use daybook_projections::runtime::admin::Admin;
use daybook_projections::runtime::{Context, Projector, Status, Version};
use fred::clients::Client;
use meilisearch_sdk::client::Client as MeiliClient;
use serde::Serialize;
use tokio_util::sync::{CancellationToken, DropGuard};
use uuid::Uuid;

use crate::harness::{Database, eventually, servers, unique};

pub(super) const SOON: Duration = Duration::from_secs(30);

/// An event store and its read models.
pub(super) struct Shop {
    pub(super) events: Database,
    pub(super) read: Database,
    pub(super) admin: Admin,
    pub(super) db: ReadDb,
    pub(super) hot: Hot,
    pub(super) redis: Client,
    pub(super) prefix: String,
    context: Context,
    targets: Targets,
    appender: Appender,
}

impl Shop {
    pub(super) async fn open() -> Self {
        Self::open_as(None, Upcasters::default()).await
    }

    /// With search kept in this Meilisearch, in indexes whose names begin with this.
    pub(super) async fn open_with(meili: Option<(MeiliClient, String)>) -> Self {
        Self::open_as(meili, Upcasters::default()).await
    }

    /// With events of long ago in its log.
    pub(super) async fn open_upcasting(upcasters: Upcasters) -> Self {
        Self::open_as(None, upcasters).await
    }

    async fn open_as(meili: Option<(MeiliClient, String)>, upcasters: Upcasters) -> Self {
        let (events, read) = (Database::events().await, Database::read().await);
        let (wake, _listening) = Wake::listen(events.pool.clone());
        let reader = LogReader::new(events.pool.clone());
        let log = FeedSource { reader, wake, stream: None, upcasters };
        let context = Context { log, read: read.pool.clone(), clock: Arc::new(SystemClock) };
        let redis = hot::connect(&servers().redis).expect("a URL");
        let prefix = unique("test:");
        let targets =
            Targets { postgres: read.pool.clone(), redis: Some((redis.clone(), prefix.clone())), meili };
        Self {
            admin: Admin::new(context.clone(), targets.clone()),
            db: ReadDb::new(read.pool.clone(), SOON),
            hot: Hot::new(redis.clone(), &prefix),
            redis,
            prefix,
            appender: Appender::start(&events.pool.connect_options()),
            events,
            read,
            context,
            targets,
        }
    }

    /// The log.
    pub(super) fn log(&self) -> &LogReader {
        &self.context.log.reader
    }

    /// A projector, until the guard is dropped.
    pub(super) fn project(&self, name: &str) -> DropGuard {
        let projector = Projector::try_new(self.context.clone(), name, &self.targets).expect("a read model");
        let stop = CancellationToken::new();
        tokio::spawn(projector.run(stop.clone()));
        stop.drop_guard()
    }

    /// Appends facts to a stream, at any version of it.
    pub(super) async fn append(
        &self,
        kind: &str,
        id: &str,
        expected: i64,
        facts: &[DomainEvent],
    ) -> Position {
        self.append_raw(kind, id, expected, facts.iter().map(encode).collect()).await
    }

    /// Appends events given as type and payload.
    pub(super) async fn append_raw(
        &self,
        kind: &str,
        id: &str,
        expected: i64,
        events: Vec<(String, String)>,
    ) -> Position {
        let command_id = CommandId::generate(&SystemIds);
        let metadata = Metadata {
            actor: "staff:tester".to_owned(),
            command_id,
            correlation_id: command_id.uuid(),
            causation_id: None,
            traceparent: None,
            occurred_at: SystemClock.now(),
        };
        let metadata = serde_json::to_string(&metadata).expect("metadata is JSON");
        let event = |(event_type, payload)| NewEvent {
            event_id: SystemIds.next(),
            event_type,
            event_version: "1".to_owned(),
            payload,
            metadata: metadata.clone(),
        };
        let append = Append {
            command_id,
            fingerprint: Fingerprint::of(&[command_id.to_string().as_bytes()]),
            parts: vec![Part {
                stream: StreamId { aggregate_type: kind.to_owned(), aggregate_id: id.to_owned() },
                expected,
                events: events.into_iter().map(event).collect(),
                chain: Arc::default(),
            }],
            outcome: Some("null".to_owned()),
        };
        let pending = self.appender.enqueue(append).expect("the queue has room");
        let Appended::Done { position, .. } = pending.outcome().await.expect("an answer") else {
            panic!("not appended")
        };
        position
    }

    /// Places so many orders, the third part of them cancelled; says where the log is then.
    pub(super) async fn place_orders(&self, count: usize) -> (Vec<OrderId>, Position) {
        let ids: Vec<OrderId> = (0..count).map(|_| OrderId::generate(&SystemIds)).collect();
        let place = |(n, id): (usize, &OrderId)| {
            let id = *id;
            async move {
                let mut facts = vec![placed(id)];
                if n % 3 == 0 {
                    facts.push(cancelled());
                }
                self.append("Order", &id.to_string(), 0, &facts).await
            }
        };
        let positions = futures::future::join_all(ids.iter().enumerate().map(place)).await;
        (ids, positions.into_iter().max().unwrap_or(0))
    }

    /// The version that readers see, once it is at this position.
    pub(super) async fn live_at(&self, name: &str, position: Position) -> Version {
        eventually(SOON, "the live version gets there", || async {
            let versions = self.admin.versions(name).await.expect("the register answers");
            let live = versions.into_iter().find(|row| row.status == Status::Live);
            live.filter(|live| live.checkpoint.position >= position)
        })
        .await
    }

    /// All rows of a version's tables, as text.
    pub(super) async fn dump(&self, schema: &str) -> Vec<String> {
        let statement = format!(
            "SELECT o::text FROM {schema}.orders o UNION ALL SELECT h::text FROM {schema}.order_history h ORDER BY 1"
        );
        sqlx::query_scalar(&statement).fetch_all(&self.read.pool).await.expect("the version's tables")
    }
}

pub(super) fn placed(order_id: OrderId) -> DomainEvent {
    let pounds = |minor| Money::new(minor, Currency::GBP);
    let sealed = Sealed { subject: SubjectId::new(Uuid::nil()), data: "c2VhbGVk".to_owned() };
    let line = QuotedLine {
        line_id: LineId::generate(&SystemIds),
        product_id: ProductId::generate(&SystemIds),
        variant_id: VariantId::generate(&SystemIds),
        sku: "85123A".parse().expect("a sku"),
        title: "White hanging heart".to_owned(),
        attributes: BTreeMap::new(),
        quantity: Quantity::ONE,
        unit_price: pounds(1_000),
        net: pounds(1_000),
        tax: pounds(200),
        gross: pounds(1_200),
    };
    DomainEvent::Order(OrderEvent::Placed {
        order_id,
        cart_id: CartId::generate(&SystemIds),
        customer_id: None,
        contact: sealed.clone(),
        address: sealed,
        quote: Quote {
            lines: vec![line],
            shipping: ShippingQuote { method: "standard".parse().expect("a method"), price: pounds(0) },
            country: "GB".parse().expect("a country"),
            tax_rate: 2_000,
            shipping_tax: pounds(0),
            net: pounds(1_000),
            tax: pounds(200),
            total: pounds(1_200),
            expires_at: SystemClock.now(),
        },
        payment_token: "tok_ok".to_owned(),
    })
}

pub(super) fn cancelled() -> DomainEvent {
    let (reason, holds) = (CancelReason::Customer, Vec::new());
    DomainEvent::Order(OrderEvent::Cancelled { reason, holds, note: None })
}

fn encode(fact: &DomainEvent) -> (String, String) {
    fn json(value: &impl Serialize) -> String {
        serde_json::to_string(value).expect("it is JSON")
    }
    match fact {
        DomainEvent::Cart(fact) => (fact.event_type(), json(fact)),
        DomainEvent::Order(fact) => (fact.event_type(), json(fact)),
        DomainEvent::Payment(fact) => (fact.event_type(), json(fact)),
        DomainEvent::Inventory(fact) => (fact.event_type(), json(fact)),
        DomainEvent::Shipment(fact) => (fact.event_type(), json(fact)),
        DomainEvent::Product(fact) => (fact.event_type(), json(fact)),
        DomainEvent::Person(fact) => (fact.event_type(), json(fact)),
        DomainEvent::Inspection(fact) => (fact.event_type(), json(fact)),
    }
}
