//! What each process tells operators: which dependency is missing, and what is measured.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use sqlx::postgres::PgConnectOptions;

use crate::harness::shop::{SOON, TestShop};
use crate::harness::{Database, Process, Proxy, eventually, servers, unique};
use crate::process::{ask, operators_address};

/// More than anything here comes to.
const MOST: f64 = 1_000.0;
/// What every process here is told beside the rest.
const TOLD: [(&str, &str); 2] = [("OPS_LISTEN", "127.0.0.1:0"), ("LOG_FORMAT", "text")];

/// A shop, and ways to all that it stands on which can break.
struct Fragile {
    shop: TestShop,
    settings: Vec<(&'static str, String)>,
    events: Proxy,
    read: Proxy,
    nats: Proxy,
    read_models: Database,
}

impl Fragile {
    async fn new() -> Self {
        let (shop, read) = (TestShop::open().await, Database::read().await);
        let [events_url, read_url] = [&shop.events, &read].map(|one| one.url.clone());
        let postgres = PgConnectOptions::clone(&shop.events.pool.connect_options()).get_port();
        let nats_port =
            servers().nats.rsplit(':').next().and_then(|port| port.trim_end_matches('/').parse().ok());
        let nats_port: u16 = nats_port.expect("the URL has a port");
        let way = async |port: u16| Proxy::to(([127, 0, 0, 1], port).into()).await;
        let (events, read_way, nats) = (way(postgres).await, way(postgres).await, way(nats_port).await);
        let through = |url: &str, port: u16, proxy: &Proxy| {
            url.replace(&format!(":{port}"), &format!(":{}", proxy.port))
        };
        let mut settings = shop.settings();
        settings.retain(|(name, _)| *name != "EVENTS_URL");
        settings.extend([
            ("EVENTS_URL", through(&events_url, postgres, &events)),
            ("READ_URL", through(&read_url, postgres, &read_way)),
            ("NATS_URL", through(&servers().nats, nats_port, &nats)),
            ("NATS_STREAM", unique("TEST")),
            ("NATS_STREAM_BYTES", "67108864".to_owned()),
            ("TOKEN_KEY", "09".repeat(32)),
            ("LISTEN", "127.0.0.1:0".to_owned()),
        ]);
        settings.extend(TOLD.map(|(name, value)| (name, value.to_owned())));
        Self { shop, settings, events, read: read_way, nats, read_models: read }
    }

    /// A process on it, and where it answers operators.
    async fn start(&self, binary: &str, arguments: &[&str]) -> (Process, String) {
        let settings: Vec<(&str, &str)> =
            self.settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let process = Process::start(binary, arguments, &settings);
        let address = operators_address(&process).await;
        (process, address)
    }

