//! What an analyst sees of the log on the command line, and what scripts are told by its exit code.

use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Command;
use uuid::Uuid;

use crate::harness::{Database, eventually, servers};
use crate::import::{Importing, dirty};

const SOON: Duration = Duration::from_secs(30);

fn command(events: &Database, read: &Database, arguments: &[&str]) -> Command {
    let mut command = Command::new(servers().binaries.join("daybook-replay"));
    command
        .args(arguments)
        .env("DAYBOOK_EVENTS_URL", &events.url)
        .env("DAYBOOK_READ_URL", &read.url)
        .env("DAYBOOK_LOG", "warn")
        .stdin(Stdio::null())
        .kill_on_drop(true);
    command
}

/// What it says, and its exit code.
async fn ask(importing: &Importing, arguments: &[&str]) -> (i32, String) {
    let output = command(&importing.events, &importing.read, arguments).output().await.expect("it runs");
    let said = String::from_utf8(output.stdout).expect("text");
    let code = output.status.code().unwrap_or(-1);
    if code == 1 { (code, String::from_utf8(output.stderr).expect("text")) } else { (code, said) }
}

/// The objects that it says, a line each.
async fn objects(importing: &Importing, arguments: &[&str]) -> Vec<Value> {
    let (code, said) = ask(importing, arguments).await;
    assert_eq!(code, 0, "{arguments:?}: {said}");
    said.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

async fn imported() -> Importing {
    let importing = Importing::new().await;
    importing.run(&importing.file(&dirty().0), &[]).await;
    importing
}

/// The order of this invoice, and the position at which it was placed.
async fn order(importing: &Importing, total: i64) -> (String, i64) {
    sqlx::query_as(
        "SELECT aggregate_id, position FROM events
         WHERE event_type = 'OrderPlaced' AND (payload->'Placed'->'quote'->'total'->>'minor')::bigint = $1",
    )
    .bind(total)
    .fetch_one(&importing.events.pool)
    .await
    .expect("the order")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_the_log_is_shown_and_what_is_wanted_of_it() {
    let importing = imported().await;
    let head = importing.head().await;
    let last = objects(&importing, &["tail", "--last", "3", "--json"]).await;
    let positions: Vec<i64> =
        last.iter().map(|event| event["position"].as_i64().expect("a position")).collect();
    assert_eq!(positions, [head - 2, head - 1, head]);
    assert_eq!(last[0]["actor"], "import:online-retail");
    assert!(last[0]["fields"].is_object() && last[0]["event_id"].is_string(), "{}", last[0]);

    let placed = objects(&importing, &["tail", "--from", "1", "--type", "OrderPlaced", "--json"]).await;
    assert_eq!(placed.len(), 5);
    assert!(placed.iter().all(|event| event["event_type"] == "OrderPlaced"));
    let early = ["tail", "--from", "1", "--type", "OrderPlaced", "--as-of", "2010-12-01T09:00:00Z", "--json"];
    assert_eq!(objects(&importing, &early).await.len(), 2);
    let (id, _) = order(&importing, 1_250).await;
    let of_one =
        objects(&importing, &["tail", "--from", "1", "--aggregate", &format!("Order/{id}"), "--json"]).await;
    assert!(of_one.len() >= 5 && of_one.iter().all(|event| event["aggregate_id"] == id.as_str()));

    let (code, said) = ask(&importing, &["tail", "--last", "2"]).await;
    assert_eq!((code, said.lines().count()), (0, 2));
    assert!(said.contains("import:online-retail"), "{said}");
    assert_eq!(ask(&importing, &["tail", "--actor", "nobody"]).await.0, 4, "there is nothing of it");
    let two = objects(&importing, &["tail", "--type", "OrderPlaced", "--last", "2", "--json"]).await;
    assert_eq!(two, placed[3..], "the last ones that are wanted, wherever they are");
    assert_eq!(
        objects(&importing, &["tail", "--aggregate", "order", "--last", "1", "--json"]).await.len(),
        1
    );
    for wrong in [["--type", "OrderVanished"], ["--aggregate", "Ordre"]] {
        assert_eq!(ask(&importing, &["tail", wrong[0], wrong[1]]).await.0, 2, "{wrong:?}");
    }
    assert_eq!(ask(&importing, &["tail", "--from", "999999"]).await.0, 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_is_followed_until_told_to_stop() {
    let importing = Importing::new().await;
    let arguments = ["tail", "--follow", "--json", "--from", "1", "--aggregate", "Order"];
    let mut following = command(&importing.events, &importing.read, &arguments)
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut lines = BufReader::new(following.stdout.take().expect("its output")).lines();
    importing.run(&importing.file(&dirty().0), &[]).await;
    let line = tokio::time::timeout(SOON, lines.next_line()).await.expect("soon").expect("it reads");
    let event: Value = serde_json::from_str(&line.expect("a line")).expect("JSON");
    assert_eq!((&event["event_type"], &event["aggregate_type"]), (&json!("OrderPlaced"), &json!("Order")));
    crate::harness::signal(following.id().expect("it runs"), "TERM");
    // What it had not shown yet is read, so that it can end.
    while lines.next_line().await.expect("it reads").is_some() {}
    let ended = tokio::time::timeout(SOON, following.wait()).await.expect("soon").expect("it ends");
    assert!(ended.success(), "{ended}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_aggregate_is_shown_as_it_is_and_as_it_was() {
    let importing = imported().await;
    let (id, placed) = order(&importing, 1_250).await;
    let [now] = objects(&importing, &["show", "order", &id, "--json"]).await.try_into().expect("one object");
    assert_eq!(now["state"]["status"], "completed");
    assert_eq!(now["version"], now["events"].as_array().expect("events").len());
    let at = placed.to_string();
    let [then] = objects(&importing, &["show", "Order", &id, "--as-of", &at, "--json"])
        .await
        .try_into()
        .expect("one object");
    assert_eq!((&then["state"]["status"], &then["version"]), (&json!("placed"), &json!(1)));
    let (code, said) = ask(&importing, &["show", "Order", &id]).await;
    assert!(code == 0 && said.starts_with(&format!("Order {id}, version ")), "{said}");
    assert!(said.contains("\"status\": \"completed\"") && said.contains("OrderCompleted"), "{said}");

    assert_eq!(ask(&importing, &["show", "Order", &id, "--as-of", "2010-12-01T00:00:00Z"]).await.0, 4);
    assert_eq!(ask(&importing, &["show", "Order", &Uuid::from_u128(7).to_string()]).await.0, 4);
    assert_eq!(ask(&importing, &["show", "Ordre", &id]).await.0, 2);

    let [differing] = objects(&importing, &["diff", &id, &at, &importing.head().await.to_string(), "--json"])
        .await
        .try_into()
        .expect("one object");
    let changes = differing["changes"].as_array().expect("changes");
    let status = changes.iter().find(|change| change["path"] == "/status").expect("the status changed");
    assert_eq!((&status["before"], &status["after"]), (&json!("placed"), &json!("completed")));
    assert!(
        changes.iter().all(|change| change["path"] != "/placement"),
        "what stayed is not told: {differing}"
    );
    assert_eq!(
        differing["events"].as_array().expect("events").len() + 1,
        now["events"].as_array().expect("events").len()
    );
    let (code, said) = ask(&importing, &["diff", &id, "0", &at]).await;
    assert!(code == 0 && said.contains("OrderPlaced"), "{said}");
    assert_eq!(ask(&importing, &["diff", "nothing", "0", "1"]).await.0, 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn events_are_counted_by_what_is_wanted() {
    let importing = imported().await;
    let by_type = objects(&importing, &["count", "--json"]).await;
    let known: Vec<(String, i64)> = sqlx::query_as(
        "SELECT event_type, count(*) FROM events GROUP BY 1 ORDER BY event_type COLLATE \"C\"",
    )
    .fetch_all(&importing.events.pool)
    .await
    .expect("the counts");
    let expected: Vec<Value> =
        known.iter().map(|(key, count)| json!({ "key": key, "count": count })).collect();
    assert_eq!(by_type, expected);
    let orders = ["count", "--type", "OrderPlaced,OrderCompleted", "--by", "day", "--json"];
    let days: Vec<Value> = objects(&importing, &orders).await;
    assert_eq!(
        days,
        [("2010-12-01", 4), ("2010-12-02", 2), ("2010-12-05", 4)]
            .map(|(key, count)| json!({ "key": key, "count": count }))
    );
    let (code, said) = ask(&importing, &["count", "--by", "actor"]).await;
    let head = importing.head().await;
    assert_eq!(
        (code, said.as_str()),
        (0, &*format!("{head:>12}  import:online-retail\n{head:>12}  in all\n"))
    );
    assert_eq!(ask(&importing, &["count", "--type", "OrderCancelled"]).await.0, 4);
}

/// What came of a request: each event's number, its aggregate, the number of the event that caused it, and who did.
const CAUSED: &[(u128, &str, Option<u128>, &str)] = &[
    (1, "CartSubmitted", None, "customer:1"),
    (2, "OrderPlaced", Some(1), "process:checkout"),
    (3, "InventoryReserved", Some(1), "process:checkout"),
    (4, "PaymentAuthorised", Some(2), "gateway:simulated"),
    (5, "OrderConfirmed", Some(4), "process:checkout"),
    (6, "InventoryAllocated", Some(4), "process:checkout"),
    (7, "CartReopened", None, "staff:1"),
];

#[tokio::test(flavor = "multi_thread")]
async fn all_that_came_of_one_request_is_shown_as_who_caused_what() {
    let importing = imported().await;
    let (before, correlation) = (importing.head().await, Uuid::from_u128(99));
    for (number, event_type, cause, actor) in CAUSED {
        let metadata = json!({
            "actor": actor, "command_id": Uuid::from_u128(500 + number), "correlation_id": correlation,
            "causation_id": cause.map(Uuid::from_u128), "occurred_at": "2026-01-01T00:00:00Z",
        });
        let happened = sqlx::query(
            "WITH head AS (UPDATE log_head SET position = position + 1 RETURNING position)
             INSERT INTO events (aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata,
                                 position, event_id, recorded_at)
             SELECT 'Cart', $1, 1, $2, '1', '{\"Reopened\":{}}', $3::json, position, $4, now() FROM head",
        );
        let id = Uuid::from_u128(*number);
        let happened = happened.bind(id.to_string()).bind(event_type).bind(metadata.to_string()).bind(id);
        happened.execute(&importing.events.pool).await.expect("it happens");
    }
    let expected = [(0, 1), (1, 2), (2, 4), (3, 5), (3, 6), (1, 3), (0, 7)];
    for of in [correlation.to_string(), (before + 4).to_string()] {
        let nodes = objects(&importing, &["trace", &of, "--json"]).await;
        let tree: Vec<(u64, i64)> = nodes
            .iter()
            .map(|node| {
                (
                    node["depth"].as_u64().expect("a depth"),
                    node["position"].as_i64().expect("a position") - before,
                )
            })
            .collect();
        assert_eq!(tree, expected);
    }
    let (code, said) = ask(&importing, &["trace", &correlation.to_string()]).await;
    assert!(
        code == 0 && said.contains("    └ OrderConfirmed") && said.contains("gateway:simulated"),
        "{said}"
    );
    assert_eq!(ask(&importing, &["trace", &Uuid::from_u128(98).to_string()]).await.0, 4);
    assert_eq!(ask(&importing, &["trace", "9999999"]).await.0, 4);
    assert_eq!(ask(&importing, &["trace", "what?"]).await.0, 2);
    assert_eq!(ask(&importing, &["trace", "0"]).await.0, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn scripts_are_told_what_is_behind() {
    let importing = imported().await;
    let projector = importing.start("daybook-projector", &["orders"]);
    let head = importing.head().await;
    let lag = eventually(SOON, "the read model has caught up", || async {
        let lines = objects(&importing, &["lag", "--json"]).await;
        lines
            .into_iter()
            .find(|line| line["name"] == "orders" && line["behind"] == 0 && line["status"] == "live")
    })
    .await;
    assert_eq!((&lag["position"], &lag["parked"]), (&json!(head), &json!(0)));
    assert_eq!(ask(&importing, &["lag", "--at-most", "0"]).await.0, 0);
    drop(projector);
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/projections/revenue.sql");
    assert_eq!(ask(&importing, &["run", file, "--into", "schema"]).await.0, 0);
    importing.run(&importing.file(&crate::import::many(3)), &[]).await;
    assert_eq!(ask(&importing, &["lag", "--at-most", "0"]).await.0, 5);
    assert_eq!(ask(&importing, &["lag", "--at-most", "100000"]).await.0, 0);
    assert_eq!(ask(&importing, &["lag", "--at-most", "100000", "--kept"]).await.0, 0);
    let lines = objects(&importing, &["lag", "--json"]).await;
    let revenue = lines.iter().find(|line| line["name"] == "revenue@1").expect("what is kept is told of");
    assert_eq!((&revenue["status"], &revenue["position"]), (&json!("in revenue_v1"), &json!(head)));
    assert_eq!(revenue["diverged"], false);
    // Made of a log that is another one now, it is not to be relied on, however far it is.
    sqlx::query("UPDATE log_head SET epoch = gen_random_uuid()")
        .execute(&importing.events.pool)
        .await
        .expect("another epoch");
    let lines = objects(&importing, &["lag", "--json"]).await;
    let revenue = lines.iter().find(|line| line["name"] == "revenue@1").expect("what is kept is told of");
    assert_eq!(revenue["diverged"], true);
    assert_eq!(ask(&importing, &["lag", "--at-most", "100000", "--kept"]).await.0, 5);
}
