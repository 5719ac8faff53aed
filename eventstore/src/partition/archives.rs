//! A folder of archives, from which what has left the database is read.

use std::io;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Partition;
use super::file::{ArchiveFile, Digest, Writing, named};
use crate::error::StoreError;
use crate::event::{Position, RecordedEvent};

/// The folder in which a store's partitions have their files.
#[derive(Debug, Clone)]
pub struct Archives {
    folder: Arc<Path>,
}

/// The archive of a partition, open for reading. Cloning shares it.
#[derive(Debug, Clone)]
pub(crate) struct Archive {
    file: Arc<ArchiveFile>,
}

impl Archives {
    /// The archives in this folder, which must be there when one is written.
    pub fn in_folder(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into().into() }
    }

    /// The file of a partition; nothing when it has none. Its name has the positions, as long as they can be, so that a
    /// listing has them in order, and the beginning of the digest that vouches for it, so that none takes another's place.
    pub fn path(&self, partition: &Partition) -> Option<PathBuf> {
        let name = |digest: &Digest| named(partition.first, partition.last, digest);
        partition.archive.as_ref().map(|digest| self.folder.join(name(digest)))
    }

    pub(super) async fn begin(&self, positions: RangeInclusive<Position>) -> Result<Writing, StoreError> {
        let folder = Arc::clone(&self.folder);
        off_thread(&self.folder, move || Writing::begin(&folder, &positions)).await
    }

    pub(super) async fn add(&self, mut writing: Writing, lines: Vec<u8>) -> Result<Writing, StoreError> {
        off_thread(&self.folder, move || writing.add(&lines).map(|()| writing)).await
    }

    pub(super) async fn finish(&self, writing: Writing) -> Result<Digest, StoreError> {
        off_thread(&self.folder, move || writing.finish()).await
    }

    /// The archive of a partition.
    ///
    /// # Errors
    /// [`StoreError::Archive`] when it cannot be read or is not the one that was written.
    pub(crate) async fn open(&self, partition: &Partition) -> Result<Archive, StoreError> {
        let known = partition.archive.zip(self.path(partition));
        let (digest, path) = known.ok_or(StoreError::NotArchived { position: partition.first })?;
        let named = path.clone();
        let file = off_thread(&named, move || ArchiveFile::open(&path, &digest)).await?;
        Ok(Archive { file: Arc::new(file) })
    }

    /// Reads the archive of a partition through.
    pub(super) async fn verify(&self, partition: &Partition) -> Result<(), StoreError> {
        let archive = self.open(partition).await?;
        for block in archive.blocks() {
            archive.events(block).await?;
        }
        Ok(())
    }
}

impl Archive {
    /// The events of one of its blocks.
    ///
    /// # Errors
    /// [`StoreError::Archive`] when it cannot be read or is not as it was written.
    pub(crate) async fn events(&self, block: i64) -> Result<Vec<RecordedEvent>, StoreError> {
        let file = Arc::clone(&self.file);
        off_thread(self.file.path(), move || file.events(block)).await
    }

    /// Whether it has this block.
    pub(crate) fn has(&self, block: i64) -> bool {
        self.blocks().contains(&block)
    }

    /// The numbers of its blocks.
    pub(super) fn blocks(&self) -> RangeInclusive<i64> {
        self.file.blocks()
    }

    /// The lines of one of its blocks, which are those of its events.
    pub(super) async fn lines(&self, block: i64) -> Result<Vec<u8>, StoreError> {
        let file = Arc::clone(&self.file);
        off_thread(self.file.path(), move || file.events(block).and_then(|_| file.lines(block))).await
    }
}

/// Files make whoever turns to them wait, and compression takes its time.
async fn off_thread<T: Send + 'static>(
    path: &Path,
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, StoreError> {
    let done = tokio::task::spawn_blocking(work).await.map_err(|_panicked| StoreError::Closed)?;
    done.map_err(|source| StoreError::Archive { path: path.display().to_string(), source })
}
