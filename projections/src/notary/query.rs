//! What is read of the tree: tiles, signed heads, and the paths that prove something.

use std::ops::Range;

use daybook_eventstore::proof::{
    Note, NoteError, Tile, Tiles, TreeHash, consistency_path, inclusion_path, tiles_of,
};
use sqlx::{PgPool, Row as _};

use crate::runtime::TargetError;

/// The hashes of a tile there are yet; nothing when it has none.
///
/// # Errors
/// When the database fails.
pub async fn tile(pool: &PgPool, tile: Tile) -> Result<Option<Vec<u8>>, TargetError> {
    let query = "SELECT hashes FROM notary_tiles WHERE level = $1 AND number = $2";
    let (level, number) = place(tile);
    Ok(sqlx::query_scalar(query).bind(level).bind(number).fetch_optional(pool).await?)
}

/// The last signed head, as a note; nothing when nothing was signed yet.
///
/// # Errors
/// When the database fails.
pub async fn checkpoint(pool: &PgPool) -> Result<Option<String>, TargetError> {
    let query = "SELECT note FROM notary_checkpoints ORDER BY size DESC LIMIT 1";
    Ok(sqlx::query_scalar(query).fetch_optional(pool).await?)
}

/// The last signed head of a tree that has at least so many entries, and the smallest of them; nothing when there is none.
///
/// # Errors
/// When the database fails.
pub async fn checkpoint_after(pool: &PgPool, size: u64) -> Result<Option<String>, TargetError> {
    let query = "SELECT note FROM notary_checkpoints WHERE size >= $1 ORDER BY size LIMIT 1";
    let size = i64::try_from(size).unwrap_or(i64::MAX);
    Ok(sqlx::query_scalar(query).bind(size).fetch_optional(pool).await?)
}

/// The hashes that prove that this entry is in the tree of this size; nothing when the tree is not as large yet.
///
/// # Errors
/// When the database fails.
pub async fn inclusion(pool: &PgPool, index: u64, size: u64) -> Result<Option<Vec<TreeHash>>, TargetError> {
    hashes(pool, &inclusion_path(index, size)).await
}

/// The hashes that prove that the tree of `second` entries begins with the one of `first`; nothing when the tree is not as
/// large yet.
///
/// # Errors
/// When the database fails.
pub async fn consistency(
    pool: &PgPool,
    first: u64,
    second: u64,
) -> Result<Option<Vec<TreeHash>>, TargetError> {
    hashes(pool, &consistency_path(first, second)).await
}

async fn hashes(pool: &PgPool, path: &[Range<u64>]) -> Result<Option<Vec<TreeHash>>, TargetError> {
    let (levels, numbers): (Vec<i16>, Vec<i64>) = tiles_of(path).into_iter().map(place).unzip();
    let query = "SELECT t.level, t.number, t.hashes FROM unnest($1::smallint[], $2::bigint[]) AS wanted (level, number) \
         JOIN notary_tiles t ON (t.level, t.number) = (wanted.level, wanted.number)";
    let mut tiles = Tiles::default();
    for row in sqlx::query(query).bind(levels).bind(numbers).fetch_all(pool).await? {
        let (level, number): (i16, i64) = (row.try_get(0)?, row.try_get(1)?);
        let tile = Tile {
            level: u32::try_from(level).unwrap_or(u32::MAX),
            number: u64::try_from(number).unwrap_or(u64::MAX),
        };
        tiles.add(tile, row.try_get(2)?);
    }
    Ok(path.iter().map(|range| tiles.hash(range)).collect())
}

fn place(tile: Tile) -> (i16, i64) {
    (i16::try_from(tile.level).unwrap_or(i16::MAX), i64::try_from(tile.number).unwrap_or(i64::MAX))
}

/// The hashes of the entries that are under so many tiles from this one on, as far as they are kept without a hole.
pub(super) async fn entries(pool: &PgPool, first: u64, count: u64) -> Result<Vec<u8>, TargetError> {
    let query = "SELECT number, hashes FROM notary_tiles WHERE level = 0 AND number >= $1 AND number < $2 ORDER BY number";
    let number = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    let rows = sqlx::query(query).bind(number(first)).bind(number(first + count)).fetch_all(pool).await?;
    let mut hashes = Vec::new();
    for (row, expected) in rows.iter().zip(first..) {
        if row.try_get::<i64, _>(0)? != number(expected) {
            break;
        }
        hashes.extend(row.try_get::<Vec<u8>, _>(1)?);
    }
    Ok(hashes)
}

/// The checkpoints of trees larger than this, the smallest first, at most so many.
pub(super) async fn checkpoints(pool: &PgPool, after: u64, limit: i64) -> Result<Vec<Note>, TargetError> {
    let query = "SELECT note FROM notary_checkpoints WHERE size > $1 ORDER BY size LIMIT $2";
    let after = i64::try_from(after).unwrap_or(i64::MAX);
    let notes: Vec<String> = sqlx::query_scalar(query).bind(after).bind(limit).fetch_all(pool).await?;
    let parsed = notes.iter().map(|note| note.parse()).collect::<Result<_, NoteError>>();
    Ok(parsed.map_err(|error| sqlx::Error::Decode(Box::new(error)))?)
}
