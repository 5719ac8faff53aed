//! Carts at once: nobody pays a total they did not see, and nothing is doubled or lost on the way into another cart.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::TimeDelta;
use daybook_commands::Shop;
use daybook_commands::use_cases::{
    NewCart, NewLine, Scope, Submission, UseCaseError, capture_payment, change_product, create_cart,
    merge_carts, reprice_cart, submit_cart,
};
use daybook_domain::cart::{Cart, CartStatus};
use daybook_domain::order::OrderStatus;
use daybook_domain::product::ProductCommand;
use daybook_domain::{CartId, Currency, Money, OrderId, Quantity};
use daybook_eventstore::CommandContext;
use futures::future::join_all;

use super::{carts, processes, refused, the_books_say};
use crate::harness::shop::{TestShop, Wanted, context};

/// What the lantern costs by turns, in pence.
const PRICES: [i64; 4] = [1_000, 1_100, 1_200, 1_300];

async fn set_price(shop: &Shop, wanted: Wanted, pence: i64) {
    let (product_id, variant_id) = (wanted.variant.product_id, wanted.variant.variant_id);
    let price = Money::new(pence, Currency::GBP);
    let set = vec![ProductCommand::SetPrice { variant_id, price }];
    change_product(shop, &context(), product_id, &set).await.expect("it has this price");
}

/// The circumstances of a command that is given so many days from now, when earlier quotes have run out.
fn in_days(days: i64) -> CommandContext {
    let now = context();
    CommandContext { occurred_at: now.occurred_at + TimeDelta::days(days), ..now }
}

/// A shopper who buys for the total they see, and looks again whenever that is refused.
struct Shopper<'a> {
    shop: &'a Shop,
    /// How many days they take each time before they buy.
    dither: i64,
    /// The totals that this cart can have.
    totals: &'a [Money],
}

