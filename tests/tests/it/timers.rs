//! That timers fire when they are due, not before, and are never lost.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::future::pending;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::TimeDelta;
use daybook_commands::timers::{Timer, Timers};
use daybook_domain::{Clock, IdSource};
use daybook_eventstore::process::{SystemClock, SystemIds};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::harness::{Database, TestClock, eventually};

const SOON: Duration = Duration::from_secs(20);

/// What was fired, and how often.
#[derive(Clone, Default)]
struct Fired(Arc<Mutex<BTreeMap<Uuid, u32>>>);

impl Fired {
    fn record(&self, timer: &Timer) {
        *self.0.lock().expect("not poisoned").entry(timer.timer_id).or_default() += 1;
    }

    fn all(&self) -> BTreeMap<Uuid, u32> {
        self.0.lock().expect("not poisoned").clone()
    }

    fn handler(&self) -> impl Fn(Timer) -> std::future::Ready<Result<(), Infallible>> + use<> {
        let fired = self.clone();
        move |timer| {
            fired.record(&timer);
            std::future::ready(Ok(()))
        }
    }
}

fn timer(clock: &dyn Clock, in_seconds: i64) -> Timer {
    Timer {
        timer_id: SystemIds.next(),
        due_at: clock.now() + TimeDelta::seconds(in_seconds),
        kind: "payment-deadline".to_owned(),
        subject: "a payment".to_owned(),
        payload: serde_json::json!({ "name": "Zoë" }),
    }
}

fn ids(timers: &[Timer]) -> BTreeMap<Uuid, u32> {
    timers.iter().map(|timer| (timer.timer_id, 1)).collect()
}

fn timers(database: &Database) -> (Arc<TestClock>, Timers) {
    let clock = Arc::new(TestClock::new());
    (clock.clone(), Timers::new(database.pool.clone(), clock))
}

async fn left(database: &Database) -> i64 {
    sqlx::query_scalar("SELECT count(*) FROM timers").fetch_one(&database.pool).await.expect("a count")
}

#[tokio::test]
async fn a_timer_fires_when_it_is_due_and_is_gone_then() {
    let database = Database::events().await;
    let (clock, timers) = timers(&database);
    let (first, second) = (timer(&*clock, 10), timer(&*clock, 20));
    timers.schedule(&[second.clone(), first.clone()]).await.expect("they are written down");
    let fired = Fired::default();
    let fire = async || timers.fire_due(&fired.handler()).await.expect("the database answers");

    assert_eq!(fire().await, 0);
    clock.advance(TimeDelta::seconds(10));
    assert_eq!(fire().await, 1);
    assert_eq!(fired.all(), ids(&[first]));
    clock.advance(TimeDelta::seconds(10));
    assert_eq!(fire().await, 1);
    assert_eq!(fire().await, 0);
    assert_eq!(fired.all().get(&second.timer_id), Some(&1));
    assert_eq!(left(&database).await, 0);
}

#[tokio::test]
async fn a_timer_comes_back_as_it_was_written_down() {
    let database = Database::events().await;
    let (clock, timers) = timers(&database);
    let written = timer(&*clock, 0);
    timers.schedule(std::slice::from_ref(&written)).await.expect("it is written down");
    let read = Mutex::new(None);
    let handler = |timer| {
        *read.lock().expect("not poisoned") = Some(timer);
        std::future::ready(Ok::<_, Infallible>(()))
    };
    timers.fire_due(&handler).await.expect("the database answers");
    assert_eq!(*read.lock().expect("not poisoned"), Some(written));
}

#[tokio::test]
async fn a_timer_written_down_twice_is_one_and_keeps_its_time() {
    let database = Database::events().await;
    let (clock, timers) = timers(&database);
    let first = timer(&*clock, 10);
    let later = Timer { due_at: first.due_at + TimeDelta::hours(1), ..first.clone() };
    timers.schedule(std::slice::from_ref(&first)).await.expect("it is written down");
    timers.schedule(&[later]).await.expect("it is there already");
    assert_eq!(left(&database).await, 1);
    clock.advance(TimeDelta::seconds(10));
    let fired = Fired::default();
    timers.fire_due(&fired.handler()).await.expect("the database answers");
    assert_eq!(fired.all(), ids(&[first]));
}

#[tokio::test]
async fn a_cancelled_timer_never_fires() {
    let database = Database::events().await;
    let (clock, timers) = timers(&database);
    let (kept, cancelled) = (timer(&*clock, 0), timer(&*clock, 0));
    timers.schedule(&[kept.clone(), cancelled.clone()]).await.expect("they are written down");
    timers.cancel(&[cancelled.timer_id, SystemIds.next()]).await.expect("one of them goes");
    let fired = Fired::default();
    timers.fire_due(&fired.handler()).await.expect("the database answers");
    assert_eq!(fired.all(), ids(&[kept]));
}

#[tokio::test]
async fn a_timer_that_fails_fires_again_after_growing_pauses() {
    let database = Database::events().await;
    let (clock, timers) = timers(&database);
    let (bad, good) = (timer(&*clock, 0), timer(&*clock, 0));
    timers.schedule(&[bad.clone(), good.clone()]).await.expect("they are written down");
    let fired = Fired::default();
    let handler = |timer: Timer| {
        fired.record(&timer);
        let failed = timer.timer_id == bad.timer_id && fired.all()[&timer.timer_id] < 4;
        std::future::ready(if failed { Err("not yet") } else { Ok(()) })
    };
    let fire = async || timers.fire_due(&handler).await.expect("the database answers");

    assert_eq!(fire().await, 2);
    assert_eq!(left(&database).await, 1, "its neighbour is done");
    for pause in [1, 2, 4] {
        clock.advance(TimeDelta::milliseconds(pause * 1_000 - 1));
        assert_eq!(fire().await, 0);
        clock.advance(TimeDelta::milliseconds(1));
        assert_eq!(fire().await, 1);
    }
    assert_eq!(left(&database).await, 0);
}

