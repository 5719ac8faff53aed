//! A Daybook of `cargo xtask up` in a folder and at a port of its own, and the commands on it.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use xtask::home::Lock;
use xtask::ports::Ports;
use xtask::process::{self, Signal};
use xtask::servers::{elsewhere, remove};

use super::family::with_descendants;
use crate::harness::{servers, unique};

/// How long any command may take, the start of everything included.
pub(super) const PATIENCE: Duration = Duration::from_mins(2);
/// How long anything else may take.
pub(super) const SOON: Duration = Duration::from_secs(30);

/// Where it keeps everything. It ends with this, and so does the folder.
pub(super) struct Home {
    pub(super) folder: PathBuf,
    port: String,
    http: reqwest::Client,
}

/// What came of a command.
pub(super) struct Came {
    pub(super) code: Option<i32>,
    /// What it said, on both streams.
    pub(super) said: String,
}

impl Home {
    /// An empty one.
    pub(super) fn new() -> Self {
        // TLS needs its provider before the first client is made.
        let _ = servers();
        let folder = std::env::temp_dir().join(unique("up"));
        let port = Ports::default().take("api").expect("a free port").to_string();
        Self { folder, port, http: reqwest::Client::new() }
    }

    /// Begins a command of the front door; what it says goes to the file.
    pub(super) fn begin(&self, arguments: &[&str], said: &Path) -> tokio::process::Child {
        let output = File::create(said).expect("a file");
        let errors = output.try_clone().expect("the same file");
        let mut command = Command::new(servers().binaries.join("xtask"));
        // What is configured for us is not for it; a Meilisearch that is given to us least of all.
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("DAYBOOK_") {
                command.env_remove(name);
            }
        }
        command.args(arguments).env("DAYBOOK_HOME", &self.folder).current_dir(env!("CARGO_MANIFEST_DIR"));
        command.stdin(Stdio::null()).stdout(output).stderr(errors);
        tokio::process::Command::from(command).kill_on_drop(true).spawn().expect("it starts")
    }

    /// Runs a command to its end.
    pub(super) async fn run(&self, arguments: &[&str]) -> Came {
        let said = std::env::temp_dir().join(unique("said"));
        let mut child = self.begin(arguments, &said);
        let ended = tokio::time::timeout(PATIENCE, child.wait()).await;
        let told = std::fs::read_to_string(&said).expect("what it said");
        std::fs::remove_file(&said).expect("the file goes");
        let ended = ended.unwrap_or_else(|_| panic!("{arguments:?} takes too long: {told}"));
        Came { code: ended.expect("a child").code(), said: told }
    }

    /// The same of one that must succeed; says what it said.
    pub(super) async fn done(&self, arguments: &[&str]) -> String {
        let Came { code, said } = self.run(arguments).await;
        assert_eq!(code, Some(0), "{arguments:?}: {said}");
        said
    }

    /// Starts everything in a debug build, with these options too, and returns when it is ready.
    pub(super) async fn up(&self, more: &[&str]) -> String {
        self.done(&self.start(&[&["--detach"], more].concat())).await
    }

    /// The command line that starts everything in a debug build.
    pub(super) fn start<'a>(&'a self, more: &[&'a str]) -> Vec<&'a str> {
        [&["up", "--dev", "--port", self.port.as_str()], more].concat()
    }

    /// What `status --json` says.
    pub(super) async fn status(&self) -> Value {
        let said = self.done(&["status", "--json"]).await;
        serde_json::from_str(&said).unwrap_or_else(|error| panic!("{error}: {said}"))
    }

    /// The data of the answer of its API.
    pub(super) async fn ask(&self, query: &str) -> Option<Value> {
        let url = format!("http://127.0.0.1:{}/graphql", self.port);
        let answer = self.http.post(url).json(&json!({ "query": query })).send().await.ok()?;
        let mut answer: Value = answer.json().await.ok()?;
        answer["errors"].is_null().then(|| answer["data"].take())
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        if let Some(supervisor) = Lock::holder(&self.folder) {
            for pid in with_descendants(supervisor) {
                process::signal(pid, Signal::KILL);
            }
        }
        // Where there is none, there is nothing to remove.
        drop(remove(&elsewhere(&self.folder)));
        drop(remove(&self.folder));
    }
}
