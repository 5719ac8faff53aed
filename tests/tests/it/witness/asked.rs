//! Witnesses that a notary asks: what they sign is published and proved, and whatever they do, the notary goes on.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use axum::Router;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::post;
use chrono::TimeDelta;
use daybook_domain::Clock as _;
use daybook_eventstore::process::SystemClock;
use daybook_eventstore::proof::{AddCheckpoint, Note, SigningKey, Signs, Witness};
use daybook_projections::notary::{self, WitnessAddress};
use sqlx::Executor as _;
use tokio::net::TcpListener;

use super::WitnessProcess;
use crate::harness::{Process, Proxy, eventually, metric, unique};
use crate::notary::{AT_ONCE, NEVER, SOON, Setting, Working, key};
use crate::tampering::ask;

/// Starts a notary that asks these witnesses.
fn start(setting: &Setting, every: Duration, witnesses: &str) -> Working {
    let witnesses = WitnessAddress::list(witnesses).expect("witnesses");
    Working::start(setting.notary(every).witnessed_by(witnesses).expect("a client"))
}

/// The checkpoint of so many events, as it is published.
async fn published(setting: &Setting, size: i64) -> Option<Note> {
    let note = notary::checkpoint_after(&setting.read.pool, u64::try_from(size).expect("a size")).await;
    let note: Note = note.expect("the tree is there")?.parse().expect("a note");
    note.text().starts_with(&format!("shop.example/log\n{size}\n")).then_some(note)
}

/// The same once this witness has signed it.
async fn cosigned(setting: &Setting, size: i64, witness: &WitnessProcess) -> Note {
    eventually(SOON, &format!("{size} events are co-signed"), || async {
        published(setting, size).await.filter(|note| note.verify(&witness.key()).is_ok())
    })
    .await
}

/// How often this came of asking the witness.
fn outcomes(witness: &str, outcome: &str) -> u64 {
    metric(&format!("daybook_notary_cosignatures_total{{witness=\"{witness}\",outcome=\"{outcome}\"}}"))
}

/// Waits until this has come of it.
async fn came(witness: &str, outcome: &str) {
    let is_so = || async { (outcomes(witness, outcome) > 0).then_some(()) };
    eventually(SOON, &format!("{witness}: {outcome}"), is_so).await;
}

#[tokio::test]
async fn what_witnesses_sign_is_published_proved_and_checked() {
    let (one, other) = (WitnessProcess::start().await, WitnessProcess::start().await);
    let setting = Setting::new().await;
    let witnesses = [&one, &other].map(|witness| witness.setting(witness.address.port())).join("\n");
    let working = start(&setting, AT_ONCE, &witnesses);
    for _ in 0..3 {
        let size = setting.writer.append(100).await;
        cosigned(&setting, size, &one).await;
        let note = cosigned(&setting, size, &other).await;
        assert_eq!(note.signatures().len(), 3, "{note}");
    }
    working.end().await;
    assert_eq!((outcomes(&one.name, "cosigned"), outcomes(&other.name, "cosigned")), (3, 3));
    let position = format!("daybook_notary_cosigned_position{{witness=\"{}\"}}", one.name);
    assert_eq!(metric(&position), 300);

    // What comes later nobody but the notary signed.
    let size = setting.writer.append(50).await;
    let working = setting.start(AT_ONCE);
    setting.signed_at(size).await;
    working.end().await;
    let (log, one_key, other_key) =
        (key().verifying().to_string(), one.key().to_string(), other.key().to_string());
    let file = std::env::temp_dir().join(unique("proof"));
    let path = file.to_str().expect("a path");
    let prove = async |more: &[&str]| ask(&setting, &[&["prove", "70", "--out", path], more].concat()).await;
    let check = async |more: &[&str]| ask(&setting, &[&["check", path, "--key", &log], more].concat()).await;

    assert_eq!(prove(&[]).await.0, 0);
    let (code, said) = check(&[]).await;
    assert!(code == 0 && said.contains("among the 350 events"), "{code}: {said}");
    let (code, said) = check(&["--witness", &one_key]).await;
    assert!(code == 3 && said.contains(&format!("not proved that {} has seen", one.name)), "{code}: {said}");

    assert_eq!(prove(&["--witness", &one_key, "--witness", &other_key]).await.0, 0);
    let (code, said) = check(&["--witness", &one_key, "--witness", &other_key]).await;
    assert!(code == 0 && said.contains("among the 300 events"), "{code}: {said}");
    assert!(said.contains(&format!("{} has seen the log so at ", one.name)), "{said}");
    let stranger = SigningKey::of(&one.name, Signs::Witness, [3; 32]).expect("a key").verifying().to_string();
    assert_eq!(check(&["--witness", &stranger]).await.0, 3);
    let (code, said) = prove(&["--witness", &one_key, "--witness", &stranger]).await;
    assert!(code == 1 && said.contains("nothing is signed yet, by all of these witnesses"), "{code}: {said}");
    std::fs::remove_file(file).expect("the file goes");

    let (code, said) = ask(&setting, &["verify", "--witness", &one_key, "--witness", &other_key]).await;
    let told = format!("{} has signed the first 300 of them too, at 20", one.name);
    assert!(code == 0 && said.contains(&told) && said.contains("the first 350 events"), "{code}: {said}");
    let (code, said) = ask(&setting, &["verify", "--witness", &stranger]).await;
    assert!(code == 1 && said.contains(&format!("NOT SIGNED by {}", one.name)), "{code}: {said}");
    // A signature of another checkpoint.
    let moved = "UPDATE notary_checkpoints AS c SET note = \
         (SELECT split_part(c.note, E'\\n\\n', 1) || E'\\n\\n' || split_part(split_part(c.note, E'\\n\\n', 2), E'\\n', 1) \
          || E'\\n' || substring(d.note FROM E'\\u2014 witness.*$') FROM notary_checkpoints d WHERE d.size = 100) \
         WHERE c.size = 200";
    sqlx::query(moved).execute(&setting.read.pool).await.expect("a superuser may");
    let (code, said) = ask(&setting, &["verify", "--witness", &one_key]).await;
    let told = format!("the signature of {} under the checkpoint of 200 events does not count", one.name);
    assert!(code == 3 && said.contains(&told), "{code}: {said}");
}

