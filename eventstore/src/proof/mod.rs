//! Proof: the log as a Merkle tree (RFC 6962, RFC 9162) whose signed heads nobody can take back, and what follows from
//! them: that an event is in the log, and that a later log begins with an earlier one. All of it is checked offline, and with
//! tools of others: the forms are those of C2SP (<https://c2sp.org>). `docs/proof.md` specifies every byte.
//!
//! Pure: nothing here reads a log, keeps a tile or knows the time.

mod entry;
mod frontier;
mod hash;
mod head;
mod inclusion;
mod key;
mod note;
mod path;
mod tile;
mod witness;

#[cfg(test)]
mod tests;

pub use entry::{Facts, MAX_ENTRY};
pub use frontier::Frontier;
pub use hash::TreeHash;
pub use head::TreeHead;
pub use inclusion::{InclusionProof, ProofError};
pub use key::{KeyError, SigningKey, Signs, VerifyingKey};
pub use note::{Note, NoteError, NoteSignature};
pub use path::{Subtree, consistency_path, inclusion_path, is_consistent, is_included, subtrees_of};
pub use tile::{Kind, NoTile, TILE_HEIGHT, TILE_WIDTH, Tile, TilePath, Tiles, tiles_of};
pub use witness::{AddCheckpoint, Refusal, Witness, cosignature};
