//! The file of a partition: what `COPY … TO` gave, in frames of Zstandard (RFC 8878), one for each block of the log, and
//! last a skippable frame with a table of contents. So `zstd -dc` gives the events to anybody, `COPY … FROM` takes them,
//! and a block can be read alone.

use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::text::{self, COLUMNS, not_events};
use crate::event::{Position, RecordedEvent};
use crate::reader::BLOCK;

/// Names the form of the file.
const FORM: &str = "daybook-events-1";
/// How hard to compress: more takes much longer for little.
const LEVEL: i32 = 6;
/// What a frame begins with that readers of Zstandard skip.
const SKIPPABLE: u32 = 0x184D_2A50;
/// The longest table of contents; a partition of a thousand million events has one of 30 MB.
const MAX_CONTENTS: u32 = 1 << 26;

/// The table of contents.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Contents {
    form: String,
    first: Position,
    last: Position,
    columns: Vec<String>,
    blocks: Vec<Block>,
}

/// Where a block is, and the SHA-256 of its frame.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Block {
    offset: u64,
    length: u32,
    sha256: String,
}

/// A file that is being written; nothing is at its place before it is whole.
#[derive(Debug)]
pub(super) struct Writing {
    file: File,
    folder: PathBuf,
    part: PathBuf,
    contents: Contents,
    offset: u64,
}

/// A file, and what its table of contents says.
#[derive(Debug)]
pub(super) struct ArchiveFile {
    path: PathBuf,
    contents: Contents,
}

/// SHA-256 of a file's table of contents, which has that of each block: it vouches for the whole file.
pub(super) type Digest = [u8; 32];

/// The name of the file with this digest.
pub(super) fn named(first: Position, last: Position, digest: &Digest) -> String {
    format!("events-{first:019}-{last:019}-{}.copy.zst", hex(&digest[..8]))
}

impl Writing {
    /// A file in this folder for these positions.
    pub(super) fn begin(folder: &Path, positions: &RangeInclusive<Position>) -> io::Result<Self> {
        let part = folder.join(format!("events-{}-{}.part", positions.start(), positions.end()));
        let contents = Contents {
            form: FORM.to_owned(),
            first: *positions.start(),
            last: *positions.end(),
            columns: COLUMNS.map(str::to_owned).to_vec(),
            blocks: Vec::new(),
        };
        Ok(Self { file: File::create(&part)?, folder: folder.to_owned(), part, contents, offset: 0 })
    }

    /// Adds the lines of the next block.
    pub(super) fn add(&mut self, lines: &[u8]) -> io::Result<()> {
        let frame = zstd::bulk::compress(lines, LEVEL)?;
        self.file.write_all(&frame)?;
        let length = u32::try_from(frame.len()).map_err(io::Error::other)?;
        self.contents.blocks.push(Block {
            offset: self.offset,
            length,
            sha256: hex(&Sha256::digest(&frame)),
        });
        self.offset += u64::from(length);
        Ok(())
    }

    /// Writes the table of contents, and puts the file, once it is on the disk, at its place.
    pub(super) fn finish(mut self) -> io::Result<Digest> {
        let contents = serde_json::to_vec(&self.contents)?;
        let length = u32::try_from(contents.len()).map_err(io::Error::other)?;
        for piece in [
            &SKIPPABLE.to_le_bytes(),
            &(length + 4).to_le_bytes(),
            contents.as_slice(),
            &length.to_le_bytes(),
        ] {
            self.file.write_all(piece)?;
        }
        self.file.sync_all()?;
        let digest = Sha256::digest(&contents).into();
        let name = named(self.contents.first, self.contents.last, &digest);
        fs::rename(&self.part, self.folder.join(name))?;
        File::open(&self.folder)?.sync_all()?;
        Ok(digest)
    }
}

impl ArchiveFile {
    /// The file, if its table of contents is the one with this digest.
    pub(super) fn open(path: &Path, digest: &Digest) -> io::Result<Self> {
        let mut file = File::open(path)?;
        file.seek(SeekFrom::End(-4))?;
        let mut length = [0; 4];
        file.read_exact(&mut length)?;
        let length = u32::from_le_bytes(length);
        if length > MAX_CONTENTS {
            return Err(not_events("it has no table of contents"));
        }
        file.seek(SeekFrom::End(-4 - i64::from(length)))?;
        let mut contents = Vec::new();
        file.take(length.into()).read_to_end(&mut contents)?;
        if <Digest>::from(Sha256::digest(&contents)) != *digest {
            return Err(not_events("it is not the one that was written"));
        }
        let contents: Contents = serde_json::from_slice(&contents)?;
        if contents.form != FORM || contents.columns != COLUMNS {
            return Err(not_events("it has a form that this program does not know"));
        }
        Ok(Self { path: path.to_owned(), contents })
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The numbers of its blocks in the log.
    pub(super) const fn blocks(&self) -> RangeInclusive<i64> {
        (self.contents.first - 1) / BLOCK..=(self.contents.last - 1) / BLOCK
    }

    /// The lines of a block.
    pub(super) fn lines(&self, block: i64) -> io::Result<Vec<u8>> {
        let index = usize::try_from(block - self.blocks().start()).ok();
        let place = index.and_then(|index| self.contents.blocks.get(index));
        let Block { offset, length, sha256 } = place.ok_or_else(|| not_events("a block is missing"))?;
        let mut file = File::open(&self.path)?;
        file.seek(SeekFrom::Start(*offset))?;
        let mut frame = Vec::new();
        file.take((*length).into()).read_to_end(&mut frame)?;
        if hex(&Sha256::digest(&frame)) != *sha256 {
            return Err(not_events("a block is not as it was written"));
        }
        zstd::stream::decode_all(frame.as_slice())
    }

    /// The events of a block: one for each of its positions, in order.
    pub(super) fn events(&self, block: i64) -> io::Result<Vec<RecordedEvent>> {
        let events = text::events(&self.lines(block)?)?;
        let positions =
            (block * BLOCK + 1..).zip(&events).all(|(position, event)| event.position == position);
        if positions && i64::try_from(events.len()) == Ok(BLOCK) {
            Ok(events)
        } else {
            Err(not_events("a block does not have the events of its positions"))
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
