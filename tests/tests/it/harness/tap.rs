//! A way to Postgres or Redis on which is written down what is asked for: counted where it leaves a process, whatever
//! the process itself says.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

/// The request that begins a connection to Postgres in earnest: the protocol's version. What comes before it asks for
/// encryption, which the tests' servers do not have.
const STARTUP: u32 = 3 << 16;

/// Passes on what it is sent, and remembers it, until it is dropped.
#[derive(Debug)]
pub(crate) struct Tap {
    /// The server's URL through here.
    pub(crate) url: String,
    heard: Heard,
    passing_on: JoinHandle<()>,
}

type Heard = Arc<Mutex<Vec<String>>>;

impl Tap {
    /// A way to the database with this URL.
    pub(crate) async fn on_postgres(url: &str) -> Self {
        Self::on(url, || Protocol::Postgres(Statements::default())).await
    }

    /// A way to the Redis with this URL.
    pub(crate) async fn on_redis(url: &str) -> Self {
        Self::on(url, || Protocol::Redis).await
    }

    /// What was asked for since the last time, in order: statements of Postgres, and commands of Redis with the first
    /// key.
    pub(crate) fn taken(&self) -> Vec<String> {
        std::mem::take(&mut *self.heard.lock().unwrap_or_else(PoisonError::into_inner))
    }

    async fn on(url: &str, protocol: fn() -> Protocol) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let own = listener.local_addr().expect("its address").port();
        let (before, server, after) = address(url);
        let heard = Heard::default();
        let passing_on = tokio::spawn(accept(listener, server, protocol, Arc::clone(&heard)));
        Self { url: format!("{before}127.0.0.1:{own}{after}"), heard, passing_on }
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        self.passing_on.abort();
    }
}

/// The server's address in a URL, and what is before and after it.
fn address(url: &str) -> (&str, SocketAddr, &str) {
    let begin = url.rfind('@').or_else(|| url.find("://").map(|at| at + 2)).expect("a URL") + 1;
    let end = url[begin..].find('/').map_or(url.len(), |length| begin + length);
    (&url[..begin], url[begin..end].parse().expect("an address and a port"), &url[end..])
}

async fn accept(listener: TcpListener, server: SocketAddr, protocol: fn() -> Protocol, heard: Heard) {
    // They end with this.
    let mut connections = JoinSet::new();
    loop {
        let (client, _) = listener.accept().await.expect("a connection");
        connections.spawn(pass_on(client, server, protocol(), Arc::clone(&heard)));
    }
}

async fn pass_on(client: TcpStream, server: SocketAddr, protocol: Protocol, heard: Heard) {
    let Ok(server) = TcpStream::connect(server).await else { return };
    let (from_client, mut to_client) = client.into_split();
    let (mut from_server, to_server) = server.into_split();
    tokio::select! {
        () = listen(from_client, to_server, protocol, &heard) => {}
        _ended = copy(&mut from_server, &mut to_client) => {}
    }
}

/// Remembers what is asked before it is passed on: whoever has the answer finds it remembered.
async fn listen(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut protocol: Protocol, heard: &Heard) {
    let (mut bytes, mut waiting) = (vec![0; 1 << 16], Vec::new());
    while let Ok(length @ 1..) = from.read(&mut bytes).await {
        waiting.extend_from_slice(&bytes[..length]);
        while let Some((asked, used)) = protocol.next(&waiting) {
            waiting.drain(..used);
            heard.lock().unwrap_or_else(PoisonError::into_inner).extend(asked);
        }
        if to.write_all(&bytes[..length]).await.is_err() {
            return;
        }
    }
}

enum Protocol {
    Postgres(Statements),
    Redis,
}

impl Protocol {
    /// What the first message asks for, if it asks for something, and how long the message is; nothing while it is not
    /// all there.
    fn next(&mut self, bytes: &[u8]) -> Option<(Option<String>, usize)> {
        match self {
            Self::Postgres(statements) => statements.next(bytes),
            Self::Redis => command(bytes),
        }
    }
}

/// The statements of one connection to Postgres.
#[derive(Debug, Default)]
struct Statements {
    begun: bool,
    prepared: HashMap<String, String>,
    bound: HashMap<String, String>,
}

impl Statements {
    fn next(&mut self, bytes: &[u8]) -> Option<(Option<String>, usize)> {
        let number = |at: usize| {
            let four = bytes.get(at..at + 4)?;
            Some(four.iter().fold(0, |number, byte| number << 8 | u32::from(*byte)))
        };
        let size = |number: u32| usize::try_from(number).expect("a size");
        if !self.begun {
            let (length, code) = (size(number(0)?), number(4)?);
            bytes.get(..length)?;
            self.begun = code == STARTUP;
            return Some((None, length));
        }
        let length = 1 + size(number(1)?);
        let body = bytes.get(5..length)?;
        Some((self.hear(bytes[0], body), length))
    }

    fn hear(&mut self, kind: u8, body: &[u8]) -> Option<String> {
        let mut texts = body.split(|byte| *byte == 0).map(|text| String::from_utf8_lossy(text).into_owned());
        let (first, second) = (texts.next()?, texts.next());
        match kind {
            b'P' => drop(self.prepared.insert(first, second?)),
            b'B' => drop(self.bound.insert(first, self.prepared.get(&second?)?.clone())),
            b'E' => return self.bound.get(&first).cloned(),
            b'Q' => return Some(first),
            _ => {}
        }
        None
    }
}

/// A command of Redis is a list of texts, each after its length. Of a script, the first key comes third.
fn command(bytes: &[u8]) -> Option<(Option<String>, usize)> {
    let (count, mut rest) = number(bytes)?;
    let mut texts = Vec::new();
    for _ in 0..count {
        let (length, text) = number(rest)?;
        texts.push(String::from_utf8_lossy(text.get(..length)?).into_owned());
        rest = text.get(length + 2..)?;
    }
    let key = if texts.first().is_some_and(|name| name.starts_with("EVAL")) { 3 } else { 1 };
    let named: Vec<_> = [texts.first(), texts.get(key)].into_iter().flatten().map(String::as_str).collect();
    Some((Some(named.join(" ")), bytes.len() - rest.len()))
}

/// The number on the first line, after the sign of what it counts, and what comes after the line.
fn number(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let end = bytes.windows(2).position(|two| two == b"\r\n")?;
    let number = std::str::from_utf8(&bytes[1..end]).ok().and_then(|number| number.parse().ok());
    Some((number.expect("clients send lists of texts"), &bytes[end + 2..]))
}
