//! The history of one process, written as it happens: what is asked for before it is sent, what was answered when it is
//! known. Each line is one write, so that a kill loses no line that was written and leaves at most a part of the last.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use daybook_domain::Clock as _;
use daybook_eventstore::process::SystemClock;
use serde::{Deserialize, Serialize};

use super::history::{Asked, Attempt, Told};

/// Writes a history.
#[derive(Debug)]
pub(crate) struct Scribe {
    file: Mutex<(File, u64)>,
}

/// A line of the history.
#[derive(Debug, Serialize, Deserialize)]
enum Line {
    Asked { number: u64, at: i64, asked: Asked },
    Told { number: u64, at: i64, told: Told },
}

impl Scribe {
    /// A new history in this file.
    pub(crate) fn new(file: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().create_new(true).append(true).open(file)?;
        Ok(Self { file: Mutex::new((file, 0)) })
    }

    /// Notes what is about to be asked for. To be called before anything of it is sent.
    pub(crate) fn ask(&self, asked: &Asked) -> io::Result<u64> {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.1 += 1;
        let number = file.1;
        write(&mut file.0, &Line::Asked { number, at: now(), asked: asked.clone() })?;
        Ok(number)
    }

    /// Notes what was answered.
    pub(crate) fn tell(&self, number: u64, told: Told) -> io::Result<()> {
        let at = now();
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        write(&mut file.0, &Line::Told { number, at, told })
    }
}

fn write(file: &mut File, line: &Line) -> io::Result<()> {
    let mut text = serde_json::to_string(line)?;
    text.push('\n');
    file.write_all(text.as_bytes())
}

fn now() -> i64 {
    SystemClock.now().timestamp_micros()
}

/// What a history has. Nothing was sent of what is not there in full; what has no answer is unknown.
pub(crate) fn read(file: &Path) -> io::Result<Vec<Attempt>> {
    let text = std::fs::read_to_string(file)?;
    let mut attempts: Vec<Attempt> = Vec::new();
    let mut numbers: HashMap<u64, usize> = HashMap::new();
    for line in text.split_inclusive('\n').filter(|line| line.ends_with('\n')) {
        match serde_json::from_str(line)? {
            Line::Asked { number, at, asked } => {
                numbers.insert(number, attempts.len());
                attempts.push(Attempt { asked, from: at, to: i64::MAX, told: Told::Unknown });
            }
            Line::Told { number, at, told } => {
                if let Some(attempt) = numbers.get(&number).and_then(|index| attempts.get_mut(*index)) {
                    (attempt.to, attempt.told) = (at, told);
                }
            }
        }
    }
    Ok(attempts)
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::super::history::Content;
    use super::*;

    #[test]
    fn what_was_not_answered_before_a_kill_is_unknown() {
        let file = std::env::temp_dir().join(format!("oracle-scribe-{}", std::process::id()));
        let scribe = Scribe::new(&file).expect("a new file");
        let asked = |input| Asked {
            command: Uuid::from_u128(1),
            input,
            recorded: true,
            content: Content::Decided(vec![("Tally/a".to_owned(), 1)]),
        };
        let first = scribe.ask(&asked(1)).expect("it is noted");
        scribe.ask(&asked(2)).expect("it is noted");
        scribe.tell(first, Told::Conflict).expect("it is noted");
        let mut torn = OpenOptions::new().append(true).open(&file).expect("the file");
        torn.write_all(b"{\"Asked\":{\"number\":3,").expect("half a line");
        let read = read(&file).expect("the history");
        let told: Vec<_> = read.iter().map(|attempt| (attempt.asked.input, attempt.told.clone())).collect();
        assert_eq!(told, [(1, Told::Conflict), (2, Told::Unknown)]);
        std::fs::remove_file(&file).expect("the file goes");
    }
}
