//! An event as an entry of the tree. Every byte is specified in `docs/proof.md`: an entry is the canonical JSON (RFC 8785) of
//! an object with nothing but strings and two whole numbers, so that there is one way to write it, whoever does.

use std::fmt::Write as _;

use chrono::{DateTime, SecondsFormat, Utc};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::hash::TreeHash;
use crate::error::StoreError;
use crate::event::{Position, RecordedEvent};
use crate::reader::EventView;

/// The most bytes an entry may have: its length is told in two (C2SP `tlog-tiles`).
pub const MAX_ENTRY: usize = u16::MAX as usize;

/// What an entry is made of.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'e> {
    /// Its place in the log.
    pub position: Position,
    /// Its id.
    pub event_id: Uuid,
    /// The aggregate's type.
    pub aggregate_type: &'e str,
    /// The aggregate's id.
    pub aggregate_id: &'e str,
    /// Its place in the aggregate's stream.
    pub sequence: i64,
    /// Its type.
    pub event_type: &'e str,
    /// The version of its payload's fields.
    pub event_version: &'e str,
    /// The bytes of its payload, as they are stored.
    pub payload: &'e str,
    /// The bytes of its metadata, as they are stored.
    pub metadata: &'e str,
    /// When the store recorded it.
    pub recorded_at: DateTime<Utc>,
}

impl<'e> From<&'e RecordedEvent> for Facts<'e> {
    fn from(event: &'e RecordedEvent) -> Self {
        Self {
            position: event.position,
            event_id: event.event_id,
            aggregate_type: &event.aggregate_type,
            aggregate_id: &event.aggregate_id,
            sequence: event.sequence,
            event_type: &event.event_type,
            event_version: &event.event_version,
            payload: &event.payload,
            metadata: &event.metadata,
            recorded_at: event.recorded_at,
        }
    }
}

impl<'e> Facts<'e> {
    /// Those of an event as the database sent it.
    ///
    /// # Errors
    /// When the database sent something else.
    pub fn of(event: EventView<'e>) -> Result<Self, StoreError> {
        Ok(Self {
            position: event.position()?,
            event_id: event.event_id()?,
            aggregate_type: event.aggregate_type()?,
            aggregate_id: event.aggregate_id()?,
            sequence: event.sequence()?,
            event_type: event.event_type()?,
            event_version: event.event_version()?,
            payload: event.payload()?,
            metadata: event.metadata()?,
            recorded_at: event.recorded_at()?,
        })
    }

    /// Writes the entry in place of what is there.
    pub fn write(&self, entry: &mut String) {
        entry.clear();
        entry.push_str("{\"aggregate_id\":");
        string(entry, self.aggregate_id);
        entry.push_str(",\"aggregate_type\":");
        string(entry, self.aggregate_type);
        entry.push_str(",\"event_id\":\"");
        let mut id = Uuid::encode_buffer();
        entry.push_str(self.event_id.hyphenated().encode_lower(&mut id));
        entry.push_str("\",\"event_type\":");
        string(entry, self.event_type);
        entry.push_str(",\"event_version\":");
        string(entry, self.event_version);
        entry.push_str(",\"metadata_sha256\":\"");
        digest(entry, self.metadata);
        entry.push_str("\",\"payload_sha256\":\"");
        digest(entry, self.payload);
        // What follows never fails: it is written to memory.
        let recorded_at = self.recorded_at.to_rfc3339_opts(SecondsFormat::Micros, true);
        let (position, sequence) = (self.position, self.sequence);
        let _ = write!(
            entry,
            "\",\"position\":{position},\"recorded_at\":\"{recorded_at}\",\"sequence\":{sequence}}}"
        );
    }

    /// The entry.
    pub fn entry(&self) -> String {
        let mut entry = String::with_capacity(512);
        self.write(&mut entry);
        entry
    }

    /// Its hash in the tree.
    pub fn hash(&self) -> TreeHash {
        TreeHash::of_entry(self.entry().as_bytes())
    }
}

/// A string of RFC 8785, section 3.2.2.2.
fn string(entry: &mut String, text: &str) {
    entry.push('"');
    let mut rest = text;
    while let Some(at) = rest.find(|c: char| c < ' ' || c == '"' || c == '\\') {
        let (plain, special) = rest.split_at(at);
        entry.push_str(plain);
        let mut special = special.chars();
        match special.next() {
            Some('"') => entry.push_str("\\\""),
            Some('\\') => entry.push_str("\\\\"),
            Some('\u{8}') => entry.push_str("\\b"),
            Some('\t') => entry.push_str("\\t"),
            Some('\n') => entry.push_str("\\n"),
            Some('\u{c}') => entry.push_str("\\f"),
            Some('\r') => entry.push_str("\\r"),
            Some(control) => drop(write!(entry, "\\u{:04x}", u32::from(control))),
            None => {}
        }
        rest = special.as_str();
    }
    entry.push_str(rest);
    entry.push('"');
}

/// SHA-256 in hexadecimal digits.
fn digest(entry: &mut String, text: &str) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for byte in Sha256::digest(text) {
        for half in [byte >> 4, byte & 15] {
            entry.push(char::from(DIGITS[usize::from(half)]));
        }
    }
}