#[tokio::test]
async fn a_shop_that_makes_another_log_of_its_name_finds_no_witness() {
    let witness = WitnessProcess::start().await;
    let asked = witness.setting(witness.address.port());
    let true_log = Setting::new().await;
    let working = start(&true_log, AT_ONCE, &asked);
    let size = true_log.writer.append(60).await;
    let note = cosigned(&true_log, size, &witness).await;
    working.end().await;
    let remembered = witness.remembered();

    let forged = Setting::new().await;
    let settings = [
        ("EVENTS_URL", forged.events.url.as_str()),
        ("READ_URL", forged.read.url.as_str()),
        ("NOTARY_KEY", &"07".repeat(32)),
        ("NOTARY_ORIGIN", "shop.example/log"),
        ("NOTARY_SECONDS", "1"),
        ("NOTARY_WITNESSES", &asked),
        ("LOG_FORMAT", "text"),
    ];
    // First shorter than what the witness saw, then longer.
    for (more, told) in [
        (30, "it has signed 60 events of a log of this name, which has only 30 here"),
        (50, "what it signed of a log of this name is not what this one begins with"),
    ] {
        let size = forged.writer.append(more).await;
        let notary = Process::start("daybook-projector", &["notary"], &settings);
        eventually(SOON, "the notary says so", || async { notary.output().contains(told).then_some(()) })
            .await;
        assert!(notary.output().contains("a witness disputes the log: it may have been replaced"));
        // It is asked again and again, and that is told once.
        let told_again = || async {
            (witness.process.output().matches("not proved to begin with").count() > 2).then_some(())
        };
        if size > 60 {
            eventually(SOON, "it is asked again", told_again).await;
            assert_eq!(notary.output().matches(told).count(), 1, "{}", notary.output());
        }
        assert_eq!(published(&forged, size).await.expect("it is signed").signatures().len(), 1);
    }
    assert_eq!(witness.remembered(), remembered);
    // With what the witness shows, whoever asks about the forged log finds it out.
    let file = std::env::temp_dir().join(unique("checkpoint"));
    std::fs::write(&file, note.to_string()).expect("a file");
    let arguments = ["verify", "--checkpoint", file.to_str().expect("a path")];
    let (code, said) = ask(&forged, &arguments).await;
    assert!(code == 3 && said.contains("up to 60 are not those that were signed"), "{code}: {said}");
    std::fs::remove_file(file).expect("the file goes");
}

