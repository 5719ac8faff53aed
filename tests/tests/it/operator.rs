//! What an operator does with read models from the command line.

use std::time::Duration;

use crate::harness::{Database, Process};

const SOON: Duration = Duration::from_mins(1);

/// Databases with nothing in them, and the command line on them.
struct Operator {
    events: Database,
    read: Database,
}

impl Operator {
    async fn new() -> Self {
        Self { events: Database::events().await, read: Database::read().await }
    }

    /// What it ends with, and what it tells about failures.
    async fn ask(&self, arguments: &[&str]) -> (Option<i32>, String) {
        let settings =
            [("EVENTS_URL", self.events.url.as_str()), ("READ_URL", &self.read.url), ("LOG", "off")];
        let mut process = Process::start("daybook-replay", arguments, &settings);
        (process.ended(SOON).await.code(), process.output())
    }

    async fn versions(&self) -> Vec<(i32, String)> {
        let query =
            sqlx::query_as("SELECT version, status FROM projections WHERE name = 'orders' ORDER BY 1");
        query.fetch_all(&self.read.pool).await.expect("the register of versions")
    }
}

fn versions(expected: &[(i32, &str)]) -> Vec<(i32, String)> {
    expected.iter().map(|(version, status)| (*version, (*status).to_owned())).collect()
}

#[tokio::test]
async fn a_read_model_is_rebuilt_rolled_back_and_dropped() {
    let operator = Operator::new().await;
    let done = (Some(0), String::new());
    for _ in 0..2 {
        assert_eq!(operator.ask(&["rebuild", "orders"]).await, done);
    }
    assert_eq!(operator.versions().await, versions(&[(1, "retired"), (2, "live")]));
    assert_eq!(operator.ask(&["rollback", "orders"]).await, done);
    assert_eq!(operator.versions().await, versions(&[(1, "live"), (2, "retired")]));
    assert_eq!(operator.ask(&["drop", "orders", "2"]).await, done);
    assert_eq!(operator.ask(&["rebuild", "orders", "--beside"]).await, done);
    assert_eq!(operator.versions().await, versions(&[(1, "live"), (2, "building")]));
    for asked in [["lag"].as_slice(), &["parked", "retry", "orders"], &["switch", "orders", "2"]] {
        assert_eq!(operator.ask(asked).await, done, "{asked:?}");
    }
    assert_eq!(operator.versions().await, versions(&[(1, "retired"), (2, "live")]));
}

#[tokio::test]
async fn what_cannot_be_done_is_told_in_one_line() {
    let operator = Operator::new().await;
    operator.ask(&["rebuild", "orders"]).await;
    for asked in [["rebuild", "nothing"].as_slice(), &["drop", "orders", "1"], &["switch", "orders", "9"]] {
        let (code, told) = operator.ask(asked).await;
        assert_eq!((code, told.lines().count()), (Some(1), 1), "{asked:?}: {told}");
    }
}
