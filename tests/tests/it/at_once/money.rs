//! Money that many move at once: never more is taken than was held, nor given back than was taken, and each movement is
//! one at the gateway, whoever asks for it and how often.

use std::collections::BTreeSet;

use daybook_commands::Shop;
use daybook_commands::use_cases::{UseCaseError, capture_payment, refund_payment};
use daybook_domain::order::OrderStatus;
use daybook_domain::payment::{Payment, PaymentStatus, Progress};
use daybook_domain::{Money, OrderId, RefundId};
use daybook_eventstore::CommandContext;
use futures::future::join_all;

use super::{buy, carts, life, processes, refused, the_books_say};
use crate::checkout_mishaps::{NONE, confirmed_of, parcel};
use crate::harness::eventually;
use crate::harness::shop::{SOON, TestShop, context};
use crate::harness::steps::{Mood, Steps};

#[tokio::test(flavor = "multi_thread")]
async fn captures_that_time_out_at_once_are_one_charge_each_whichever_worker_asks_again() {
    let shop = TestShop::open().await;
    let mut leader = shop.worker(&[]);
    let lantern = shop.product(1_000, 50).await;
    let carts = carts(&shop, 12, &[lantern]).await;
    let orders = buy(&shop, &carts, "card_timeout_capture").await;
    join_all(orders.iter().map(|id| shop.order_is(*id, OrderStatus::Confirmed))).await;
    let _standing_by = [shop.worker(&[]), shop.worker(&[])];

    // Two people take the money of each order, from two processes.
    let processes = processes(&shop);
    join_all(orders.iter().zip(processes.iter().cycle()).map(async |(id, process)| {
        let (now, too) = (context(), context());
        let (one, other) = tokio::join!(
            capture_payment(&shop.shop, &now, *id, None),
            capture_payment(process, &too, *id, None),
        );
        for refused in [refused(one), refused(other)].into_iter().flatten() {
            assert_eq!(refused.code, "CAPTURE_EXCEEDS_AUTHORISED");
        }
    }))
    .await;
    // The worker that has lost answers goes before it can ask again.
    eventually(SOON, "the gateway has taken some of it", || async {
        shop.charges().await.iter().any(|charge| charge.captured > 0).then_some(())
    })
    .await;
    leader.kill();

    let captured = |payment: &Payment| payment.status() == PaymentStatus::Captured;
    let payments = orders.iter().map(|id| shop.payment_is(*id, "it is captured", captured));
    for payment in join_all(payments).await {
        let [capture] = payment.captures() else { panic!("one capture: {payment:?}") };
        assert_eq!((capture.amount, capture.progress), (payment.authorised(), Progress::Done));
    }
    shop.worker_is_through().await;
    let charges = shop.charges().await;
    assert_eq!(charges.len(), 12);
    assert!(charges.iter().all(|one| one.captured == one.amount.minor() && one.refunded == 0));
    assert_eq!(shop.events.count("PaymentCaptured").await, 12);
    let keys = sqlx::query_scalar("SELECT count(*) FROM simulated_gateway.requests");
    let keys: i64 = keys.fetch_one(&shop.events.pool).await.expect("a count");
    assert_eq!(keys, 2 * 12, "one key for each authorisation and each capture, asked again or not");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_capture_that_several_workers_ask_for_at_once_has_one_key_and_is_noted_once() {
    let shop = TestShop::open().await;
    let mut steps = Steps::of(&shop);
    let lantern = shop.product(1_000, 5).await;
    let order_id = confirmed_of(&shop, &mut steps, lantern.times(3)).await;
    steps.gateway.is(Mood::Silent);
    shop.leave(parcel(order_id), 3).await;
    assert_eq!(steps.run().await, ["PaymentCaptureRequested: still waiting"]);
    // Each takes itself for the leader, and none has heard of the others.
    let workers: Vec<Steps> = (0..4).map(|_| steps.anew(&shop, steps.done())).collect();
    let ask = || join_all(workers.iter().map(|worker| worker.again("PaymentCaptureRequested")));
    assert_eq!(ask().await, [["PaymentCaptureRequested: still waiting"]; 4]);
    steps.gateway.is(Mood::Willing);
    assert_eq!(ask().await, [NONE; 4]);
    assert_eq!(steps.run().await, NONE);

    let payment = shop.payment(order_id).await;
    assert_eq!((payment.captured(), payment.captures().len()), (payment.authorised(), 1));
    assert!(payment.conflicts().is_empty());
    assert_eq!(shop.events.count("PaymentCaptured").await, 1);
    let asked = steps.gateway.asked();
    let asked: Vec<&String> = asked.iter().filter(|key| key.starts_with("capture:")).collect();
    assert!(asked.len() > 4 && asked.iter().all(|key| *key == asked[0]), "{asked:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn charges_that_are_not_what_was_asked_are_never_taken_and_go_back_when_called_off_at_once() {
    let shop = TestShop::open().await;
    let _worker = shop.worker(&[]);
    let lantern = shop.product(1_000, 50).await;
    let carts = carts(&shop, 15, &[lantern]).await;
    let (less, other, right) = tokio::join!(
        buy(&shop, &carts[..5], "card_wrong_amount"),
        buy(&shop, &carts[5..10], "card_wrong_currency"),
        buy(&shop, &carts[10..], "card_approve"),
    );
    let wrong: Vec<OrderId> = less.into_iter().zip(other).flat_map(|(one, other)| [one, other]).collect();
    join_all(right.iter().map(|id| shop.order_is(*id, OrderStatus::Confirmed))).await;
    let conflict = |payment: &Payment| payment.status() == PaymentStatus::Conflict;
    join_all(wrong.iter().map(|id| shop.payment_is(*id, "it is in conflict", conflict))).await;

    // Somebody takes the money by hand while somebody else calls the order off.
    let (kept, off) = wrong.split_at(4);
    let processes = processes(&shop);
    join_all(wrong.iter().map(async |id| {
        let captures = processes.iter().map(async |process| {
            let taken = capture_payment(process, &context(), *id, None).await;
            let refused = refused(taken).expect("it is in conflict");
            assert!(["PAYMENT_IN_CONFLICT", "CURRENCY_MISMATCH"].contains(&refused.code));
        });
        let calling_off = async {
            if off.contains(id) {
                shop.cancel(*id).await.expect("nothing has left");
            }
        };
        tokio::join!(join_all(captures), calling_off);
    }))
    .await;
    join_all(off.iter().map(|id| shop.order_is(*id, OrderStatus::Cancelled))).await;

    let charged = shop.charges().await.into_iter();
    let stays = charged.filter(|one| kept.contains(&one.order_id) || right.contains(&one.order_id));
    the_books_say(&shop, &stays.map(|one| (one.order_id, one.amount.minor())).collect()).await;
    assert!(shop.charges().await.iter().all(|one| one.captured == 0), "not a penny was taken");
    shop.worker_is_through().await;
    for id in kept {
        assert_eq!(shop.order(*id).await.status(), OrderStatus::Placed);
        assert_eq!(shop.payment(*id).await.status(), PaymentStatus::Conflict, "and it is seen");
    }
    let stock = shop.stock(lantern, "LON").await;
    assert_eq!((stock.committed(), stock.reserved(), stock.available()), (5, 4, 41));
}

/// What came of asking for a refund: which it is and whether it had been asked for before, or what is left.
async fn refund(
    shop: &Shop,
    context: &CommandContext,
    order_id: OrderId,
    amount: Money,
) -> Result<(RefundId, bool), Money> {
    let refused = match refund_payment(shop, context, order_id, (amount, "damaged".to_owned())).await {
        Ok(done) => return Ok((done.value.0, done.replayed)),
        Err(UseCaseError::Refused(refused)) => refused,
        Err(failed) => panic!("neither asked for nor refused: {failed:?}"),
    };
    assert_eq!(refused.code, "REFUND_EXCEEDS_CAPTURED");
    let left = refused.message.split_whitespace().next().expect("a number");
    let left = Money::parse(left, amount.currency()).expect("an amount");
    assert!(!left.is_negative() && left.minor() < amount.minor(), "{}", refused.message);
    assert!(refused.message.ends_with(&format!("not {amount}")), "{}", refused.message);
    Err(left)
}

#[tokio::test(flavor = "multi_thread")]
async fn refunds_at_once_are_never_more_than_was_taken_and_one_that_failed_can_be_made_again() {
    let shop = TestShop::open().await;
    let _worker = shop.worker(&[]);
    let lantern = shop.product(1_000, 9).await;
    let order_id = shop.buy(&[lantern], "card_refund_fails").await;
    shop.order_is(order_id, OrderStatus::Confirmed).await;
    capture_payment(&shop.shop, &context(), order_id, None).await.expect("it is asked for");
    let total = shop.payment_is(order_id, "it is captured", |one| !one.captured().is_zero()).await.captured();
    let gbp = |minor| Money::new(minor, total.currency());
    let settled = async || {
        let settled = |one: &Payment| one.refunds().iter().all(|one| one.progress != Progress::Pending);
        shop.payment_is(order_id, "every refund is answered", settled).await
    };

    // Together far more than the 16.68 that was taken, and in no sum exactly that; each is asked for by two processes.
    let processes = processes(&shop);
    let asked = join_all((0..24_usize).map(async |n| {
        let (same, amount) = (context(), gbp(100 + 5 * i64::try_from(n).expect("a number")));
        let (one, other) = (&processes[n % 3], &processes[(n + 1) % 3]);
        tokio::join!(refund(one, &same, order_id, amount), refund(other, &same, order_id, amount))
    }))
    .await;
    let mut accepted = BTreeSet::new();
    for (one, other) in asked {
        if let (Ok(one), Ok(other)) = (one, other) {
            assert_eq!((one.0, one.1), (other.0, !other.1), "the same refund, done once and told once");
        }
        let news = [one, other].into_iter().flatten().filter(|(_, replayed)| !replayed);
        accepted.extend(news.map(|(id, _)| id));
    }
    let payment = settled().await;
    assert_eq!(payment.refunds().iter().map(|one| one.refund_id).collect::<BTreeSet<_>>(), accepted);
    let failed = payment.refunds().iter().filter(|one| one.progress == Progress::Failed);
    assert_eq!(failed.count(), 1, "the gateway refused the first");

    // What it refused can be given back after all, to the last penny, by one of those who ask for it.
    let left = payment.refundable();
    assert_eq!(left.minor(), total.minor() - payment.refunded().minor());
    let too_much = refund(&shop.shop, &context(), order_id, gbp(left.minor() + 1)).await;
    assert_eq!(too_much, Err(left));
    let last =
        join_all(processes.iter().map(|shop| async { refund(shop, &context(), order_id, left).await }));
    let told: Vec<_> = last.await.into_iter().filter_map(Result::err).collect();
    assert_eq!(told, [gbp(0), gbp(0)]);
    assert_eq!(settled().await.refunded(), total);
    for payment in life::<Payment>(&shop, payment.request().expect("asked for").payment_id).await {
        assert!(!payment.refundable().is_negative() && payment.refunded().minor() <= total.minor());
    }
    let charge = &shop.charges().await[0];
    assert_eq!((charge.captured, charge.refunded), (total.minor(), total.minor()));
}
