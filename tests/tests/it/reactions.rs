//! How a process is run: in lanes, past its own bugs, from where it stood.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use cqrs_es::persist::{EventUpcaster, SerializedEvent};
use daybook_commands::process::{Process, ProcessError, Progress, Reaction, Runner, fire, run};
use daybook_commands::timers::{Timer, Timers};
use daybook_domain::inventory::{InventoryCommand, StockItem};
use daybook_domain::order::OrderStatus;
use daybook_domain::{Clock, IdSource, Quantity, VariantId};
use daybook_eventstore::process::{SystemClock, SystemIds};
use daybook_eventstore::{Checkpoint, Checkpoints, Feed, FeedSource, LogReader, StoreError, Upcasters, Wake};
use sqlx::PgPool;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::harness::shop::{SOON, TestShop, context};
use crate::harness::steps::Steps;
use crate::harness::{Writer, eventually};

/// What comes of the reactions to one variant's events, until it is healed.
#[derive(Debug, Clone, Copy, Default)]
enum Trouble {
    #[default]
    Bug,
    Refusal,
    Wait,
}

/// Notes what it reacts to, and has trouble with one variant.
#[derive(Default)]
struct Notes {
    cursed: Uuid,
    trouble: Trouble,
    healed: AtomicBool,
    seen: Mutex<Vec<(Uuid, i64)>>,
}

impl Notes {
    fn of(&self, variant: VariantId) -> Vec<i64> {
        let seen = self.seen.lock().expect("not poisoned");
        seen.iter().filter(|(key, _)| *key == variant.uuid()).map(|(_, position)| *position).collect()
    }
}

