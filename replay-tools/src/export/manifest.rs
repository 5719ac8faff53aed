//! `manifest.json`: what the folder has, with the checksum of every file and the log's root. A file that is not in it is
//! not part of the export.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use daybook_eventstore::process::Failure;
use daybook_eventstore::proof::{Frontier, TreeHash};
use daybook_eventstore::{Checkpoint, EventHash, LogReader, Position};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::at;

/// The form of the manifest and of what it describes.
const FORMAT: u32 = 1;
const NAME: &str = "manifest.json";

/// A file of a chunk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Written {
    /// Where it is, from the folder on.
    pub(super) path: String,
    /// Which dataset it belongs to: `events`, or a type of event.
    pub(super) dataset: String,
    /// How many events are in it.
    pub(super) rows: u64,
    /// How large it is.
    pub(super) bytes: u64,
    /// SHA-256 of it, in hexadecimal.
    pub(super) sha256: String,
}

/// A range of the log that was exported.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Range {
    /// The positions of its first and last event.
    pub(super) first: Position,
    pub(super) last: Position,
    /// The hash of the last event, by which the log is known again.
    pub(super) event_hash: String,
    /// The root of the log's Merkle tree up to its last event (`docs/proof.md`), and the subtrees it consists of.
    pub(super) root: String,
    pub(super) subtrees: Vec<String>,
    /// Events whose fields could not be read: they are in `events` only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) unreadable: Vec<Position>,
    /// Its files.
    pub(super) files: Vec<Written>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Content {
    format: u32,
    /// The log's epoch.
    epoch: Uuid,
    ranges: Vec<Range>,
}

/// The manifest of a folder.
#[derive(Debug)]
pub(super) struct Manifest {
    path: PathBuf,
    content: Content,
}

/// That nobody else writes to the folder, as long as this is there.
#[derive(Debug)]
pub(super) struct Ours(#[expect(dead_code, reason = "it is held")] File);

impl Manifest {
    /// That of this folder, which may be empty or not there yet.
    ///
    /// # Errors
    /// When the folder has an export of another log or another program's, or another export is under way.
    pub(super) async fn open(folder: &Path, log: &LogReader) -> Result<(Self, Ours), Failure> {
        fs::create_dir_all(folder).map_err(at(folder))?;
        let lock = folder.join(".lock");
        let file = File::create(&lock).map_err(at(&lock))?;
        if file.try_lock().is_err() {
            return Err(format!("another export to {} is under way", folder.display()).into());
        }
        let path = folder.join(NAME);
        let content = match fs::read(&path) {
            Ok(text) => serde_json::from_slice(&text)
                .map_err(|error| Failure::from(format!("{}: {error}", path.display())))?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                Content { format: FORMAT, epoch: log.head().await?.epoch, ranges: Vec::new() }
            }
            Err(error) => return Err(at(&path)(error)),
        };
        if content.format != FORMAT {
            return Err(format!(
                "{} is of format {}, and this program's is {FORMAT}",
                path.display(),
                content.format
            )
            .into());
        }
        let manifest = Self { path, content };
        manifest.checkpoint()?.verify(log, "the export").await?;
        manifest.clean(folder)?;
        Ok((manifest, Ours(file)))
    }

    /// Takes away what an export that was killed had put in its place and not noted: another one may name files otherwise.
    fn clean(&self, folder: &Path) -> Result<(), Failure> {
        let entries = |folder: &Path| -> Result<Vec<PathBuf>, Failure> {
            let entries = fs::read_dir(folder).map_err(at(folder))?;
            entries.map(|entry| Ok(entry.map_err(at(folder))?.path())).collect()
        };
        let is_month = |path: &PathBuf| {
            path.is_dir() && path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("month="))
        };
        for dataset in entries(folder)?.into_iter().filter(|path| path.is_dir()) {
            for month in entries(&dataset)?.into_iter().filter(is_month) {
                for file in entries(&month)? {
                    let name =
                        file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
                    let first =
                        name.split(['.', '-']).next().and_then(|first| first.parse::<Position>().ok());
                    if name.ends_with(".parquet") && first.is_some_and(|first| first > self.last()) {
                        fs::remove_file(&file).map_err(at(&file))?;
                    }
                }
            }
        }
        Ok(())
    }

    /// The position of the last event that is in it; 0 when none is.
    pub(super) fn last(&self) -> Position {
        self.content.ranges.last().map_or(0, |range| range.last)
    }

    /// The log up to there, as its tree.
    pub(super) fn frontier(&self) -> Result<Frontier, Failure> {
        let Some(range) = self.content.ranges.last() else { return Ok(Frontier::default()) };
        let subtrees: Option<Vec<TreeHash>> =
            range.subtrees.iter().map(|text| hash(text).map(TreeHash)).collect();
        let size = u64::try_from(range.last)?;
        let frontier = subtrees.and_then(|subtrees| Frontier::of(size, subtrees));
        frontier.ok_or_else(|| format!("{}: the last range's subtrees are wrong", self.path.display()).into())
    }

    fn checkpoint(&self) -> Result<Checkpoint, Failure> {
        let start = Checkpoint::start(self.content.epoch);
        let Some(range) = self.content.ranges.last() else { return Ok(start) };
        let hash = hash(&range.event_hash);
        let hash = hash.ok_or_else(|| format!("{}: the last range's hash is wrong", self.path.display()))?;
        Ok(Checkpoint { position: range.last, hash: EventHash(hash), ..start })
    }

    /// Adds a range whose files are in their places.
    pub(super) fn add(&mut self, range: Range) -> Result<(), Failure> {
        self.content.ranges.push(range);
        let half = self.path.with_extension("json.half");
        let mut text = serde_json::to_vec_pretty(&self.content)?;
        text.push(b'\n');
        let mut file = File::create(&half).map_err(at(&half))?;
        file.write_all(&text).and_then(|()| file.sync_all()).map_err(at(&half))?;
        fs::rename(&half, &self.path).map_err(at(&self.path))?;
        let folder = self.path.parent().unwrap_or(Path::new("."));
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(at(folder))
    }

    /// How much there is, and of which log.
    pub(super) fn summary(&self) -> String {
        let files: Vec<&Written> = self.content.ranges.iter().flat_map(|range| &range.files).collect();
        let bytes: u64 = files.iter().map(|file| file.bytes).sum();
        let mut datasets: BTreeMap<&str, u64> = BTreeMap::new();
        for file in &files {
            *datasets.entry(&file.dataset).or_default() += file.rows;
        }
        let unreadable: usize = self.content.ranges.iter().map(|range| range.unreadable.len()).sum();
        let missing = match unreadable {
            0 => String::new(),
            some => {
                format!(", {some} events whose fields cannot be read (manifest.json has their positions)")
            }
        };
        let root = self.content.ranges.last().map_or("nothing", |range| range.root.as_str());
        format!(
            "{} datasets in {} files of {} MB{missing}; the log's root is {root}",
            datasets.len(),
            files.len(),
            bytes >> 20
        )
    }
}

/// 32 bytes from hexadecimal.
fn hash(text: &str) -> Option<[u8; 32]> {
    let digits: Vec<u32> = text.chars().map(|c| c.to_digit(16)).collect::<Option<_>>()?;
    let byte = |pair: &[u32]| match pair {
        [high, low] => u8::try_from(high << 4 | low).ok(),
        _ => None,
    };
    digits.chunks(2).map(byte).collect::<Option<Vec<u8>>>()?.try_into().ok()
}
