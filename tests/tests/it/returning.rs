//! Goods that come back: what left, once, and no more.

use daybook_commands::use_cases::{Returned, UseCaseError, return_stock};
use daybook_domain::{OrderId, Quantity};
use daybook_eventstore::CommandContext;
use futures::future::join_all;

use crate::checkout::code;
use crate::checkout_mishaps::{NONE, confirmed_of, parcel};
use crate::harness::shop::{TestShop, Wanted, context, item};
use crate::harness::steps::Steps;

/// An order of which this many have left, and of what.
async fn left(shop: &TestShop, units: i64) -> (OrderId, Wanted) {
    let mut steps = Steps::of(shop);
    let lantern = shop.product(1_000, 5).await;
    let order_id = confirmed_of(shop, &mut steps, lantern.times(3)).await;
    shop.leave(parcel(order_id), units).await;
    assert_eq!(steps.run().await, NONE);
    (order_id, lantern)
}

/// Says that units came back to a location; says how many are on hand there now.
async fn back(
    shop: &TestShop,
    context: &CommandContext,
    order_id: OrderId,
    (lantern, location, units): (Wanted, &str, i64),
) -> Result<i64, UseCaseError> {
    let quantity = Quantity::try_new(units).expect("a quantity");
    let returned = Returned { item: item(lantern, location), order_id, quantity };
    Ok(return_stock(&shop.shop, context, returned).await?.value.on_hand())
}

#[tokio::test]
async fn of_many_returns_at_once_no_more_is_taken_back_than_left() {
    let shop = TestShop::open().await;
    let (order_id, lantern) = left(&shop, 2).await;
    let told = join_all((0..12).map(async |n| {
        let location = if n % 2 == 0 { "LON" } else { "ROT" };
        back(&shop, &context(), order_id, (lantern, location, 1)).await
    }))
    .await;
    let (taken, refused): (Vec<_>, Vec<_>) = told.into_iter().partition(Result::is_ok);
    assert_eq!(taken.len(), 2);
    for one in refused {
        assert_eq!(code(one.map(drop)), "RETURN_EXCEEDS_DISPATCHED");
    }
    let (london, rotterdam) = (shop.stock(lantern, "LON").await, shop.stock(lantern, "ROT").await);
    assert_eq!(london.on_hand() + rotterdam.on_hand(), 5);
    assert_eq!(shop.order(order_id).await.returns().len(), 2);
}

#[tokio::test]
async fn a_return_that_is_told_again_is_one_return_and_a_refusal_says_how_much_is_left() {
    let shop = TestShop::open().await;
    let (order_id, lantern) = left(&shop, 3).await;
    let once = context();
    for _ in 0..2 {
        assert_eq!(back(&shop, &once, order_id, (lantern, "LON", 2)).await.expect("it is taken back"), 4);
    }
    let Err(UseCaseError::Refused(refused)) = back(&shop, &context(), order_id, (lantern, "LON", 2)).await
    else {
        panic!("only one is left to come back");
    };
    assert_eq!(
        (refused.code, refused.field),
        ("RETURN_EXCEEDS_DISPATCHED", vec!["input".into(), "quantity".into()])
    );
    assert!(refused.message.starts_with("1 units"), "{}", refused.message);
    let other = shop.product(1_000, 5).await;
    let never = back(&shop, &context(), order_id, (other, "LON", 1)).await;
    assert_eq!(code(never.map(drop)), "RETURN_EXCEEDS_DISPATCHED", "it was not in the order");
    let nowhere = back(&shop, &context(), order_id, (lantern, "MAN", 1)).await;
    assert_eq!(code(nowhere.map(drop)), "NOT_FOUND", "the shop has no such location");
    assert_eq!(shop.stock(lantern, "LON").await.on_hand(), 4);
}
