//! That a transaction may be given up while it begins: whatever is written on the same connection next is committed.

use daybook_eventstore::process::config::{PgUrl, Value};
use daybook_eventstore::{begin_tx, process};
use sqlx::Executor;

use crate::harness::Database;

#[tokio::test]
async fn a_transaction_that_is_given_up_while_it_begins_leaves_nothing_open() {
    let database = Database::read().await;
    database.pool.execute("CREATE TABLE noted (number int)").await.expect("a table");
    let url = PgUrl::parse(&database.url).expect("a URL");
    let only = process::pool(&url, 1, "tests");
    only.execute("SELECT").await.expect("a connection");
    for polls in 1..=10 {
        let mut beginning = Box::pin(begin_tx(&only));
        for _ in 0..polls {
            if futures::poll!(&mut beginning).is_ready() {
                break;
            }
            tokio::task::yield_now().await;
        }
        drop(beginning);
        sqlx::query("INSERT INTO noted VALUES ($1)").bind(polls).execute(&only).await.expect("it is noted");
        let seen: i64 = sqlx::query_scalar("SELECT count(*) FROM noted")
            .fetch_one(&database.pool)
            .await
            .expect("what others see");
        assert_eq!(seen, i64::from(polls), "given up after {polls} polls");
    }
}
