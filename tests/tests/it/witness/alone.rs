//! A witness by itself: what it answers, and that it signs one log of a name, whoever asks at once and whenever it dies.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use daybook_domain::Clock as _;
use daybook_eventstore::process::SystemClock;
use daybook_eventstore::proof::{AddCheckpoint, Note, SigningKey, Signs, TreeHash, TreeHead, cosignature};
use reqwest::header::CONTENT_TYPE;
use sha2::{Digest as _, Sha256};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::{Log, WitnessProcess, launch, signed};
use crate::harness::{Process, eventually};
use crate::notary::{SOON, key};

#[tokio::test]
async fn a_log_that_grows_is_signed_with_the_time_and_shown_to_others() {
    let (witness, log) = (WitnessProcess::start().await, Log::of(40, 0));
    let origin = TreeHash(Sha256::digest(key().verifying().name()).into()).to_string();
    let shown = async |origin: &str| {
        let url = format!("http://{}/{origin}/checkpoint", witness.address);
        let answer = witness.client.get(url).send().await.expect("an answer");
        (answer.status().as_u16(), answer.text().await.expect("a text"))
    };
    assert_eq!(shown(&origin).await.0, 404);
    for (old, size) in [(0, 1), (1, 1), (1, 7), (7, 8), (8, 40), (40, 40)] {
        let asked = log.ask(old, size);
        let (status, lines) = witness.answer(&asked).await;
        assert_eq!(status, 200, "{old} {size}: {lines}");
        let (_, at) = cosignature(&lines, &asked.checkpoint, &witness.key()).expect("it counts");
        assert!((SystemClock.now() - at).abs().num_seconds() < 60, "{at}");
        let (status, note) = shown(&origin).await;
        let note: Note = note.parse().expect("a note");
        assert_eq!((status, TreeHead::of(&note, key().verifying())), (200, Ok(log.head(size))));
        assert_eq!(note.verify(&witness.key()), Ok(Some(at)));
    }
    assert_eq!(shown(&"0".repeat(64)).await.0, 404);
}

/// What is asked so that the answer is this code. The witness has signed the first 5 entries.
fn cases(log: &Log) -> Vec<(u16, &'static str, String)> {
    let right = log.ask(5, 9).to_string();
    let other = Log::of(20, 1);
    let with = |note: Note| AddCheckpoint { checkpoint: note, ..log.ask(5, 9) }.to_string();
    let stranger = SigningKey::of(key().verifying().name(), Signs::Log, [9; 32]).expect("a key");
    let elsewhere = SigningKey::of("other.example", Signs::Log, [7; 32]).expect("a key");
    let of_another = TreeHead { origin: "other.example".to_owned(), ..log.head(9) };
    let false_line = log.signed(8).signatures()[0].to_string();
    let true_line = log.signed(9).signatures()[0].to_string();
    let path = |path: Vec<TreeHash>| AddCheckpoint { path, ..log.ask(5, 9) }.to_string();
    let mut too_many = log.ask(5, 9);
    too_many.path = vec![TreeHash([0; 32]); 64];
    let empty = TreeHead { size: 0, ..log.head(9) };
    vec![
        (400, "nothing", String::new()),
        (400, "no lines", "hello".to_owned()),
        (400, "no old size", right.replace("old 5", "old")),
        (400, "a zero before the size", right.replace("old 5", "old 05")),
        (400, "a sign before the size", right.replace("old 5", "old +5")),
        (400, "no size", right.replace("old 5", "old x")),
        (400, "a size that is too large", right.replace("old 5", "old 18446744073709551616")),
        (400, "no empty line", right.replacen("\n\n", "\n", 1)),
        (400, "carriage returns", right.replace('\n', "\r\n")),
        (400, "a line that is no hash", right.replacen("\n\n", "\nAAAA\n\n", 1)),
        (400, "a line that is no base64", right.replacen("\n\n", "\n!\n\n", 1)),
        (400, "64 hashes", too_many.to_string()),
        (400, "no signature", right.replace(&format!("{true_line}\n"), "")),
        (400, "half a line", right.trim_end().to_owned()),
        (400, "a checkpoint without a root", with(of("shop.example/log\n9\n"))),
        (
            400,
            "a checkpoint with a zero before its size",
            with(of(&log.head(9).to_string().replace("\n9\n", "\n09\n"))),
        ),
        (400, "an old size beyond the new one", log.ask(9, 9).to_string().replace("old 9", "old 10")),
        (404, "a log that nobody watches", with(signed(&of_another, &elsewhere))),
        (403, "a log's name with another key", with(signed(&log.head(9), &stranger))),
        (403, "a false signature", right.replace(&true_line, &false_line)),
        (403, "a false signature beside a true one", format!("{right}{false_line}\n")),
        (409, "an earlier size", log.ask(3, 9).to_string()),
        (409, "no size", log.ask(0, 9).to_string()),
        (409, "a later size", log.ask(7, 9).to_string()),
        (409, "a smaller log", log.ask(0, 3).to_string()),
        (422, "a proof of another log", other.ask(5, 9).to_string()),
        (422, "half a proof", path(log.ask(5, 9).path[1..].to_vec())),
        (422, "more than a proof", path([log.ask(5, 9).path, vec![TreeHash([0; 32])]].concat())),
        (422, "no proof", path(Vec::new())),
        (422, "another log of that size", other.ask(5, 5).to_string()),
        (
            422,
            "a proof where none is needed",
            AddCheckpoint { path: log.ask(5, 9).path, ..log.ask(5, 5) }.to_string(),
        ),
        (
            409,
            "an empty log with a root",
            AddCheckpoint { checkpoint: signed(&empty, &key()), ..log.ask(0, 9) }.to_string(),
        ),
        (413, "more than anybody asks", "x".repeat((1 << 17) + 1)),
    ]
}