#[tokio::test]
async fn a_timer_whose_handler_panics_fires_again_and_costs_its_neighbours_nothing() {
    let database = Database::events().await;
    let (clock, timers) = timers(&database);
    let (bad, good) = (timer(&*clock, 0), timer(&*clock, 0));
    timers.schedule(&[bad.clone(), good.clone()]).await.expect("they are written down");
    let fired = Fired::default();
    let handler = |timer: Timer| {
        fired.record(&timer);
        assert!(timer.timer_id != bad.timer_id || fired.all()[&timer.timer_id] > 1, "a bug");
        std::future::ready(Ok::<(), Infallible>(()))
    };
    assert_eq!(timers.fire_due(&handler).await.expect("the database answers"), 2);
    assert_eq!(left(&database).await, 1, "its neighbour is done");
    clock.advance(TimeDelta::seconds(1));
    assert_eq!(timers.fire_due(&handler).await.expect("the database answers"), 1);
    assert_eq!(left(&database).await, 0);
}

#[tokio::test]
async fn runners_share_the_work_and_none_fires_what_another_holds() {
    let database = Database::events().await;
    let (clock, timers) = timers(&database);
    let all: Vec<Timer> = (0..500).map(|_| timer(&*clock, 0)).collect();
    timers.schedule(&all).await.expect("they are written down");
    let fired = Fired::default();
    let handler = fired.handler();
    let runner = async || while timers.fire_due(&handler).await.expect("the database answers") > 0 {};
    tokio::join!(runner(), runner(), runner(), runner());
    assert_eq!(fired.all(), ids(&all));
    assert_eq!(left(&database).await, 0);
}

#[tokio::test]
async fn a_runner_that_dies_with_a_timer_in_hand_gives_it_back() {
    let database = Database::events().await;
    let (clock, timers) = timers(&database);
    let written = timer(&*clock, 0);
    timers.schedule(std::slice::from_ref(&written)).await.expect("it is written down");
    let (begun, begins) = (Fired::default(), timers.clone());
    let dying = tokio::spawn({
        let begun = begun.clone();
        async move {
            let handler = |timer: Timer| {
                begun.record(&timer);
                pending::<Result<(), Infallible>>()
            };
            begins.fire_due(&handler).await
        }
    });
    eventually(SOON, "it is in hand", || std::future::ready((!begun.all().is_empty()).then_some(()))).await;
    dying.abort();
    let fired = Fired::default();
    eventually(SOON, "another runner fires it", || async {
        timers.fire_due(&fired.handler()).await.ok().filter(|taken| *taken == 1)
    })
    .await;
    assert_eq!(fired.all(), ids(&[written]));
}

#[tokio::test]
async fn timers_that_wait_for_somebody_hold_up_none_of_another_kind() {
    let database = Database::events().await;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let timers = Timers::new(database.pool.clone(), Arc::clone(&clock));
    let stuck = || Timer { kind: "gateway".to_owned(), ..timer(&*clock, -1) };
    timers.schedule(&(0..200).map(|_| stuck()).collect::<Vec<_>>()).await.expect("they are written down");
    let (fired, waiting) = (Fired::default(), Fired::default());
    let handler = |timer: Timer| {
        let stuck = timer.kind == "gateway";
        if stuck {
            waiting.record(&timer);
        } else {
            fired.record(&timer);
        }
        async move { if stuck { pending().await } else { Ok::<(), Infallible>(()) } }
    };
    let stop = CancellationToken::new();
    let others: Vec<Timer> =
        (0..3).map(|n| Timer { kind: format!("hold-{n}"), ..timer(&*clock, n) }).collect();
    let meanwhile = async {
        timers.schedule(&others).await.expect("they are written down");
        let done = async || (fired.all() == ids(&others)).then_some(());
        eventually(SOON, "the others are fired", done).await;
    };
    tokio::select! {
        () = timers.run(handler, stop) => panic!("nobody stopped it"),
        () = meanwhile => {}
    }
    assert!((1..=16).contains(&waiting.all().len()), "{} at once", waiting.all().len());
}

#[tokio::test]
async fn a_running_runner_hears_of_new_timers_and_ends_when_told() {
    let database = Database::events().await;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let runner = Timers::new(database.pool.clone(), Arc::clone(&clock));
    let (fired, stop) = (Fired::default(), CancellationToken::new());
    let running = tokio::spawn({
        let (handler, stop) = (fired.handler(), stop.clone());
        async move { runner.run(handler, stop).await }
    });
    let scheduler = Timers::new(database.pool.clone(), Arc::clone(&clock));
    let (now, soon) = (timer(&*clock, 0), timer(&*clock, 1));
    scheduler.schedule(&[now.clone(), soon.clone()]).await.expect("they are written down");
    eventually(SOON, "both are fired", || std::future::ready((fired.all().len() == 2).then_some(()))).await;
    assert!(clock.now() >= soon.due_at);
    eventually(SOON, "both are gone", || async { (left(&database).await == 0).then_some(()) }).await;
    stop.cancel();
    tokio::time::timeout(SOON, running).await.expect("it ends").expect("it did not panic");
    assert_eq!(fired.all(), ids(&[now, soon]));
}
