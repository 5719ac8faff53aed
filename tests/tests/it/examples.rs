//! That the event store's examples do what they say, as somebody would run them.

use std::process::Command;

use crate::harness::Database;

/// Runs an example on a database, and gives what it printed.
fn run(example: &str, arguments: &[&str]) -> String {
    let programs = std::env::var("DAYBOOK_TEST_BIN_DIR").expect("cargo xtask test says where programs are");
    let program = std::path::Path::new(&programs).join("examples").join(example);
    let ended = Command::new(&program).args(arguments).output().expect("it was built with the tests");
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    String::from_utf8(ended.stdout).expect("text")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_examples_do_what_they_say() {
    let database = Database::events().await;
    let url = database.url.clone();
    let account = run("account", &[&url]);
    let told: Vec<&str> = account.lines().collect();
    let [deposited, again, refused, read] = told.as_slice() else { panic!("{account}") };
    assert_eq!(*deposited, "deposited at position 1: 10000 pence");
    assert_eq!(*again, "asked again: it was done at 1, 10000 pence");
    assert_eq!(*refused, "refused: there are only 10000 pence");
    assert!(read.starts_with("1: ") && read.ends_with("{\"Deposited\":{\"pence\":10000}}"), "{read}");
    run("account", &[&url]);
    assert_eq!(run("follow", &[&url, "2"]).lines().last(), Some("2: {\"AccountDeposited\": 2}"));
}
