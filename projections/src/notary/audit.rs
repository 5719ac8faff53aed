//! The whole log against what was signed of it: every event is read and hashed again. It tells the first position that is not
//! what it was, and trusts neither the log nor the tree, but only signatures.

use std::cmp::Ordering;
use std::collections::VecDeque;

use daybook_eventstore::proof::{
    Facts, Frontier, Note, NoteError, TILE_WIDTH, TreeHash, TreeHead, VerifyingKey,
};
use daybook_eventstore::{Batch, LogReader, Selection, StoreError};
use futures::TryStreamExt as _;
use futures::stream::FuturesOrdered;
use sqlx::PgPool;
use tokio::task::JoinHandle;

use super::error::AuditError;
use super::query;

/// How many events are hashed at a time, and how many times that many are on their way.
const BATCH: usize = 4_096;
const AHEAD: usize = 3;
/// How many tiles are looked at at a time.
const TILES: u64 = 64;
/// How many checkpoints are.
const CHECKPOINTS: i64 = 500;
/// How many places that differ are told of.
const FIRST: usize = 100;

/// What an audit found, when all is as it was signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Audited {
    /// How many events there are.
    pub events: u64,
    /// The root of their tree.
    pub root: TreeHash,
    /// How many of them are signed.
    pub signed: u64,
    /// How many checkpoints were compared.
    pub checkpoints: u64,
    /// Positions where the tree as it is kept has another hash than the event, which is as it was signed: the read
    /// database was altered there, or damaged. The first ones, if there are many.
    pub damaged: Vec<u64>,
}

/// An audit under way.
struct Audit<'a> {
    read: &'a PgPool,
    keys: &'a [VerifyingKey],
    tree: Frontier,
    /// The size that was last found as it was signed.
    signed: u64,
    checkpoints: u64,
    /// The next checkpoints that were kept, and what those say that somebody else has.
    kept: VecDeque<Note>,
    others: VecDeque<TreeHead>,
    /// Hashes of the tree as it is kept, from this entry on.
    tiles: (u64, Vec<u8>),
    /// Where the events and the tree differ since the last checkpoint, and before it.
    differs: Vec<u64>,
    damaged: Vec<u64>,
}

/// Reads the whole log against all checkpoints that were kept and these, which somebody else has: each must be signed with one
/// of these keys. Tells how many events are done, of how many.
///
/// # Errors
/// What is not as it was signed, with the first position that is known of; or that something cannot be read.
pub async fn audit(
    reader: &LogReader,
    read: &PgPool,
    keys: &[VerifyingKey],
    others: &[Note],
    mut progress: impl FnMut(u64, u64),
) -> Result<Audited, AuditError> {
    let mut audit = Audit::begin(read, keys, others)?;
    let head = u64::try_from(reader.head().await?.position).unwrap_or(0);
    let mut scan = reader.scan(Selection::after(0), BATCH);
    let mut hashing = FuturesOrdered::new();
    let mut next = audit.next_checkpoint().await?;
    // Where the log cannot be read on. What is before it is looked at first.
    let mut broken = None;
    loop {
        while hashing.len() < AHEAD && broken.is_none() {
            match scan.next().await {
                Ok(Some(batch)) => hashing.push_back(hash(batch)),
                Ok(None) => break,
                Err(error) => broken = Some(error),
            }
        }
        let Some(entries) = hashing.try_next().await.map_err(|_panic| StoreError::Closed)? else { break };
        for entry in entries? {
            audit.push(entry).await?;
            while let Some(signed) = next.take_if(|signed| signed.size <= audit.tree.size()) {
                audit.compare(&signed)?;
                next = audit.next_checkpoint().await?;
            }
        }
        progress(audit.tree.size(), head.max(audit.tree.size()));
    }
    let events = audit.tree.size();
    if let Some(error) = broken {
        return Err(audit.place(reader, error).await);
    }
    match next {
        Some(signed) => Err(AuditError::Shorter { log: events, signed: signed.size }),
        None if events < head => Err(AuditError::Missing { position: events + 1 }),
        None => audit.end(),
    }
}

/// Hashes the events of a batch, beside whatever else is done.
fn hash(batch: Batch) -> JoinHandle<Result<Vec<TreeHash>, StoreError>> {
    tokio::task::spawn_blocking(move || {
        let (mut entries, mut entry) = (Vec::with_capacity(batch.len()), String::new());
        for event in batch.events() {
            Facts::of(event)?.write(&mut entry);
            entries.push(TreeHash::of_entry(entry.as_bytes()));
        }
        Ok(entries)
    })
}

/// What a checkpoint says, once one of these keys has signed it.
fn believed(note: &Note, keys: &[VerifyingKey]) -> Result<TreeHead, AuditError> {
    let mut refused = NoteError::Unsigned;
    for key in keys {
        match TreeHead::of(note, key) {
            Ok(head) => return Ok(head),
            Err(NoteError::Unsigned) => {}
            Err(error @ (NoteError::Malformed | NoteError::False)) => refused = error,
        }
    }
    let size = note.text().parse().ok().map(|head: TreeHead| head.size);
    Err(AuditError::Checkpoint { size, source: refused })
}

