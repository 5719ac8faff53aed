//! The shop while its search is away: everything else goes on, and search comes back without a person.

use std::net::SocketAddr;
use std::time::Duration;

use daybook_domain::order::OrderStatus;
use meilisearch_sdk::client::Client as MeiliClient;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use xtask::servers::{Scratch, Server};

use crate::faults::check_out;
use crate::harness::stack::{Client, PROCESSES, Stack};
use crate::harness::{MEILI_KEY, eventually, own_meilisearch, servers};
use crate::projections::meili::stand_in::{self, Shared};

const SOON: Duration = Duration::from_mins(1);
const SEARCH: &str = "{ search(query: \"lantern\") { totalCount nodes { id } } }";
const SUGGEST: &str = "{ searchSuggestions(query: \"lan\") }";
const LIST: &str = "{ products { totalCount nodes { id } } }";

/// A Meilisearch that a test can stop and start.
enum Engine {
    Real(Server),
    StandIn { server: Shared, at: SocketAddr, serving: Option<(JoinHandle<()>, CancellationToken)> },
}

impl Engine {
    async fn stand_in() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let at = listener.local_addr().expect("an address");
        drop(listener);
        let mut engine = Self::StandIn { server: Shared::default(), at, serving: None };
        engine.start().await;
        engine
    }

    fn url(&self) -> String {
        match self {
            Self::Real(server) => server.url(),
            Self::StandIn { at, .. } => format!("http://{at}"),
        }
    }

    async fn start(&mut self) {
        match self {
            Self::Real(server) => server.start().expect("it starts"),
            Self::StandIn { server, at, serving } => {
                let listener = TcpListener::bind(*at).await.expect("the same port");
                let stop = CancellationToken::new();
                let task = tokio::spawn(stand_in::serve(listener, server.clone(), stop.clone()));
                *serving = Some((task, stop));
            }
        }
    }

    async fn stop(&mut self) {
        match self {
            Self::Real(server) => server.stop(),
            Self::StandIn { serving, .. } => {
                let (task, stop) = serving.take().expect("it runs");
                stop.cancel();
                task.await.expect("it ends");
            }
        }
    }
}

/// The code of an answer's first error.
async fn code(client: &Client, query: &str) -> String {
    let answer = client.try_send(query, &json!({}), None).await.expect("an answer");
    answer["errors"][0]["extensions"]["code"].as_str().unwrap_or_default().to_owned()
}

/// Waits until a list has so many products, all of them shown; until then there may be fewer, or an error that says why.
async fn shows(client: &Client, query: &str, field: &str, count: usize) {
    eventually(SOON, &format!("{count} products: {query}"), || async {
        let answer = client.try_send(query, &json!({}), None).await.expect("an answer");
        let code = answer["errors"][0]["extensions"]["code"].as_str();
        let told = matches!(code, None | Some("READ_MODEL_NOT_BUILT" | "SEARCH_UNAVAILABLE"));
        assert!(told, "{answer}");
        let list = &answer["data"][field];
        let shown = list["nodes"].as_array()?.len();
        (list["totalCount"] == count && shown == count).then_some(())
    })
    .await;
}

/// Waits until the API, in rotation all the while, says this of its search.
async fn reports(stack: &Stack, up: bool) {
    eventually(SOON, &format!("search is reported, up: {up}"), || async {
        let answer = reqwest::get(format!("{}/readyz", stack.api)).await.expect("an answer");
        assert_eq!(answer.status().as_u16(), 200);
        let report: Value = answer.json().await.expect("JSON");
        let search = &report["dependencies"]["search"];
        assert_eq!((&report["ready"], &search["need"]), (&json!(true), &json!("useful")));
        (report["degraded"] == !up && search["up"] == up).then_some(())
    })
    .await;
}

async fn buy(stack: &Stack, client: &Client) {
    let wanted = stack.shop.product(1_000, 10).await;
    let order = check_out(client, wanted, "card_approve").await;
    stack.shop.order_is(order, OrderStatus::Confirmed).await;
}

async fn goes_on_without_search(mut engine: Engine) {
    let url = engine.url();
    let mut stack = Stack::start(&[("MEILI_URL", &url), ("MEILI_KEY", MEILI_KEY)]).await;
    let client = stack.shopper();
    buy(&stack, &client).await;
    shows(&client, SEARCH, "search", 1).await;
    reports(&stack, true).await;

    engine.stop().await;
    for query in [SEARCH, SUGGEST] {
        assert_eq!(code(&client, query).await, "SEARCH_UNAVAILABLE");
    }
    reports(&stack, false).await;
    buy(&stack, &client).await;
    shows(&client, LIST, "products", 2).await;
    // What starts meanwhile does without it too.
    for which in
        (0..PROCESSES.len()).filter(|which| matches!(PROCESSES[*which], (_, "search") | ("daybook-api", _)))
    {
        stack.crash(which);
    }
    stack.ready().await;
    assert_eq!(code(&client, SEARCH).await, "SEARCH_UNAVAILABLE");
    buy(&stack, &client).await;
    reports(&stack, false).await;

    engine.start().await;
    shows(&client, SEARCH, "search", 3).await;
    reports(&stack, true).await;

    let indexes = MeiliClient::new(url, Some(MEILI_KEY)).expect("a client");
    let deleting = indexes.delete_index("daybook-search").await.expect("it is accepted");
    deleting.wait_for_completion(&indexes, None, Some(SOON)).await.expect("an end");
    shows(&client, LIST, "products", 3).await;
    shows(&client, SEARCH, "search", 3).await;
    reports(&stack, true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_shop_goes_on_without_its_search_and_search_comes_back() {
    let _ready = servers();
    goes_on_without_search(Engine::stand_in().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_shop_goes_on_without_meilisearch_and_search_comes_back() {
    let test = "the_shop_goes_on_without_meilisearch_and_search_comes_back";
    let mut scratch = Scratch::new().expect("a folder");
    let Some(server) = own_meilisearch(test, &mut scratch) else { return };
    goes_on_without_search(Engine::Real(server)).await;
}
