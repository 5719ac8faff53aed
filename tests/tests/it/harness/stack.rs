//! All of Daybook: every process of it, on databases, a NATS and a Redis of its own, so that any part can be killed
//! or wiped. Shoppers come in through the public API.

use std::collections::{BTreeMap, BTreeSet};
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use daybook_api::{Claims, Role};
use daybook_domain::CustomerId;
use daybook_eventstore::process::SystemClock;
use daybook_eventstore::{FeedSource, Upcasters, Wake};
use daybook_projections::read::hot;
use daybook_projections::registry::Targets;
use daybook_projections::runtime::Context;
use daybook_projections::runtime::admin::Admin;
use fred::interfaces::{ClientLike, HashesInterface};
use jsonwebtoken::{EncodingKey, Header};
use serde_json::{Value, json};
use xtask::servers::{Scratch, Server};

use super::shop::TestShop;
use super::{Database, Process, eventually};

/// The key that signs the tokens of every test.
const TOKEN_KEY: [u8; 32] = [9; 32];
/// How long a process may take to be ready.
const READY: Duration = Duration::from_mins(1);
/// How long a request may take.
const REQUEST: Duration = Duration::from_secs(20);

/// One process of the stack: its binary, its arguments and what it is called.
pub(crate) const PROCESSES: [(&str, &str); 12] = [
    ("daybook-relay", ""),
    ("daybook-projector", "orders"),
    ("daybook-projector", "carts"),
    ("daybook-projector", "products"),
    ("daybook-projector", "stock"),
    ("daybook-projector", "carts-hot"),
    ("daybook-projector", "stock-hot"),
    ("daybook-projector", "search"),
    ("daybook-projector", "audit"),
    ("daybook-projector", "notary"),
    ("daybook-worker", ""),
    ("daybook-api", ""),
];

