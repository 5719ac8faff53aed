//! `cargo xtask up` and the commands on what it runs, as a person uses them.

mod family;
mod home;

use std::collections::BTreeMap;

use serde_json::Value;
use xtask::catalogue;
use xtask::daybook::PROCESSES;

use self::family::{alive, with_descendants};
use self::home::{Came, Home, PATIENCE, SOON};
use crate::harness::{eventually, signal};

/// The servers that everything runs on.
const SERVERS: [&str; 4] = ["postgres-primary", "postgres-replica", "nats", "redis"];

/// What runs: the supervisor, and every process by its name.
#[derive(Debug, PartialEq, Eq)]
struct Running {
    supervisor: u32,
    processes: BTreeMap<String, u32>,
}

impl Running {
    /// What runs, when all that must is ready and lives.
    fn all_ready(status: &Value) -> Option<Self> {
        let pid = |value: &Value| value.as_u64().and_then(|pid| u32::try_from(pid).ok());
        let mut processes = BTreeMap::new();
        for process in status["processes"].as_array()? {
            let ready = process["health"] == "ready";
            processes.insert(process["name"].as_str()?.to_owned(), pid(&process["pid"]).filter(|_| ready)?);
        }
        let running = Self { supervisor: pid(&status["pid"])?, processes };
        let expected = PROCESSES.iter().map(|process| process.name).chain(SERVERS);
        let complete = expected.into_iter().all(|name| running.processes.contains_key(name));
        let pids = || running.processes.values().copied().chain([running.supervisor]);
        (status["running"] == true && complete && alive(pids()).len() == pids().count()).then_some(running)
    }

    /// All that must end with it.
    fn family(&self) -> Vec<u32> {
        let family = with_descendants(self.supervisor);
        assert!(self.processes.values().all(|pid| family.contains(pid)), "{self:?} is not of {family:?}");
        family
    }
}

/// What runs, all of which is ready; both ways of asking say so.
async fn ready(home: &Home) -> Running {
    let status = home.status().await;
    let running = Running::all_ready(&status).unwrap_or_else(|| panic!("not all is ready: {status:#}"));
    let told = home.done(&["status"]).await;
    assert!(told.contains(&format!("Daybook is running (pid {}).", running.supervisor)), "{told}");
    for (name, pid) in &running.processes {
        let is_told = |line: &str| {
            let words: Vec<&str> = line.split_whitespace().collect();
            words.starts_with(&[name, &pid.to_string(), "ready"])
        };
        assert!(told.lines().any(is_told), "{name} in {told}");
    }
    running
}

/// Waits until none of these is left, and nothing is said to run.
async fn all_end(home: &Home, family: &[u32]) {
    eventually(SOON, "nothing is left", || async { alive(family.iter().copied()).is_empty().then_some(()) })
        .await;
    let status = home.status().await;
    assert_eq!((&status["running"], &status["pid"]), (&Value::Bool(false), &Value::Null));
    let dead = |process: &Value| process["health"] == "dead" && process["pid"].is_null();
    assert!(status["processes"].as_array().is_some_and(|all| all.iter().all(dead)), "{status:#}");
    assert!(home.done(&["status"]).await.contains("Daybook is not running."));
}

/// What the API answers, once it has an answer.
async fn answer(home: &Home, query: &str) -> Value {
    eventually(SOON, query, || home.ask(query)).await
}

async fn the_catalogue_is_for_sale_once(home: &Home) {
    let expected = catalogue::products().expect("the catalogue").len();
    let listed = answer(home, "{ products(first: 1) { totalCount } }").await;
    let found = answer(home, "{ search(query: \"\", first: 1) { totalCount } }").await;
    for total in [&listed["products"]["totalCount"], &found["search"]["totalCount"]] {
        assert_eq!(total.as_u64().map(usize::try_from), Some(Ok(expected)));
    }
}

/// A new cart: the query that finds it, and what that must find.
async fn make_a_cart(home: &Home) -> (String, Value) {
    let create = "mutation { cartCreate(input: { currencyCode: GBP }) { cart { id } position } }";
    let made = answer(home, create).await;
    let (id, position) = (&made["cartCreate"]["cart"]["id"], &made["cartCreate"]["position"]);
    let query = format!("{{ cart(id: {id}) {{ id }} }}");
    let found = answer(home, &format!("{{ cart(id: {id}, after: {position}) {{ id }} }}")).await;
    assert_eq!(found["cart"]["id"], *id);
    (query, found)
}

