//! Witnesses: that what one signed is never contradicted, and that a notary is never kept waiting by one.

mod alone;
mod asked;

use std::net::SocketAddr;
use std::path::PathBuf;

use daybook_eventstore::proof::{
    AddCheckpoint, Note, SigningKey, Signs, TreeHash, TreeHead, VerifyingKey, consistency_path,
};
use reqwest::{Client, Response};

use crate::harness::{Process, eventually, servers, unique};
use crate::notary::{SOON, key, root};

/// A witness's process, on a state of its own that goes with the test.
pub(super) struct WitnessProcess {
    process: Process,
    /// Its name, which no other has.
    pub(super) name: String,
    pub(super) address: SocketAddr,
    state: PathBuf,
    client: Client,
}

/// What every witness here signs with, under its own name.
const SEED: [u8; 32] = [8; 32];

impl WitnessProcess {
    /// A witness of the log that the tests' notaries sign.
    pub(super) async fn start() -> Self {
        let state = std::env::temp_dir().join(unique("witness")).join("state.json");
        std::fs::create_dir(state.parent().expect("a folder")).expect("a folder");
        let _ready = servers();
        let arguments = ["witness", "--begin", "--state", state.to_str().expect("a path")];
        let mut begun = Process::start("daybook-replay", &arguments, &[]);
        assert_eq!(begun.ended(SOON).await.code(), Some(0), "{}", begun.output());
        Self::start_on(unique("witness.example/w"), state).await
    }

    async fn start_on(name: String, state: PathBuf) -> Self {
        let process = launch(&name, &state, &key().verifying().to_string());
        let address = eventually(SOON, "the witness serves", || async {
            let output = process.output();
            let address = output.split_whitespace().find_map(|word| word.strip_prefix("address="));
            address.map(|address| address.parse().expect("an address"))
        })
        .await;
        Self { process, name, address, state, client: Client::new() }
    }

    /// Kills it, and starts it again, where it remembers what it had signed.
    async fn killed(mut self) -> Self {
        self.process.kill();
        let (name, state) = (self.name.clone(), std::mem::take(&mut self.state));
        drop(self);
        Self::start_on(name, state).await
    }

    /// What its signatures are checked with.
    pub(super) fn key(&self) -> VerifyingKey {
        SigningKey::of(&self.name, Signs::Witness, SEED).expect("a key").verifying().clone()
    }

    /// As a notary's settings name it, when it is reached through this port.
    pub(super) fn setting(&self, port: u16) -> String {
        format!("{} http://127.0.0.1:{port}", self.key())
    }

    async fn post(&self, body: impl Into<reqwest::Body>) -> Response {
        let url = format!("http://{}/add-checkpoint", self.address);
        self.client.post(url).body(body).send().await.expect("an answer")
    }

    /// The code of the answer, and what it says.
    async fn answer(&self, asked: &AddCheckpoint) -> (u16, String) {
        let answer = self.post(asked.to_string()).await;
        (answer.status().as_u16(), answer.text().await.expect("a text"))
    }

    /// What it remembers, as it is on the disk.
    fn remembered(&self) -> String {
        std::fs::read_to_string(&self.state).unwrap_or_default()
    }
}

impl Drop for WitnessProcess {
    fn drop(&mut self) {
        if let Some(folder) = self.state.parent() {
            self.process.kill();
            drop(std::fs::remove_dir_all(folder));
        }
    }
}

/// A witness on this file of the log with this key.
fn launch(name: &str, state: &std::path::Path, log: &str) -> Process {
    let seed = TreeHash(SEED).to_string();
    let state = state.to_str().expect("a path");
    let arguments = ["witness", "--listen", "127.0.0.1:0", "--state", state, "--log", log];
    let settings = [("WITNESS_KEY", seed.as_str()), ("WITNESS_NAME", name), ("LOG_FORMAT", "text")];
    let _ready = servers();
    Process::start("daybook-replay", &arguments, &settings)
}

/// A log, as the hashes of its entries, which the tests' notary would sign.
#[derive(Clone)]
struct Log(Vec<TreeHash>);

impl Log {
    /// A log of so many entries, with this in each.
    fn of(size: u64, what: u8) -> Self {
        Self((0..size).map(|index| Self::entry(index, what)).collect())
    }

    fn entry(index: u64, what: u8) -> TreeHash {
        TreeHash::of_entry(&[index.to_be_bytes().as_slice(), &[what]].concat())
    }

    fn head(&self, size: usize) -> TreeHead {
        let origin = key().verifying().name().to_owned();
        TreeHead { origin, size: size as u64, root: root(&self.0[..size]) }
    }

    /// Its first entries, signed.
    fn signed(&self, size: usize) -> Note {
        signed(&self.head(size), &key())
    }

    /// What a witness is asked that signed the first `old` entries.
    fn ask(&self, old: usize, size: usize) -> AddCheckpoint {
        let index = |at: u64| usize::try_from(at).expect("few");
        let hash = |range: std::ops::Range<u64>| root(&self.0[index(range.start)..index(range.end)]);
        let path = consistency_path(old as u64, size as u64).into_iter().map(hash).collect();
        AddCheckpoint { old: old as u64, path, checkpoint: self.signed(size) }
    }
}

/// A head, signed with this key.
fn signed(head: &TreeHead, key: &SigningKey) -> Note {
    let mut note = Note::of(head.to_string()).expect("a text");
    note.sign(key, daybook_domain::Timestamp::UNIX_EPOCH);
    note
}
