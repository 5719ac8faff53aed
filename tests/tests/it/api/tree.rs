//! The log's tree over HTTP, as a stranger fetches it who knows the specification and the log's key.

use daybook_eventstore::proof::{Note, SigningKey, Signs, TreeHash, TreeHead};
use reqwest::StatusCode;
use reqwest::header::{CACHE_CONTROL, CONTENT_TYPE};

use super::front::{Front, SOON, token};
use crate::harness::{Process, Writer, eventually};
use crate::notary::root;
use crate::witness::WitnessProcess;

const NOTARY: [(&str, &str); 3] = [
    ("NOTARY_KEY", "0707070707070707070707070707070707070707070707070707070707070707"),
    ("NOTARY_ORIGIN", "shop.example/log"),
    ("NOTARY_SECONDS", "1"),
];

/// An API in front of a log of so many events, all of them signed.
async fn signed(events: usize) -> (Front, Process, TreeHead) {
    let front = Front::open().await;
    let size = Writer::new(&front.shop.events).append(events).await;
    let notary = front.projector_with(&["notary"], &NOTARY);
    let head = signed_at(&front, u64::try_from(size).expect("a size")).await;
    (front, notary, head)
}

async fn signed_at(front: &Front, size: u64) -> TreeHead {
    let key = SigningKey::of("shop.example/log", Signs::Log, [7; 32]).expect("a key");
    eventually(SOON, "all of it is signed", || async {
        let note: Note = text(front, "/log/checkpoint").await?.parse().expect("a note");
        let head = TreeHead::of(&note, key.verifying()).expect("it counts");
        (head.size == size).then_some(head)
    })
    .await
}

async fn text(front: &Front, path: &str) -> Option<String> {
    let answer = front.http.get(front.url(path)).send().await.expect("an answer");
    if answer.status() == StatusCode::NOT_FOUND {
        return None;
    }
    assert_eq!(answer.headers()[CONTENT_TYPE], "text/plain; charset=utf-8");
    Some(answer.text().await.expect("text"))
}

/// What is at this path for this role; nothing where there is nothing.
async fn bytes(front: &Front, path: &str, role: Option<&str>) -> (StatusCode, Vec<u8>) {
    let mut request = front.http.get(front.url(path));
    if let Some(role) = role {
        request = request.bearer_auth(token(role, "a1"));
    }
    let answer = request.send().await.expect("an answer");
    let (status, headers) = (answer.status(), answer.headers().clone());
    if status == StatusCode::OK {
        assert_eq!(headers[CONTENT_TYPE], "application/octet-stream");
        assert!(headers[CACHE_CONTROL].to_str().expect("text").ends_with("immutable"));
    }
    (status, answer.bytes().await.expect("bytes").to_vec())
}

async fn hashes(front: &Front, path: &str) -> Vec<TreeHash> {
    let (status, bytes) = bytes(front, path, None).await;
    assert_eq!(status, StatusCode::OK, "{path}");
    bytes.chunks(32).map(|hash| TreeHash(hash.try_into().expect("a hash"))).collect()
}

#[tokio::test]
async fn a_stranger_computes_the_signed_root_from_the_tiles() {
    let (front, _notary, head) = signed(300).await;
    let full = hashes(&front, "/log/tile/0/000").await;
    let partial = hashes(&front, "/log/tile/0/001.p/44").await;
    assert_eq!((full.len(), partial.len()), (256, 44));
    assert_eq!(hashes(&front, "/log/tile/1/000.p/1").await, [root(&full)]);
    assert_eq!(root(&[full, partial.clone()].concat()), head.root);

    // What was partial once is served when there is more.
    let size = Writer::new(&front.shop.events).append(20).await;
    signed_at(&front, u64::try_from(size).expect("a size")).await;
    assert_eq!(hashes(&front, "/log/tile/0/001.p/44").await, partial);
    assert_eq!(hashes(&front, "/log/tile/0/001.p/64").await[..44], partial);
}

#[tokio::test]
async fn what_witnesses_sign_is_in_the_checkpoint_that_everybody_sees() {
    let (front, witness) = (Front::open().await, WitnessProcess::start().await);
    let size = Writer::new(&front.shop.events).append(30).await;
    let asked = witness.setting(witness.address.port());
    let settings = [NOTARY.as_slice(), &[("NOTARY_WITNESSES", &asked)]].concat();
    let _notary = front.projector_with(&["notary"], &settings);
    signed_at(&front, u64::try_from(size).expect("a size")).await;
    eventually(SOON, "it is co-signed", || async {
        let note: Note = text(&front, "/log/checkpoint").await?.parse().expect("a note");
        note.verify(&witness.key()).ok()
    })
    .await;
}

#[tokio::test]
async fn an_auditor_hashes_the_entries() {
    let (front, _notary, _head) = signed(260).await;
    for (entries, tile) in [("entries/000", "0/000"), ("entries/001.p/4", "0/001.p/4")] {
        let (status, bundle) = bytes(&front, &format!("/log/tile/{entries}"), Some("auditor")).await;
        assert_eq!(status, StatusCode::OK);
        let (mut hashed, mut rest) = (Vec::new(), bundle.as_slice());
        while let Some((length, more)) = rest.split_first_chunk() {
            let (entry, more) = more.split_at(u16::from_be_bytes(*length).into());
            hashed.push(TreeHash::of_entry(entry));
            rest = more;
        }
        assert_eq!(hashed, hashes(&front, &format!("/log/tile/{tile}")).await);
    }
    let refused = async |role| bytes(&front, "/log/tile/entries/000", role).await.0;
    assert_eq!(refused(None).await, StatusCode::UNAUTHORIZED);
    assert_eq!(refused(Some("warehouse")).await, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn what_is_not_in_the_tree_is_not_found() {
    let front = Front::open().await;
    assert_eq!(text(&front, "/log/checkpoint").await, None);
    let (front, _notary, _head) = signed(260).await;
    for path in [
        "0/001",
        "0/001.p/5",
        "0/002.p/1",
        "1/000",
        "2/000.p/1",
        "entries/001",
        "entries/002.p/1",
        "0/1",
        "x",
        "0/000.p/0",
    ] {
        let (status, _) = bytes(&front, &format!("/log/tile/{path}"), Some("auditor")).await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{path}");
    }
}
