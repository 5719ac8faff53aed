//! What is read of the tree: tiles, signed heads, and the paths that prove something.

use std::ops::Range;

use daybook_eventstore::proof::{
    Note, NoteError, TILE_WIDTH, Tile, Tiles, TreeHash, TreeHead, VerifyingKey, consistency_path,
    inclusion_path, subtrees_of, tiles_of,
};
use sqlx::{PgPool, Row as _};

use crate::runtime::TargetError;

/// How many checkpoints are looked at at a time.
const PAGE: i64 = 100;
/// How many of the last ones are looked at when there must be no waiting: those of a day, at one a minute.
const RECENT: i64 = 1_500;

/// A checkpoint as it is kept: how many events it is said to be of, and the note.
pub(super) type Kept = (u64, Result<Note, NoteError>);

/// The hashes of a tile that are signed; nothing when it has none.
///
/// # Errors
/// When the database fails.
pub async fn tile(pool: &PgPool, tile: Tile) -> Result<Option<Vec<u8>>, TargetError> {
    let query = "SELECT hashes, (SELECT max(size) FROM notary_checkpoints) FROM notary_tiles \
         WHERE level = $1 AND number = $2";
    let (level, number) = place(tile);
    let row = sqlx::query(query).bind(level).bind(number).fetch_optional(pool).await?;
    let Some(row) = row else { return Ok(None) };
    let (mut hashes, signed): (Vec<u8>, Option<i64>) = (row.try_get(0)?, row.try_get(1)?);
    let width = tile.width(signed.and_then(|signed| u64::try_from(signed).ok()).unwrap_or(0));
    hashes.truncate(usize::try_from(width).unwrap_or(usize::MAX).saturating_mul(TreeHash::LEN));
    Ok(Some(hashes).filter(|hashes| !hashes.is_empty()))
}

/// The last signed head, as a note; nothing when nothing was signed yet.
///
/// # Errors
/// When the database fails.
pub async fn checkpoint(pool: &PgPool) -> Result<Option<String>, TargetError> {
    let query = "SELECT note FROM notary_checkpoints ORDER BY size DESC LIMIT 1";
    Ok(sqlx::query_scalar(query).fetch_optional(pool).await?)
}

/// The newest signed head of at least so many entries that all of these witnesses have signed, as a note; nothing when there is
/// none. The log's own signature is not looked at.
///
/// # Errors
/// When the database fails.
pub async fn newest_checkpoint(
    pool: &PgPool,
    size: u64,
    witnesses: &[VerifyingKey],
) -> Result<Option<Note>, TargetError> {
    // Names are looked for in the text, which is quick, so that signatures are checked only where there may be some.
    let query = "SELECT size, note FROM notary_checkpoints WHERE size >= $1 AND size < $2 \
         AND (SELECT coalesce(bool_and(position(name IN note) > 0), true) FROM unnest($3::text[]) AS name) \
         ORDER BY size DESC LIMIT $4";
    let names: Vec<String> =
        witnesses.iter().map(|witness| format!("\n\u{2014} {} ", witness.name())).collect();
    let mut before = i64::MAX;
    loop {
        let page = sqlx::query_as(query).bind(number(size)).bind(before).bind(&names).bind(PAGE);
        let page: Vec<(i64, String)> = page.fetch_all(pool).await?;
        let notes = page.iter().filter_map(|(_, note)| note.parse::<Note>().ok());
        let is_signed = |note: &Note| witnesses.iter().all(|witness| note.verify(witness).is_ok());
        if let Some(note) = notes.into_iter().find(is_signed) {
            return Ok(Some(note));
        }
        let Some((last, _)) = page.last() else { return Ok(None) };
        before = *last;
    }
}

/// The newest of the last checkpoints that has a line of this witness; nothing when none of them has, whatever is with earlier
/// ones.
pub(super) async fn recently_cosigned(
    pool: &PgPool,
    witness: &VerifyingKey,
) -> Result<Option<String>, TargetError> {
    let query = "SELECT note FROM (SELECT size, note FROM notary_checkpoints ORDER BY size DESC LIMIT $2) AS recent \
         WHERE position($1 IN note) > 0 ORDER BY size DESC LIMIT 1";
    Ok(sqlx::query_scalar(query).bind(line_of(witness)).bind(RECENT).fetch_optional(pool).await?)
}

/// What a note has in it that has a signature of this name.
fn line_of(witness: &VerifyingKey) -> String {
    format!("\n\u{2014} {} ", witness.name())
}

