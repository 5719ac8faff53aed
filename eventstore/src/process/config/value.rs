//! The types of values, and how each is read from text. A reason never repeats the text: it may be a secret.

use std::net::SocketAddr;
use std::path::Path;
use std::str::FromStr;

use sqlx::postgres::PgConnectOptions;

use super::secret::Secret;
use crate::partition::Archives;

/// The fewest bytes that a signing key may have.
const TOKEN_KEY_BYTES: usize = 32;

/// Something that can be configured.
pub trait Value: Sized {
    /// Reads it from text, or says what it should be.
    fn parse(text: &str) -> Result<Self, String>;
}

/// The URL of a Postgres database.
#[derive(Clone)]
pub struct PgUrl(PgConnectOptions);

impl PgUrl {
    /// What a pool connects with.
    pub(crate) fn options(&self) -> PgConnectOptions {
        self.0.clone()
    }
}

impl std::fmt::Debug for PgUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let database = self.0.get_database().unwrap_or_default();
        write!(f, "postgres://{}:{}/{database}", self.0.get_host(), self.0.get_port())
    }
}

impl Value for PgUrl {
    fn parse(text: &str) -> Result<Self, String> {
        let wanted = || "must be a URL such as postgres://user:password@host:5432/database".to_owned();
        if !text.starts_with("postgres://") && !text.starts_with("postgresql://") {
            return Err(wanted());
        }
        PgConnectOptions::from_str(text).map(Self).map_err(|_| wanted())
    }
}

/// The URL of a service; it may hold a password.
#[derive(Clone, PartialEq, Eq)]
pub struct ServiceUrl(String);

impl ServiceUrl {
    /// The URL, password and all.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for ServiceUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (scheme, rest) = self.0.split_once("://").unwrap_or_default();
        let host = rest.rsplit_once('@').map_or(rest, |(_password, host)| host);
        write!(f, "{scheme}://{host}")
    }
}

impl Value for ServiceUrl {
    fn parse(text: &str) -> Result<Self, String> {
        match text.split_once("://") {
            Some((scheme, rest))
                if !rest.is_empty()
                    && !scheme.is_empty()
                    && !text.contains(char::is_whitespace)
                    && scheme.chars().all(|c| c.is_ascii_alphanumeric() || c == '+') =>
            {
                Ok(Self(text.to_owned()))
            }
            Some(_) | None => Err("must be a URL such as nats://host:4222 or http://host:7700".to_owned()),
        }
    }
}

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// An object a line, for machines.
    Json,
    /// For people.
    Text,
}

impl Value for LogFormat {
    fn parse(text: &str) -> Result<Self, String> {
        match text {
            "json" => Ok(Self::Json),
            "text" => Ok(Self::Text),
            _ => Err("must be `json` or `text`".to_owned()),
        }
    }
}

impl Value for String {
    fn parse(text: &str) -> Result<Self, String> {
        Ok(text.to_owned())
    }
}

impl Value for Archives {
    fn parse(text: &str) -> Result<Self, String> {
        let folder = Path::new(text);
        if folder.is_absolute() {
            Ok(Self::in_folder(folder))
        } else {
            Err("must be the whole path of a folder".to_owned())
        }
    }
}

impl Value for SocketAddr {
    fn parse(text: &str) -> Result<Self, String> {
        text.parse().map_err(|_| "must be an address and a port such as 127.0.0.1:8080".to_owned())
    }
}

impl Value for u32 {
    fn parse(text: &str) -> Result<Self, String> {
        let parsed = text.parse().ok().filter(|number| *number > 0);
        parsed.ok_or_else(|| "must be a whole number above 0".to_owned())
    }
}

impl Value for i64 {
    fn parse(text: &str) -> Result<Self, String> {
        let parsed = text.parse().ok().filter(|number| *number > 0);
        parsed.ok_or_else(|| "must be a whole number above 0".to_owned())
    }
}

impl Value for Secret<String> {
    fn parse(text: &str) -> Result<Self, String> {
        Ok(Self::new(text.to_owned()))
    }
}

impl Value for Secret<[u8; 32]> {
    fn parse(text: &str) -> Result<Self, String> {
        let bytes = hex(text).and_then(|bytes| bytes.try_into().ok());
        bytes.map(Self::new).ok_or_else(|| "must be 64 hexadecimal digits".to_owned())
    }
}

impl Value for Secret<Vec<[u8; 32]>> {
    fn parse(text: &str) -> Result<Self, String> {
        let key = |digits: &str| hex(digits.trim()).and_then(|bytes| bytes.try_into().ok());
        let all = text.split(',').map(key).collect::<Option<_>>();
        all.map(Self::new)
            .ok_or_else(|| "must be keys of 64 hexadecimal digits, with commas between".to_owned())
    }
}

impl Value for Secret<Vec<u8>> {
    fn parse(text: &str) -> Result<Self, String> {
        let bytes = hex(text).filter(|bytes| bytes.len() >= TOKEN_KEY_BYTES);
        bytes.map(Self::new).ok_or_else(|| "must be at least 64 hexadecimal digits".to_owned())
    }
}

fn hex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> =
        text.chars().map(|c| c.to_digit(16).and_then(|digit| u8::try_from(digit).ok())).collect();
    let digits = digits.filter(|digits| digits.len() % 2 == 0)?;
    Some(digits.chunks_exact(2).map(|pair| (pair[0] << 4) | pair[1]).collect())
}