    /// The log's head, as a metric tells a position.
    async fn head(&self) -> f64 {
        let head = sqlx::query_scalar("SELECT position::float8 FROM log_head");
        head.fetch_one(&self.shop.events.pool).await.expect("the head")
    }
}

/// What a process says of itself: whether it is ready, whether it lacks something useful, and which dependencies are
/// missing, each with a reason.
async fn health(address: &str) -> (bool, bool, Vec<String>) {
    let (status, body) = ask(address, "/readyz").await;
    let report: Value = serde_json::from_str(&body).expect("JSON");
    let ready = report["ready"] == true;
    assert_eq!(status, if ready { 200 } else { 503 }, "{report}");
    let dependencies = report["dependencies"].as_object().expect("dependencies");
    let missing = dependencies.iter().filter(|(_, one)| one["up"] == false);
    let named = missing.map(|(name, one)| {
        assert!(one["reason"].as_str().is_some_and(|reason| !reason.is_empty()), "{report}");
        name.clone()
    });
    (ready, report["degraded"] == true, named.collect())
}

/// Waits until it says this.
async fn says(address: &str, what: &str, ready: bool, degraded: bool, missing: &[&str]) {
    eventually(SOON, what, || async {
        let (is_ready, is_degraded, named) = health(address).await;
        ((is_ready, is_degraded) == (ready, degraded) && named == missing).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_process_says_which_of_its_dependencies_is_missing_until_it_is_back() {
    let fragile = Fragile::new().await;
    let (events, read, nats) = (&fragile.events, &fragile.read, &fragile.nats);
    let relay = fragile.start("daybook-relay", &[]).await;
    let worker = fragile.start("daybook-worker", &[]).await;
    let projector = fragile.start("daybook-projector", &["carts"]).await;
    let api = fragile.start("daybook-api", &[]).await;
    // What each of them cannot do without, and what it can.
    for ((_process, address), required, useful) in [
        (&relay, vec![("events", events), ("stream", nats)], None),
        (&worker, vec![("events", events)], Some(("stream", nats))),
        (&projector, vec![("events", events), ("read", read)], None),
        (&api, vec![("events", events), ("read", read)], Some(("stream", nats))),
    ] {
        says(address, "all is there", true, false, &[]).await;
        for (name, way) in required {
            way.cut();
            says(address, &format!("{name} is missing"), false, false, &[name]).await;
            way.mend();
            says(address, &format!("{name} is back"), true, false, &[]).await;
        }
        if let Some((name, way)) = useful {
            way.cut();
            says(address, &format!("{name} is missing"), true, true, &[name]).await;
            way.mend();
            says(address, &format!("{name} is back"), true, false, &[]).await;
        }
    }
}

/// The values of a process's metrics, by name and labels.
async fn measured(address: &str) -> BTreeMap<String, f64> {
    let (status, text) = ask(address, "/metrics").await;
    assert_eq!(status, 200);
    let samples = text.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.rsplit_once(' '));
    samples.map(|(series, value)| (series.to_owned(), value.parse().expect("a number"))).collect()
}

/// Waits until a process has measured each of these: the series, and the least and the most that it may be.
async fn measures(address: &str, expected: &[(&str, f64, f64)]) {
    let what = format!("{expected:?}");
    eventually(SOON, &what, || async {
        let measured = measured(address).await;
        let as_expected = |(series, least, most): &(&str, f64, f64)| {
            measured.get(*series).is_some_and(|value| (least..=most).contains(&value))
        };
        expected.iter().all(as_expected).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_process_measures_what_an_operator_has_to_know_of_it() {
    let fragile = Fragile::new().await;
    let relay = fragile.start("daybook-relay", &[]).await;
    let worker = fragile.start("daybook-worker", &[]).await;
    let projector = fragile.start("daybook-projector", &["carts"]).await;
    let (api, operators) = fragile.start("daybook-api", &[]).await;
    let clients = eventually(SOON, "it serves clients", || async {
        let output = api.output();
        let line = output.lines().find(|line| line.contains("serving clients"))?.to_owned();
        line.split_whitespace().find_map(|word| word.strip_prefix("address=").map(str::to_owned))
    })
    .await;
    let create = "mutation { cartCreate(input: { currencyCode: GBP }) { position } }";
    let reprice = "mutation { cartReprice(cartId: \"Q2FydDowMDAwMDAwMC0wMDAwLTAwMDAtMDAwMC0wMDAwMDAwMDAwMDE\") { position } }";
    for mutation in [create, reprice] {
        let asked = reqwest::Client::new().post(format!("http://{clients}/graphql"));
        let answer = asked.json(&json!({ "query": mutation })).send().await.expect("an answer");
        assert!(answer.status().is_success());
    }
    let lantern = fragile.shop.product(1_000, 5).await;
    fragile.shop.buy(&[lantern], "card_approve").await;

    measures(
        &operators,
        &[
            ("daybook_appends_total{outcome=\"done\"}", 1.0, 1.0),
            ("daybook_append_seconds_count", 1.0, 1.0),
            ("daybook_append_batch_commands_count", 1.0, 1.0),
            ("daybook_append_batch_commands_sum", 1.0, 1.0),
            ("daybook_append_head_wait_seconds_count", 1.0, 1.0),
            ("daybook_commands_total{mutation=\"cartCreate\",outcome=\"done\"}", 1.0, 1.0),
            ("daybook_commands_total{mutation=\"cartReprice\",outcome=\"NOT_FOUND\"}", 1.0, 1.0),
            ("daybook_graphql_duration_seconds_count{operation=\"cartCreate\"}", 1.0, 1.0),
            ("daybook_graphql_duration_seconds_count{operation=\"cartReprice\"}", 1.0, 1.0),
        ],
    )
    .await;
    measures(
        &worker.1,
        &[
            ("daybook_append_seconds_count", 1.0, MOST),
            ("daybook_append_batch_commands_count", 1.0, MOST),
            ("daybook_append_head_wait_seconds_count", 1.0, MOST),
            ("daybook_cache_aggregates", 1.0, MOST),
            ("daybook_cache_bytes", 1_024.0, 1_024.0 * MOST),
            ("daybook_cache_misses_total{aggregate=\"Cart\"}", 1.0, MOST),
            ("daybook_cache_hits_total{aggregate=\"Cart\"}", 0.0, MOST),
            ("daybook_cache_evictions_total", 0.0, 0.0),
            ("daybook_process_position{process=\"checkout\"}", 1.0, MOST),
            ("daybook_gateway_call_seconds_count{operation=\"authorise\",outcome=\"answered\"}", 1.0, 1.0),
        ],
    )
    .await;
    measures(
        &projector.1,
        &[
            ("daybook_projection_lag_positions{projection=\"carts\",version=\"1\"}", 0.0, 0.0),
            ("daybook_projection_lag_seconds{projection=\"carts\",version=\"1\"}", 0.0, 0.0),
            ("daybook_projection_position{projection=\"carts\",version=\"1\"}", 1.0, MOST),
        ],
    )
    .await;
    measures(
        &relay.1,
        &[
            ("daybook_relay_leader", 1.0, 1.0),
            ("daybook_relay_lag_positions", 0.0, 0.0),
            ("daybook_relay_lag_seconds", 0.0, 0.0),
            ("daybook_relay_published_total", 1.0, MOST),
        ],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_cannot_publish_says_how_much_waits_and_for_how_long() {
    let fragile = Fragile::new().await;
    let (relay, address) = fragile.start("daybook-relay", &[]).await;
    let lantern = fragile.shop.product(1_000, 5).await;
    let none = [("daybook_relay_lag_positions", 0.0, 0.0), ("daybook_relay_lag_seconds", 0.0, 0.0)];
    // All of it: a relay that has heard of half of the product's events lacks nothing that it knows of.
    let head = fragile.head().await;
    measures(&address, &[("daybook_relay_published_total", head, head), none[0], none[1]]).await;
    fragile.nats.cut();
    for _ in 0..3 {
        fragile.shop.receive(lantern, "LON", 1).await;
    }
    let three = [("daybook_relay_lag_positions", 3.0, 3.0), ("daybook_relay_lag_seconds", 1.0, MOST)];
    measures(&address, &three).await;

    // One that is started meanwhile does not know better.
    drop(relay);
    let (relay, address) = fragile.start("daybook-relay", &[]).await;
    fragile.shop.receive(lantern, "LON", 1).await;
    let some = [("daybook_relay_lag_positions", 1.0, MOST), ("daybook_relay_lag_seconds", 1.0, MOST)];
    measures(&address, &some).await;
    fragile.nats.mend();
    measures(&address, &none).await;

    // One that finds all of it published lacks nothing.
    drop(relay);
    let (_relay, address) = fragile.start("daybook-relay", &[]).await;
    measures(&address, &[("daybook_relay_leader", 1.0, 1.0), none[0], none[1]]).await;
}

/// A metric of the read model of stock.
fn of_stock(measure: &str) -> String {
    format!("daybook_projection_{measure}{{projection=\"stock\",version=\"1\"}}")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_projector_that_cannot_write_says_how_much_it_lacks_and_for_how_long() {
    let fragile = Fragile::new().await;
    let (_projector, address) = fragile.start("daybook-projector", &["stock"]).await;
    let lantern = fragile.shop.product(1_000, 5).await;
    let [position, positions, seconds] = ["position", "lag_positions", "lag_seconds"].map(of_stock);
    let none = [(positions.as_str(), 0.0, 0.0), (seconds.as_str(), 0.0, 0.0)];
    let head = fragile.head().await;
    measures(&address, &[(&position, head, head), none[0], none[1]]).await;
    fragile.read.cut();
    for _ in 0..3 {
        fragile.shop.receive(lantern, "LON", 1).await;
    }
    measures(&address, &[(&positions, 3.0, 3.0), (&seconds, 1.0, MOST)]).await;
    fragile.read.mend();
    measures(&address, &none).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_projector_that_stands_by_for_another_lacks_nothing() {
    let fragile = Fragile::new().await;
    let (_first, address) = fragile.start("daybook-projector", &["stock"]).await;
    let lantern = fragile.shop.product(1_000, 5).await;
    let [position, positions, seconds] = ["position", "lag_positions", "lag_seconds"].map(of_stock);
    let none = [(positions.as_str(), 0.0, 0.0), (seconds.as_str(), 0.0, 0.0)];
    let head = fragile.head().await;
    measures(&address, &[(&position, head, head), none[0], none[1]]).await;
    fragile.read.cut();
    fragile.shop.receive(lantern, "LON", 1).await;
    measures(&address, &[(&positions, 1.0, 1.0)]).await;
    // It reaches the read models in another way, and follows them from now on.
    let (events, read) = (fragile.shop.events.url.as_str(), fragile.read_models.url.as_str());
    let told = [("EVENTS_URL", events), ("READ_URL", read), TOLD[0], TOLD[1]];
    let _second = Process::start("daybook-projector", &["stock"], &told);
    eventually(SOON, "the other one goes on", || async {
        let position = "SELECT position::float8 FROM projections WHERE name = 'stock' AND status = 'live'";
        let position: f64 =
            sqlx::query_scalar(position).fetch_one(&fragile.read_models.pool).await.expect("the register");
        (position >= fragile.head().await).then_some(())
    })
    .await;
    fragile.read.mend();
    measures(&address, &none).await;
}
