//! What every process does, whatever it is for; `daybook-relay` stands for all of them.

use std::time::Duration;

use crate::harness::{Process, servers};

const SOON: Duration = Duration::from_secs(10);

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
