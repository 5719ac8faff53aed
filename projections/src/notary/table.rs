//! The notary's tables: where it stands, the tiles, and the heads that were signed.

use std::collections::BTreeMap;

use daybook_domain::Timestamp;
use daybook_eventstore::proof::{Frontier, Note, NoteError, Subtree, TILE_HEIGHT, Tile, TreeHash};
use daybook_eventstore::{Checkpoint, EventHash};
use sqlx::postgres::PgRow;
use sqlx::{PgPool, Row as _};

use crate::runtime::TargetError;

/// Moves on from one position to another, with the hashes that tiles get; nothing is written when it does not stand there.
const APPEND: &str = "WITH moved AS ( \
         INSERT INTO notary AS n (epoch, position, event_hash, frontier) \
         SELECT $3, $4, $5, $6 WHERE $2 = 0 OR EXISTS (SELECT FROM notary) \
         ON CONFLICT (there_is_one) DO UPDATE SET epoch = excluded.epoch, position = excluded.position, \
             event_hash = excluded.event_hash, frontier = excluded.frontier \
         WHERE n.epoch = $1 AND n.position = $2 RETURNING true \
     ), \
     kept AS ( \
         INSERT INTO notary_tiles AS t (level, number, hashes) \
         SELECT made.* FROM moved, unnest($7::smallint[], $8::bigint[], $9::bytea[]) AS made \
         ON CONFLICT (level, number) DO UPDATE \
         SET hashes = substr(t.hashes, 1, (SELECT had FROM unnest($7::smallint[], $8::bigint[], $10::integer[]) \
             AS before (level, number, had) WHERE (level, number) = (excluded.level, excluded.number))) || excluded.hashes \
     ) \
     SELECT count(*) FROM moved";

/// Where the notary stands, and the tree up to there.
#[derive(Debug, Clone)]
pub(super) struct Book {
    pub(super) at: Checkpoint,
    pub(super) tree: Frontier,
}

/// Hashes that tiles get, in their order.
#[derive(Debug, Default)]
pub(super) struct Grown(BTreeMap<Tile, Piece>);

/// A part of a tile.
#[derive(Debug, Default)]
struct Piece {
    /// Behind how many bytes of the tile it is.
    behind: usize,
    hashes: Vec<u8>,
}

impl Grown {
    /// Adds an entry to a tree, and what becomes complete with it to the tiles.
    pub(super) fn push(&mut self, tree: &mut Frontier, entry: TreeHash) {
        let index = tree.size();
        tree.push(entry, |level, hash| {
            if level % TILE_HEIGHT == 0 {
                let (tile, within) = Tile::of(Subtree { level, number: index >> level });
                let new = || Piece { behind: within.start * TreeHash::LEN, hashes: Vec::new() };
                self.0.entry(tile).or_insert_with(new).hashes.extend(hash.0);
            }
        });
    }
}

/// Where the notary stands; nothing when it has not begun.
pub(super) async fn find(pool: &PgPool) -> Result<Option<Book>, TargetError> {
    let query = "SELECT epoch, position, event_hash, frontier FROM notary";
    sqlx::query(query).fetch_optional(pool).await?.as_ref().map(book).transpose()
}

fn book(row: &PgRow) -> Result<Book, TargetError> {
    let (epoch, position) = (row.try_get(0)?, row.try_get(1)?);
    let (hash, frontier): (Vec<u8>, Vec<u8>) = (row.try_get(2)?, row.try_get(3)?);
    let hash = hash.try_into().ok().map(EventHash);
    let subtrees = frontier.chunks(TreeHash::LEN).map(|hash| hash.try_into().ok().map(TreeHash));
    let tree = subtrees
        .collect::<Option<Vec<_>>>()
        .and_then(|subtrees| Frontier::of(u64::try_from(position).ok()?, subtrees));
    match (hash, tree) {
        (Some(hash), Some(tree)) => Ok(Book { at: Checkpoint { epoch, position, hash }, tree }),
        (_, _) => Err(sqlx::Error::Decode("the notary's book is damaged".into()).into()),
    }
}

/// Moves on from `before`.
///
/// # Errors
/// [`TargetError::Fenced`] when the notary does not stand there any more.
pub(super) async fn append(
    pool: &PgPool,
    before: &Checkpoint,
    after: &Book,
    grown: Grown,
) -> Result<(), TargetError> {
    let (mut levels, mut numbers) = (Vec::new(), Vec::new());
    let (mut hashes, mut behind) = (Vec::new(), Vec::new());
    for (tile, piece) in grown.0 {
        levels.push(i16::try_from(tile.level).unwrap_or(i16::MAX));
        numbers.push(i64::try_from(tile.number).unwrap_or(i64::MAX));
        hashes.push(piece.hashes);
        behind.push(i32::try_from(piece.behind).unwrap_or(i32::MAX));
    }
    let frontier: Vec<u8> = after.tree.subtrees().iter().flat_map(|hash| hash.0).collect();
    let moved: i64 = sqlx::query_scalar(APPEND)
        .bind(before.epoch)
        .bind(before.position)
        .bind(after.at.epoch)
        .bind(after.at.position)
        .bind(after.at.hash.0.as_slice())
        .bind(frontier)
        .bind(levels)
        .bind(numbers)
        .bind(hashes)
        .bind(behind)
        .fetch_one(pool)
        .await?;
    if moved == 1 { Ok(()) } else { Err(TargetError::Fenced) }
}

/// The last head that was signed.
pub(super) async fn last_signed(pool: &PgPool) -> Result<Option<Note>, TargetError> {
    let note = super::query::checkpoint(pool).await?.map(|note| note.parse()).transpose();
    Ok(note.map_err(|error: NoteError| sqlx::Error::Decode(Box::new(error)))?)
}

/// Keeps a head that was signed.
pub(super) async fn publish(pool: &PgPool, size: u64, note: &Note, at: Timestamp) -> Result<(), TargetError> {
    let insert =
        "INSERT INTO notary_checkpoints (size, note, signed_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";
    let size = i64::try_from(size).unwrap_or(i64::MAX);
    sqlx::query(insert).bind(size).bind(note.to_string()).bind(at).execute(pool).await?;
    Ok(())
}
