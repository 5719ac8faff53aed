//! A whole life of an order, and the processes stopped between every two of its events.

use daybook_commands::use_cases::refund_payment;
use daybook_domain::Money;
use daybook_domain::order::{FulfilmentStatus, OrderStatus};
use daybook_domain::shipment::CarrierStatus;

use crate::checkout_mishaps::{NONE, parcel};
use crate::harness::shop::{TestShop, context};
use crate::harness::steps::Steps;

/// Where processes begin that are started anew.
#[derive(Debug, Clone, Copy)]
enum Begun {
    /// After the last event they had reacted to.
    Checkpoint,
    /// Before it: they died before they had noted that.
    Before,
    /// Before the first event of all.
    Beginning,
}

/// The processes of a shop, and when they are stopped.
struct Life {
    shop: TestShop,
    steps: Steps,
    end: Option<(i64, Begun)>,
}

impl Life {
    /// Lets the processes react to all there is, and stops them on the way when it is time.
    async fn goes_on(&mut self) {
        if let Some((last, from)) = self.end {
            while let Some(unfinished) = self.steps.run_on(last).await {
                assert_eq!(unfinished, NONE);
            }
            if self.steps.done() == last {
                let begin = match from {
                    Begun::Checkpoint => last,
                    Begun::Before => last - 1,
                    Begun::Beginning => 0,
                };
                self.steps = self.steps.anew(&self.shop, begin);
                self.end = None;
            }
        }
        assert_eq!(self.steps.run().await, NONE);
    }
}

/// What came of a life: the types of its events, sorted since one reaction may have several at once, and what the gateway
/// was asked for.
type Came = (Vec<String>, Vec<String>);

/// An order is submitted, packed, sent, delivered and a part of it refunded.
async fn live(end: Option<(i64, Begun)>) -> Came {
    let shop = TestShop::open().await;
    let lantern = shop.product(1_000, 5).await;
    let steps = Steps::of(&shop);
    let mut life = Life { shop, steps, end };
    let order_id = life.shop.buy(&[lantern.times(3)], "card_approve").await;
    life.goes_on().await;
    life.shop.leave(parcel(order_id), 3).await;
    life.goes_on().await;
    life.shop.report(parcel(order_id), "1", CarrierStatus::Delivered).await;
    life.goes_on().await;
    let captured = life.shop.payment(order_id).await.captured();
    let refund = (Money::new(100, captured.currency()), "damaged".to_owned());
    refund_payment(&life.shop.shop, &context(), order_id, refund).await.expect("it is asked for");
    life.goes_on().await;

    let (order, payment) = (life.shop.order(order_id).await, life.shop.payment(order_id).await);
    assert_eq!(order.status(), OrderStatus::Completed);
    assert_eq!(order.fulfilment_status(), FulfilmentStatus::Delivered);
    assert_eq!((payment.captures().len(), payment.refunded().minor()), (1, 100));
    let stock = life.shop.stock(lantern, "LON").await;
    assert_eq!((stock.on_hand(), stock.available(), stock.committed()), (2, 2, 0));
    let types = "SELECT event_type FROM events ORDER BY event_type";
    let types = sqlx::query_scalar(types).fetch_all(&life.shop.events.pool).await.expect("the log");
    let asked = life.steps.gateway.asked();
    let what = |key: &String| key.split(':').next().unwrap_or_default().to_owned();
    (types, asked.iter().map(what).collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_that_die_between_any_two_events_of_an_order_come_to_the_same_end() {
    let undisturbed = live(None).await;
    assert_eq!(undisturbed.1, ["authorise", "capture", "refund"]);
    let last = i64::try_from(undisturbed.0.len()).expect("a number");
    // Each position in one of the ways, and each way at every third.
    let begun = [Begun::Checkpoint, Begun::Before, Begun::Beginning];
    for (position, from) in (1..=last).zip(begun.into_iter().cycle()) {
        let came = live(Some((position, from))).await;
        assert_eq!(came, undisturbed, "stopped after {position}, begun anew: {from:?}");
    }
}