/// Whoever starts it again is told that it runs, and nothing happens to it or its data.
async fn nobody_starts_a_second_one(home: &Home, running: &Running) {
    for how in [["--fresh"].as_slice(), &["--fresh", "--detach"]] {
        let Came { code, said } = home.run(&home.start(how)).await;
        let told = format!("Daybook is already running (pid {})", running.supervisor);
        assert!(code == Some(1) && said.contains(&told), "{code:?}: {said}");
    }
    assert_eq!(ready(home).await, *running);
}

/// Says what runs then.
async fn who_is_killed_is_started_again(home: &Home, running: &Running) -> Running {
    let killed = ["daybook-worker", "redis"];
    for name in killed {
        signal(running.processes[name], "KILL");
    }
    let after = eventually(SOON, "both are started again, and all is ready", || async {
        let after = Running::all_ready(&home.status().await)?;
        killed.iter().all(|name| after.processes[*name] != running.processes[*name]).then_some(after)
    })
    .await;
    for (name, pid) in &running.processes {
        assert!(killed.contains(&name.as_str()) || after.processes[name] == *pid, "{name} is not touched");
    }
    after
}

/// Starts it in the foreground, and returns it and what it said when it was ready.
async fn up_in_the_foreground(home: &Home) -> (tokio::process::Child, String) {
    let said = home.folder.with_extension("said");
    let mut up = home.begin(&home.start(&[]), &said);
    let told = eventually(PATIENCE, "it is ready", || {
        let told = std::fs::read_to_string(&said).expect("what it said");
        let ended = up.try_wait().expect("a child");
        assert!(ended.is_none(), "{ended:?}: {told}");
        async { told.contains("to stop it").then_some(told) }
    })
    .await;
    std::fs::remove_file(&said).expect("the file goes");
    (up, told)
}

#[tokio::test(flavor = "multi_thread")]
async fn all_of_daybook_is_started_watched_ended_and_begun_again_where_it_was() {
    let home = Home::new();
    let told = home.up(&[]).await;
    assert!(told.contains("Daybook is ready."), "{told}");
    let running = ready(&home).await;
    the_catalogue_is_for_sale_once(&home).await;
    let (cart, found) = make_a_cart(&home).await;
    nobody_starts_a_second_one(&home, &running).await;
    let told = home.done(&["demo"]).await;
    assert!(told.contains("each as it must be"), "{told}");
    let running = who_is_killed_is_started_again(&home, &running).await;
    let family = running.family();
    home.done(&["down"]).await;
    all_end(&home, &family).await;

    // What there was is there.
    let (mut up, told) = up_in_the_foreground(&home).await;
    assert!(told.contains("Loading the demo catalogue: it is there already"), "{told}");
    let running = ready(&home).await;
    assert_eq!(up.id(), Some(running.supervisor));
    assert_eq!(answer(&home, &cart).await, found);
    the_catalogue_is_for_sale_once(&home).await;
    let family = running.family();
    signal(running.supervisor, "INT");
    let ended = tokio::time::timeout(SOON, up.wait()).await.expect("it ends").expect("a child");
    assert_eq!(ended.code(), Some(0));
    all_end(&home, &family).await;

    // A supervisor that is killed in the middle of a start cannot end anything itself.
    let said = home.folder.with_extension("said");
    let mut up = home.begin(&home.start(&[]), &said);
    let half = eventually(PATIENCE, "half of it runs", || async {
        let status = home.status().await;
        let runs = |process: &Value| process["name"] == "redis" && process["pid"].is_number();
        status["processes"].as_array()?.iter().any(runs).then(|| up.id())?
    })
    .await;
    let family = with_descendants(half);
    up.kill().await.expect("it is killed");
    home.up(&["--fresh"]).await;
    assert_eq!(alive(family), Vec::<u32>::new());
    let running = ready(&home).await;
    the_catalogue_is_for_sale_once(&home).await;
    assert_eq!(answer(&home, &cart).await["cart"], Value::Null, "it starts over");

    // Nobody can end it any more who would have to find it in its folder.
    let family = running.family();
    eventually(SOON, "the folder goes", || async { std::fs::remove_dir_all(&home.folder).ok() }).await;
    eventually(SOON, "all of it goes too", || async {
        alive(family.iter().copied()).is_empty().then_some(())
    })
    .await;
}