/// Every process of Daybook, and the servers that only it uses. The processes end before the servers.
pub(crate) struct Stack {
    /// The event store, and the aggregates as a test sees them.
    pub(crate) shop: TestShop,
    running: Vec<(usize, Process)>,
    settings: Vec<(&'static str, String)>,
    /// Where the API is.
    pub(crate) api: String,
    /// NATS with JetStream.
    pub(crate) nats: Server,
    /// Redis.
    pub(crate) redis: Server,
    /// The read models.
    pub(crate) read: Database,
    _scratch: Scratch,
}

impl Stack {
    /// Starts everything, and waits until the API is ready.
    pub(crate) async fn start(more: &[(&'static str, &str)]) -> Self {
        let (shop, read) = (TestShop::open().await, Database::read().await);
        let mut scratch = Scratch::new().expect("a folder");
        let nats = scratch.nats().expect("a NATS");
        let redis = scratch.redis().expect("a Redis");
        let port =
            TcpListener::bind("127.0.0.1:0").expect("a free port").local_addr().expect("its address").port();
        let api = format!("http://127.0.0.1:{port}");
        let mut settings = shop.settings();
        settings.retain(|(name, _)| *name != "WEBHOOK_URL");
        settings.extend([
            ("WEBHOOK_URL", format!("{api}/webhooks/payment")),
            ("READ_URL", read.url.clone()),
            ("READ_REPLICA_URL", read.replica_url.clone()),
            ("NATS_URL", nats.url()),
            ("REDIS_URL", redis.url()),
            ("TOKEN_KEY", "09".repeat(32)),
            ("LISTEN", format!("127.0.0.1:{port}")),
            ("NATS_STREAM_BYTES", "67108864".to_owned()),
        ]);
        settings.extend([
            ("NOTARY_KEY", "0b".repeat(32)),
            ("NOTARY_ORIGIN", "shop.example/log".to_owned()),
            ("NOTARY_SECONDS", "1".to_owned()),
        ]);
        settings.extend(more.iter().map(|(name, value)| (*name, (*value).to_owned())));
        // The replica must have the read database before the API asks for it.
        drop(read.replica().await);
        let running = Vec::new();
        let mut stack = Self { shop, running, settings, api, nats, redis, read, _scratch: scratch };
        for which in 0..PROCESSES.len() {
            stack.launch(which);
        }
        stack.ready().await;
        stack
    }

    fn launch(&mut self, which: usize) {
        let (binary, name) = PROCESSES[which];
        let settings: Vec<(&str, &str)> = self.settings.iter().map(|(k, v)| (*k, v.as_str())).collect();
        let arguments: &[&str] = if name.is_empty() { &[] } else { &[name] };
        self.running.push((which, Process::start(binary, arguments, &settings)));
    }

    /// Kills a process as a crash would, and starts it again.
    pub(crate) fn crash(&mut self, which: usize) {
        let at = self.running.iter().position(|(index, _)| *index == which).expect("it runs");
        drop(self.running.swap_remove(at));
        self.launch(which);
    }

    /// What a process wrote until now.
    pub(crate) fn output(&self, which: usize) -> String {
        let running = self.running.iter().find(|(index, _)| *index == which);
        running.map(|(_, process)| process.output()).expect("it runs")
    }

    /// What all processes wrote until now.
    pub(crate) fn outputs(&self) -> impl Iterator<Item = ((&'static str, &'static str), String)> {
        self.running.iter().map(|(which, process)| (PROCESSES[*which], process.output()))
    }

    /// Has the operator's command line do this.
    pub(crate) async fn operate(&self, arguments: &[&str]) {
        let settings: Vec<(&str, &str)> = self.settings.iter().map(|(k, v)| (*k, v.as_str())).collect();
        let mut operator = Process::start("daybook-replay", arguments, &settings);
        let ended = operator.ended(READY).await;
        assert!(ended.success(), "{arguments:?}: {}", operator.output());
    }

    /// Builds a read model anew; says how many versions there were, and which is live now.
    async fn rebuild(&self, name: &str, targets: Targets) -> (usize, i32) {
        let (wake, _listening) = Wake::listen(self.shop.events.pool.clone());
        let (reader, upcasters) = (self.shop.shop.store.reader(), Upcasters::of_the_shop());
        let log = FeedSource { reader, wake, stream: None, upcasters };
        let context = Context { log, read: self.read.pool.clone(), clock: Arc::new(SystemClock) };
        let admin = Admin::new(context, targets);
        let before = admin.versions(name).await.expect("the versions").len();
        (before, admin.rebuild(name, |_| ()).await.expect("it is rebuilt"))
    }

    /// Compares a read model in Redis with its own rebuild, row by row; says which keys differ.
    pub(crate) async fn hot_differences_from_a_rebuild(&self, name: &str) -> Vec<String> {
        let client = hot::connect(&self.redis.url()).expect("a client");
        client.wait_for_connect().await.expect("a connection");
        let redis = Some((client.clone(), hot::PREFIX.to_owned()));
        let targets = Targets { postgres: self.read.pool.clone(), redis, meili: None };
        let (before, version) = self.rebuild(name, targets).await;
        let rows = async |version: String| {
            let key = format!("{{{}{name}}}@{version}", hot::PREFIX);
            let mut rows: BTreeMap<String, String> = client.hgetall(key).await.expect("the rows");
            // The checkpoint: the version that was live follows no more.
            rows.retain(|key, _| !key.starts_with('!'));
            rows
        };
        let (was, is) = (rows(before.to_string()).await, rows(version.to_string()).await);
        assert!(!is.is_empty());
        let keys: BTreeSet<&String> = was.keys().chain(is.keys()).collect();
        keys.into_iter().filter(|key| was.get(*key) != is.get(*key)).cloned().collect()
    }

    /// Compares a read model in Postgres with its own rebuild, row by row; says which tables differ.
    pub(crate) async fn differences_from_a_rebuild(&self, name: &str) -> Vec<String> {
        let targets = Targets { postgres: self.read.pool.clone(), redis: None, meili: None };
        let (before, version) = self.rebuild(name, targets).await;
        let tables: Vec<String> = sqlx::query_scalar(
            "SELECT table_name::text FROM information_schema.tables WHERE table_schema = $1",
        )
        .bind(format!("{name}_v{version}"))
        .fetch_all(&self.read.pool)
        .await
        .expect("the tables");
        assert!(!tables.is_empty());
        let mut differences = Vec::new();
        for table in tables {
            let rows = |version: usize| {
                format!(
                    "SELECT coalesce(md5(string_agg(r::text, ';' ORDER BY r::text)), '') || count(*) \
                     FROM {name}_v{version}.{table} AS r"
                )
            };
            let [was, is] = [before, before + 1].map(rows);
            let comparison = format!("SELECT ({was}) = ({is})");
            let same: bool =
                sqlx::query_scalar(&comparison).fetch_one(&self.read.pool).await.expect("a comparison");
            if !same {
                differences.push(table);
            }
        }
        differences
    }

    /// Waits until the API says that it is ready.
    pub(crate) async fn ready(&self) {
        let http = reqwest::Client::new();
        eventually(READY, "the API is ready", || async {
            let asked = http.get(format!("{}/readyz", self.api)).timeout(REQUEST).send().await;
            asked.is_ok_and(|answer| answer.status().is_success()).then_some(())
        })
        .await;
    }

    /// A client without a token: a shopper.
    pub(crate) fn shopper(&self) -> Client {
        Client { http: reqwest::Client::new(), url: format!("{}/graphql", self.api), token: None }
    }

    /// A client that is this customer.
    pub(crate) fn customer(&self, id: CustomerId) -> Client {
        Client { token: Some(token(&id.to_string(), Role::Customer)), ..self.shopper() }
    }

    /// A client that is one of the shop's people.
    pub(crate) fn staff(&self) -> Client {
        Client { token: Some(token("ada", Role::Staff)), ..self.shopper() }
    }
}

/// A development token.
pub(crate) fn token(subject: &str, role: Role) -> String {
    let claims = Claims { sub: subject.to_owned(), role, exp: 4_102_444_800 };
    jsonwebtoken::encode(&Header::default(), &claims, &EncodingKey::from_secret(&TOKEN_KEY)).expect("a token")
}

/// A GraphQL client.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    http: reqwest::Client,
    url: String,
    token: Option<String>,
}

impl Client {
    /// One request; nothing when there was no answer.
    pub(crate) async fn try_send(&self, query: &str, variables: &Value, key: Option<&str>) -> Option<Value> {
        let mut request = self.http.post(&self.url).timeout(REQUEST);
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        if let Some(key) = key {
            request = request.header("Idempotency-Key", key);
        }
        let answer = request.json(&json!({ "query": query, "variables": variables })).send().await.ok()?;
        let wrong = answer.status().is_client_error();
        let body: Value = answer.json().await.ok()?;
        assert!(!wrong, "the test asks wrongly: {body}");
        Some(body)
    }

    /// The payload of a mutation, sent with the same key until it is answered: as a careful shopper does. Faults are
    /// tried again, refusals are not.
    pub(crate) async fn insist(&self, query: &str, variables: &Value, key: &str) -> Value {
        eventually(READY, query, || async {
            let answer = self.try_send(query, variables, Some(key)).await?;
            let data = answer.get("data").and_then(Value::as_object)?;
            data.values().next().filter(|payload| !payload.is_null()).cloned()
        })
        .await
    }
}
