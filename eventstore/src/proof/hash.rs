//! The hashes of the tree: RFC 6962, section 2.1, with SHA-256.

use std::fmt;

use sha2::{Digest as _, Sha256};

/// What is hashed before an entry, and before two hashes, so that neither passes for the other.
const LEAF: [u8; 1] = [0];
const NODE: [u8; 1] = [1];

/// The hash of an entry, of two subtrees, or of a whole tree.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TreeHash(pub [u8; TreeHash::LEN]);

impl TreeHash {
    /// How many bytes it has.
    pub const LEN: usize = 32;

    /// The hash of an entry.
    pub fn of_entry(entry: &[u8]) -> Self {
        Self(Sha256::new_with_prefix(LEAF).chain_update(entry).finalize().into())
    }

    /// The hash of two subtrees side by side.
    #[must_use]
    pub fn join(left: &Self, right: &Self) -> Self {
        Self(Sha256::new_with_prefix(NODE).chain_update(left.0).chain_update(right.0).finalize().into())
    }

    /// The hash of the tree without an entry.
    pub fn of_nothing() -> Self {
        Self(Sha256::digest([]).into())
    }
}

impl fmt::Display for TreeHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for TreeHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TreeHash({self})")
    }
}
