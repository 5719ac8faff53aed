//! The tree in tiles, as others store and serve it: C2SP `tlog-tiles`, <https://c2sp.org/tlog-tiles>. A tile has 256 hashes
//! of every eighth level side by side, or those there are of them yet.

use std::collections::HashMap;
use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use super::hash::TreeHash;
use super::path::{Subtree, fold, subtrees};

/// How many levels of the tree a tile spans.
pub const TILE_HEIGHT: u32 = 8;
/// How many hashes a full tile has.
pub const TILE_WIDTH: u64 = 1 << TILE_HEIGHT;
/// The highest level that tiles may have.
const MAX_LEVEL: u32 = 5;

/// A tile: the `number`th of its level.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tile {
    /// Its level: the hashes are those of subtrees of 256 to its power entries.
    pub level: u32,
    /// Which of its level, from 0.
    pub number: u64,
}

impl Tile {
    /// The tile that has the subtree, or what it is made of, and which of its hashes these are.
    pub fn of(subtree: Subtree) -> (Self, Range<usize>) {
        let (level, above) = (subtree.level / TILE_HEIGHT, subtree.level % TILE_HEIGHT);
        let first = subtree.number << above;
        let within = usize::try_from(first % TILE_WIDTH).unwrap_or(0);
        (Self { level, number: first / TILE_WIDTH }, within..within + (1 << above))
    }

    /// How many hashes it has when the tree has so many entries.
    pub fn width(self, size: u64) -> u64 {
        let complete = size.checked_shr(self.level * TILE_HEIGHT).unwrap_or(0);
        complete.saturating_sub(self.number * TILE_WIDTH).min(TILE_WIDTH)
    }
}

/// What is asked for under an address: hashes, or the entries themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The hashes of a tile.
    Hashes(Tile),
    /// The entries under a tile of the lowest level, of this number.
    Entries(u64),
}

/// The address of a tile, under that of the log: `tile/0/x001/234` or `tile/entries/000.p/12`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TilePath {
    /// What is there.
    pub kind: Kind,
    /// How many hashes or entries: from 1 to 256.
    pub width: u64,
}

impl fmt::Display for TilePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = match self.kind {
            Kind::Hashes(tile) => {
                write!(f, "tile/{}/", tile.level)?;
                tile.number
            }
            Kind::Entries(number) => {
                f.write_str("tile/entries/")?;
                number
            }
        };
        // Groups of three digits, all but the last with an x.
        let mut groups = vec![number % 1_000];
        let mut rest = number / 1_000;
        while rest > 0 {
            groups.push(rest % 1_000);
            rest /= 1_000;
        }
        for (left, group) in groups.iter().enumerate().rev() {
            if left > 0 { write!(f, "x{group:03}/")? } else { write!(f, "{group:03}")? }
        }
        if self.width < TILE_WIDTH { write!(f, ".p/{}", self.width) } else { Ok(()) }
    }
}

/// It is not the address of a tile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not the address of a tile")]
pub struct NoTile;

impl FromStr for TilePath {
    type Err = NoTile;

    fn from_str(text: &str) -> Result<Self, NoTile> {
        let path = parse(text).ok_or(NoTile)?;
        // There is one way to write each address.
        if path.to_string() == text { Ok(path) } else { Err(NoTile) }
    }
}

fn parse(text: &str) -> Option<TilePath> {
    let (level, rest) = text.strip_prefix("tile/")?.split_once('/')?;
    let (number, width) = match rest.split_once(".p/") {
        Some((number, width)) => {
            (number, width.parse().ok().filter(|width| (1..TILE_WIDTH).contains(width))?)
        }
        None => (rest, TILE_WIDTH),
    };
    let number = number.split('/').try_fold(0_u64, |number, group| {
        let digits: u64 = group.strip_prefix('x').unwrap_or(group).parse().ok()?;
        number.checked_mul(1_000)?.checked_add(digits)
    })?;
    let kind = match level {
        "entries" => Kind::Entries(number),
        level => {
            let level = level.parse().ok().filter(|level| *level <= MAX_LEVEL)?;
            Kind::Hashes(Tile { level, number })
        }
    };
    Some(TilePath { kind, width })
}

/// Some tiles of a tree.
#[derive(Debug, Clone, Default)]
pub struct Tiles(HashMap<Tile, Vec<u8>>);

impl Tiles {
    /// Adds a tile: its hashes, one after the other.
    pub fn add(&mut self, tile: Tile, hashes: Vec<u8>) {
        self.0.insert(tile, hashes);
    }

    /// The hash of a range that a path has; nothing when a tile that it takes is not among these.
    pub fn hash(&self, range: &Range<u64>) -> Option<TreeHash> {
        let parts: Option<Vec<_>> = subtrees(range).into_iter().map(|part| self.subtree(part)).collect();
        parts.map(|parts| fold(&parts))
    }

    /// The hash of a subtree.
    fn subtree(&self, subtree: Subtree) -> Option<TreeHash> {
        let (tile, within) = Tile::of(subtree);
        let bytes = self.0.get(&tile)?.get(within.start * TreeHash::LEN..within.end * TreeHash::LEN)?;
        let mut hashes: Vec<TreeHash> =
            bytes.chunks_exact(TreeHash::LEN).filter_map(|hash| hash.try_into().ok().map(TreeHash)).collect();
        while hashes.len() > 1 {
            hashes = hashes.chunks(2).map(fold).collect();
        }
        hashes.pop()
    }
}

/// The tiles that have the hashes of these ranges.
pub fn tiles_of(ranges: &[Range<u64>]) -> Vec<Tile> {
    let mut tiles: Vec<Tile> = ranges.iter().flat_map(subtrees).map(|part| Tile::of(part).0).collect();
    tiles.sort_unstable();
    tiles.dedup();
    tiles
}
