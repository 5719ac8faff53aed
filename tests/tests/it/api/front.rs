//! A `daybook-api` with a shop of its own, and a client of it.

use std::sync::Arc;
use std::time::Duration;

use jsonwebtoken::{EncodingKey, Header};
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::harness::shop::TestShop;
use crate::harness::{Database, Process, eventually};

/// How long anything a test waits for may take.
pub(super) const SOON: Duration = Duration::from_secs(30);
/// The key that signs tokens.
const TOKEN_KEY: &str = "0909090909090909090909090909090909090909090909090909090909090909";
/// The settings of a notary that signs what is new every second.
pub(super) const NOTARY: [(&str, &str); 3] =
    [("NOTARY_KEY", TOKEN_KEY), ("NOTARY_ORIGIN", "shop.example/log"), ("NOTARY_SECONDS", "1")];
/// What signs webhooks.
pub(super) const WEBHOOK_SECRET: &str = "whsec_test";

/// An API and what is behind it.
pub(super) struct Front {
    /// Where it serves, such as `127.0.0.1:40123`.
    pub(super) address: String,
    /// The shop behind it.
    pub(super) shop: Arc<TestShop>,
    /// A plain client.
    pub(super) http: Client,
    /// The API's process.
    pub(super) api: Process,
    read: Arc<Database>,
}

/// Who asks and how.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct As<'a> {
    /// A token.
    pub(super) token: Option<&'a str>,
    /// An idempotency key.
    pub(super) key: Option<&'a str>,
}

impl Front {
    /// An API on a new shop.
    pub(super) async fn open() -> Self {
        Self::open_with(&[]).await
    }

    /// An API on a new shop, with more settings.
    pub(super) async fn open_with(more: &[(&str, &str)]) -> Self {
        Self::open_on(TestShop::open().await, Database::read().await, more).await
    }

    /// An API on this shop and these read models, with more settings.
    pub(super) async fn open_on(shop: TestShop, read: Database, more: &[(&str, &str)]) -> Self {
        Self::of(Arc::new(shop), Arc::new(read), more).await
    }

    /// Another API beside this one, on the same shop.
    pub(super) async fn beside(&self) -> Self {
        Self::of(Arc::clone(&self.shop), Arc::clone(&self.read), &[]).await
    }

    async fn of(shop: Arc<TestShop>, read: Arc<Database>, more: &[(&str, &str)]) -> Self {
        let (api, address) = serve(&shop, &read, more).await;
        Self { address, shop, http: Client::new(), api, read }
    }

    /// The same with another API, which remembers nothing.
    pub(super) async fn anew(self, more: &[(&str, &str)]) -> Self {
        let (api, address) = serve(&self.shop, &self.read, more).await;
        Self { address, api, ..self }
    }

    /// A projector of these read models.
    pub(super) fn projector(&self, names: &[&str]) -> Process {
        self.projector_with(names, &[])
    }

    /// A projector of these read models, with more settings.
    pub(super) fn projector_with(&self, names: &[&str], more: &[(&str, &str)]) -> Process {
        let mut own = vec![("READ_URL", self.read.url.as_str())];
        own.extend(more);
        start("daybook-projector", names, &self.shop, &own)
    }

    /// Connections to the read models.
    pub(super) fn read_pool(&self) -> &PgPool {
        &self.read.pool
    }

    /// Waits until these read models show all that has happened.
    pub(super) async fn caught_up(&self, models: &[&str]) {
        let head: i64 = sqlx::query_scalar("SELECT position FROM log_head")
            .fetch_one(&self.shop.events.pool)
            .await
            .expect("the head");
        let there =
            "SELECT count(*) FROM projections WHERE status = 'live' AND name = ANY($1) AND position >= $2";
        eventually(SOON, "the read models have caught up", || async {
            let there: i64 = sqlx::query_scalar(there)
                .bind(models)
                .bind(head)
                .fetch_one(&self.read.pool)
                .await
                .expect("the register of versions");
            (usize::try_from(there) == Ok(models.len())).then_some(())
        })
        .await;
    }

