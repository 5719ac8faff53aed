//! How a process is run: in lanes, past its own bugs, from where it stood.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use daybook_commands::process::{Process, ProcessError, Progress, Reaction, Runner, fire, run};
use daybook_commands::timers::{Timer, Timers};
use daybook_domain::inventory::InventoryCommand;
use daybook_domain::order::OrderStatus;
use daybook_domain::{Clock, IdSource, Quantity, VariantId};
use daybook_eventstore::process::{SystemClock, SystemIds};
use daybook_eventstore::{Checkpoint, Checkpoints, Feed, FeedSource, LogReader, Wake};
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

async fn is_put_off_until_it_is_done(trouble: Trouble) {
    let shop = TestShop::open().await;
    let variants: Vec<VariantId> = (0..3).map(|_| VariantId::generate(&SystemIds)).collect();
    for variant_id in variants.iter().cycle().take(30) {
        let item = daybook_domain::inventory::StockItem {
            variant_id: *variant_id,
            location: "LON".parse().expect("it"),
        };
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
    let runner =
        Runner { checkpoints: checkpoints.clone(), timers: timers.clone(), clock: Arc::new(SystemClock) };
    let (wake, _listening) = Wake::listen(pool.clone());
    let reader = LogReader::new(pool.clone());
    let source = FeedSource { reader: reader.clone(), wake, stream: None };
    let origin = Checkpoint::origin(&reader).await.expect("the log");
    let feed = Feed::open(source, "notes", &origin).await.expect("a feed");
    let ending = CancellationToken::new();
    let running = tokio::spawn(run(process.clone(), runner, feed, origin, ending.clone()));

    eventually(SOON, "the process has been through all of the log", || async {
        let stands = checkpoints.find("notes").await.expect("the checkpoint")?;
        (stands.position == 30).then_some(())
    })
    .await;
    let in_order = |from: i64| (0..10).map(|n| from + 3 * n).collect::<Vec<i64>>();
    assert_eq!((notes.of(variants[1]), notes.of(variants[2])), (in_order(2), in_order(3)));
    assert!(notes.of(variants[0]).is_empty());

    let processes = [process];
    tokio::spawn(async move { timers.run(|timer| fire(&processes, &reader, timer), ending).await });
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
