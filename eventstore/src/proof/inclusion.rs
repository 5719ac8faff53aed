//! The proof that an event is in the log, as a file: C2SP `tlog-proof`, <https://c2sp.org/tlog-proof>, with the event in it.
//! It is checked with nothing but the log's key.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::entry::Facts;
use super::hash::TreeHash;
use super::head::{TreeHead, number};
use super::key::VerifyingKey;
use super::note::{Note, NoteError};
use super::path::is_included;
use crate::event::{Position, RecordedEvent};

const FIRST_LINE: &str = "c2sp.org/tlog-proof@v1";
const EXTRA: &str = "extra ";
const INDEX: &str = "index ";
/// The longest path there is.
const MAX_PATH: usize = 63;

/// An event, and the proof that it is in the log.
#[derive(Debug, Clone, PartialEq)]
pub struct InclusionProof {
    /// The event, which the proof vouches for.
    pub event: RecordedEvent,
    /// The hashes beside the way from the event up to the root.
    pub path: Vec<TreeHash>,
    /// The signed head of the tree.
    pub checkpoint: Note,
}

/// Why an event is not proved.
#[derive(Debug, thiserror::Error)]
pub enum ProofError {
    /// It has another form.
    #[error("not a proof of an event")]
    Malformed,
    /// The head of the tree is not believed.
    #[error("the checkpoint does not count")]
    Checkpoint(#[from] NoteError),
    /// The event is not what the log has at this position.
    #[error("the event is not the one that the log has at position {position}")]
    Another {
        /// Its position.
        position: Position,
    },
}

/// The event in the proof, with the texts as they are stored.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Told {
    position: Position,
    event_id: Uuid,
    aggregate_type: String,
    aggregate_id: String,
    sequence: i64,
    event_type: String,
    event_version: String,
    recorded_at: daybook_domain::Timestamp,
    payload: String,
    metadata: String,
}

impl InclusionProof {
    /// Checks it against the log's key, and says what the head of the log was.
    ///
    /// # Errors
    /// When it proves nothing.
    pub fn check(&self, key: &VerifyingKey) -> Result<TreeHead, ProofError> {
        let head = TreeHead::of(&self.checkpoint, key)?;
        let (position, entry) = (self.event.position, Facts::from(&self.event).hash());
        let index = position.checked_sub(1).and_then(|index| u64::try_from(index).ok());
        let index = index.ok_or(ProofError::Malformed)?;
        if is_included(entry, index, head.size, &self.path, head.root) {
            Ok(head)
        } else {
            Err(ProofError::Another { position })
        }
    }
}

impl fmt::Display for InclusionProof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let event = &self.event;
        let told = Told {
            position: event.position,
            event_id: event.event_id,
            aggregate_type: event.aggregate_type.clone(),
            aggregate_id: event.aggregate_id.clone(),
            sequence: event.sequence,
            event_type: event.event_type.clone(),
            event_version: event.event_version.clone(),
            recorded_at: event.recorded_at,
            payload: event.payload.clone(),
            metadata: event.metadata.clone(),
        };
        let told = serde_json::to_vec(&told).map_err(|_error| fmt::Error)?;
        writeln!(
            f,
            "{FIRST_LINE}\n{EXTRA}{}\n{INDEX}{}",
            BASE64.encode(told),
            event.position.saturating_sub(1)
        )?;
        self.path.iter().try_for_each(|hash| writeln!(f, "{}", BASE64.encode(hash.0)))?;
        write!(f, "\n{}", self.checkpoint)
    }
}

impl FromStr for InclusionProof {
    type Err = ProofError;

    fn from_str(text: &str) -> Result<Self, ProofError> {
        let (proof, checkpoint) = text.split_once("\n\n").ok_or(ProofError::Malformed)?;
        let mut lines = proof.lines();
        if lines.next() != Some(FIRST_LINE) {
            return Err(ProofError::Malformed);
        }
        let extra = lines.next().and_then(|line| BASE64.decode(line.strip_prefix(EXTRA)?).ok());
        let told: Option<Told> = extra.and_then(|extra| serde_json::from_slice(&extra).ok());
        let index = lines.next().and_then(|line| number(line.strip_prefix(INDEX)?));
        let (Some(told), Some(index)) = (told, index) else { return Err(ProofError::Malformed) };
        let hash = |line: &str| BASE64.decode(line).ok().and_then(|hash| hash.try_into().ok().map(TreeHash));
        let path: Option<Vec<TreeHash>> = lines.map(hash).collect();
        let path = path.filter(|path| path.len() <= MAX_PATH).ok_or(ProofError::Malformed)?;
        // What the entry does not tell cannot be proved.
        let is_whole = told.recorded_at.timestamp_subsec_nanos().is_multiple_of(1_000);
        if told.position < 1 || u64::try_from(told.position - 1) != Ok(index) || !is_whole {
            return Err(ProofError::Malformed);
        }
        Ok(Self { event: told.into(), path, checkpoint: checkpoint.parse()? })
    }
}

impl From<Told> for RecordedEvent {
    fn from(told: Told) -> Self {
        Self {
            position: told.position,
            event_id: told.event_id,
            aggregate_type: told.aggregate_type,
            aggregate_id: told.aggregate_id,
            sequence: told.sequence,
            event_type: told.event_type,
            event_version: told.event_version,
            payload: told.payload,
            metadata: told.metadata,
            recorded_at: told.recorded_at,
        }
    }
}
