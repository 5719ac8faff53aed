//! The file: plain or xz-compressed CSV, read once to know it and once to import it. It is never held in memory.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use csv::{ByteRecord, Reader, ReaderBuilder};
use liblzma::read::XzDecoder;
use ring::digest::{Context, SHA256};

use super::error::ImportError;
use super::line::{HEADER, is_header};

/// What an xz file begins with (The .xz File Format, 2.1.1.1).
const XZ_MAGIC: &[u8] = b"\xfd7zXZ\0";
/// How much is read at once.
const CHUNK: usize = 1 << 16;

/// What is known of a file before it is imported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Identity {
    /// SHA-256 of its content, uncompressed.
    pub(super) sha256: [u8; 32],
    /// How many lines it has, without the header.
    pub(super) lines: u64,
}

impl Identity {
    /// Reads the file through.
    pub(super) fn of(path: &Path) -> Result<Self, ImportError> {
        let unreadable = |source| ImportError::Unreadable { path: path.to_owned(), source };
        let mut input = open(path)?;
        let mut digest = Context::new(&SHA256);
        let (mut chunk, mut breaks, mut last) = (vec![0; CHUNK], 0_u64, b'\n');
        loop {
            let read = input.read(&mut chunk).map_err(unreadable)?;
            let Some(filled) = chunk.get(..read).filter(|filled| !filled.is_empty()) else { break };
            digest.update(filled);
            breaks += filled.iter().map(|byte| u64::from(*byte == b'\n')).sum::<u64>();
            last = filled.last().copied().unwrap_or(last);
        }
        let lines = breaks + u64::from(last != b'\n');
        let mut sha256 = [0; 32];
        sha256.copy_from_slice(digest.finish().as_ref());
        Ok(Self { sha256, lines: lines.saturating_sub(1) })
    }
}

fn open(path: &Path) -> Result<Box<dyn Read + Send>, ImportError> {
    let unreadable = |source| ImportError::Unreadable { path: path.to_owned(), source };
    let mut file = BufReader::with_capacity(CHUNK, File::open(path).map_err(unreadable)?);
    let compressed = file.fill_buf().map_err(unreadable)?.starts_with(XZ_MAGIC);
    Ok(if compressed { Box::new(XzDecoder::new_multi_decoder(file)) } else { Box::new(file) })
}

/// The lines of a file, after its header.
pub(super) struct Lines {
    path: std::path::PathBuf,
    reader: Reader<Box<dyn Read + Send>>,
    record: ByteRecord,
    read: u64,
}

impl Lines {
    /// Opens the file, which must begin with the header.
    pub(super) fn open(path: &Path) -> Result<Self, ImportError> {
        let mut reader = ReaderBuilder::new().has_headers(false).flexible(true).from_reader(open(path)?);
        let mut record = ByteRecord::new();
        let found = reader.read_byte_record(&mut record);
        let found = found.map_err(|source| ImportError::NotCsv { path: path.to_owned(), source })?;
        if !found || !is_header(&record) {
            return Err(ImportError::NoHeader { path: path.to_owned(), header: HEADER.join(",") });
        }
        Ok(Self { path: path.to_owned(), reader, record, read: 0 })
    }

    /// The next line and its number, from 1.
    pub(super) fn next(&mut self) -> Result<Option<(u64, &ByteRecord)>, ImportError> {
        let found = self.reader.read_byte_record(&mut self.record);
        let found = found.map_err(|source| ImportError::NotCsv { path: self.path.clone(), source })?;
        if !found {
            return Ok(None);
        }
        self.read += 1;
        Ok(Some((self.read, &self.record)))
    }
}
