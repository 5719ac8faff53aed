//! Parcels of many orders at once: each leaves once and is paid for once, and what carriers say only moves it on.

use chrono::TimeDelta;
use daybook_commands::Shop;
use daybook_commands::related::rest_of;
use daybook_commands::use_cases::{Dispatching, dispatch_shipment, pack_shipment, report_carrier};
use daybook_domain::order::{FulfilmentStatus, OrderStatus};
use daybook_domain::payment::{Payment, PaymentStatus};
use daybook_domain::shipment::{CarrierStatus, Shipment, ShipmentStatus};
use daybook_domain::{Clock, OrderId, Quantity, ShipmentId, Timestamp};
use daybook_eventstore::process::SystemClock;
use futures::future::join_all;

use super::{buy, carts, life, never_oversold, processes, refused, the_books_say, totals};
use crate::checkout_mishaps::parcel;
use crate::harness::eventually;
use crate::harness::shop::{SOON, TestShop, Wanted, context};

/// What a carrier says of a parcel, in the order in which it happens.
const JOURNEY: [CarrierStatus; 4] = [
    CarrierStatus::PickedUp,
    CarrierStatus::InTransit,
    CarrierStatus::OutForDelivery,
    CarrierStatus::Delivered,
];

/// Confirmed orders of so many of this each.
async fn confirmed(shop: &TestShop, orders: usize, wanted: Wanted) -> Vec<super::Found> {
    let carts = carts(shop, orders, &[wanted]).await;
    let orders = buy(shop, &carts, "card_approve").await;
    join_all(orders.iter().map(async |id| (*id, shop.order_is(*id, OrderStatus::Confirmed).await))).await
}

/// Every process lets the parcel leave, at the same moment.
async fn dispatch(processes: &[Shop], shipment_id: ShipmentId) {
    let left = join_all(processes.iter().map(async |shop| {
        let dispatching = Dispatching { shipment_id, carrier: "Royal Mail".into(), tracking: "RM1".into() };
        dispatch_shipment(shop, &context(), dispatching).await.map(drop)
    }));
    for left in left.await {
        left.expect("it leaves, or has left just so");
    }
}

/// The carrier says something of a parcel, again and again until it is taken.
async fn report(shop: &Shop, shipment_id: ShipmentId, stage: usize, at: Timestamp) {
    eventually(SOON, "the report is taken", || async {
        let report = (format!("{shipment_id}/{stage}"), JOURNEY[stage], at);
        let noted = refused(report_carrier(shop, &context(), shipment_id, report).await);
        if let Some(refused) = &noted {
            assert!(["NOT_FOUND", "NOT_DISPATCHED"].contains(&refused.code), "{refused:?}");
        }
        noted.is_none().then_some(())
    })
    .await;
}

