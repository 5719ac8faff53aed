//! That of several workers one leads, whatever becomes of its right to.

use std::time::Duration;

use sqlx::PgPool;

use crate::harness::eventually;
use crate::harness::shop::TestShop;

const SOON: Duration = Duration::from_secs(30);

/// The connections of those who lead some work or stand by: the leader's, and how many there are.
pub(crate) async fn contenders(pool: &PgPool, work: &str) -> (Option<i32>, usize) {
    let all: Vec<(i32, bool)> = sqlx::query_as(
        "SELECT pid, EXISTS (SELECT FROM pg_locks l WHERE l.pid = a.pid AND locktype = 'advisory' AND granted)
         FROM pg_stat_activity a
         WHERE datname = current_database() AND application_name = $1 || ' leader'",
    )
    .bind(work)
    .fetch_all(pool)
    .await
    .expect("the server's connections");
    (all.iter().find(|(_, leads)| *leads).map(|(pid, _)| *pid), all.len())
}

/// The leader, once there is one beside one who stands by.
async fn leads(pool: &PgPool, before: Option<i32>) -> Option<i32> {
    eventually(SOON, "one leads and one stands by", || async {
        let (leader, all) = contenders(pool, "daybook-worker").await;
        (leader.is_some() && leader != before && all == 2).then_some(leader)
    })
    .await
}

#[tokio::test]
async fn a_worker_that_lost_the_leadership_stands_by() {
    let shop = TestShop::open().await;
    let _workers = [shop.worker(&[]), shop.worker(&[])];
    let pool = &shop.events.pool;
    let mut leader = leads(pool, None).await;
    for _ in 0..2 {
        let end = sqlx::query("SELECT pg_terminate_backend($1)").bind(leader);
        end.execute(pool).await.expect("its connection ends");
        leader = leads(pool, leader).await;
    }
}
