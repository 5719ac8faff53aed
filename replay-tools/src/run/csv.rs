//! Rows as files, and what tells two of them apart.

use std::io::Write;
use std::path::Path;
use std::pin::pin;

use daybook_eventstore::process::Failure;
use daybook_projections::sql::SqlError;
use futures::{Stream, TryStreamExt};
use sha2::{Digest, Sha256};

/// What can be said of rows in one line: two runs over the same events say the same.
#[derive(Debug)]
pub(super) struct Summed {
    /// How many there are, without the names of the columns.
    pub(super) rows: u64,
    /// SHA-256 of them as CSV, in hexadecimal.
    pub(super) sha256: String,
}

/// Counts rows and line feeds as they pass; a line feed in quotes ends no row.
#[derive(Debug, Default)]
pub(super) struct Sum {
    digest: Sha256,
    lines: u64,
    quoted: bool,
}

impl Sum {
    pub(super) fn add(&mut self, bytes: &[u8]) {
        self.digest.update(bytes);
        for byte in bytes {
            match byte {
                b'"' => self.quoted = !self.quoted,
                b'\n' if !self.quoted => self.lines += 1,
                _ => {}
            }
        }
    }

    pub(super) fn end(self) -> Summed {
        Summed { rows: self.lines.saturating_sub(1), sha256: format!("{:x}", self.digest.finalize()) }
    }
}

/// Sums rows that go nowhere.
pub(super) async fn sum(
    rows: impl Stream<Item = Result<impl AsRef<[u8]>, SqlError>>,
) -> Result<Summed, Failure> {
    let (mut rows, mut sum) = (pin!(rows), Sum::default());
    while let Some(bytes) = rows.try_next().await? {
        sum.add(bytes.as_ref());
    }
    Ok(sum.end())
}

/// Writes rows to a file, which is there when it is whole.
pub(super) async fn write(
    file: &Path,
    rows: impl Stream<Item = Result<impl AsRef<[u8]>, SqlError>>,
) -> Result<Summed, Failure> {
    let cannot = |error: std::io::Error| Failure::from(format!("cannot write {}: {error}", file.display()));
    let half = file.with_extension("csv.half");
    let mut out = std::io::BufWriter::new(std::fs::File::create(&half).map_err(cannot)?);
    let (mut rows, mut sum) = (pin!(rows), Sum::default());
    while let Some(bytes) = rows.try_next().await? {
        sum.add(bytes.as_ref());
        out.write_all(bytes.as_ref()).map_err(cannot)?;
    }
    let written = out.into_inner().map_err(|error| cannot(error.into_error()))?;
    written.sync_all().map_err(cannot)?;
    std::fs::rename(&half, file).map_err(cannot)?;
    Ok(sum.end())
}