/// The last signed head of a tree that has at least so many entries, and the smallest of them; nothing when there is none.
///
/// # Errors
/// When the database fails.
pub async fn checkpoint_after(pool: &PgPool, size: u64) -> Result<Option<String>, TargetError> {
    let query = "SELECT note FROM notary_checkpoints WHERE size >= $1 ORDER BY size LIMIT 1";
    Ok(sqlx::query_scalar(query).bind(number(size)).fetch_optional(pool).await?)
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

/// The hashes of the perfect subtrees that a tree of this size consists of; nothing when a tile is missing.
pub(super) async fn frontier(pool: &PgPool, size: u64) -> Result<Option<Vec<TreeHash>>, TargetError> {
    hashes(pool, &subtrees_of(size)).await
}

/// The hash of one entry, as it is kept.
pub(super) async fn entry(pool: &PgPool, index: u64) -> Result<Option<TreeHash>, TargetError> {
    let hashes = hashes(pool, &[Range { start: index, end: index + 1 }]).await?;
    Ok(hashes.and_then(|hashes| hashes.first().copied()))
}

async fn hashes(pool: &PgPool, path: &[Range<u64>]) -> Result<Option<Vec<TreeHash>>, TargetError> {
    Ok(paths(pool, &[path]).await?.pop().flatten())
}

/// The hashes of the subtrees of each of these paths, in one statement; nothing of those of which a tile is missing.
pub(super) async fn paths<P: AsRef<[Range<u64>]>>(
    pool: &PgPool,
    paths: &[P],
) -> Result<Vec<Option<Vec<TreeHash>>>, TargetError> {
    let path: Vec<Range<u64>> = paths.iter().flat_map(|path| path.as_ref().iter().cloned()).collect();
    let (levels, numbers): (Vec<i16>, Vec<i64>) = tiles_of(&path).into_iter().map(place).unzip();
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
    let of = |path: &P| path.as_ref().iter().map(|range| tiles.hash(range)).collect();
    Ok(paths.iter().map(of).collect())
}

/// How many entries the tree has as it is kept.
pub(super) async fn size(pool: &PgPool) -> Result<u64, TargetError> {
    let position: Option<i64> =
        sqlx::query_scalar("SELECT position FROM notary").fetch_optional(pool).await?;
    Ok(position.and_then(|position| u64::try_from(position).ok()).unwrap_or(0))
}

/// The hashes of the entries that are under so many tiles from this one on, as far as they are kept without a hole.
pub(super) async fn entries(pool: &PgPool, first: u64, count: u64) -> Result<Vec<u8>, TargetError> {
    let query = "SELECT number, hashes FROM notary_tiles WHERE level = 0 AND number >= $1 AND number < $2 ORDER BY number";
    let rows = sqlx::query(query).bind(number(first)).bind(number(first + count)).fetch_all(pool).await?;
    let (mut hashes, mut whole) = (Vec::new(), true);
    for (row, expected) in rows.iter().zip(first..) {
        if !whole || row.try_get::<i64, _>(0)? != number(expected) {
            break;
        }
        let tile: Vec<u8> = row.try_get(1)?;
        whole = u64::try_from(tile.len() / TreeHash::LEN) == Ok(TILE_WIDTH);
        hashes.extend(tile);
    }
    Ok(hashes)
}

/// The checkpoints that are said to be of more events than this, the smallest first, at most so many.
pub(super) async fn checkpoints(pool: &PgPool, after: u64, limit: i64) -> Result<Vec<Kept>, TargetError> {
    let query = "SELECT size, note FROM notary_checkpoints WHERE size > $1 ORDER BY size LIMIT $2";
    let rows: Vec<(i64, String)> =
        sqlx::query_as(query).bind(number(after)).bind(limit).fetch_all(pool).await?;
    Ok(rows.into_iter().map(|(size, note)| (u64::try_from(size).unwrap_or(0), note.parse())).collect())
}

/// What the last checkpoint says, whoever signed it.
pub(super) async fn last_signed(pool: &PgPool) -> Result<Option<Result<TreeHead, NoteError>>, TargetError> {
    let note = checkpoint(pool).await?;
    Ok(note.map(|note| note.parse().and_then(|note: Note| note.text().parse())))
}

fn place(tile: Tile) -> (i16, i64) {
    (i16::try_from(tile.level).unwrap_or(i16::MAX), number(tile.number))
}

fn number(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
