//! The file read through from its first line, plans going out as they are made. An import that goes on reads again what
//! it did before, because a return rests on the sales before it, and sends only what is left to do.

use std::fs::File;
use std::path::{Path, PathBuf};

use csv::{ByteRecord, Writer, WriterBuilder};
use tokio::sync::mpsc;

use super::error::ImportError;
use super::line::HEADER;
use super::plan::{Outcome, Planner, Unit};
use super::reject::Reason;
use super::source::Lines;

/// What is read, and from where on it is to take effect.
pub(super) struct Reading {
    pub(super) file: PathBuf,
    /// After how many lines to end, with the rest of the invoice that is open then.
    pub(super) limit: Option<u64>,
    /// Everything up to this line has taken effect.
    pub(super) done: u64,
    /// Where the rejected lines go.
    pub(super) rejects: Option<PathBuf>,
}

impl Reading {
    /// Reads until the end, or until nobody takes plans any more: then there is no outcome.
    pub(super) fn run(self, units: &mpsc::Sender<Unit>) -> Result<Option<Outcome>, ImportError> {
        let mut lines = Lines::open(&self.file)?;
        let mut rejects = self.rejects.as_deref().map(Rejects::create).transpose()?;
        let mut planner = Planner::default();
        while let Some((number, record)) = lines.next()? {
            if self.limit.is_some_and(|limit| number > limit) && !planner.may_go_on_with(record) {
                break;
            }
            let read = planner.read(record);
            if let (Some(reason), Some(rejects)) = (read.rejected, rejects.as_mut()) {
                rejects.write(number, reason, record)?;
            }
            if read.unit.is_some_and(|unit| !self.pass_on(unit, units)) {
                return Ok(None);
            }
        }
        let (last, outcome) = planner.finish();
        if let Some(rejects) = rejects {
            rejects.close()?;
        }
        Ok(last.is_none_or(|unit| self.pass_on(unit, units)).then_some(outcome))
    }

    /// Whether the plan was taken or is not needed.
    fn pass_on(&self, unit: Unit, units: &mpsc::Sender<Unit>) -> bool {
        if unit.end > self.done {
            return units.blocking_send(unit).is_ok();
        }
        for listing in unit.work.sold() {
            // It is for sale already; it may be set already, too.
            let _ = listing.listed.set(());
        }
        true
    }
}

/// The rejected lines, each with its number and the reason.
struct Rejects {
    path: PathBuf,
    writer: Writer<File>,
}

impl Rejects {
    fn create(path: &Path) -> Result<Self, ImportError> {
        let path = path.to_owned();
        let unwritable = |source| ImportError::Unwritable { path: path.clone(), source };
        let mut writer =
            WriterBuilder::new().flexible(true).from_writer(File::create(&path).map_err(unwritable)?);
        let header = ["Line", "Reason"].into_iter().chain(HEADER);
        writer.write_record(header).map_err(|error| unwritable(error.into()))?;
        Ok(Self { path, writer })
    }

    fn write(&mut self, number: u64, reason: Reason, record: &ByteRecord) -> Result<(), ImportError> {
        let number = number.to_string();
        let added = [number.as_bytes(), reason.code().as_bytes()];
        let written = self.writer.write_record(added.into_iter().chain(record.iter()));
        written.map_err(|error| ImportError::Unwritable { path: self.path.clone(), source: error.into() })
    }

    fn close(mut self) -> Result<(), ImportError> {
        self.writer.flush().map_err(|source| ImportError::Unwritable { path: self.path, source })
    }
}
