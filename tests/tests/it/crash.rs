//! Killing the processes in the middle of many checkouts: every one ends confirmed or compensated, once.

use std::sync::Arc;
use std::time::Duration;

use daybook_commands::gateway::simulated::ChargeStatus;
use daybook_domain::OrderId;
use daybook_domain::order::{Order, OrderStatus};
use futures::future::join_all;
use futures::{StreamExt, stream};

use crate::harness::eventually;
use crate::harness::shop::{TestShop, Wanted};

/// How many checkouts run.
const CHECKOUTS: usize = 200;
/// How many units of each item there are: fewer than are wanted, so that some orders come to nothing.
const UNITS: i64 = 30;
/// How long it may take until everything has settled.
const SETTLED: Duration = Duration::from_secs(90);
/// The cards that the shoppers use, in turn.
const CARDS: [&str; 4] = ["card_approve", "card_decline", "card_timeout_once", "card_approve"];

/// Buys from all sides: two items an order, of four items in all.
async fn buy_many(shop: &TestShop, items: &[Wanted]) -> Vec<OrderId> {
    let buy = async |n: usize| {
        let wanted = [items[n % items.len()], items[(n + 1) % items.len()]];
        shop.buy(&wanted, CARDS[n % CARDS.len()]).await
    };
    stream::iter(0..CHECKOUTS).map(buy).buffer_unordered(16).collect().await
}

async fn settled(shop: &TestShop, order_id: OrderId) -> Arc<Order> {
    eventually(SETTLED, &format!("order {order_id} is confirmed or cancelled"), || async {
        let order = shop.order(order_id).await;
        (order.placement().is_some() && order.status() != OrderStatus::Placed).then_some(order)
    })
    .await
}

/// What the orders say, what the stock says and what the gateway says is one story.
async fn the_books_agree(shop: &TestShop, items: &[Wanted], orders: &[Arc<Order>]) {
    let confirmed = || orders.iter().filter(|order| order.status() == OrderStatus::Confirmed);
    for item in items {
        let sold: i64 = confirmed()
            .flat_map(|order| order.allocations())
            .filter(|one| one.item.variant_id == item.variant.variant_id)
            .map(|one| one.quantity.count())
            .sum();
        shop.stock_is(*item, "LON", "stock is committed for what was sold, and nothing is held", |stock| {
            stock.committed() == sold && stock.reserved() == 0 && stock.on_hand() == UNITS
        })
        .await;
    }
    eventually(SETTLED, "money is held for the confirmed orders and for no other", || async {
        let charges = shop.charges().await;
        let authorised = charges.iter().filter(|one| one.status == ChargeStatus::Authorised);
        let held = authorised.filter(|one| one.voided < one.amount.minor());
        let mut held: Vec<OrderId> = held.map(|one| one.order_id).collect();
        let mut sold: Vec<OrderId> =
            confirmed().filter_map(|order| order.placement().map(|placed| placed.order_id)).collect();
        held.sort_unstable();
        sold.sort_unstable();
        (held == sold).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_is_killed_again_and_again_loses_no_checkout_and_does_none_twice() {
    let shop = TestShop::open().await;
    let items = join_all((0..4).map(async |_| shop.product(1_000, UNITS).await)).await;
    let mut worker = shop.worker(&[]);
    let killing = async {
        for settled in [20, 80, 140] {
            eventually(SETTLED, "the worker is in the middle of it", || async {
                let count: i64 = sqlx::query_scalar(
                    "SELECT count(*) FROM events WHERE event_type IN ('OrderConfirmed', 'OrderCancelled')",
                )
                .fetch_one(&shop.events.pool)
                .await
                .expect("a count");
                (count >= settled).then_some(())
            })
            .await;
            worker.kill();
            worker = shop.worker(&[]);
        }
    };
    let (orders, ()) = tokio::join!(buy_many(&shop, &items), killing);
    let orders = join_all(orders.into_iter().map(|id| settled(&shop, id))).await;
    assert_eq!(orders.len(), CHECKOUTS);
    the_books_agree(&shop, &items, &orders).await;
    let twice: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM (SELECT FROM events WHERE event_type IN ('OrderPlaced', 'OrderConfirmed') \
         GROUP BY event_type, aggregate_id HAVING count(*) > 1) AS twice",
    )
    .fetch_one(&shop.events.pool)
    .await
    .expect("a count");
    assert_eq!(twice, 0);
}