/// A text, signed by the log.
fn of(text: &str) -> Note {
    let mut note = Note::of(text.to_owned()).expect("a text");
    note.sign(&key(), daybook_domain::Timestamp::UNIX_EPOCH);
    note
}

#[tokio::test]
async fn what_is_not_to_be_signed_is_answered_with_the_code_of_the_specification() {
    let (witness, log) = (WitnessProcess::start().await, Log::of(20, 0));
    let with_root = signed(&TreeHead { size: 0, ..log.head(3) }, &key());
    let (status, _) = witness.answer(&AddCheckpoint { checkpoint: with_root, ..log.ask(0, 0) }).await;
    assert_eq!(status, 422, "the tree without an entry has one root");
    let needless = AddCheckpoint { path: vec![TreeHash([0; 32])], ..log.ask(0, 5) };
    assert_eq!(witness.answer(&needless).await.0, 422, "nothing is proved from nothing");
    assert_eq!(witness.answer(&log.ask(0, 5)).await.0, 200);

    let remembered = witness.remembered();
    for (code, what, asked) in cases(&log) {
        let answer = witness.post(asked).await;
        assert_eq!(answer.status().as_u16(), code, "{what}");
        if code == 409 {
            assert_eq!(answer.headers()[CONTENT_TYPE], "text/x.tlog.size", "{what}");
            assert_eq!(answer.text().await.expect("a text"), "5\n", "{what}");
        }
        assert_eq!(witness.remembered(), remembered, "{what}");
    }
    let binary = witness.post(vec![0xff; 10]).await;
    assert_eq!(binary.status().as_u16(), 400);
    let get = witness.client.get(format!("http://{}/add-checkpoint", witness.address)).send().await;
    assert_eq!(get.expect("an answer").status().as_u16(), 405);
    // And after all that it signs what is right, whoever else signed it.
    let mut asked = log.ask(5, 9);
    let other = SigningKey::of("other.example", Signs::Witness, [3; 32]).expect("a key");
    asked.checkpoint.sign(&other, SystemClock.now());
    assert_eq!(witness.answer(&asked).await.0, 200);
}

#[tokio::test]
async fn of_many_logs_of_one_name_that_are_shown_at_once_one_is_signed() {
    const AT_ONCE: u8 = 8;
    let witness = Arc::new(WitnessProcess::start().await);
    let mut trunk = Log(Vec::new());
    for size in 1..=60 {
        let mut asking = JoinSet::new();
        for what in 0..AT_ONCE {
            let mut log = trunk.clone();
            log.0.push(Log::entry(size, what));
            let witness = Arc::clone(&witness);
            asking.spawn(async move {
                let (status, _) = witness.answer(&log.ask(log.0.len() - 1, log.0.len())).await;
                (status, log)
            });
        }
        let answers = asking.join_all().await;
        assert!(answers.iter().all(|(status, _)| [200, 409].contains(status)));
        let mut signed: Vec<Log> =
            answers.into_iter().filter(|(status, _)| *status == 200).map(|(_, log)| log).collect();
        assert_eq!(signed.len(), 1, "of {size} entries");
        trunk = signed.pop().expect("the one");
    }
    assert!(witness.remembered().contains(&BASE64.encode(trunk.head(60).root.0)));
}