    /// Waits until all that has happened is signed, and says up to where that is.
    pub(super) async fn signed(&self) -> i64 {
        let events = &self.shop.events.pool;
        let head = sqlx::query_scalar("SELECT position FROM log_head").fetch_one(events);
        let head: i64 = head.await.expect("the head");
        eventually(SOON, "all of it is signed", || async {
            let size = "SELECT max(size) FROM notary_checkpoints";
            let size: Option<i64> = sqlx::query_scalar(size).fetch_one(&self.read.pool).await.expect("sizes");
            size.filter(|size| *size >= head)
        })
        .await
    }

    /// The URL of a path.
    pub(super) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The status and body of the answer to an operation.
    pub(super) async fn ask(&self, who: As<'_>, query: &str, variables: Value) -> (StatusCode, Value) {
        let mut request = self.http.post(self.url("/graphql"));
        if let Some(token) = who.token {
            request = request.bearer_auth(token);
        }
        if let Some(key) = who.key {
            request = request.header("Idempotency-Key", key);
        }
        let body = json!({ "query": query, "variables": variables });
        let answer = request.json(&body).send().await.expect("an answer");
        let status = answer.status();
        (status, answer.json().await.expect("JSON"))
    }

    /// The data of the answer to an operation of a guest that has no errors.
    pub(super) async fn data(&self, query: &str, variables: Value) -> Value {
        self.data_as(As::default(), query, variables).await
    }

    /// The data of the answer to an operation that has no errors.
    pub(super) async fn data_as(&self, who: As<'_>, query: &str, variables: Value) -> Value {
        let (_, mut answer) = self.ask(who, query, variables).await;
        assert!(answer["errors"].is_null(), "{answer}");
        answer["data"].take()
    }

    /// The code of the first error of the answer to an operation, which must be one that is told of, never a fault.
    pub(super) async fn error(&self, who: As<'_>, query: &str, variables: Value) -> String {
        let (status, answer) = self.ask(who, query, variables).await;
        assert!(!status.is_server_error(), "{status}: {answer}");
        code(&answer)
    }
}

/// A new API, and where it serves.
async fn serve(shop: &TestShop, read: &Database, more: &[(&str, &str)]) -> (Process, String) {
    let mut own = vec![("READ_URL", read.url.as_str()), ("TOKEN_KEY", TOKEN_KEY), ("LISTEN", "127.0.0.1:0")];
    own.extend(more);
    let api = start("daybook-api", &[], shop, &own);
    let address = eventually(SOON, "the API serves", || {
        let output = api.output();
        async move { address(&output) }
    })
    .await;
    (api, address)
}

fn start(binary: &str, arguments: &[&str], shop: &TestShop, own: &[(&str, &str)]) -> Process {
    let common = shop.settings();
    let mut settings: Vec<(&str, &str)> =
        common.iter().map(|(name, value)| (*name, value.as_str())).collect();
    settings.extend(own);
    Process::start(binary, arguments, &settings)
}

/// The code of an answer's first error.
pub(super) fn code(answer: &Value) -> String {
    let code = answer["errors"][0]["extensions"]["code"].as_str().unwrap_or_default().to_owned();
    assert!(!code.is_empty() && code != "INTERNAL_SERVER_ERROR", "{answer}");
    code
}

/// A token for someone.
pub(super) fn token(role: &str, subject: &str) -> String {
    signed(role, subject, 4_000_000_000)
}

/// A token that is good until this second.
pub(super) fn signed(role: &str, subject: &str, expires: u64) -> String {
    let claims = json!({ "sub": subject, "role": role, "exp": expires });
    jsonwebtoken::encode(&Header::default(), &claims, &EncodingKey::from_secret(&[9; 32])).expect("a token")
}

/// The address that the process says it serves at.
fn address(output: &str) -> Option<String> {
    let line = output.lines().find(|line| line.contains("serving clients"))?;
    let port = line.split("127.0.0.1:").nth(1)?;
    let port: String = port.chars().take_while(char::is_ascii_digit).collect();
    Some(format!("127.0.0.1:{port}"))
}
