//! What every process does, whatever it is for; `daybook-relay` stands for all of them.

use std::time::Duration;

use crate::harness::{Database, Process, eventually, servers, unique};

const SOON: Duration = Duration::from_secs(30);

#[test]
fn a_supervisor_is_more_patient_than_a_process_may_be_slow() {
    assert!(xtask::daybook::GRACE > daybook_eventstore::process::LONGEST_END);
}

#[tokio::test]
async fn a_missing_value_is_one_line_and_exit_code_2() {
    let mut process = Process::start("daybook-relay", &[], &[]);
    assert_eq!(process.ended(SOON).await.code(), Some(2));
    assert_eq!(process.output(), "daybook-relay: DAYBOOK_EVENTS_URL is missing\n");
}

#[tokio::test]
async fn a_wrong_value_is_one_line_and_never_shown() {
    let nats = servers().nats.as_str();
    let settings = [("EVENTS_URL", "postgres//hunter2"), ("NATS_URL", nats)];
    let mut process = Process::start("daybook-relay", &[], &settings);
    assert_eq!(process.ended(SOON).await.code(), Some(2));
    let output = process.output();
    assert!(output.starts_with("daybook-relay: DAYBOOK_EVENTS_URL is wrong: "), "{output}");
    assert_eq!(output.lines().count(), 1, "{output}");
    assert!(!output.contains("hunter2"), "{output}");
}

/// Where the process answers operators, once it does. Its lines must be text.
pub(crate) async fn operators_address(process: &Process) -> String {
    eventually(SOON, "the process answers operators", || async {
        let output = process.output();
        output.split_whitespace().find_map(|word| word.strip_prefix("address=")).map(str::to_owned)
    })
    .await
}

/// The status and the body of what it answers there.
pub(crate) async fn ask(address: &str, path: &str) -> (u16, String) {
    let answer = reqwest::get(format!("http://{address}{path}")).await.expect("an answer");
    (answer.status().as_u16(), answer.text().await.expect("a text"))
}

/// A relay that tells operators how it is.
fn relay(database: &Database, stream: &str, nats: &str) -> Process {
    let settings = [
        ("EVENTS_URL", database.url.as_str()),
        ("NATS_URL", nats),
        ("NATS_STREAM", stream),
        ("NATS_STREAM_BYTES", "1048576"),
        ("OPS_LISTEN", "127.0.0.1:0"),
        ("LOG_FORMAT", "text"),
    ];
    Process::start("daybook-relay", &[], &settings)
}

#[tokio::test]
async fn an_operator_sees_what_is_missing_and_what_is_measured() {
    let database = Database::events().await;
    let stream = unique("TEST");
    let without = relay(&database, &stream, "nats://127.0.0.1:1");
    let address = operators_address(&without).await;
    assert_eq!(ask(&address, "/healthz").await, (200, "alive\n".to_owned()));
    eventually(SOON, "the stream is the only thing missing", || async {
        let (status, body) = ask(&address, "/readyz").await;
        let report: serde_json::Value = serde_json::from_str(&body).expect("JSON");
        let (events, stream) =
            (&report["dependencies"]["events"]["up"], &report["dependencies"]["stream"]["up"]);
        (status == 503 && events == true && stream == false).then_some(())
    })
    .await;

    // The first leads until it has given up.
    let with = relay(&database, &stream, &servers().nats);
    let address = operators_address(&with).await;
    eventually(SOON, "the relay is ready and measures its lag", || async {
        let ready = ask(&address, "/readyz").await.0 == 200;
        let measured = ask(&address, "/metrics").await.1.contains("daybook_relay_lag_positions 0");
        (ready && measured).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_relay_that_gave_up_stands_by_and_is_ready_to() {
    let (database, stream) = (Database::events().await, unique("TEST"));
    let cut_off = relay(&database, &stream, "nats://127.0.0.1:1");
    let without = operators_address(&cut_off).await;
    eventually(SOON, "it leads", || async {
        ask(&without, "/metrics").await.1.contains("daybook_relay_leader 1").then_some(())
    })
    .await;
    let other = relay(&database, &stream, &servers().nats);
    let with = operators_address(&other).await;
    eventually(SOON, "the other one leads", || async {
        ask(&with, "/metrics").await.1.contains("daybook_relay_leader 1").then_some(())
    })
    .await;
    eventually(SOON, "it is ready to take over", || async {
        (ask(&without, "/readyz").await.0 == 200).then_some(())
    })
    .await;
}
