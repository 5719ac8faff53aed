//! What an operator does with read models from the command line.

use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use sqlx::Executor;
use tokio::process::Command;

use crate::harness::shop::TestShop;
use crate::harness::{Database, Process, eventually, servers};

const SOON: Duration = Duration::from_mins(1);

/// A shop with nothing in it, and the command line on its databases.
struct Operator {
    shop: TestShop,
    read: Database,
}

impl Operator {
    async fn new() -> Self {
        Self { shop: TestShop::open().await, read: Database::read().await }
    }

    /// One with three products, whose read model is live.
    async fn of_products() -> Self {
        let operator = Self::new().await;
        for _ in 0..3 {
            operator.shop.product(1_000, 0).await;
        }
        let (code, told) = operator.told(&["rebuild", "products"]).await;
        assert_eq!(code, Some(0), "{told}");
        operator
    }

    fn settings(&self) -> [(&'static str, &str); 3] {
        [("EVENTS_URL", self.shop.events.url.as_str()), ("READ_URL", &self.read.url), ("LOG", "off")]
    }

    /// What it ends with, and what it tells about failures.
    async fn ask(&self, arguments: &[&str]) -> (Option<i32>, String) {
        let mut process = Process::start("daybook-replay", arguments, &self.settings());
        (process.ended(SOON).await.code(), process.output())
    }

    /// What it ends with, and what it tells who asked.
    async fn told(&self, arguments: &[&str]) -> (Option<i32>, String) {
        let mut command = Command::new(servers().binaries.join("daybook-replay"));
        command.args(arguments).env_clear().stdin(Stdio::null()).kill_on_drop(true);
        for (name, value) in self.settings() {
            command.env(format!("DAYBOOK_{name}"), value);
        }
        let output = tokio::time::timeout(SOON, command.output()).await.expect("it ends").expect("it runs");
        (output.status.code(), String::from_utf8(output.stdout).expect("text"))
    }

    async fn versions_of(&self, name: &str) -> Vec<(i32, String)> {
        let query = sqlx::query_as("SELECT version, status FROM projections WHERE name = $1 ORDER BY 1");
        query.bind(name).fetch_all(&self.read.pool).await.expect("the register of versions")
    }

    async fn versions(&self) -> Vec<(i32, String)> {
        self.versions_of("orders").await
    }

    async fn run(&self, statement: &str) {
        self.read.pool.execute(statement).await.expect("the statement is good");
    }
}

fn versions(expected: &[(i32, &str)]) -> Vec<(i32, String)> {
    expected.iter().map(|(version, status)| (*version, (*status).to_owned())).collect()
}

#[tokio::test]
async fn a_read_model_is_rebuilt_rolled_back_and_dropped() {
    let operator = Operator::new().await;
    let done = (Some(0), String::new());
    assert_eq!(operator.ask(&["rebuild", "orders"]).await, done);
    assert_eq!(operator.versions().await, versions(&[(1, "live")]), "the first is live at once");
    assert_eq!(operator.ask(&["rebuild", "orders", "--switch"]).await, done);
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
    assert_eq!(operator.ask(&["rebuild", "orders", "--switch", "--unchecked"]).await, done);
    assert_eq!(operator.versions().await, versions(&[(1, "retired"), (2, "retired"), (3, "live")]));
}

#[tokio::test]
async fn what_cannot_be_done_is_told_in_one_line() {
    let operator = Operator::new().await;
    for asked in [["compare", "orders"].as_slice(), &["compare", "nothing"]] {
        let (code, told) = operator.ask(asked).await;
        assert_eq!((code, told.lines().count()), (Some(1), 1), "{asked:?}: {told}");
    }
    assert_eq!(operator.versions().await, [], "nothing was built to be compared with nothing");
    operator.ask(&["rebuild", "orders"]).await;
    for asked in [
        ["rebuild", "nothing"].as_slice(),
        &["drop", "orders", "1"],
        &["switch", "orders", "9"],
        &["compare", "orders", "--version", "1"],
        &["compare", "orders", "--version", "9"],
    ] {
        let (code, told) = operator.ask(asked).await;
        assert_eq!((code, told.lines().count()), (Some(1), 1), "{asked:?}: {told}");
    }
}

#[tokio::test]
async fn a_rebuilt_version_stays_beside_the_live_one_until_it_is_switched() {
    let operator = Operator::of_products().await;
    let (code, told) = operator.told(&["rebuild", "products"]).await;
    assert_eq!(code, Some(0), "{told}");
    for said in [
        "version 2 of products equals version 1, the live one",
        "products: 3 rows, checksum",
        "`switch products 2`",
    ] {
        assert!(told.contains(said), "{told}");
    }
    assert_eq!(operator.versions_of("products").await, versions(&[(1, "live"), (2, "building")]));
    let seen = "SELECT pg_get_viewdef('live.products') LIKE '%products_v1.products%'";
    let seen: bool = sqlx::query_scalar(seen).fetch_one(&operator.read.pool).await.expect("the view");
    assert!(seen, "readers are on the old one");
    assert_eq!(operator.ask(&["switch", "products", "2"]).await, (Some(0), String::new()));
    assert_eq!(operator.versions_of("products").await, versions(&[(1, "retired"), (2, "live")]));
}

#[tokio::test]
async fn a_read_model_is_compared_with_its_rebuild_which_goes_again() {
    let operator = Operator::of_products().await;
    let (code, told) = operator.told(&["compare", "products"]).await;
    assert_eq!(code, Some(0), "{told}");
    assert!(told.contains("products: 3 rows, checksum"), "{told}");
    operator.run("UPDATE products_v1.products SET published = false, price_gbp = 1").await;
    operator
        .run("DELETE FROM products_v1.products WHERE key = (SELECT min(key) FROM products_v1.products)")
        .await;

    let (code, told) = operator.told(&["compare", "products", "--rows", "--show", "2"]).await;
    assert_eq!(code, Some(3), "{told}");
    for said in [
        "version 2 of products differs from version 1, the live one",
        "products: 2 and 3 rows, checksums",
        "3 different",
        "is only in version 2",
        "/price_gbp\n  - 1\n  + 1000",
        "/published\n  - false\n  + true",
        "and 1 more",
    ] {
        assert!(told.contains(said), "{said}: {told}");
    }
    let (code, told) = operator.told(&["compare", "products", "--json"]).await;
    let told: Value = serde_json::from_str(&told).expect("JSON");
    assert_eq!((code, &told["equal"], &told["tables"][0]["rows"]), (Some(3), &json!(false), &json!([2, 3])));
    assert_eq!(told["differences"].as_array().map(Vec::len), Some(3));
    assert_eq!(told["differences"][1]["changes"][0]["path"], "/price_gbp");
    assert_eq!(operator.versions_of("products").await, versions(&[(1, "live")]), "nothing is left of them");

    let (code, _) = operator.told(&["compare", "products", "--keep"]).await;
    assert_eq!(code, Some(3));
    assert_eq!(operator.versions_of("products").await, versions(&[(1, "live"), (2, "building")]));
    let (code, told) = operator.told(&["compare", "products", "--version", "2"]).await;
    assert_eq!(code, Some(3), "{told}");
    assert_eq!(
        operator.versions_of("products").await,
        versions(&[(1, "live"), (2, "building")]),
        "it was there"
    );
}

#[tokio::test]
async fn a_version_that_differs_takes_over_only_from_one_of_other_code() {
    let operator = Operator::of_products().await;
    operator.run("DELETE FROM products_v1.products").await;
    let (code, told) = operator.told(&["rebuild", "products", "--switch"]).await;
    assert_eq!(code, Some(3), "{told}");
    assert!(told.contains("is only in version 2") && told.contains("`drop products 2`"), "{told}");
    assert_eq!(operator.versions_of("products").await, versions(&[(1, "live"), (2, "building")]));

    operator.run("UPDATE projections SET revision = revision - 1 WHERE version = 1").await;
    let (code, told) = operator.told(&["rebuild", "products", "--switch"]).await;
    assert_eq!(code, Some(0), "{told}");
    assert!(told.contains("a difference is to be expected"), "{told}");
    assert_eq!(
        operator.versions_of("products").await,
        versions(&[(1, "retired"), (2, "building"), (3, "live")])
    );

    operator.run("UPDATE projections SET diverged = true WHERE version = 3").await;
    let (code, told) = operator.told(&["rebuild", "products", "--switch"]).await;
    assert_eq!(code, Some(0), "{told}");
    assert!(told.contains("cannot be compared"), "{told}");
}

#[tokio::test]
async fn neither_older_code_nor_another_server_takes_over_unless_it_is_told_to() {
    let operator = Operator::of_products().await;
    for (change, undo) in [
        ("revision = revision + 1", "revision = revision - 1"),
        ("target = 'meilisearch'", "target = 'postgres'"),
    ] {
        operator.run(&format!("UPDATE projections SET {change} WHERE version = 1")).await;
        let (code, told) = operator.ask(&["rebuild", "products", "--switch"]).await;
        assert_eq!((code, told.lines().count()), (Some(1), 1), "{change}: {told}");
        assert_eq!(operator.versions_of("products").await, versions(&[(1, "live")]), "{change}");
        operator.run(&format!("UPDATE projections SET {undo} WHERE version = 1")).await;
    }
    operator.run("UPDATE projections SET revision = revision + 1 WHERE version = 1").await;
    let unchecked = operator.ask(&["rebuild", "products", "--switch", "--unchecked"]).await;
    assert_eq!(unchecked, (Some(0), String::new()));
    assert_eq!(operator.versions_of("products").await, versions(&[(1, "retired"), (2, "live")]));
}

#[tokio::test]
async fn a_comparison_that_is_stopped_leaves_nothing() {
    let operator = Operator::of_products().await;
    // Somebody else follows what is built, and does not come along.
    let mut other = operator.read.pool.acquire().await.expect("a connection");
    sqlx::query("SELECT pg_advisory_lock(hashtextextended('daybook projector products@2', 0))")
        .execute(&mut *other)
        .await
        .expect("the lock");
    let mut process = Process::start("daybook-replay", &["compare", "products"], &operator.settings());
    eventually(SOON, "it builds", || async {
        (operator.versions_of("products").await.len() == 2).then_some(())
    })
    .await;
    process.terminate();
    assert_eq!(process.ended(SOON).await.code(), Some(130));
    assert_eq!(operator.versions_of("products").await, versions(&[(1, "live")]));
}