#[tokio::test]
async fn a_witness_that_was_away_signs_a_later_checkpoint_with_a_proof_from_where_it_was() {
    let witness = WitnessProcess::start().await;
    let way = Proxy::to(witness.address).await;
    let setting = Setting::new().await;
    let working = start(&setting, AT_ONCE, &witness.setting(way.port));
    let first = setting.writer.append(70).await;
    cosigned(&setting, first, &witness).await;
    way.cut();
    let missed = setting.writer.append(13).await;
    setting.signed_at(missed).await;
    came(&witness.name, "unreachable").await;
    let later = setting.writer.append(200).await;
    setting.signed_at(later).await;
    way.mend();
    cosigned(&setting, later, &witness).await;
    let unsigned = published(&setting, missed).await.expect("it is signed");
    assert_eq!(unsigned.signatures().len(), 1, "nobody goes back for it");
    working.end().await;
}

#[tokio::test]
async fn what_was_signed_when_the_witness_was_away_is_shown_to_it_when_the_notary_begins_again() {
    let witness = WitnessProcess::start().await;
    let way = Proxy::to(witness.address).await;
    let setting = Setting::new().await;
    way.cut();
    let size = setting.writer.append(20).await;
    let working = start(&setting, NEVER, &witness.setting(way.port));
    setting.followed_to(size).await;
    working.end().await;
    assert_eq!(published(&setting, size).await.expect("it is signed").signatures().len(), 1);
    way.mend();
    let working = start(&setting, NEVER, &witness.setting(way.port));
    cosigned(&setting, size, &witness).await;
    // And what is signed when it ends, before it has ended.
    let size = setting.writer.append(5).await;
    setting.followed_to(size).await;
    working.end().await;
    assert_eq!(published(&setting, size).await.expect("it is signed").signatures().len(), 2);
}

#[tokio::test]
async fn a_tree_that_is_made_again_is_signed_on_and_nobody_disputes_it() {
    let witness = WitnessProcess::start().await;
    let asked = witness.setting(witness.address.port());
    let setting = Setting::new().await;
    let mut size = 0;
    for _ in 0..4 {
        size = setting.writer.append(5_000).await;
    }
    let working = start(&setting, AT_ONCE, &asked);
    setting.signed_at(size).await;
    cosigned(&setting, size, &witness).await;
    working.end().await;
    let lose = "DELETE FROM notary; DELETE FROM notary_tiles; DELETE FROM notary_checkpoints";
    setting.read.pool.execute(sqlx::raw_sql(lose)).await.expect("it is lost");
    // It signs the parts of the tree that it has already, which are smaller than what the witness has signed.
    let working = start(&setting, Duration::from_millis(1), &asked);
    cosigned(&setting, size, &witness).await;
    working.end().await;
    assert_eq!(outcomes(&witness.name, "disputed"), 0);
}

/// Somebody who pretends to be a witness, and always answers this.
async fn pretender<A>(answer: A) -> SocketAddr
where
    A: IntoResponse + Clone + Send + Sync + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("its address");
    let routes = Router::new().route("/add-checkpoint", post(|| async move { answer }));
    tokio::spawn(async move { axum::serve(listener, routes).await.expect("it serves") });
    address
}

#[tokio::test]
async fn an_answer_that_is_no_cosignature_is_not_kept() {
    let note = super::Log::of(3, 0).signed(3);
    let name = unique("witness.example/w");
    let own = SigningKey::of(&name, Signs::Witness, super::SEED).expect("a key");
    let line = |key: &SigningKey, at: &str| {
        let mut note = note.clone();
        note.sign(key, at.parse().expect("a moment"));
        format!("{}\n", note.signatures().last().expect("a signature"))
    };
    let other = SigningKey::of(&name, Signs::Witness, [9; 32]).expect("a key");
    let now = "2026-01-01T00:00:00Z";
    // Where nobody is to be led to.
    let elsewhere = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let location = format!("http://{}/add-checkpoint", elsewhere.local_addr().expect("its address"));
    for (outcome, status, answer) in [
        // Another key of the same name, another checkpoint, and nobody.
        ("false", StatusCode::OK, line(&other, now)),
        ("false", StatusCode::OK, line(&own, now)),
        ("false", StatusCode::OK, String::new()),
        ("refused", StatusCode::OK, "x".repeat(1 << 20)),
        ("refused", StatusCode::CONFLICT, "many\n".to_owned()),
        ("refused", StatusCode::CONFLICT, "2\n".to_owned()),
        ("refused", StatusCode::FORBIDDEN, String::new()),
        ("refused", StatusCode::TEMPORARY_REDIRECT, String::new()),
        ("refused", StatusCode::INTERNAL_SERVER_ERROR, String::new()),
        ("disputed", StatusCode::CONFLICT, "18446744073709551615\n".to_owned()),
        ("disputed", StatusCode::UNPROCESSABLE_ENTITY, String::new()),
    ] {
        let before = outcomes(&name, outcome);
        let told = answer.chars().take(40).collect::<String>();
        let address = pretender((status, [(header::LOCATION, location.clone())], answer)).await;
        let setting = Setting::new().await;
        let working = start(&setting, AT_ONCE, &format!("{} http://{address}", own.verifying()));
        let size = setting.writer.append(3).await;
        setting.signed_at(size).await;
        let is_so = || async { (outcomes(&name, outcome) > before).then_some(()) };
        eventually(SOON, &format!("{outcome}: {status} {told}"), is_so).await;
        working.end().await;
        assert_eq!(published(&setting, size).await.expect("it is signed").signatures().len(), 1);
    }
    let led = tokio::time::timeout(Duration::ZERO, elsewhere.accept()).await;
    assert!(led.is_err(), "nobody was led elsewhere");
}