impl Shopper<'_> {
    /// Says which order it is, and the total they last saw.
    async fn buy(&self, (cart_id, mut seen): (CartId, Money)) -> (OrderId, Money) {
        let mut day = 0;
        loop {
            day += self.dither;
            let payment_token = "card_approve".to_owned();
            let submission = Submission { cart_id, payment_token, expected_total: seen };
            let submitted = submit_cart(self.shop, &in_days(day), Scope::All, submission).await;
            let message = match submitted {
                Ok(done) => return (done.value.0, seen),
                Err(UseCaseError::Refused(refused)) => {
                    assert!(["QUOTE_EXPIRED", "TOTAL_CHANGED"].contains(&refused.code), "{refused:?}");
                    refused.message
                }
                Err(failed) => panic!("neither bought nor refused: {failed:?}"),
            };
            let shown = self.totals.iter().filter(|total| message.contains(&total.to_string()));
            let shown: Vec<&Money> = shown.collect();
            assert!(shown.len() == 2 && shown.contains(&&seen), "{message} shows {seen} and another");
            let repriced = reprice_cart(self.shop, &in_days(day), Scope::All, cart_id).await;
            seen = repriced.expect("today's prices").value.quote().expect("a quote").total;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_buys_while_prices_change_pays_the_total_they_saw() {
    let shop = TestShop::open().await;
    let _worker = shop.worker(&[]);
    let lantern = shop.product(PRICES[0], 100).await;
    let (mut filled, mut totals) = (Vec::new(), Vec::new());
    for price in PRICES {
        set_price(&shop.shop, lantern, price).await;
        let quoted = carts(&shop, 6, &[lantern]).await;
        totals.push(quoted[0].1);
        filled.extend(quoted);
    }

    let [clerk, one, other] = processes(&shop);
    let pricing = async {
        for price in PRICES.into_iter().cycle().take(32) {
            set_price(&clerk, lantern, price).await;
        }
    };
    let shopping = join_all(filled.iter().enumerate().map(async |(n, cart)| {
        let shop = if n % 2 == 0 { &one } else { &other };
        let at_once = Shopper { shop, dither: 0, totals: &totals };
        match n % 3 {
            0 => {
                let bought = at_once.buy(*cart).await;
                assert_eq!(bought.1, cart.1, "the quote is honoured");
                bought
            }
            1 => {
                // The shopper has the cart open in another window too.
                let now = context();
                let other_window = reprice_cart(&clerk, &now, Scope::All, cart.0);
                let (bought, repriced) = tokio::join!(at_once.buy(*cart), other_window);
                assert!(refused(repriced).is_none_or(|refused| refused.code == "CART_NOT_OPEN"));
                bought
            }
            _ => Shopper { dither: 1, ..at_once }.buy(*cart).await,
        }
    }));
    let ((), bought) = tokio::join!(pricing, shopping);

    join_all(bought.iter().map(async |(order_id, seen)| {
        let order = shop.order_is(*order_id, OrderStatus::Confirmed).await;
        assert_eq!(order.placement().expect("placed").quote.total, *seen);
        capture_payment(&shop.shop, &context(), *order_id, None).await.expect("it is asked for");
        shop.payment_is(*order_id, "it is captured", |payment| payment.captured() == *seen).await;
    }))
    .await;
    let seen: BTreeMap<OrderId, i64> = bought.iter().map(|(id, seen)| (*id, seen.minor())).collect();
    assert_eq!(seen.len(), filled.len(), "an order each");
    the_books_say(&shop, &seen).await;
    assert!(shop.charges().await.iter().all(|charge| charge.captured == charge.amount.minor()));
}

/// A cart of so many of each of these, and nothing beside.
async fn filled(shop: &TestShop, wanted: &[Wanted]) -> CartId {
    let line = |one: &Wanted| NewLine {
        variant: one.variant,
        quantity: Quantity::try_new(one.quantity).expect("a quantity"),
        attributes: BTreeMap::new(),
    };
    let lines = wanted.iter().map(line).collect();
    let new = NewCart { customer_id: None, currency: Currency::GBP, lines };
    create_cart(&shop.shop, &context(), new).await.expect("a cart").value.0
}

/// A cart as the store has it.
async fn cart(shop: &TestShop, cart_id: CartId) -> Arc<Cart> {
    shop.shop.carts.load(&cart_id.to_string()).await.expect("the cart").state
}

/// How many of this are in a cart, in how many lines, and at which price.
fn units(cart: &Cart, wanted: Wanted) -> (i64, usize, i64) {
    let lines = cart.lines().iter().filter(|line| line.item.variant_id == wanted.variant.variant_id);
    let price = lines.clone().map(|line| line.item.unit_price.minor()).max().expect("a line");
    (lines.clone().map(|line| line.quantity.count()).sum(), lines.count(), price)
}

#[tokio::test(flavor = "multi_thread")]
async fn carts_that_are_merged_at_once_and_told_so_again_add_up_at_the_newest_price() {
    let shop = TestShop::open().await;
    let (lantern, lamp) = (shop.product(1_000, 5).await, shop.product(200, 5).await);
    let into = filled(&shop, &[lantern.times(3)]).await;
    let mut from = Vec::new();
    for price in [1_500, 1_200] {
        set_price(&shop.shop, lantern, price).await;
        for _ in 0..4 {
            from.push(filled(&shop, &[lantern.times(2), lamp]).await);
        }
    }
    let processes = processes(&shop);
    join_all(from.iter().map(async |from| {
        // Two processes are told the same once, and one has it from another window.
        let (once, another) = (context(), context());
        let merges = processes.iter().zip([&once, &once, &another]);
        let merges = merges.map(|(shop, context)| merge_carts(shop, context, Scope::All, (*from, into)));
        for merged in join_all(merges).await {
            merged.expect("it is merged");
        }
    }))
    .await;

    let merged = cart(&shop, into).await;
    assert_eq!(units(&merged, lantern), (3 + 8 * 2, 1, 1_200), "the newer quote, whichever came last");
    assert_eq!(units(&merged, lamp), (8, 1, 200));
    for from in from {
        assert_eq!(cart(&shop, from).await.status(), CartStatus::Merged { into });
    }
    assert_eq!((shop.events.count("CartMerged").await, shop.events.count("CartMergedInto").await), (8, 8));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_merges_that_exclude_each_other_one_is_done_and_the_other_changes_nothing() {
    let shop = TestShop::open().await;
    let lantern = shop.product(1_000, 5).await;
    let [one, other, _] = processes(&shop);
    for _ in 0..12 {
        let carts = join_all((0..5).map(async |_| filled(&shop, &[lantern]).await)).await;
        let [left, right, source, one_target, other_target] = carts[..] else { panic!("five carts") };
        // Into each other, and one cart into two.
        let rivals = [
            (vec![left, right], (left, right), (right, left)),
            (vec![source, one_target, other_target], (source, one_target), (source, other_target)),
        ];
        for (carts, merge, rival) in rivals {
            let contexts = [context(), context()];
            let (merged, rivalled) = tokio::join!(
                merge_carts(&one, &contexts[0], Scope::All, merge),
                merge_carts(&other, &contexts[1], Scope::All, rival),
            );
            let refusals = [refused(merged), refused(rivalled)].into_iter().flatten();
            let codes: Vec<&str> = refusals.map(|refused| refused.code).collect();
            assert_eq!(codes, ["CART_NOT_OPEN"]);
            let carts = join_all(carts.iter().map(|id| cart(&shop, *id))).await;
            let open = carts.iter().filter(|cart| cart.status() == CartStatus::Open);
            let mut units: Vec<i64> = open.map(|cart| units(cart, lantern).0).collect();
            units.sort_unstable();
            assert_eq!(units, if carts.len() == 2 { vec![2] } else { vec![1, 2] });
        }
    }
}
