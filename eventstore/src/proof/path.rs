//! Which parts of a tree prove what, and whether they do: RFC 6962, sections 2.1.1 and 2.1.2; the ways of checking are those
//! of RFC 9162, sections 2.1.3.2 and 2.1.4.2.

use std::ops::Range;

use super::hash::TreeHash;

/// A perfect subtree: 2 to the power of its level entries, of which it is the `number`th such group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Subtree {
    /// How high it is; 0 is an entry.
    pub level: u32,
    /// Which of its level, from 0.
    pub number: u64,
}

/// The largest power of two below `size`, which is 2 or more.
const fn half(size: u64) -> u64 {
    1 << (u64::BITS - 1 - (size - 1).leading_zeros())
}

/// The ranges of entries whose hashes prove that this entry is in a tree of this size, in the order of the path.
pub fn inclusion_path(index: u64, size: u64) -> Vec<Range<u64>> {
    let (mut path, mut tree) = (Vec::new(), 0..size);
    while tree.end - tree.start > 1 {
        let middle = tree.start + half(tree.end - tree.start);
        let (within, beside) = if index < middle {
            (tree.start..middle, middle..tree.end)
        } else {
            (middle..tree.end, tree.start..middle)
        };
        path.push(beside);
        tree = within;
    }
    path.reverse();
    path
}

/// The ranges of entries whose hashes prove that a tree of `second` entries begins with the one of `first`.
pub fn consistency_path(first: u64, second: u64) -> Vec<Range<u64>> {
    let (mut path, mut tree) = (Vec::new(), 0..second);
    if first == 0 {
        return path;
    }
    // Whether what is left of the first tree is all of it, which who checks has already.
    let mut whole = true;
    while first != tree.end {
        let middle = tree.start + half(tree.end - tree.start);
        if first <= middle {
            path.push(middle..tree.end);
            tree = tree.start..middle;
        } else {
            path.push(tree.start..middle);
            tree = middle..tree.end;
            whole = false;
        }
    }
    if !whole {
        path.push(tree);
    }
    path.reverse();
    path
}

/// The perfect subtrees that a range consists of, from the left. It is one that a path has: it begins where a subtree of
/// its size may.
pub(super) fn subtrees(range: &Range<u64>) -> Vec<Subtree> {
    let (mut subtrees, mut begin) = (Vec::new(), range.start);
    while begin < range.end {
        let level = u64::BITS - 1 - (range.end - begin).leading_zeros();
        subtrees.push(Subtree { level, number: begin >> level });
        begin += 1 << level;
    }
    subtrees
}

/// The ranges of the perfect subtrees that a tree of this size consists of, the largest first.
pub fn subtrees_of(size: u64) -> Vec<Range<u64>> {
    let subtrees = subtrees(&Range { start: 0, end: size });
    subtrees.iter().map(|part| part.number << part.level..(part.number + 1) << part.level).collect()
}

/// The hash of a range that consists of subtrees with these hashes, from the left.
pub(super) fn fold(subtrees: &[TreeHash]) -> TreeHash {
    let smaller = subtrees.iter().rev().copied();
    smaller.reduce(|right, left| TreeHash::join(&left, &right)).unwrap_or_else(TreeHash::of_nothing)
}

/// Whether this path proves that the entry with this hash is the one with this index in the tree of this size and root.
pub fn is_included(entry: TreeHash, index: u64, size: u64, path: &[TreeHash], root: TreeHash) -> bool {
    if index >= size {
        return false;
    }
    let (mut at, mut last, mut hash) = (index, size - 1, entry);
    for beside in path {
        if last == 0 {
            return false;
        }
        if at & 1 == 1 || at == last {
            hash = TreeHash::join(beside, &hash);
            while at & 1 == 0 && at != 0 {
                at >>= 1;
                last >>= 1;
            }
        } else {
            hash = TreeHash::join(&hash, beside);
        }
        at >>= 1;
        last >>= 1;
    }
    last == 0 && hash == root
}

/// Whether this path proves that the tree of `second` entries begins with the one of `first`.
pub fn is_consistent(first: (u64, TreeHash), second: (u64, TreeHash), path: &[TreeHash]) -> bool {
    let ((first, first_root), (second, second_root)) = (first, second);
    if first > second {
        return false;
    }
    if first == second {
        return path.is_empty() && first_root == second_root;
    }
    if first == 0 {
        return path.is_empty() && first_root == TreeHash::of_nothing();
    }
    let (mut at, mut last) = (first - 1, second - 1);
    while at & 1 == 1 {
        at >>= 1;
        last >>= 1;
    }
    let mut rest = path.iter();
    let begin = if first.is_power_of_two() { Some(first_root) } else { rest.next().copied() };
    let Some((mut old, mut new)) = begin.map(|begin| (begin, begin)) else { return false };
    for beside in rest {
        if last == 0 {
            return false;
        }
        if at & 1 == 1 || at == last {
            old = TreeHash::join(beside, &old);
            new = TreeHash::join(beside, &new);
            while at & 1 == 0 && at != 0 {
                at >>= 1;
                last >>= 1;
            }
        } else {
            new = TreeHash::join(&new, beside);
        }
        at >>= 1;
        last >>= 1;
    }
    last == 0 && old == first_root && new == second_root
}
