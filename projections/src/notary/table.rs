//! The notary's tables: where it stands, the tiles, and the heads that were signed.

use std::collections::BTreeMap;

use daybook_domain::Timestamp;
use daybook_eventstore::proof::{Frontier, Note, NoteSignature, Subtree, TILE_HEIGHT, Tile, TreeHash};
use daybook_eventstore::{Checkpoint, EventHash};
use sqlx::{PgPool, Row as _};

use crate::runtime::TargetError;

/// Begins to stand somewhere; nothing is written when it does not stand where it is thought to.
const BEGIN: &str = "INSERT INTO notary AS n (epoch, position, event_hash) VALUES ($3, $4, $5) \
     ON CONFLICT (there_is_one) DO UPDATE \
     SET epoch = excluded.epoch, position = excluded.position, event_hash = excluded.event_hash \
     WHERE n.epoch = $1 AND n.position = $2";

/// Moves on with the hashes that tiles get; nothing is written when it does not stand where it is thought to.
const APPEND: &str = "WITH moved AS ( \
         UPDATE notary SET epoch = $3, position = $4, event_hash = $5 WHERE epoch = $1 AND position = $2 RETURNING true \
     ), \
     kept AS ( \
         INSERT INTO notary_tiles AS t (level, number, hashes) \
         SELECT made.* FROM moved, unnest($6::smallint[], $7::bigint[], $8::bytea[]) AS made \
         ON CONFLICT (level, number) DO UPDATE \
         SET hashes = substr(t.hashes, 1, (SELECT had FROM unnest($6::smallint[], $7::bigint[], $9::integer[]) \
             AS before (level, number, had) WHERE (level, number) = (excluded.level, excluded.number))) || excluded.hashes \
     ) \
     SELECT count(*) FROM moved";

/// Keeps a signed head, while the notary stands there or beyond in the same log.
const PUBLISH: &str = "WITH standing AS (SELECT true FROM notary WHERE epoch = $1 AND position >= $2), \
     published AS ( \
         INSERT INTO notary_checkpoints (size, note, signed_at) SELECT $2, $3, $4 FROM standing ON CONFLICT DO NOTHING \
     ) \
     SELECT count(*) FROM standing";

/// Replaces a note, unless somebody else did meanwhile.
const REPLACE: &str = "UPDATE notary_checkpoints SET note = $3 WHERE size = $1 AND note = $2";
/// How often somebody else may have: there are not so many witnesses.
const TRIES: u32 = 64;

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
pub(super) async fn find(pool: &PgPool) -> Result<Option<Checkpoint>, TargetError> {
    let query = "SELECT epoch, position, event_hash FROM notary";
    let Some(row) = sqlx::query(query).fetch_optional(pool).await? else { return Ok(None) };
    let hash: Vec<u8> = row.try_get(2)?;
    let hash = hash.try_into().map_err(|_| sqlx::Error::Decode("event_hash is not 32 bytes".into()))?;
    Ok(Some(Checkpoint { epoch: row.try_get(0)?, position: row.try_get(1)?, hash: EventHash(hash) }))
}

/// Begins anew at `start`, where it stood at `before`.
///
/// # Errors
/// [`TargetError::Fenced`] when the notary does not stand there.
pub(super) async fn begin(
    pool: &PgPool,
    before: Option<&Checkpoint>,
    start: &Checkpoint,
) -> Result<(), TargetError> {
    let begun = sqlx::query(BEGIN)
        .bind(before.map(|before| before.epoch))
        .bind(before.map(|before| before.position))
        .bind(start.epoch)
        .bind(start.position)
        .bind(start.hash.0.as_slice())
        .execute(pool)
        .await?;
    if begun.rows_affected() == 1 { Ok(()) } else { Err(TargetError::Fenced) }
}

/// Moves on from `before`.
///
/// # Errors
/// [`TargetError::Fenced`] when the notary does not stand there any more.
pub(super) async fn append(
    pool: &PgPool,
    before: &Checkpoint,
    after: &Checkpoint,
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
    let moved: i64 = sqlx::query_scalar(APPEND)
        .bind(before.epoch)
        .bind(before.position)
        .bind(after.epoch)
        .bind(after.position)
        .bind(after.hash.0.as_slice())
        .bind(levels)
        .bind(numbers)
        .bind(hashes)
        .bind(behind)
        .fetch_one(pool)
        .await?;
    if moved == 1 { Ok(()) } else { Err(TargetError::Fenced) }
}

/// Keeps a signed head of the log with this epoch.
///
/// # Errors
/// [`TargetError::Fenced`] when the notary does not stand so far, or in another log.
pub(super) async fn publish(
    pool: &PgPool,
    at: &Checkpoint,
    note: &Note,
    signed_at: Timestamp,
) -> Result<(), TargetError> {
    let standing: i64 = sqlx::query_scalar(PUBLISH)
        .bind(at.epoch)
        .bind(at.position)
        .bind(note.to_string())
        .bind(signed_at)
        .fetch_one(pool)
        .await?;
    if standing == 1 { Ok(()) } else { Err(TargetError::Fenced) }
}

/// Adds a signature to the checkpoint of so many events, as long as it has this text, in place of an earlier one of the same key.
///
/// # Errors
/// [`TargetError::Fenced`] when there is no such checkpoint any more, or always another one.
pub(super) async fn cosign(
    pool: &PgPool,
    size: u64,
    text: &str,
    signature: NoteSignature,
) -> Result<(), TargetError> {
    let size = i64::try_from(size).unwrap_or(i64::MAX);
    for _ in 0..TRIES {
        let select = "SELECT note FROM notary_checkpoints WHERE size = $1";
        let kept: Option<String> = sqlx::query_scalar(select).bind(size).fetch_optional(pool).await?;
        let note = kept.as_ref().and_then(|kept| kept.parse().ok()).filter(|note: &Note| note.text() == text);
        let (Some(kept), Some(mut note)) = (kept, note) else { return Err(TargetError::Fenced) };
        note.add(signature.clone());
        let replace = sqlx::query(REPLACE).bind(size).bind(kept).bind(note.to_string());
        if replace.execute(pool).await?.rows_affected() == 1 {
            return Ok(());
        }
    }
    Err(TargetError::Fenced)
}
