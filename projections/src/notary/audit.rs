//! The whole log against what was signed of it: every event is read and hashed again. It tells the first position that is not
//! what it was, and trusts neither the log nor the tree, but only signatures.

use std::cmp::Ordering;
use std::collections::VecDeque;

use daybook_domain::Timestamp;
use daybook_eventstore::proof::{
    Facts, Frontier, Note, NoteError, TILE_WIDTH, TreeHash, TreeHead, VerifyingKey,
};
use daybook_eventstore::{Batch, LogReader, Position, Selection, StoreError};
use futures::StreamExt as _;
use futures::stream::FuturesOrdered;
use sqlx::PgPool;
use tokio::task::JoinHandle;

use super::error::AuditError;
use super::query;

/// How many events are hashed at a time, and how many times that many are on their way.
const BATCH: usize = 4_096;
const AHEAD: usize = 3;
/// How many positions at a time are searched for a second event.
const STRETCH: u64 = 65_536;
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
    /// Of each witness that was asked about, the largest of the checkpoints that it signed and when it did; nothing when it
    /// signed none of them.
    pub witnessed: Vec<Option<(u64, Timestamp)>>,
}

/// Whose signatures count.
#[derive(Debug, Clone, Copy)]
pub struct Trusted<'a> {
    /// The keys of the log: each checkpoint must be signed with one of them.
    pub log: &'a [VerifyingKey],
    /// Those of the witnesses that are asked about.
    pub witnesses: &'a [VerifyingKey],
}

/// A head that the log signed.
struct Signed {
    head: TreeHead,
    /// The same with all signatures.
    note: Note,
}

/// Where the tree is kept, and the checkpoints that were signed. Neither is believed.
struct Kept<'a> {
    read: &'a PgPool,
    /// How many entries the tree had when the audit began.
    size: u64,
    /// Hashes of entries, from this one on.
    tiles: (u64, Vec<u8>),
    checkpoints: VecDeque<query::Kept>,
}

/// An audit under way.
struct Audit<'a> {
    keys: Trusted<'a>,
    kept: Option<Kept<'a>>,
    /// Checkpoints that somebody else has.
    others: VecDeque<Signed>,
    /// The tree of the events, and the one that is kept, which are the same where nothing was altered.
    tree: Frontier,
    kept_tree: Frontier,
    /// The size that was last found as it was signed, and that of the last checkpoint that was looked at.
    signed: u64,
    looked_at: u64,
    checkpoints: u64,
    /// Where the events and the tree differ since the last checkpoint, and before it.
    differs: Vec<u64>,
    damaged: Vec<u64>,
    witnessed: Vec<Option<(u64, Timestamp)>>,
}

/// Reads the whole log as it is now against these checkpoints, which somebody else has, and all that were kept in the read
/// database, if there is one: each must be signed with one of these keys. Tells how many events are done, of how many.
///
/// # Errors
/// What is not as it was signed, with the first position that is known of; or that something cannot be read.
pub async fn audit(
    reader: &LogReader,
    read: Option<&PgPool>,
    keys: Trusted<'_>,
    others: &[Note],
    mut progress: impl FnMut(u64, u64),
) -> Result<Audited, AuditError> {
    let mut audit = Audit::begin(read, keys, others).await?;
    if let Some(position) = reader.find_stray().await? {
        return Err(AuditError::Hidden { position });
    }
    let head = reader.head().await?.position;
    let (mut scan, of) = (reader.scan(Selection::after(0).until(head), BATCH), whole(head));
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
        let Some(entries) = hashing.next().await else { break };
        let unreadable = AuditError::Unreadable { after: audit.tree.size() };
        for entry in entries.map_err(|_panic| unreadable)?? {
            audit.push(entry).await?;
            while let Some(signed) = next.take_if(|signed| signed.head.size <= audit.tree.size()) {
                audit.compare(&signed)?;
                next = audit.next_checkpoint().await?;
            }
            if audit.tree.size().is_multiple_of(STRETCH) {
                only_one_each(reader, audit.tree.size() - STRETCH, audit.tree.size()).await?;
            }
        }
        progress(audit.tree.size(), of);
    }
    if let Some(error) = broken {
        return Err(audit.place(reader, error).await);
    }
    let size = audit.tree.size();
    only_one_each(reader, size - size % STRETCH, size).await?;
    if size < of {
        return Err(audit.differs().unwrap_or(AuditError::Missing { position: size + 1 }));
    }
    // What is signed beyond may have been appended since.
    if let Some(signed) = next
        && whole(reader.head().await?.position) < signed.head.size
    {
        return Err(AuditError::Shorter { log: size, signed: signed.head.size });
    }
    audit.end()
}

fn whole(position: Position) -> u64 {
    u64::try_from(position).unwrap_or(0)
}