impl<'a> Audit<'a> {
    fn begin(read: &'a PgPool, keys: &'a [VerifyingKey], others: &[Note]) -> Result<Self, AuditError> {
        let mut heads = others.iter().map(|note| believed(note, keys)).collect::<Result<Vec<_>, _>>()?;
        // That there was a log once without an event says nothing of what it has now.
        heads.retain(|head| head.size > 0);
        heads.sort_unstable_by_key(|head| head.size);
        Ok(Self {
            read,
            keys,
            tree: Frontier::default(),
            signed: 0,
            checkpoints: 0,
            kept: VecDeque::new(),
            others: heads.into(),
            tiles: (0, Vec::new()),
            differs: Vec::new(),
            damaged: Vec::new(),
        })
    }

    async fn push(&mut self, entry: TreeHash) -> Result<(), AuditError> {
        let index = self.tree.size();
        if index.is_multiple_of(TILES * TILE_WIDTH) {
            self.tiles = (index, query::entries(self.read, index / TILE_WIDTH, TILES).await?);
        }
        let from = usize::try_from(index - self.tiles.0).unwrap_or(0) * TreeHash::LEN;
        // Nothing when it is not kept yet.
        let kept = self.tiles.1.get(from..from + TreeHash::LEN);
        if kept.is_some_and(|kept| kept != entry.0) && self.differs.len() < FIRST {
            self.differs.push(index + 1);
        }
        self.tree.push(entry, |_, _| {});
        Ok(())
    }

    /// What the next checkpoint says that was not compared yet.
    async fn next_checkpoint(&mut self) -> Result<Option<TreeHead>, AuditError> {
        if self.kept.is_empty() {
            self.kept = query::checkpoints(self.read, self.signed, CHECKPOINTS).await?.into();
        }
        let kept = self.kept.front().map(|note| believed(note, self.keys)).transpose()?;
        let other = self.others.front().map(|head| head.size);
        match kept {
            Some(kept) if other.is_none_or(|other| kept.size <= other) => {
                self.kept.pop_front();
                Ok(Some(kept))
            }
            Some(_) | None => Ok(self.others.pop_front()),
        }
    }

    /// Compares the tree with what was signed of it.
    fn compare(&mut self, signed: &TreeHead) -> Result<(), AuditError> {
        if signed.size != self.tree.size() || signed.root != self.tree.root() {
            return Err(match self.differs.first() {
                Some(position) => AuditError::Altered { position: *position, signed: signed.size },
                None => AuditError::Otherwise { after: self.signed, signed: signed.size },
            });
        }
        self.damaged.append(&mut self.differs);
        self.damaged.truncate(FIRST);
        self.signed = signed.size;
        self.checkpoints += 1;
        Ok(())
    }

    /// Where exactly the log, which is whole up to here, is first not what it was.
    async fn place(&mut self, reader: &LogReader, error: StoreError) -> AuditError {
        if !matches!(error, StoreError::LogDiverged { .. }) {
            return error.into();
        }
        match self.walk(reader).await {
            Ok(Some((position, found))) => {
                let earlier = self.differs.first().is_some_and(|differs| *differs < position);
                self.differs().filter(|_| earlier).unwrap_or(found)
            }
            Ok(None) => self.differs().unwrap_or(error.into()),
            Err(error) => error,
        }
    }

    /// Goes on event by event to where one is missing or there are several; nothing when they have come back.
    async fn walk(&mut self, reader: &LogReader) -> Result<Option<(u64, AuditError)>, AuditError> {
        let whole = self.tree.size();
        let events = reader.read(i64::try_from(whole).unwrap_or(i64::MAX), 2 * BATCH).await?;
        for (event, expected) in events.iter().zip(whole + 1..) {
            let position = u64::try_from(event.position).unwrap_or(0);
            match position.cmp(&expected) {
                Ordering::Less => return Ok(Some((position, AuditError::Doubled { position }))),
                Ordering::Greater => {
                    return Ok(Some((expected, AuditError::Missing { position: expected })));
                }
                Ordering::Equal => self.push(Facts::from(event).hash()).await?,
            }
        }
        Ok(None)
    }

    /// Where the log is first another one than the tree since the last checkpoint.
    fn differs(&self) -> Option<AuditError> {
        self.differs.first().map(|position| AuditError::Differs { position: *position })
    }

    fn end(self) -> Result<Audited, AuditError> {
        // Of what is not signed yet there is only the tree.
        if let Some(differs) = self.differs() {
            return Err(differs);
        }
        Ok(Audited {
            events: self.tree.size(),
            root: self.tree.root(),
            signed: self.signed,
            checkpoints: self.checkpoints,
            damaged: self.damaged,
        })
    }
}
