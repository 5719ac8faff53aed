//! What checkout, stock and money must get right when many clients come at once. They come through several processes'
//! memories, and afterwards the log is walked: what must never be so was so at no moment, whatever the end looks like.

mod carts;
mod money;
mod parcels;
mod stock;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use cqrs_es::Aggregate;
use daybook_commands::Shop;
use daybook_commands::gateway::simulated::{Charge, ChargeStatus};
use daybook_commands::use_cases::{Refused, Scope, Submission, UseCaseError, submit_cart};
use daybook_domain::inventory::Inventory;
use daybook_domain::order::{CancelReason, Order, OrderStatus};
use daybook_domain::{CartId, Money, OrderId};
use daybook_eventstore::StreamId;
use futures::future::join_all;
use futures::{StreamExt, stream};

use crate::harness::eventually;
use crate::harness::shop::{SOON, TestShop, Wanted, context, item};

/// How long orders that all came at once may take.
const SETTLED: Duration = Duration::from_mins(1);

/// An order, and what it is now.
type Found = (OrderId, Arc<Order>);

/// The shop as three processes have it, each with a memory of its own.
fn processes(shop: &TestShop) -> [Shop; 3] {
    [shop.shop.clone(), shop.elsewhere(), shop.elsewhere()]
}

/// What was refused.
fn refused<T>(answer: Result<T, UseCaseError>) -> Option<Refused> {
    match answer {
        Ok(_) => None,
        Err(UseCaseError::Refused(refused)) => Some(refused),
        Err(failed) => panic!("neither done nor refused: {failed:?}"),
    }
}

/// A cart of these for each of so many shoppers, and the total that each saw. They fill them in their own time.
async fn carts(shop: &TestShop, shoppers: usize, wanted: &[Wanted]) -> Vec<(CartId, Money)> {
    stream::iter(0..shoppers).map(|_| shop.cart(wanted)).buffer_unordered(8).collect().await
}

/// All of them buy at once, each through another process than the one before.
async fn buy(shop: &TestShop, carts: &[(CartId, Money)], card: &str) -> Vec<OrderId> {
    let processes = processes(shop);
    let buys = carts.iter().zip(processes.iter().cycle()).map(|((cart_id, total), process)| async move {
        let payment_token = card.to_owned();
        let submission = Submission { cart_id: *cart_id, payment_token, expected_total: *total };
        let done = submit_cart(process, &context(), Scope::All, submission).await;
        done.expect("it is submitted").value.0
    });
    join_all(buys).await
}

/// What became of orders: those that are confirmed, and those that were called off for want of stock.
async fn settled(shop: &TestShop, orders: &[OrderId]) -> (Vec<Found>, Vec<Found>) {
    let ends = orders.iter().map(|id| async {
        eventually(SETTLED, "the order is confirmed or called off", || async {
            let order = shop.order(*id).await;
            let open = order.placement().is_none() || order.status() == OrderStatus::Placed;
            (!open).then_some((*id, order))
        })
        .await
    });
    let (sold, told): (Vec<Found>, Vec<Found>) =
        join_all(ends).await.into_iter().partition(|(_, order)| order.status() == OrderStatus::Confirmed);
    for (id, order) in &told {
        assert_eq!(order.cancel_reason(), Some(CancelReason::OutOfStock), "{id}");
    }
    (sold, told)
}

/// What each of these orders costs, in minor units.
fn totals(orders: &[Found]) -> BTreeMap<OrderId, i64> {
    let total = |order: &Order| order.placement().expect("placed").quote.total.minor();
    orders.iter().map(|(id, order)| (*id, total(order))).collect()
}

/// What the gateway has of each order's money, held or taken; nothing where it has none.
fn kept(charges: &[Charge]) -> BTreeMap<OrderId, i64> {
    let mut kept = BTreeMap::new();
    for charge in charges.iter().filter(|charge| charge.status == ChargeStatus::Authorised) {
        let minor = charge.amount.minor() - charge.voided - charge.refunded;
        assert!((0..=charge.amount.minor()).contains(&minor), "{charge:?}");
        if minor > 0 {
            assert_eq!(kept.insert(charge.order_id, minor), None, "one charge an order");
        }
    }
    kept
}

/// Waits until the gateway has this much of these orders' money, and none of any other's.
async fn the_books_say(shop: &TestShop, paid: &BTreeMap<OrderId, i64>) {
    eventually(SOON, "the gateway has what was paid for and nothing else", || async {
        (kept(&shop.charges().await) == *paid).then_some(())
    })
    .await;
}

/// Every state that an aggregate was in, in order.
async fn life<A: Aggregate + Clone>(shop: &TestShop, id: impl ToString) -> Vec<A> {
    let stream = StreamId { aggregate_type: A::TYPE.to_owned(), aggregate_id: id.to_string() };
    let events = shop.shop.store.stream(&stream, 0).await.expect("the stream");
    let mut state = A::default();
    let step = |payload: &str| {
        state.apply(serde_json::from_str(payload).expect("an event"));
        state.clone()
    };
    events.iter().map(|event| event.payload.as_str()).map(step).collect()
}

/// At no moment was more of it held and promised than there was, nor shown as for sale than could be shipped.
async fn never_oversold(shop: &TestShop, wanted: Wanted, location: &str) {
    let life = life::<Inventory>(shop, item(wanted, location)).await;
    assert!(!life.is_empty(), "it was there");
    for stock in life {
        let free = stock.on_hand() - stock.committed() - stock.reserved();
        assert!(stock.committed() >= 0 && stock.reserved() >= 0 && free >= 0, "{stock:?}");
        assert!((0..=free).contains(&stock.available()), "{stock:?}");
    }
}
