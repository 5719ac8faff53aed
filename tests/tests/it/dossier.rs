//! The whole story of an order on one page, for somebody who trusts nobody; and what else is answered from the index of events.

use std::time::Duration;

use daybook_eventstore::proof::{InclusionProof, SigningKey, Signs};
use serde_json::Value;
use sqlx::Executor as _;
use tokio::process::Command;

use crate::harness::{Process, eventually, servers};
use crate::import::{Importing, dirty};

const SOON: Duration = Duration::from_secs(30);
const KEY: &str = "0909090909090909090909090909090909090909090909090909090909090909";

/// An imported log with its index and its notary, and the id of one of its orders.
struct Told {
    importing: Importing,
    order: String,
    _projector: Process,
}

impl Told {
    async fn new() -> Self {
        let importing = Importing::new().await;
        importing.run(&importing.file(&dirty().0), &[]).await;
        let settings = [
            ("EVENTS_URL", importing.events.url.as_str()),
            ("READ_URL", importing.read.url.as_str()),
            ("NOTARY_KEY", KEY),
            ("NOTARY_ORIGIN", "shop.example/log"),
            ("NOTARY_SECONDS", "1"),
        ];
        let projector = Process::start("daybook-projector", &["audit", "notary"], &settings);
        let head = importing.head().await;
        let there = "SELECT EXISTS (SELECT FROM projections WHERE name = 'audit' AND status = 'live' AND position >= $1)
             AND EXISTS (SELECT FROM notary_checkpoints WHERE size >= $1)";
        eventually(SOON, "all of it is in the index, and signed", || async {
            let there: Result<bool, _> =
                sqlx::query_scalar(there).bind(head).fetch_one(&importing.read.pool).await;
            there.expect("an answer").then_some(())
        })
        .await;
        // One that was paid back, where there is one.
        let order = sqlx::query_scalar(
            "SELECT coalesce((SELECT payload #>> '{Refunded,order_id}' FROM events WHERE event_type = 'PaymentRefunded' LIMIT 1),
             (SELECT aggregate_id FROM events WHERE event_type = 'OrderPlaced' ORDER BY position LIMIT 1))",
        );
        let order = order.fetch_one(&importing.events.pool).await.expect("an order");
        Self { importing, order, _projector: projector }
    }

    /// What the command line says, and its exit code.
    async fn ask(&self, arguments: &[&str]) -> (i32, String) {
        let mut command = Command::new(servers().binaries.join("daybook-replay"));
        command
            .args(arguments)
            .env("DAYBOOK_EVENTS_URL", &self.importing.events.url)
            .env("DAYBOOK_LOG", "warn");
        let output =
            command.env("DAYBOOK_READ_URL", &self.importing.read.url).output().await.expect("it runs");
        let code = output.status.code().unwrap_or(-1);
        let said = if code == 1 { output.stderr } else { output.stdout };
        (code, String::from_utf8(said).expect("text"))
    }

    async fn told(&self) -> Value {
        let (code, said) = self.ask(&["dossier", &self.order, "--json"]).await;
        assert_eq!(code, 0, "{said}");
        serde_json::from_str(&said).expect("JSON")
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_orders_story_is_whole_adds_up_and_is_proved() {
    let told = Told::new().await;
    let dossier = told.told().await;
    let facts = dossier["facts"].as_array().expect("facts");
    let named: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM events WHERE payload::text LIKE '%\"order_id\":\"' || $1 || '\"%' OR aggregate_id = $1 OR aggregate_id =
         (SELECT aggregate_id FROM events WHERE event_type = 'CartSubmitted' AND payload::text LIKE '%' || $1 || '%')",
    )
    .bind(&told.order)
    .fetch_one(&told.importing.events.pool)
    .await
    .expect("a count");
    assert_eq!(facts.len(), usize::try_from(named).expect("a count"));
    let key = SigningKey::of("shop.example/log", Signs::Log, [9; 32]).expect("a key");
    for fact in facts {
        assert_eq!(fact["standing"], "proved");
        let proof: InclusionProof = fact["proof"].as_str().expect("text").parse().expect("a proof");
        proof.check(key.verifying()).expect("it proves it");
    }
    assert_eq!((&dossier["missing"], &dossier["no_books"]), (&serde_json::json!([]), &Value::Null));
    for total in dossier["books"]["totals"].as_array().expect("totals") {
        assert_eq!(total["debit"], total["credit"]);
    }
    assert_eq!(dossier["unindexed"], 0);
    let (code, said) = told.ask(&["dossier", &told.order, "--key", &key.verifying().to_string()]).await;
    assert_eq!(code, 0);
    assert!(
        said.contains("✓") && said.contains("gateway") && said.contains("shop.example/log signed"),
        "{said}"
    );
    assert_eq!(told.ask(&["dossier", "00000000-0000-0000-0000-000000000001"]).await.0, 4);
    assert_eq!(told.ask(&["dossier", "nonsense"]).await.0, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_needs_nothing_else_and_every_proof_can_be_taken_out_of_it() {
    let told = Told::new().await;
    let file = told.importing.folder.join("dossier.html");
    let (code, said) = told.ask(&["dossier", &told.order, "--html", file.to_str().expect("a path")]).await;
    assert_eq!(code, 0, "{said}");
    let page = std::fs::read_to_string(&file).expect("the page");
    for elsewhere in ["http:", "https:", "src=", "<script", "@import", "url("] {
        assert!(!page.contains(elsewhere), "{elsewhere}");
    }
    let key = SigningKey::of("shop.example/log", Signs::Log, [9; 32]).expect("a key");
    let mut proofs = 0;
    for link in page.split("data:text/plain;base64,").skip(1) {
        let encoded = link.split('"').next().expect("a link");
        let decoded = base64(encoded);
        let proof: InclusionProof = decoded.parse().expect("a proof");
        proof.check(key.verifying()).expect("it proves it");
        proofs += 1;
    }
    assert_eq!(proofs, told.told().await["facts"].as_array().expect("facts").len());
}

/// What stands in base64.
fn base64(text: &str) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let (mut bits, mut count, mut bytes) = (0_u32, 0, Vec::new());
    for letter in text.bytes().filter(|letter| *letter != b'=') {
        let value = ALPHABET.iter().position(|known| *known == letter).expect("base64");
        bits = bits << 6 | u32::try_from(value).expect("six bits");
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push(u8::try_from(bits >> count & 0xff).expect("a byte"));
        }
    }
    String::from_utf8(bytes).expect("text")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_as_it_was_signed_is_said_in_the_dossier() {
    let told = Told::new().await;
    let placed = told.told().await["facts"][0]["position"].as_i64().expect("a position");
    let superuser = async |done: &str| {
        let done = format!("ALTER TABLE events DISABLE TRIGGER USER; {done}");
        told.importing.events.pool.execute(sqlx::raw_sql(&done)).await.expect("a superuser may");
    };
    superuser(&format!(
        "UPDATE events SET metadata = (metadata::text || ' ')::json WHERE position = {placed}"
    ))
    .await;
    let (code, said) = told.ask(&["dossier", &told.order]).await;
    assert_eq!(code, 3, "{said}");
    assert_eq!(said.matches('✗').count(), 1, "{said}");
    assert!(said.contains("gateway"), "the books are there: {said}");
    // What cannot even be read is shown, and may have been money.
    let captured = "SELECT position FROM events WHERE event_type = 'PaymentCaptured' AND payload::text LIKE '%' || $1 || '%'";
    let captured: i64 = sqlx::query_scalar(captured)
        .bind(&told.order)
        .fetch_one(&told.importing.events.pool)
        .await
        .expect("a capture");
    superuser(&format!("UPDATE events SET payload = '{{}}' WHERE position = {captured}")).await;
    let (code, said) = told.ask(&["dossier", &told.order]).await;
    assert_eq!((code, said.matches('✗').count()), (3, 2), "{said}");
    assert!(said.contains("no books"), "{said}");
    // And what was taken away is missed.
    superuser(&format!("DELETE FROM events WHERE position = {captured}")).await;
    let (code, said) = told.ask(&["dossier", &told.order]).await;
    assert_eq!((code, said.matches('✗').count()), (3, 2), "{said}");
    assert!(said.contains(&format!("{captured}  there was an event")), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_checkpoint_that_somebody_else_signed_proves_nothing() {
    let told = Told::new().await;
    let other = SigningKey::of("shop.example/log", Signs::Log, [8; 32]).expect("a key");
    let (code, said) = told.ask(&["dossier", &told.order, "--key", &other.verifying().to_string()]).await;
    assert_eq!(code, 3, "{said}");
    assert!(said.contains("it proves nothing"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trace_is_answered_from_the_index_and_is_the_same_as_from_the_log() {
    let told = Told::new().await;
    let position = told.told().await["facts"][0]["position"].to_string();
    let by_index = told.ask(&["trace", &position, "--json"]).await;
    let read = &told.importing.read.pool;
    let kept = "DELETE FROM audit_v1.audit_events WHERE position = $1";
    sqlx::query(kept)
        .bind(position.parse::<i64>().expect("a position"))
        .execute(read)
        .await
        .expect("it goes");
    let shorter = told.ask(&["trace", &position, "--json"]).await;
    assert_eq!(shorter.1.lines().count() + 1, by_index.1.lines().count(), "it was asked");
    // An index that lacks something is not asked.
    sqlx::query("UPDATE projections SET parked = 1 WHERE name = 'audit'").execute(read).await.expect("noted");
    assert_eq!(told.ask(&["trace", &position, "--json"]).await, by_index);
}
