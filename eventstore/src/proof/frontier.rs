//! A tree that only grows, as the little that must be known of it for that.

use super::hash::TreeHash;
use super::path::fold;

/// The perfect subtrees that a tree consists of, the largest first: one for each 1 in its size.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Frontier {
    size: u64,
    subtrees: Vec<TreeHash>,
}

impl Frontier {
    /// A tree of so many entries, which consists of these subtrees; nothing when there are too many or too few of them.
    pub fn of(size: u64, subtrees: Vec<TreeHash>) -> Option<Self> {
        let expected = usize::try_from(size.count_ones()).ok()?;
        (subtrees.len() == expected).then_some(Self { size, subtrees })
    }

    /// What [`Self::of`] makes it from again.
    pub fn subtrees(&self) -> &[TreeHash] {
        &self.subtrees
    }

    /// How many entries it has.
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Adds an entry. Tells each subtree that is complete now, from the entry itself on: its level and its hash.
    pub fn push(&mut self, entry: TreeHash, mut complete: impl FnMut(u32, TreeHash)) {
        let (mut hash, mut level) = (entry, 0);
        complete(level, hash);
        // Where the size has a 1, the subtree there becomes the left half of a larger one.
        while self.size >> level & 1 == 1
            && let Some(left) = self.subtrees.pop()
        {
            hash = TreeHash::join(&left, &hash);
            level += 1;
            complete(level, hash);
        }
        self.subtrees.push(hash);
        self.size += 1;
    }

    /// The hash of the whole tree.
    pub fn root(&self) -> TreeHash {
        fold(&self.subtrees)
    }
}
