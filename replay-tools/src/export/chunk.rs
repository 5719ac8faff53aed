//! One chunk of the log, written to files that are put in their places when all of them are whole.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::Path;
use std::sync::Arc;

use daybook_eventstore::process::Failure;
use daybook_eventstore::proof::Frontier;
use daybook_eventstore::{Batch, LogReader, Position, Selection};
use tokio::sync::mpsc;

use super::dataset::{HALF, sync};
use super::manifest::{Ours, Range, Written};
use super::{at, raw, typed};

/// How many events are read at once, and how many times that many wait to be written.
const READ: usize = 1_000;
const AHEAD: usize = 8;

/// Events for whoever writes them; nothing is the end, and without it the export was given up.
pub(super) type Sent = Option<Arc<Batch>>;

/// The events after one position and up to another.
pub(super) struct Chunk<'a> {
    /// That nobody else writes to the folder, for as long as anybody here does.
    pub(super) ours: &'a Arc<Ours>,
    pub(super) folder: &'a Path,
    pub(super) after: Position,
    pub(super) end: Position,
}

impl Chunk<'_> {
    /// Writes it. Given up halfway, it leaves nothing that counts.
    pub(super) async fn write(
        &self,
        log: &LogReader,
        frontier: Frontier,
        tell: &mut impl FnMut(Position),
    ) -> Result<Range, Failure> {
        let half = self.folder.join(HALF);
        clear(&half)?;
        let (to_raw, raws) = mpsc::channel(AHEAD);
        let (to_typed, typeds) = mpsc::channel(AHEAD);
        let (folder, first) = (self.folder.to_owned(), self.after + 1);
        let ours = Arc::clone(self.ours);
        let raw = tokio::task::spawn_blocking(move || {
            let written = raw::write(&folder, first, frontier, raws);
            drop(ours);
            written
        });
        let (folder, ours) = (self.folder.to_owned(), Arc::clone(self.ours));
        let typed = tokio::task::spawn_blocking(move || {
            let written = typed::write(&folder, first, typeds);
            drop(ours);
            written
        });
        let read = self.read(log, [to_raw, to_typed], tell).await;
        let (raw, typed) = (raw.await?, typed.await?);
        // What was wrong is told by whoever it was; the others were given up for it.
        read?;
        let (Some(raw), Some(typed)) = (raw?, typed?) else { return Err("the export was given up".into()) };
        let last = raw.last.filter(|(position, _)| *position == self.end);
        let (last, hash) = last.ok_or("the log is shorter than it was")?;
        let files: Vec<Written> = raw.files.into_iter().chain(typed.files).collect();
        self.put_in_place(&files)?;
        let hex =
            |bytes: &[u8; 32]| bytes.iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"));
        Ok(Range {
            first,
            last,
            event_hash: hex(&hash.0),
            root: raw.frontier.root().to_string(),
            subtrees: raw.frontier.subtrees().iter().map(ToString::to_string).collect(),
            unreadable: typed.unreadable,
            files,
        })
    }

    /// Reads the events for all who write them.
    async fn read(
        &self,
        log: &LogReader,
        writers: [mpsc::Sender<Sent>; 2],
        tell: &mut impl FnMut(Position),
    ) -> Result<(), Failure> {
        let mut scan = log.scan(Selection::after(self.after).until(self.end), READ);
        let mut read = self.after;
        while let Some(batch) = scan.next().await? {
            read += Position::try_from(batch.len())?;
            if !send(&writers, &Some(Arc::new(batch))).await {
                return Ok(());
            }
            tell(read);
        }
        send(&writers, &None).await;
        Ok(())
    }

    fn put_in_place(&self, files: &[Written]) -> Result<(), Failure> {
        let (half, mut folders) = (self.folder.join(HALF), BTreeSet::new());
        sync(&half, files)?;
        for file in files {
            let place = self.folder.join(&file.path);
            if let Some(parent) = place.parent() {
                fs::create_dir_all(parent).map_err(at(parent))?;
                folders.extend(
                    parent.ancestors().take_while(|one| one.starts_with(self.folder)).map(Path::to_owned),
                );
            }
            fs::rename(half.join(&file.path), &place).map_err(at(&place))?;
        }
        for folder in folders {
            File::open(&folder).and_then(|folder| folder.sync_all()).map_err(at(&folder))?;
        }
        clear(&half)
    }
}

/// Whether all took it; one that did not has something to tell.
async fn send(writers: &[mpsc::Sender<Sent>], sent: &Sent) -> bool {
    for writer in writers {
        if writer.send(sent.clone()).await.is_err() {
            return false;
        }
    }
    true
}

/// Takes away what an export that was given up left.
fn clear(half: &Path) -> Result<(), Failure> {
    match fs::remove_dir_all(half) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(at(half)(error)),
        _ => Ok(()),
    }
}
