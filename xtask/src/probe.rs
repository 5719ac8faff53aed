//! Asks a running process whether it is ready. Changes nothing in it.

use std::fmt;
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::servers::postgres::Connection;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(2);

/// The question that tells whether a process is ready.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "by", rename_all = "lowercase")]
pub enum Probe {
    /// A page that answers 200.
    Http {
        /// Its address.
        url: String,
    },
    /// A Redis that answers PING.
    Redis {
        /// Its port.
        port: u16,
    },
    /// A PostgreSQL primary that answers a query.
    Primary(Connection),
    /// A PostgreSQL replica that is receiving from its primary.
    Replica(Connection),
}

impl fmt::Display for Probe {
    /// Where a person would look.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Http { url } => out.write_str(url),
            Self::Redis { port } => write!(out, "127.0.0.1:{port}"),
            Self::Primary(connection) | Self::Replica(connection) => {
                write!(out, "127.0.0.1:{}", connection.port)
            }
        }
    }
}

impl Probe {
    /// Ready, or why not yet.
    pub fn ask(&self) -> Result<(), String> {
        match self {
            Self::Http { url } => ask_http(url),
            Self::Redis { port } => ask_redis(*port),
            Self::Primary(connection) => {
                connection.query("postgres", "select 1").map(drop).map_err(|failure| failure.chain())
            }
            Self::Replica(connection) => ask_replica(connection),
        }
    }
}

fn ask_http(url: &str) -> Result<(), String> {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .timeout_global(Some(PATIENCE))
        .http_status_as_error(false)
        .build()
        .into();
    let mut answer = agent.get(url).call().map_err(|error| error.to_string())?;
    if answer.status().is_success() {
        return Ok(());
    }
    let said = answer.body_mut().read_to_string().unwrap_or_default();
    Err(if said.trim().is_empty() { answer.status().to_string() } else { said.trim().to_owned() })
}

fn ask_redis(port: u16) -> Result<(), String> {
    let answer = || -> std::io::Result<String> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.write_all(b"PING\r\n")?;
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line)?;
        Ok(line)
    };
    match answer() {
        Ok(line) if line.starts_with("+PONG") => Ok(()),
        Ok(line) => Err(line.trim().to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

fn ask_replica(connection: &Connection) -> Result<(), String> {
    let receiving =
        "select pg_is_in_recovery() and exists (select from pg_stat_wal_receiver where status = 'streaming')";
    match connection.query("postgres", receiving) {
        Ok(answer) if answer == "t" => Ok(()),
        Ok(_) => Err("not receiving from the primary".into()),
        Err(failure) => Err(failure.chain()),
    }
}
