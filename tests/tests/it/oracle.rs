//! A short run of the oracle: `cargo xtask oracle` is a long one.

use std::time::Duration;

use serde_json::Value;
use tokio::process::Command;

use crate::harness::{servers, unique};

/// For how long the store is written to.
const SECONDS: &str = "15";
/// How long all of it may take on a busy machine.
const PATIENCE: Duration = Duration::from_mins(5);

#[tokio::test]
async fn the_log_is_one_story_for_everybody_and_every_planted_mistake_is_found() {
    let file = std::env::temp_dir().join(unique("oracle")).with_extension("json");
    let mut oracle = Command::new(servers().binaries.join("daybook-oracle"));
    oracle.args(["run", "--seconds", SECONDS, "--json"]).arg(&file).kill_on_drop(true);
    let ran = tokio::time::timeout(PATIENCE, oracle.output()).await.expect("it ends").expect("it starts");
    let (out, told) = (String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    assert!(ran.status.success(), "{told}\n{out}");

    let found = std::fs::read_to_string(&file).expect("what it found");
    std::fs::remove_file(&file).expect("the file goes");
    let found: Value = serde_json::from_str(&found).expect("JSON");
    assert_eq!(found["right"], true);
    assert_eq!(found["planted_caught"], found["planted_total"]);
    // That nothing was wrong says little when nothing happened.
    let round = &found["rounds"][0];
    for answer in ["done", "replayed", "mismatch", "conflict", "not done"] {
        assert!(round["answers"][answer].as_u64() > Some(0), "{answer}: {out}");
    }
    for deed in ["writers_killed", "relays_killed", "nats_cut", "postgres_restarted", "replica_restarted"] {
        assert!(round["done"][deed].as_u64() > Some(0), "{deed}: {out}");
    }
    // With a full block of events there is something to move.
    let full = round["events"].as_u64() >= Some(4_096);
    for moved in ["cut", "detached"] {
        assert!(!full || round["moved"][moved].as_u64() > Some(0), "{moved}: {out}");
    }
    let readers = round["readers"].as_object().expect("the readers");
    let (some, all): (Vec<_>, Vec<_>) = readers.iter().partition(|(reader, _)| reader.contains(" of "));
    assert!(all.len() >= 8 && all.iter().all(|(_, seen)| **seen == round["events"]), "{out}");
    assert!(some.len() >= 3 && some.iter().all(|(_, seen)| seen.as_u64() > Some(0)), "{out}");
}