/// Makes sure that there is only one event at each of these positions.
async fn only_one_each(reader: &LogReader, after: u64, until: u64) -> Result<(), AuditError> {
    let position = |position| Position::try_from(position).unwrap_or(Position::MAX);
    match reader.find_doubled(position(after), position(until)).await? {
        Some(position) => Err(AuditError::Doubled { position: whole(position) }),
        None => Ok(()),
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
fn believed(note: Note, keys: &[VerifyingKey]) -> Result<Signed, NoteError> {
    let mut refused = NoteError::Unsigned;
    for key in keys {
        match TreeHead::of(&note, key) {
            Ok(head) => return Ok(Signed { head, note }),
            Err(NoteError::Unsigned) => {}
            Err(error @ (NoteError::Malformed | NoteError::False)) => refused = error,
        }
    }
    Err(refused)
}

impl<'a> Audit<'a> {
    async fn begin(read: Option<&'a PgPool>, keys: Trusted<'a>, others: &[Note]) -> Result<Self, AuditError> {
        let given = |source| AuditError::Checkpoint { size: None, source };
        let others = others.iter().map(|note| believed(note.clone(), keys.log).map_err(given));
        let mut others = others.collect::<Result<Vec<_>, _>>()?;
        // That there was a log once without an event says nothing of what it has now.
        others.retain(|signed| signed.head.size > 0);
        others.sort_unstable_by_key(|signed| signed.head.size);
        let kept = match read {
            Some(read) => Some(Kept {
                read,
                size: query::size(read).await?,
                tiles: (0, Vec::new()),
                checkpoints: VecDeque::new(),
            }),
            None => None,
        };
        Ok(Self {
            keys,
            kept,
            others: others.into(),
            tree: Frontier::default(),
            kept_tree: Frontier::default(),
            signed: 0,
            looked_at: 0,
            checkpoints: 0,
            differs: Vec::new(),
            damaged: Vec::new(),
            witnessed: vec![None; keys.witnesses.len()],
        })
    }

    async fn push(&mut self, entry: TreeHash) -> Result<(), AuditError> {
        let index = self.tree.size();
        let kept = match &mut self.kept {
            Some(kept) => kept.hash(index).await?,
            None => None,
        };
        if kept.is_some_and(|kept| kept != entry) && self.differs.len() < FIRST {
            self.differs.push(index + 1);
        }
        self.tree.push(entry, |_, _| {});
        self.kept_tree.push(kept.unwrap_or(entry), |_, _| {});
        Ok(())
    }

    /// The next checkpoint that was not compared yet.
    async fn next_checkpoint(&mut self) -> Result<Option<Signed>, AuditError> {
        let other = self.others.front().map(|signed| signed.head.size);
        let Some(kept) = &mut self.kept else { return Ok(self.others.pop_front()) };
        if kept.checkpoints.is_empty() {
            kept.checkpoints = query::checkpoints(kept.read, self.looked_at, CHECKPOINTS).await?.into();
        }
        let is_next = |(size, _): &mut query::Kept| other.is_none_or(|other| *size <= other);
        let Some((size, note)) = kept.checkpoints.pop_front_if(is_next) else {
            return Ok(self.others.pop_front());
        };
        self.looked_at = size;
        let signed = note.and_then(|note| believed(note, self.keys.log));
        let refused = |source| AuditError::Checkpoint { size: Some(size), source };
        match signed.map_err(refused)? {
            signed if signed.head.size == size => Ok(Some(signed)),
            _ => Err(refused(NoteError::Malformed)),
        }
    }

    /// Compares the tree with what was signed of it.
    fn compare(&mut self, Signed { head: signed, note }: &Signed) -> Result<(), AuditError> {
        if signed.size != self.tree.size() || signed.root != self.tree.root() {
            // The tree as it is kept tells which event it is, if it is the tree that was signed.
            return Err(match self.differs.first() {
                Some(position) if signed.root == self.kept_tree.root() => {
                    AuditError::Altered { position: *position, signed: signed.size }
                }
                Some(_) | None => AuditError::Otherwise { after: self.signed, signed: signed.size },
            });
        }
        self.damaged.append(&mut self.differs);
        self.damaged.truncate(FIRST);
        self.kept_tree = self.tree.clone();
        self.signed = signed.size;
        self.checkpoints += 1;
        self.hear(signed, note)
    }

    /// Who else signed what turned out to be so.
    fn hear(&mut self, signed: &TreeHead, note: &Note) -> Result<(), AuditError> {
        for (witness, heard) in self.keys.witnesses.iter().zip(&mut self.witnessed) {
            match note.verify(witness) {
                Ok(at) => *heard = at.map(|at| (signed.size, at)),
                Err(NoteError::Unsigned) => {}
                Err(source @ (NoteError::False | NoteError::Malformed)) => {
                    let witness = witness.name().to_owned();
                    return Err(AuditError::Cosignature { size: signed.size, witness, source });
                }
            }
        }
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
        let so_far = self.tree.size();
        let events = reader.read(i64::try_from(so_far).unwrap_or(i64::MAX), 2 * BATCH).await?;
        for (event, expected) in events.iter().zip(so_far + 1..) {
            let position = whole(event.position);
            match position.cmp(&expected) {
                Ordering::Less => return Ok(Some((position, AuditError::Doubled { position }))),
                Ordering::Greater => {
                    return Ok(Some((expected, AuditError::Missing { position: expected })));
                }
                Ordering::Equal => self.push(Facts::from(event).hash()).await?,
            }
        }
        let position = self.tree.size() + 1;
        let missing = events.len() < 2 * BATCH && whole(reader.head().await?.position) >= position;
        Ok(missing.then_some((position, AuditError::Missing { position })))
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
        if self.checkpoints == 0 && self.tree.size() > 0 {
            return Err(AuditError::Nothing);
        }
        Ok(Audited {
            events: self.tree.size(),
            root: self.tree.root(),
            signed: self.signed,
            checkpoints: self.checkpoints,
            damaged: self.damaged,
            witnessed: self.witnessed,
        })
    }
}

impl Kept<'_> {
    /// The hash of this entry in the tree as it is kept; nothing when it is not.
    async fn hash(&mut self, index: u64) -> Result<Option<TreeHash>, AuditError> {
        if index.is_multiple_of(TILES * TILE_WIDTH) {
            self.tiles = (index, query::entries(self.read, index / TILE_WIDTH, TILES).await?);
        }
        if index >= self.size {
            return Ok(None);
        }
        let from = usize::try_from(index - self.tiles.0).unwrap_or(0) * TreeHash::LEN;
        let hash = self.tiles.1.get(from..from + TreeHash::LEN);
        Ok(hash.and_then(|hash| hash.try_into().ok()).map(TreeHash))
    }
}
