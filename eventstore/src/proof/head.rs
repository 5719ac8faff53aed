//! What is signed of a log: how many events it has and the root of their tree. C2SP `tlog-checkpoint`,
//! <https://c2sp.org/tlog-checkpoint>. (A [`Checkpoint`](crate::Checkpoint) is where a follower stands, which is nothing that
//! is signed.)

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::hash::TreeHash;
use super::key::{Signs, VerifyingKey};
use super::note::{Note, NoteError};

/// The head of a log's tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TreeHead {
    /// Which log it is of.
    pub origin: String,
    /// How many entries there are; the last one is the event at this position.
    pub size: u64,
    /// The root of their tree.
    pub root: TreeHash,
}

impl TreeHead {
    /// What a note says, once it is signed for that log.
    ///
    /// # Errors
    /// When it is not of this key's log, not signed with it, or no head of a tree.
    pub fn of(note: &Note, key: &VerifyingKey) -> Result<Self, NoteError> {
        if key.signs() != Signs::Log {
            return Err(NoteError::Unsigned);
        }
        note.verify(key)?;
        let head: Self = note.text().parse()?;
        if head.origin == key.name() { Ok(head) } else { Err(NoteError::Unsigned) }
    }
}

impl fmt::Display for TreeHead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { origin, size, root } = self;
        write!(f, "{origin}\n{size}\n{}\n", BASE64.encode(root.0))
    }
}

impl FromStr for TreeHead {
    type Err = NoteError;

    fn from_str(text: &str) -> Result<Self, NoteError> {
        let mut lines = text.lines();
        let (Some(origin), Some(size), Some(root)) = (lines.next(), lines.next(), lines.next()) else {
            return Err(NoteError::Malformed);
        };
        let root = BASE64.decode(root).ok().and_then(|root| root.try_into().ok());
        match (number(size), root) {
            // More lines say nothing here; none may be empty.
            (Some(size), Some(root)) if !origin.is_empty() && lines.all(|line| !line.is_empty()) => {
                Ok(Self { origin: origin.to_owned(), size, root: TreeHash(root) })
            }
            (_, _) => Err(NoteError::Malformed),
        }
    }
}

/// A number as there is one way to write it.
pub(super) fn number(text: &str) -> Option<u64> {
    text.parse().ok().filter(|number: &u64| number.to_string() == text)
}
