//! A dataset's files of one chunk: one for each month, Parquet compressed with zstd.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use chrono::Datelike;
use daybook_domain::Timestamp;
use daybook_eventstore::Position;
use daybook_eventstore::process::Failure;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;
use parquet::schema::types::ColumnPath;
use sha2::{Digest, Sha256};

use super::at;
use super::manifest::Written;

/// The folder in which files are written, until the chunk is whole.
pub(super) const HALF: &str = ".half";
/// How many rows, and how many bytes before compression, a group of rows has at most: what is kept in memory.
const GROUP: (usize, usize) = (262_144, 8 << 20);
/// How large a page is, before compression: each column of each file that is open has one in memory.
const PAGE: usize = 256 << 10;
/// How many months of a dataset are written at a time: another one ends the file of the one that was not written to for
/// longest, which may get a second file later.
pub(super) const OPEN: usize = 6;
/// How many files are brought to the disk at a time.
const SYNCING: usize = 16;
/// Columns in which hardly anything occurs twice.
const UNIQUE: &[&str] = &[
    "position",
    "event_id",
    "aggregate_id",
    "payload",
    "metadata",
    "command_id",
    "correlation_id",
    "causation_id",
];

/// A month of a year.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Month {
    year: i32,
    month: u32,
}

impl Month {
    /// That of a moment, in UTC.
    pub(super) fn of(at: Timestamp) -> Self {
        Self { year: at.year(), month: at.month() }
    }
}

impl fmt::Display for Month {
    /// As folders are named.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "month={:04}-{:02}", self.year, self.month)
    }
}

/// The files of a dataset in one chunk.
pub(super) struct Dataset {
    /// The export's folder.
    folder: PathBuf,
    name: String,
    /// The chunk's first position, which its files are named by.
    first: Position,
    schema: SchemaRef,
    open: BTreeMap<Month, Out>,
    /// How many files each month has so far.
    parts: BTreeMap<Month, u32>,
    closed: Vec<Written>,
    /// How often anything was written.
    clock: u64,
}

/// One file.
struct Out {
    path: String,
    writer: ArrowWriter<Hashed>,
    rows: u64,
    /// When it was written to last.
    used: u64,
}

impl Dataset {
    pub(super) fn new(folder: &Path, name: &str, first: Position, schema: SchemaRef) -> Self {
        Self {
            folder: folder.to_owned(),
            name: name.to_owned(),
            first,
            schema,
            open: BTreeMap::new(),
            parts: BTreeMap::new(),
            closed: Vec::new(),
            clock: 0,
        }
    }

    /// How many bytes wait in memory.
    pub(super) fn waiting(&self) -> usize {
        self.open.values().map(|out| out.writer.in_progress_size()).sum()
    }

    /// Writes what waits in memory.
    pub(super) fn flush(&mut self) -> Result<(), Failure> {
        self.open.values_mut().try_for_each(|out| Ok(out.writer.flush()?))
    }

    /// Adds rows of a month.
    pub(super) fn write(&mut self, month: Month, rows: &RecordBatch) -> Result<(), Failure> {
        if !self.open.contains_key(&month) {
            self.make_room()?;
            let part = self.parts.entry(month).or_default();
            *part += 1;
            let place = (self.folder.as_path(), self.name.as_str());
            self.open.insert(month, create(place, month, (self.first, *part), &self.schema)?);
        }
        self.clock += 1;
        if let Some(out) = self.open.get_mut(&month) {
            out.writer.write(rows)?;
            out.rows += u64::try_from(rows.num_rows())?;
            out.used = self.clock;
        }
        Ok(())
    }

    /// Ends the file that was not written to for longest, when there are too many.
    fn make_room(&mut self) -> Result<(), Failure> {
        let oldest = self.open.iter().min_by_key(|(_, out)| out.used).map(|(month, _)| *month);
        match oldest.filter(|_| self.open.len() >= OPEN).and_then(|month| self.open.remove(&month)) {
            Some(out) => self.end(out),
            None => Ok(()),
        }
    }

    fn end(&mut self, out: Out) -> Result<(), Failure> {
        let Out { path, writer, rows, .. } = out;
        let Hashed { digest, bytes, .. } = writer.into_inner()?;
        let sha256 = format!("{:x}", digest.finalize());
        self.closed.push(Written { path, dataset: self.name.clone(), rows, bytes, sha256 });
        Ok(())
    }

    /// Ends the files.
    pub(super) fn close(mut self) -> Result<Vec<Written>, Failure> {
        for out in std::mem::take(&mut self.open).into_values() {
            self.end(out)?;
        }
        Ok(self.closed)
    }
}

/// Makes sure that files, named from a folder on, are on the disk. Many at a time, since the file system writes them
/// together then.
pub(super) fn sync(folder: &Path, files: &[Written]) -> Result<(), Failure> {
    let share = files.len().div_ceil(SYNCING).max(1);
    let sync = |file: &Written| {
        let path = folder.join(&file.path);
        File::open(&path).and_then(|file| file.sync_all()).map_err(|error| at(&path)(error).to_string())
    };
    std::thread::scope(|scope| {
        let parts: Vec<_> =
            files.chunks(share).map(|part| scope.spawn(move || part.iter().try_for_each(sync))).collect();
        parts.into_iter().try_for_each(|part| part.join().map_err(|_| "a thread panicked".to_owned())?)
    })?;
    Ok(())
}

/// Begins the file of a month, in the folder of what is not whole yet.
fn create(
    (folder, dataset): (&Path, &str),
    month: Month,
    (first, part): (Position, u32),
    schema: &SchemaRef,
) -> Result<Out, Failure> {
    let part = if part == 1 { String::new() } else { format!("-{part}") };
    let path = format!("{dataset}/{month}/{first:012}{part}.parquet");
    let half = folder.join(HALF).join(&path);
    if let Some(parent) = half.parent() {
        fs::create_dir_all(parent).map_err(at(parent))?;
    }
    let file = Hashed { file: File::create(&half).map_err(at(&half))?, digest: Sha256::new(), bytes: 0 };
    let mut properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(1)?))
        .set_data_page_size_limit(PAGE)
        .set_dictionary_page_size_limit(PAGE)
        .set_max_row_group_row_count(Some(GROUP.0))
        .set_max_row_group_bytes(Some(GROUP.1));
    for column in UNIQUE {
        properties = properties.set_column_dictionary_enabled(ColumnPath::from(*column), false);
    }
    let writer = ArrowWriter::try_new(file, schema.clone(), Some(properties.build()))?;
    Ok(Out { path, writer, rows: 0, used: 0 })
}

/// A file whose digest is taken as it is written.
struct Hashed {
    file: File,
    digest: Sha256,
    bytes: u64,
}

impl Write for Hashed {
    fn write(&mut self, part: &[u8]) -> io::Result<usize> {
        let written = self.file.write(part)?;
        self.digest.update(&part[..written]);
        self.bytes += u64::try_from(written).unwrap_or(0);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}