/// How far a parcel is, as two numbers that only grow: by the shop's count, and by the carrier's.
fn stage(shipment: &Shipment) -> (usize, usize) {
    use ShipmentStatus as Is;
    let ours = [Is::Unopened, Is::Open, Is::Packed, Is::Dispatched, Is::Delivered];
    let ours = ours.iter().position(|status| *status == shipment.status()).expect("nothing went wrong");
    let carriers = JOURNEY.iter().position(|status| Some(*status) == shipment.carrier_status());
    (ours, carriers.map_or(0, |stage| stage + 1))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_carriers_say_at_once_twice_and_in_any_order_moves_each_parcel_once_and_never_back() {
    let shop = TestShop::open().await;
    let _worker = shop.worker(&[]);
    let lantern = shop.product(1_000, 20).await;
    let orders = confirmed(&shop, 8, lantern).await;
    let parcels: Vec<ShipmentId> = orders.iter().map(|(id, _)| parcel(*id)).collect();
    let (processes, begin) = (processes(&shop), SystemClock.now());
    let leaving = join_all(parcels.iter().map(async |parcel| {
        pack_shipment(&shop.shop, &context(), *parcel, None).await.expect("it is packed");
        dispatch(&processes, *parcel).await;
    }));
    // Each of three tells of everything twice, in an order of its own, and begins before any parcel has left.
    let telling = join_all(processes.iter().zip([5, 7, 11]).map(async |(shop, stride)| {
        let reports = parcels.len() * JOURNEY.len();
        let shuffled = (0..2 * reports).map(|n| n * stride % reports);
        join_all(shuffled.map(async |n| {
            let (parcel, stage) = (parcels[n / JOURNEY.len()], n % JOURNEY.len());
            let minutes = i64::try_from(stage).expect("a number");
            report(shop, parcel, stage, begin + TimeDelta::minutes(minutes)).await;
        }))
        .await;
    }));
    tokio::join!(leaving, telling);

    join_all(orders.iter().map(|(id, _)| shop.order_is(*id, OrderStatus::Completed))).await;
    for parcel in &parcels {
        let life: Vec<(usize, usize)> = life::<Shipment>(&shop, parcel).await.iter().map(stage).collect();
        assert!(life.is_sorted_by(|one, next| one.0 <= next.0 && one.1 <= next.1), "{life:?}");
        assert_eq!(life.last(), Some(&(4, 4)));
    }
    shop.worker_is_through().await;
    for once in
        ["OrderDispatched", "ShipmentDispatched", "InventoryShipped", "ShipmentDelivered", "OrderDelivered"]
    {
        assert_eq!(shop.events.count(once).await, 8, "{once} for each parcel");
    }
    let stock = shop.stock(lantern, "LON").await;
    assert_eq!((stock.on_hand(), stock.committed(), stock.available()), (12, 0, 12));
    the_books_say(&shop, &totals(&orders)).await;
    assert!(shop.charges().await.iter().all(|charge| charge.captured == charge.amount.minor()));
}

/// One of three is packed by everyone at the same moment; says where the two others are to be.
async fn pack_one(shop: &TestShop, processes: &[Shop], order_id: OrderId) -> ShipmentId {
    let first = parcel(order_id);
    let line = shop.order(order_id).await.placement().expect("placed").quote.lines[0].line_id;
    let packed = join_all(processes.iter().map(async |shop| {
        pack_shipment(shop, &context(), first, Some(vec![(line, Quantity::ONE)])).await.map(drop)
    }));
    for packed in packed.await {
        packed.expect("it is packed, or was just so");
    }
    rest_of(first)
}

#[tokio::test(flavor = "multi_thread")]
async fn orders_that_ship_in_halves_at_once_are_paid_for_half_by_half_and_once() {
    let shop = TestShop::open().await;
    let _worker = shop.worker(&[]);
    let lantern = shop.product(333, 30).await;
    let orders = confirmed(&shop, 6, lantern.times(3)).await;
    let processes = processes(&shop);
    join_all(orders.iter().enumerate().map(async |(n, (id, order))| {
        let (id, total) = (*id, order.placement().expect("placed").quote.total.minor());
        let rest = pack_one(&shop, &processes, id).await;
        shop.shipment_is(rest, ShipmentStatus::Open).await;
        if n % 2 == 0 {
            dispatch(&processes, parcel(id)).await;
            let partly = |one: &Payment| one.status() == PaymentStatus::PartiallyCaptured;
            let half = shop.payment_is(id, "a half is captured", partly).await;
            let (order, captured) = (shop.order(id).await, half.captured());
            assert_eq!((captured, half.capturable().minor()), (order.due(), total - captured.minor()));
            assert!(captured.minor() < total);
            assert_eq!(order.fulfilment_status(), FulfilmentStatus::PartiallyFulfilled);
            shop.shipment_is(rest, ShipmentStatus::Open).await;
            shop.shipment_is(parcel(id), ShipmentStatus::Dispatched).await;
            let charges = shop.charges().await;
            let charge = charges.iter().find(|one| one.order_id == id).expect("a charge");
            assert_eq!((charge.captured, charge.voided), (captured.minor(), 0), "the rest is still held");
        }
        pack_shipment(&shop.shop, &context(), rest, None).await.expect("the rest is packed");
        // The first half of every other order leaves with the rest, and of the others it left before.
        tokio::join!(dispatch(&processes, parcel(id)), dispatch(&processes, rest));
        let all = |one: &Payment| one.status() == PaymentStatus::Captured;
        let paid = shop.payment_is(id, "all is captured", all).await;
        assert_eq!((paid.captured().minor(), paid.shortfall().minor()), (total, 0));
        // Of two that leave at once, the first may be taken with what is due for both.
        let least = if n % 2 == 0 { 2 } else { 1 };
        assert!((least..=2).contains(&paid.captures().len()), "{:?}", paid.captures());
        assert_eq!(shop.order(id).await.fulfilment_status(), FulfilmentStatus::Fulfilled);
    }))
    .await;

    shop.worker_is_through().await;
    let stock = shop.stock(lantern, "LON").await;
    assert_eq!((stock.on_hand(), stock.committed()), (30 - 18, 0));
    never_oversold(&shop, lantern, "LON").await;
    assert_eq!(shop.events.count("InventoryShipped").await, 12, "each half once");
    the_books_say(&shop, &totals(&orders)).await;
    assert!(shop.charges().await.iter().all(|charge| charge.captured == charge.amount.minor()));
}