#[async_trait]
impl Process for Notes {
    fn name(&self) -> &'static str {
        "notes"
    }

    fn key(&self, reaction: &Reaction) -> Option<Uuid> {
        reaction.aggregate_id.split('_').next()?.parse().ok()
    }

    async fn react(&self, reaction: &Reaction) -> Result<Progress, ProcessError> {
        let key = self.key(reaction).expect("a key");
        tokio::task::yield_now().await;
        if key == self.cursed && !self.healed.load(Ordering::SeqCst) {
            return match self.trouble {
                Trouble::Bug => panic!("a bug"),
                Trouble::Refusal => Err(ProcessError::Refused("not now".to_owned())),
                Trouble::Wait => Ok(Progress::Waiting),
            };
        }
        self.seen.lock().expect("not poisoned").push((key, reaction.position));
        Ok(Progress::Done)
    }

    async fn due(&self, _what: &str, reaction: &Reaction) -> Result<Progress, ProcessError> {
        self.react(reaction).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reaction_with_a_bug_is_put_off_and_holds_nothing_else_up() {
    is_put_off_until_it_is_done(Trouble::Bug).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reaction_that_is_refused_is_put_off_and_holds_nothing_else_up() {
    is_put_off_until_it_is_done(Trouble::Refusal).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reaction_that_waits_for_the_outside_is_put_off_and_holds_nothing_else_up() {
    is_put_off_until_it_is_done(Trouble::Wait).await;
}

/// Runs a process from the beginning of the log on.
async fn start(
    pool: &PgPool,
    process: Arc<dyn Process>,
    upcasters: Upcasters,
    ending: CancellationToken,
) -> JoinHandle<Result<(), StoreError>> {
    let (clock, checkpoints) = (Arc::new(SystemClock), Checkpoints::new(pool.clone()));
    let timers = Timers::new(pool.clone(), clock.clone());
    let runner = Runner { checkpoints, timers, upcasters: upcasters.clone(), clock };
    let (wake, _listening) = Wake::listen(pool.clone());
    let reader = LogReader::new(pool.clone());
    let origin = Checkpoint::origin(&reader).await.expect("the log");
    let source = FeedSource { reader, wake, stream: None, upcasters };
    let feed = Feed::open(source, process.name(), &origin).await.expect("a feed");
    tokio::spawn(run(process, runner, feed, origin, ending))
}

async fn is_put_off_until_it_is_done(trouble: Trouble) {
    let shop = TestShop::open().await;
    let variants: Vec<VariantId> = (0..3).map(|_| VariantId::generate(&SystemIds)).collect();
    for variant_id in variants.iter().cycle().take(30) {
        let item = StockItem { variant_id: *variant_id, location: "LON".parse().expect("it") };
        let receive = InventoryCommand::Receive {
            item: item.clone(),
            quantity: Quantity::ONE,
            reference: String::new(),
        };
        shop.shop.inventory.execute(&item.to_string(), receive, &context(), "null").await.expect("stock");
    }
    let pool = shop.events.pool.clone();
    let notes = Arc::new(Notes { cursed: variants[0].uuid(), trouble, ..Notes::default() });
    let process: Arc<dyn Process> = notes.clone();
    let timers = Timers::new(pool.clone(), Arc::new(SystemClock));
    let checkpoints = Checkpoints::new(pool.clone());
    let (reader, ending) = (LogReader::new(pool.clone()), CancellationToken::new());
    let running = start(&pool, process.clone(), Upcasters::default(), ending.clone()).await;

    eventually(SOON, "the process has been through all of the log", || async {
        let stands = checkpoints.find("notes").await.expect("the checkpoint")?;
        (stands.position == 30).then_some(())
    })
    .await;
    let in_order = |from: i64| (0..10).map(|n| from + 3 * n).collect::<Vec<i64>>();
    assert_eq!((notes.of(variants[1]), notes.of(variants[2])), (in_order(2), in_order(3)));
    assert!(notes.of(variants[0]).is_empty());

    let processes = [process];
    tokio::spawn(async move {
        let none = Upcasters::default();
        timers.run(|timer| fire(&processes, &reader, &none, timer), ending).await;
    });
    eventually(SOON, "each was tried again, and is kept", || async {
        let kept = sqlx::query_scalar("SELECT count(*) FROM timers WHERE attempts > 0");
        let kept: i64 = kept.fetch_one(&pool).await.expect("the timers");
        (kept == 10).then_some(())
    })
    .await;
    notes.healed.store(true, Ordering::SeqCst);
    eventually(SOON, "what was put off is done", || async {
        let mut done = notes.of(variants[0]);
        done.sort_unstable();
        (done == in_order(1)).then_some(())
    })
    .await;
    running.abort();
}

/// The safety stock was just "safety" once.
struct Safety;

impl EventUpcaster for Safety {
    fn can_upcast(&self, event_type: &str, _event_version: &str) -> bool {
        event_type == "ThingHappened"
    }

    fn upcast(&self, mut event: SerializedEvent) -> SerializedEvent {
        event.payload = serde_json::json!({ "SafetyStockSet": event.payload["SafetySet"] });
        event
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_of_long_ago_is_reacted_to_in_todays_shape_at_once_and_by_a_timer() {
    let shop = TestShop::open().await;
    let pool = shop.events.pool.clone();
    let variant_id = VariantId::generate(&SystemIds);
    let item = StockItem { variant_id, location: "LON".parse().expect("a location") };
    let old = serde_json::json!({ "SafetySet": { "item": item, "quantity": 4 } }).to_string();
    Writer::new(&shop.events).append_of("Inventory", &item.to_string(), 0, vec![old]).await;
    let notes = Arc::new(Notes::default());
    let upcasters = Upcasters::new(vec![Box::new(Safety)]);
    let ending = CancellationToken::new();
    let _ending = ending.clone().drop_guard();
    let _running = start(&pool, notes.clone(), upcasters.clone(), ending).await;
    eventually(SOON, "it is reacted to", || async { (notes.of(variant_id) == [1]).then_some(()) }).await;

    let timer = Timer {
        timer_id: SystemIds.next(),
        due_at: SystemClock.now(),
        kind: "notes:again".to_owned(),
        subject: item.to_string(),
        payload: serde_json::json!({ "position": 1 }),
    };
    let process: Arc<dyn Process> = notes.clone();
    fire(&[process], &LogReader::new(pool), &upcasters, timer).await.expect("it fires");
    assert_eq!(notes.of(variant_id), [1, 1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_cannot_be_read_is_put_off_where_it_is_of_interest_and_skipped_elsewhere() {
    let shop = TestShop::open().await;
    let _worker = shop.worker(&[]);
    let writer = Writer::new(&shop.events);
    let nonsense = || vec![r#"{ "Unheard": {} }"#.to_owned()];
    for aggregate_type in ["Product", "Shipment"] {
        writer.append_of(aggregate_type, &SystemIds.next().to_string(), 0, nonsense()).await;
    }
    let lantern = shop.product(1_000, 5).await;
    let order_id = shop.buy(&[lantern], "card_approve").await;
    shop.order_is(order_id, OrderStatus::Confirmed).await;
    // Only the checkout follows shipments; it asks again until a program that can read it comes.
    let put_off = "SELECT kind FROM timers WHERE payload->>'position' IN ('1', '2')";
    eventually(SOON, "it is tried again", || async {
        let tried = format!("{put_off} AND attempts > 0");
        let kinds: Vec<String> =
            sqlx::query_scalar(&tried).fetch_all(&shop.events.pool).await.expect("timers");
        (kinds == ["checkout:again"]).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_timer_that_this_program_does_not_know_is_left_to_one_that_does() {
    let shop = TestShop::open().await;
    let steps = Steps::of(&shop);
    let position =
        Writer::new(&shop.events).append_of("Product", "a product", 0, vec!["{}".to_owned()]).await;
    let timer = |kind: &str| Timer {
        timer_id: SystemIds.next(),
        due_at: SystemClock.now(),
        kind: kind.to_owned(),
        subject: "a product".to_owned(),
        payload: serde_json::json!({ "position": position }),
    };
    for kind in ["loyalty:again", "checkout:again"] {
        steps.fire(timer(kind)).await.expect_err("it is kept");
    }
    let lantern = shop.product(1_000, 5).await;
    shop.buy(&[lantern], "card").await;
    let head = LogReader::new(shop.events.pool.clone()).head().await.expect("the log").position;
    for kind in ["checkout:points", "settlement:points"] {
        let timer = Timer { payload: serde_json::json!({ "position": head }), ..timer(kind) };
        let Err(ProcessError::Unknown(_)) = steps.fire(timer).await else { panic!("{kind} is kept") };
    }
}