#[tokio::test]
async fn a_witness_that_is_killed_once_it_remembers_signs_no_second_root_of_that_size() {
    let mut witness = WitnessProcess::start().await;
    let log = Log::of(8, 0);
    for size in 1..=8 {
        let asked = log.ask(size - 1, size);
        let root = BASE64.encode(log.head(size).root.0);
        let url = format!("http://{}/add-checkpoint", witness.address);
        let answer = tokio::spawn(witness.client.post(url).body(asked.to_string()).send());
        // It may have answered by then or not.
        eventually(SOON, "it is on the disk", || async {
            witness.remembered().contains(&root).then_some(())
        })
        .await;
        witness = witness.killed().await;
        drop(answer.await.expect("it was asked"));

        let mut fork = Log(log.0[..size - 1].to_vec());
        fork.0.push(Log::entry(99, 99));
        assert_eq!(witness.answer(&fork.ask(size - 1, size)).await, (409, format!("{size}\n")));
        assert_eq!(witness.answer(&fork.ask(size, size)).await.0, 422);
        assert_eq!(witness.answer(&log.ask(size, size)).await.0, 200);
    }
}

#[tokio::test]
async fn a_witness_ends_in_good_order_and_two_never_share_a_file() {
    let mut witness = WitnessProcess::start().await;
    let log = key().verifying().to_string();
    let mut second = launch("another.example", &witness.state, &log);
    assert_eq!(second.ended(SOON).await.code(), Some(1));
    assert!(second.output().contains("is in use by another witness"), "{}", second.output());
    let asked = Log::of(3, 0);
    assert_eq!(witness.answer(&asked.ask(0, 3)).await.0, 200);
    witness.process.terminate();
    assert_eq!(witness.process.ended(SOON).await.code(), Some(0));
    let witness = witness.killed().await;
    assert_eq!(witness.answer(&asked.ask(0, 3)).await, (409, "3\n".to_owned()));
}

#[tokio::test]
async fn whatever_is_signed_beside_the_log_s_line_the_witness_starts_again() {
    let (witness, log) = (WitnessProcess::start().await, Log::of(9, 0));
    let asked = log.ask(0, 5).to_string();
    let line = format!("{}\n", log.signed(5).signatures()[0]);
    let stranger = SigningKey::of("other.example", Signs::Witness, [3; 32]).expect("a key");
    let mut with_stranger = log.signed(5);
    with_stranger.sign(&stranger, SystemClock.now());
    let theirs = with_stranger.signatures().last().expect("a signature").to_string();
    let answer = witness.post(format!("{asked}{}{theirs}\n", line.repeat(98))).await;
    assert_eq!(answer.status().as_u16(), 200);
    let witness = witness.killed().await;
    assert_eq!(witness.answer(&log.ask(0, 5)).await, (409, "5\n".to_owned()));
    assert_eq!(witness.answer(&log.ask(5, 9)).await.0, 200);
}

#[tokio::test]
async fn what_is_wrong_with_a_witness_is_told_at_once() {
    let folder = std::env::temp_dir().join(crate::harness::unique("witness"));
    let state = folder.to_str().expect("a path");
    let log = key().verifying().to_string();
    let _ready = crate::harness::servers();
    let begin = |log: &str, settings: &[(&str, &str)]| {
        let arguments = ["witness", "--listen", "127.0.0.1:0", "--state", state, "--log", log];
        Process::start("daybook-replay", &arguments, settings)
    };
    let seed = "08".repeat(32);
    let key_of_witness = SigningKey::of("w.example", Signs::Witness, [8; 32]).expect("a key");
    for (mut process, told) in [
        (begin(&log, &[("WITNESS_NAME", "w.example")]), "DAYBOOK_WITNESS_KEY is missing"),
        (begin(&log, &[("WITNESS_KEY", &seed)]), "DAYBOOK_WITNESS_NAME is missing"),
        (
            begin(&log, &[("WITNESS_KEY", &seed), ("WITNESS_NAME", "a b")]),
            "DAYBOOK_WITNESS_NAME is wrong: the name",
        ),
        (begin(&key_of_witness.verifying().to_string(), &[]), "is not a log's key"),
    ] {
        assert_eq!(process.ended(SOON).await.code(), Some(2), "{told}");
        assert!(process.output().contains(told), "{told}: {}", process.output());
    }
    let settings = [("WITNESS_KEY", seed.as_str()), ("WITNESS_NAME", "w.example")];
    let arguments = ["witness", "--listen", "127.0.0.1:0", "--state", "/nowhere/state", "--log", &log];
    let mut process = Process::start("daybook-replay", &arguments, &settings);
    assert_eq!(process.ended(SOON).await.code(), Some(1));
    assert!(process.output().contains("there is no /nowhere/state"), "{}", process.output());
}

#[tokio::test]
async fn whoever_says_nothing_is_not_listened_to_for_long() {
    let witness = WitnessProcess::start().await;
    let mut silent = TcpStream::connect(witness.address).await.expect("a connection");
    let mut said = Vec::new();
    let ended = tokio::time::timeout(Duration::from_mins(1), silent.read_to_end(&mut said)).await;
    assert!(ended.is_ok(), "the witness ends it");
}
