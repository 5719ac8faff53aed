//! Following live in Postgres: what a batch costs, and that what a follower remembers is never used when it is outdated.

use sqlx::Executor;

use super::models::take_cart;
use super::shop::Shop;

/// From now on, notes the statements that move the checkpoint.
async fn spy(shop: &Shop) {
    shop.read
        .pool
        .execute(
            "CREATE TABLE spied (number bigserial, statement text);
             CREATE FUNCTION spy() RETURNS trigger LANGUAGE plpgsql AS
                 $$BEGIN INSERT INTO spied (statement) VALUES (current_query()); RETURN NULL; END$$;
             CREATE TRIGGER spy AFTER UPDATE ON projections FOR EACH ROW EXECUTE FUNCTION spy();",
        )
        .await
        .expect("a trigger");
}

async fn spied(shop: &Shop) -> Vec<String> {
    let statement = "SELECT statement FROM spied ORDER BY number";
    sqlx::query_scalar(statement).fetch_all(&shop.read.pool).await.expect("what was seen")
}

#[tokio::test]
async fn events_of_others_move_the_checkpoint_alone() {
    let shop = Shop::open().await;
    let _projector = shop.project("orders");
    let (_, head) = shop.place_orders(3).await;
    shop.live_at("orders", head).await;
    let before = shop.dump("orders_v1").await;
    spy(&shop).await;

    for _ in 0..3 {
        let (_, head) = take_cart(&shop, None).await;
        assert_eq!(shop.live_at("orders", head).await.checkpoint.position, head);
    }
    assert_eq!(shop.dump("orders_v1").await, before);
    assert!(
        spied(&shop).await.iter().all(|statement| !statement.contains("orders")),
        "nothing but the register"
    );

    // Another projector stood at the beginning.
    shop.read
        .pool
        .execute("UPDATE projections SET position = 0, event_hash = decode(repeat('00', 32), 'hex')")
        .await
        .expect("the register");
    let (_, head) = take_cart(&shop, None).await;
    shop.live_at("orders", head).await;
    assert_eq!(shop.dump("orders_v1").await, before);
}
