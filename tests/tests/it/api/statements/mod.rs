//! No query issues a statement for each row: for twenty rows it takes as many as for two, and those are few. Statements
//! are counted on their way from the API to the databases.

mod questions;
mod shelf;

use serde_json::{Value, json};
use xtask::servers::Scratch;

use self::questions::{Question, about_goods, about_the_rest};
use self::shelf::Goods;
use super::front::{As, Front, NOTARY, SOON, token};
use crate::harness::shop::TestShop;
use crate::harness::{Database, Tap, eventually};

/// What the API asks by itself, whoever asks it: whether the databases are there, how far the log and the replica are,
/// and to be told when they are further.
const BY_ITSELF: [&str; 6] = [
    "SELECT 1",
    "LISTEN ",
    "position FROM log_head",
    "FROM events e WHERE e.position >",
    "SELECT name, position FROM projections",
    "PING",
];

/// The most statements that a query takes here, for however many rows: one for each kind of thing on each level.
const MOST: usize = 8;
/// On a busy machine, what is found together may go on in two parts now and then; a statement for each row goes out every
/// time.
const TRIES: usize = 3;

/// An API, and the ways from it to the databases.
struct Tapped {
    front: Front,
    taps: Vec<(&'static str, Tap)>,
    admin: String,
}

impl Tapped {
    /// An API on a new shop; with hot copies in the Redis with this URL.
    async fn open(redis: Option<&str>) -> Self {
        let (shop, read) = (TestShop::open().await, Database::read().await);
        let mut taps = vec![
            ("EVENTS_URL", Tap::on_postgres(&shop.events.url).await),
            ("READ_URL", Tap::on_postgres(&read.url).await),
        ];
        if let Some(url) = redis {
            taps.push(("REDIS_URL", Tap::on_redis(url).await));
        }
        let front = Front::open_on(shop, read, &settings(&taps)).await;
        Self { front, taps, admin: token("admin", "ada") }
    }

    /// The same with an API that remembers nothing, so that nothing is answered from memory.
    async fn anew(self) -> Self {
        let front = self.front.anew(&settings(&self.taps)).await;
        Self { front, ..self }
    }

    /// The statements that a query takes, sorted, and how many rows it has answered with.
    async fn statements(&self, query: &str) -> (Vec<String>, usize) {
        let heard = || self.taps.iter().flat_map(|(_, tap)| tap.taken()).collect::<Vec<_>>();
        drop(heard());
        let who = As { token: Some(&self.admin), ..As::default() };
        let answer = self.front.data_as(who, query, json!({})).await;
        let mut statements = heard();
        statements.retain(|statement| !BY_ITSELF.iter().any(|own| statement.contains(own)));
        statements.sort_unstable();
        (statements, rows(&answer))
    }

    /// Compares a query for few rows with the same one for many, once each is answered from where it should be. Says how
    /// they differ, or that they take too much.
    async fn compare(&self, question: &Question, as_meant: impl Fn(&[String]) -> bool) -> Result<(), String> {
        let Question { what, few, many, rows } = question;
        let ask = async |query: &str| {
            eventually(SOON, what, || async {
                Some(self.statements(query).await).filter(|(statements, _)| as_meant(statements))
            })
            .await
        };
        let (few, _) = ask(few).await;
        let (many, shown) = ask(many).await;
        assert!(shown >= *rows, "{what}: {shown} rows");
        assert!(!few.is_empty(), "{what}: nothing was counted");
        let same = many == few && few.len() <= MOST;
        same.then_some(())
            .ok_or_else(|| format!("{what}, at most {MOST}: for few {few:#?}, for many {many:#?}"))
    }
}

fn settings<'a>(taps: &'a [(&'static str, Tap)]) -> Vec<(&'static str, &'a str)> {
    taps.iter().map(|(name, tap)| (*name, tap.url.as_str())).collect()
}

/// The length of the longest list in an answer, or how many fields at its root have come to something.
fn rows(answer: &Value) -> usize {
    fn longest(value: &Value) -> usize {
        match value {
            Value::Array(items) => items.len().max(items.iter().map(longest).max().unwrap_or(0)),
            Value::Object(fields) => fields.values().map(longest).max().unwrap_or(0),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 0,
        }
    }
    let roots = answer.as_object().map_or(0, |fields| fields.values().filter(|one| !one.is_null()).count());
    longest(answer).max(roots)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_takes_as_many_statements_for_twenty_rows_as_for_two() {
    let mut tapped = Tapped::open(None).await;
    let models = ["audit", "carts", "orders", "products", "search", "stock"];
    let names: Vec<&str> = models.into_iter().chain(["notary"]).collect();
    let projector = tapped.front.projector_with(&names, &NOTARY);
    let worker = tapped.front.shop.worker(&[]);
    let goods = Goods::put_up(&tapped.front.shop).await;
    let sales = goods.sell(&tapped.front.shop).await;
    drop(worker);
    tapped.front.caught_up(&models).await;
    tapped.front.signed().await;
    // What is asked for is recorded, and is to be in no read model while statements are counted.
    drop(projector);
    let mut questions = about_goods(&goods);
    questions.extend(about_the_rest(&goods, &sales));
    for question in &questions {
        let mut told = Ok(());
        for _ in 0..TRIES {
            tapped = tapped.anew().await;
            told = tapped.compare(question, |_| true).await;
            if told.is_ok() {
                break;
            }
        }
        assert_eq!(told, Ok(()));
    }
    let is_asked = |name: &String| {
        let field = format!(" {name}(");
        questions.iter().any(|question| question.many.contains(&field))
    };
    let unasked: Vec<String> = queries().into_iter().filter(|name| !is_asked(name)).collect();
    assert_eq!(
        unasked,
        ["logCheckpoint", "version"],
        "every query of the schema is asked that is told what to look up"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_is_asked_as_often_for_twenty_rows_as_for_two() {
    let mut scratch = Scratch::new().expect("a folder");
    let redis = scratch.redis().expect("a Redis");
    let tapped = Tapped::open(Some(&redis.url())).await;
    let models = ["carts", "carts-hot", "products", "stock", "stock-hot"];
    let _projector = tapped.front.projector_with(&models, &[("REDIS_URL", &redis.url())]);
    let goods = Goods::put_up(&tapped.front.shop).await;
    tapped.front.caught_up(&["carts", "products", "stock"]).await;
    for question in about_goods(&goods) {
        // Until the copies are there, and whenever they do not answer at once, the replica is asked.
        let from_redis = |statements: &[String]| {
            let of_copies = |name: &str| statements.iter().any(|statement| statement.contains(name));
            of_copies("stock-hot") && !of_copies("live.stock") && !of_copies("live.carts")
        };
        let mut told = Ok(());
        for _ in 0..TRIES {
            told = tapped.compare(&question, from_redis).await;
            if told.is_ok() {
                break;
            }
        }
        assert_eq!(told, Ok(()));
    }
}

/// The names of the schema's queries.
fn queries() -> Vec<String> {
    let sdl = daybook_api::sdl();
    let without_descriptions: String = sdl.split("\"\"\"").step_by(2).collect();
    let (_, rest) = without_descriptions.split_once("type Query {").expect("the schema has queries");
    let (fields, _) = rest.split_once("\n}").expect("their end");
    let names = fields.lines().filter_map(|line| line.split_once(['(', ':']));
    names.map(|(name, _)| name.trim().to_owned()).collect()
}
