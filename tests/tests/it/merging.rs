//! Two carts that become one, whatever happens meanwhile.

use std::collections::BTreeMap;

use daybook_commands::use_cases::{NewCart, NewLine, Scope, create_cart, merge_carts};
use daybook_domain::cart::CartStatus;
use daybook_domain::{CartId, Currency, CustomerId, IdSource, Quantity};
use daybook_eventstore::process::SystemIds;

use crate::checkout::code;
use crate::harness::shop::{TestShop, Wanted, context};

impl TestShop {
    /// A cart of `units` of this.
    async fn filled(&self, lantern: Wanted, units: i64, customer_id: Option<CustomerId>) -> CartId {
        let quantity = Quantity::try_new(units).expect("a quantity");
        let line = NewLine { variant: lantern.variant, quantity, attributes: BTreeMap::new() };
        let new = NewCart { customer_id, currency: Currency::GBP, lines: vec![line] };
        create_cart(&self.shop, &context(), new).await.expect("a cart").value.0
    }

    /// Whether a cart was closed, and how many units are in it.
    async fn cart_now(&self, cart_id: CartId) -> (bool, i64) {
        let cart = self.shop.carts.load(&cart_id.to_string()).await.expect("the cart").state;
        let units = cart.lines().iter().map(|line| line.quantity.count()).sum();
        (cart.status() != CartStatus::Open, units)
    }
}

#[tokio::test]
async fn a_merge_is_one_command_so_that_no_crash_leaves_the_lines_in_neither_cart() {
    let shop = TestShop::open().await;
    let lantern = shop.product(1_000, 5).await;
    let (from, into) = (shop.filled(lantern, 2, None).await, shop.filled(lantern, 3, None).await);
    let once = context();
    merge_carts(&shop.shop, &once, Scope::All, (from, into)).await.expect("it is merged");
    assert_eq!((shop.cart_now(from).await.0, shop.cart_now(into).await), (true, (false, 5)));
    let commands: Vec<(String, String)> = sqlx::query_as(
        "SELECT event_type, metadata::jsonb ->> 'command_id' FROM events
         WHERE event_type LIKE 'CartMerged%' ORDER BY event_type",
    )
    .fetch_all(&shop.events.pool)
    .await
    .expect("the events");
    let command = once.command_id.to_string();
    assert_eq!(
        commands,
        [("CartMerged".to_owned(), command.clone()), ("CartMergedInto".to_owned(), command)]
    );
}

#[tokio::test]
async fn what_is_put_into_a_cart_while_it_is_merged_is_in_the_other_or_refused() {
    let shop = TestShop::open().await;
    let lantern = shop.product(1_000, 5).await;
    for _ in 0..20 {
        let (from, into) = (shop.filled(lantern, 2, None).await, shop.filled(lantern, 3, None).await);
        let line = NewLine { variant: lantern.variant, quantity: Quantity::ONE, attributes: BTreeMap::new() };
        let (merging, adding) = (context(), context());
        let (merged, added) = tokio::join!(
            merge_carts(&shop.shop, &merging, Scope::All, (from, into)),
            daybook_commands::use_cases::add_lines(&shop.shop, &adding, Scope::All, from, vec![line]),
        );
        merged.expect("it is merged");
        let added = i64::from(added.is_ok());
        assert_eq!(shop.cart_now(into).await, (false, 5 + added));
    }
}

#[tokio::test]
async fn a_merge_is_told_again_what_came_of_it_and_refused_leaves_both_carts_alone() {
    let shop = TestShop::open().await;
    let lantern = shop.product(1_000, 5).await;
    let (from, into) = (shop.filled(lantern, 2, None).await, shop.filled(lantern, 3, None).await);
    let merge =
        async |context, from, into| merge_carts(&shop.shop, &context, Scope::Of(None), (from, into)).await;
    let once = context();
    let first = merge(once.clone(), from, into).await.expect("it is merged");
    let again = merge(once, from, into).await.expect("it is told");
    assert_eq!((first.replayed, again.replayed, again.position), (false, true, first.position));
    assert_eq!(
        merge(context(), from, into).await.expect("it is so already").value.lines()[0].quantity.count(),
        5
    );

    let another = shop.filled(lantern, 1, None).await;
    assert_eq!(code(merge(context(), another, from).await.map(drop)), "CART_NOT_OPEN");
    let somebodys = shop.filled(lantern, 1, Some(CustomerId::new(SystemIds.next()))).await;
    for (from, into) in [(another, somebodys), (somebodys, another)] {
        assert_eq!(code(merge(context(), from, into).await.map(drop)), "NOT_FOUND");
    }
    assert_eq!((shop.cart_now(another).await, shop.cart_now(somebodys).await), ((false, 1), (false, 1)));
}
