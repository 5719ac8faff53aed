//! Stock that many want at once: never more is promised than there is, and an order gets all it wants or nothing.

use daybook_commands::Shop;
use daybook_commands::use_cases::change_stock;
use daybook_domain::inventory::{AdjustmentReason, Inventory, InventoryCommand};
use daybook_domain::payment::{Payment, PaymentStatus};
use futures::future::join_all;

use super::{buy, carts, never_oversold, processes, refused, settled, the_books_say, totals};
use crate::harness::shop::{TestShop, context, item};

#[tokio::test(flavor = "multi_thread")]
async fn carts_with_two_lines_of_one_item_are_bought_whole_or_not_at_all() {
    let shop = TestShop::open().await;
    let _worker = shop.worker(&[]);
    // Three of five in London and one in Rotterdam; what is left then would do for either line alone.
    let lantern = shop.product_at(1_000, &[("LON", 18), ("ROT", 8)]).await;
    let carts = carts(&shop, 16, &[lantern.times(3), lantern.times(2)]).await;
    let orders = buy(&shop, &carts, "card_approve").await;

    let (sold, told) = settled(&shop, &orders).await;
    assert_eq!((sold.len(), told.len()), (4, 12));
    for (id, order) in &sold {
        let promised: i64 = order.allocations().iter().map(|one| one.quantity.count()).sum();
        assert_eq!(promised, 5, "order {id} has both of its lines");
        assert_eq!(order.placement().expect("placed").quote.total, carts[0].1, "and pays for both");
    }
    for (location, committed, left) in [("LON", 15, 3), ("ROT", 5, 3)] {
        let stock = shop.stock(lantern, location).await;
        assert_eq!((stock.committed(), stock.reserved(), stock.available()), (committed, 0, left));
        never_oversold(&shop, lantern, location).await;
    }
    the_books_say(&shop, &totals(&sold)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn orders_that_are_short_of_one_item_keep_nothing_of_the_others() {
    let shop = TestShop::open().await;
    let _worker = shop.worker(&[]);
    let (first, second, third) =
        (shop.product(100, 40).await, shop.product(200, 40).await, shop.product(300, 4).await);
    let all = carts(&shop, 12, &[first.times(2), second.times(3), third]).await;
    let without = carts(&shop, 4, &[second, first]).await;
    // Those who are short and those who are not come one after another.
    let mixed: Vec<_> =
        all.chunks(3).zip(&without).flat_map(|(three, one)| [three, &[*one]].concat()).collect();
    let orders = buy(&shop, &mixed, "card_approve").await;

    let (sold, told) = settled(&shop, &orders).await;
    assert_eq!((sold.len(), told.len()), (4 + 4, 8));
    shop.worker_is_through().await;
    for (one, on_hand, committed) in [(first, 40, 4 * 2 + 4), (second, 40, 4 * 3 + 4), (third, 4, 4)] {
        let stock = shop.stock(one, "LON").await;
        assert_eq!((stock.on_hand(), stock.committed(), stock.reserved()), (on_hand, committed, 0));
        never_oversold(&shop, one, "LON").await;
    }
    the_books_say(&shop, &totals(&sold)).await;
    assert_eq!(shop.charges().await.len(), sold.len(), "the others were never charged");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_ran_out_goes_to_quick_buyers_and_late_payers_and_to_none_of_them_twice() {
    let shop = TestShop::open().await;
    let _worker = shop.worker(&[("HOLD_SECONDS", "1")]);
    let lantern = shop.product(1_000, 8).await;
    let (slow, quick) = (carts(&shop, 8, &[lantern]).await, carts(&shop, 6, &[lantern]).await);
    let late = buy(&shop, &slow, "card_action").await;
    let at_the_bank = late.iter().map(|id| {
        let step = |payment: &Payment| payment.status() == PaymentStatus::ActionRequired;
        shop.payment_is(*id, "a second step is asked for", step)
    });
    join_all(at_the_bank).await;

    let ran_out =
        |left: i64| shop.stock_is(lantern, "LON", "holds run out", move |stock| stock.reserved() <= left);
    // Some pay while holds run out, some when all have.
    let paying = join_all(late.iter().zip(0..).map(async |(id, n)| {
        ran_out(7 - n).await;
        shop.complete_action(*id).await;
    }));
    let buying = async {
        ran_out(7).await;
        buy(&shop, &quick, "card_approve").await
    };
    let (_, quick) = tokio::join!(paying, buying);

    let (sold, told) = settled(&shop, &[late, quick].concat()).await;
    assert_eq!((sold.len(), told.len()), (8, 6), "whoever was told so, it was for want of stock");
    the_books_say(&shop, &totals(&sold)).await;
    shop.worker_is_through().await;
    let stock = shop.stock(lantern, "LON").await;
    assert_eq!((stock.on_hand(), stock.committed(), stock.reserved()), (8, 8, 0));
    never_oversold(&shop, lantern, "LON").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn corrections_while_many_buy_take_nothing_that_is_promised() {
    let shop = TestShop::open().await;
    let _worker = shop.worker(&[]);
    let lantern = shop.product(1_000, 20).await;
    let carts = carts(&shop, 20, &[lantern]).await;
    let (processes, lost) = (processes(&shop), item(lantern, "LON"));
    let one_less = || InventoryCommand::Adjust {
        item: lost.clone(),
        delta: -1,
        reason: AdjustmentReason::Lost,
        note: String::new(),
    };
    let correct = async |process: &Shop| {
        refused(change_stock(process, &context(), &lost, one_less()).await).map(|refused| refused.code)
    };
    // Each counts again whenever three more are spoken for, and once more when all of them are.
    let counting = join_all(processes.iter().map(async |process| {
        let mut found = 0;
        for units in [0, 3, 6, 9] {
            let spoken_for = move |stock: &Inventory| stock.reserved() + stock.committed() >= units;
            shop.stock_is(lantern, "LON", "some are sold", spoken_for).await;
            match correct(process).await {
                None => found += 1,
                refused => assert_eq!(refused, Some("ADJUSTMENT_BELOW_COMMITTED")),
            }
        }
        shop.stock_is(lantern, "LON", "nothing is left", |stock| stock.available() == 0).await;
        assert_eq!(correct(process).await, Some("ADJUSTMENT_BELOW_COMMITTED"));
        found
    }));
    let (found, orders) = tokio::join!(counting, buy(&shop, &carts, "card_approve"));

    let (sold, told) = settled(&shop, &orders).await;
    let lost = i64::try_from(found.iter().sum::<usize>()).expect("a number");
    let stock = shop.stock(lantern, "LON").await;
    let units = i64::try_from(sold.len()).expect("a number");
    assert_eq!((stock.on_hand(), stock.committed(), stock.reserved()), (20 - lost, units, 0));
    assert_eq!((units + lost, told.len()), (20, found.iter().sum()), "sold or lost, each once");
    never_oversold(&shop, lantern, "LON").await;
    the_books_say(&shop, &totals(&sold)).await;
}