#[tokio::test]
async fn a_cosignature_of_another_hour_is_not_kept() {
    let name = unique("witness.example/w");
    let own = SigningKey::of(&name, Signs::Witness, super::SEED).expect("a key");
    let verifying = own.verifying().clone();
    let ago = Arc::new(AtomicI64::new(2));
    let witness = Arc::new(Witness::try_new(own, vec![key().verifying().clone()]).expect("keys"));
    let (then, listener) = (Arc::clone(&ago), TcpListener::bind("127.0.0.1:0").await.expect("a free port"));
    let address = listener.local_addr().expect("its address");
    // One whose clock is slow.
    let answer = move |body: String| async move {
        let asked: AddCheckpoint = body.parse().expect("a request");
        let at = SystemClock.now() - TimeDelta::hours(then.load(Ordering::Relaxed));
        format!("{}\n", witness.cosign(asked.checkpoint, at).signatures().last().expect("its own"))
    };
    let routes = Router::new().route("/add-checkpoint", post(answer));
    tokio::spawn(async move { axum::serve(listener, routes).await.expect("it serves") });
    let setting = Setting::new().await;
    let working = start(&setting, AT_ONCE, &format!("{verifying} http://{address}"));
    let size = setting.writer.append(3).await;
    setting.signed_at(size).await;
    came(&name, "false").await;
    assert_eq!(published(&setting, size).await.expect("it is signed").signatures().len(), 1);
    ago.store(0, Ordering::Relaxed);
    eventually(SOON, "it is kept", || async {
        published(&setting, size).await.filter(|note| note.verify(&verifying).is_ok())
    })
    .await;
    working.end().await;
}

#[tokio::test]
async fn a_witness_that_never_answers_keeps_nobody_waiting() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("its address");
    let taken = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&taken);
    tokio::spawn(async move {
        let mut silent = Vec::new();
        loop {
            silent.push(listener.accept().await.expect("a connection"));
            counted.fetch_add(1, Ordering::Relaxed);
        }
    });
    let key = SigningKey::of(&unique("witness.example/w"), Signs::Witness, super::SEED).expect("a key");
    let setting = Setting::new().await;
    let working = start(&setting, AT_ONCE, &format!("{} http://{address}", key.verifying()));
    for _ in 0..5 {
        let size = setting.writer.append(10).await;
        setting.signed_at(size).await;
    }
    let asked = || async { (taken.load(Ordering::Relaxed) == 1).then_some(()) };
    eventually(SOON, "it was asked, once", asked).await;
    let ending = Instant::now();
    working.end().await;
    assert!(ending.elapsed() < Duration::from_secs(6), "{:?}", ending.elapsed());
}

#[tokio::test]
async fn what_is_wrong_with_the_list_of_witnesses_is_one_line() {
    let setting = Setting::new().await;
    let log = key().verifying().to_string();
    let settings = [
        ("EVENTS_URL", setting.events.url.as_str()),
        ("READ_URL", setting.read.url.as_str()),
        ("NOTARY_KEY", &"07".repeat(32)),
        ("NOTARY_ORIGIN", "shop.example/log"),
        ("NOTARY_WITNESSES", &format!("{log} https://witness.example")),
    ];
    let mut process = Process::start("daybook-projector", &["notary"], &settings);
    assert_eq!(process.ended(SOON).await.code(), Some(2));
    let told = "daybook-projector: DAYBOOK_NOTARY_WITNESSES is wrong: the key of shop.example/log is not a witness's\n";
    assert_eq!(process.output(), told);
}
