//! A dataset's files of one chunk: one for each month, Parquet compressed with zstd.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
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
const GROUP: (usize, usize) = (262_144, 16 << 20);
/// Columns in which hardly anything occurs twice.
const UNIQUE: &[&str] = &["position", "event_id", "payload", "metadata", "command_id"];

/// A month, as folders are named.
pub(super) fn month(at: Timestamp) -> String {
    at.format("month=%Y-%m").to_string()
}

/// The files of a dataset in one chunk.
pub(super) struct Dataset {
    /// The export's folder.
    folder: PathBuf,
    name: String,
    /// The chunk's first position, which its files are named by.
    first: Position,
    schema: SchemaRef,
    months: BTreeMap<String, Month>,
}

/// One file.
struct Month {
    path: String,
    writer: ArrowWriter<Hashed>,
    rows: u64,
}

impl Dataset {
    pub(super) fn new(folder: &Path, name: &str, first: Position, schema: SchemaRef) -> Self {
        Self { folder: folder.to_owned(), name: name.to_owned(), first, schema, months: BTreeMap::new() }
    }

    /// Adds rows of a month.
    pub(super) fn write(&mut self, month: &str, rows: &RecordBatch) -> Result<(), Failure> {
        if !self.months.contains_key(month) {
            let new = self.create(month)?;
            self.months.insert(month.to_owned(), new);
        }
        if let Some(file) = self.months.get_mut(month) {
            file.writer.write(rows)?;
            file.rows += u64::try_from(rows.num_rows())?;
        }
        Ok(())
    }

    fn create(&self, month: &str) -> Result<Month, Failure> {
        let path = format!("{}/{month}/{:012}.parquet", self.name, self.first);
        let half = self.folder.join(HALF).join(&path);
        if let Some(parent) = half.parent() {
            fs::create_dir_all(parent).map_err(at(parent))?;
        }
        let file = Hashed { file: File::create(&half).map_err(at(&half))?, digest: Sha256::new(), bytes: 0 };
        let mut properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::try_new(1)?))
            .set_max_row_group_row_count(Some(GROUP.0))
            .set_max_row_group_bytes(Some(GROUP.1));
        for column in UNIQUE {
            properties = properties.set_column_dictionary_enabled(ColumnPath::from(*column), false);
        }
        let writer = ArrowWriter::try_new(file, self.schema.clone(), Some(properties.build()))?;
        Ok(Month { path, writer, rows: 0 })
    }

    /// Ends the files.
    pub(super) fn close(self) -> Result<Vec<Written>, Failure> {
        let mut written = Vec::new();
        for Month { path, writer, rows } in self.months.into_values() {
            let Hashed { file, digest, bytes } = writer.into_inner()?;
            file.sync_all().map_err(at(&self.folder.join(&path)))?;
            let sha256 = format!("{:x}", digest.finalize());
            written.push(Written { path, dataset: self.name.clone(), rows, bytes, sha256 });
        }
        Ok(written)
    }
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
