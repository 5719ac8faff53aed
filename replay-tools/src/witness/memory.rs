//! What the witness signed last of each log, in a file: a JSON object with the co-signed checkpoint of each origin. It is on the
//! disk before anybody has the signature, so a witness that is killed never signs two logs of one name.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use daybook_eventstore::proof::{Note, NoteError, TreeHead};

/// Why the file is not used.
#[derive(Debug, thiserror::Error)]
pub(super) enum MemoryError {
    /// Another process would sign beside this one.
    #[error("{} is in use by another witness", .0.display())]
    InUse(PathBuf),
    /// Nothing is there. Whoever begins anew may sign what contradicts what was signed before.
    #[error("there is no {}: `--begin` makes it, once", .0.display())]
    Missing(PathBuf),
    /// Something is there already.
    #[error("{} is there already", .0.display())]
    There(PathBuf),
    /// It is not what a witness wrote. Without it, another log could be signed.
    #[error("{} is not a witness's file: {reason}", file.display())]
    Malformed {
        /// The file.
        file: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// It cannot be read or written.
    #[error("{} cannot be used", file.display())]
    File {
        /// The file.
        file: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// What was signed last.
#[derive(Debug)]
pub(super) struct Memory {
    file: PathBuf,
    /// By origin: the head, and its note.
    signed: BTreeMap<String, (TreeHead, Note)>,
    /// Nobody else has the file as long as this is open.
    _lock: File,
}

impl Memory {
    /// Makes the file of a witness that has signed nothing.
    pub(super) fn begin(file: PathBuf) -> Result<(), MemoryError> {
        match File::create_new(&file) {
            Ok(mut new) => {
                let written = new.write_all(b"{}\n").and_then(|()| new.sync_all());
                written.map_err(|source| MemoryError::File { file, source })
            }
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Err(MemoryError::There(file)),
            Err(source) => Err(MemoryError::File { file, source }),
        }
    }

    /// What the file has, for this process alone.
    pub(super) fn open(file: PathBuf) -> Result<Self, MemoryError> {
        // However it was named, it is one file, and it is that one which is replaced.
        let file = match fs::canonicalize(&file) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Err(MemoryError::Missing(file)),
            Err(source) => return Err(MemoryError::File { file, source }),
        };
        let unusable = |source| MemoryError::File { file: file.clone(), source };
        // A file of its own, since the other one is replaced.
        let lock = OpenOptions::new().create(true).truncate(false).write(true).open(beside(&file, "lock"));
        let lock = lock.map_err(unusable)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(MemoryError::InUse(file)),
            Err(TryLockError::Error(source)) => return Err(unusable(source)),
        }
        let signed = match fs::read_to_string(&file) {
            Ok(text) => parse(&text).map_err(|reason| MemoryError::Malformed {
                file: file.clone(),
                reason: reason.to_string(),
            })?,
            Err(error) => return Err(unusable(error)),
        };
        let memory = Self { file, signed, _lock: lock };
        // That it cannot be written is better known before somebody asks.
        memory
            .write(&memory.signed)
            .map_err(|source| MemoryError::File { file: memory.file.clone(), source })?;
        Ok(memory)
    }

    /// Whether there is nothing that a log could contradict.
    pub(super) fn is_new(&self) -> bool {
        self.signed.is_empty()
    }

    /// The last head that was signed of this log.
    pub(super) fn last(&self, origin: &str) -> Option<&TreeHead> {
        self.signed.get(origin).map(|(head, _note)| head)
    }

    /// The last checkpoint that was signed of the log whose origin is such.
    pub(super) fn find(&self, is_wanted: impl Fn(&str) -> bool) -> Option<&Note> {
        self.signed.iter().find(|(origin, _)| is_wanted(origin)).map(|(_, (_head, note))| note)
    }

    /// Remembers this one, on the disk, in place of the last one of its log.
    pub(super) fn keep(&mut self, head: TreeHead, note: Note) -> Result<(), io::Error> {
        // What could not be read again must not be in the place of what can.
        note.to_string().parse::<Note>().map_err(io::Error::other)?;
        let mut signed = self.signed.clone();
        signed.insert(head.origin.clone(), (head, note));
        self.write(&signed)?;
        self.signed = signed;
        Ok(())
    }

    /// The whole file anew: there is always the one or the other, and when this returns, the new one whatever happens.
    fn write(&self, signed: &BTreeMap<String, (TreeHead, Note)>) -> Result<(), io::Error> {
        let texts: BTreeMap<&str, String> =
            signed.iter().map(|(origin, (_head, note))| (origin.as_str(), note.to_string())).collect();
        let new = beside(&self.file, "new");
        let mut file = File::create(&new)?;
        file.write_all(&serde_json::to_vec_pretty(&texts)?)?;
        file.write_all(b"\n")?;
        file.sync_all()?;
        fs::rename(&new, &self.file)?;
        let folder = self.file.parent().filter(|folder| !folder.as_os_str().is_empty());
        File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
    }
}

/// The path of a file with this end more.
fn beside(file: &Path, end: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".");
    name.push(end);
    PathBuf::from(name)
}

fn parse(text: &str) -> Result<BTreeMap<String, (TreeHead, Note)>, Box<dyn std::error::Error>> {
    let texts: BTreeMap<String, String> = serde_json::from_str(text)?;
    let mut signed = BTreeMap::new();
    for (origin, text) in texts {
        let note: Note = text.parse()?;
        let head: TreeHead = note.text().parse()?;
        if head.origin != origin {
            return Err(NoteError::Malformed.into());
        }
        signed.insert(origin, (head, note));
    }
    Ok(signed)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder that goes with the test.
    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let folder = std::env::temp_dir().join(format!("daybook-witness-{name}-{}", std::process::id()));
            fs::create_dir_all(&folder).expect("a folder");
            Self(folder)
        }

        fn open(&self) -> Result<Memory, MemoryError> {
            Memory::open(self.0.join("state"))
        }

        fn begin(self) -> Self {
            Memory::begin(self.0.join("state")).expect("a new file");
            self
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            drop(fs::remove_dir_all(&self.0));
        }
    }

    fn signed(origin: &str, size: u64) -> (TreeHead, Note) {
        let text = format!("{origin}\n{size}\n{}=\n\n— {origin} AAAAAAA=\n", "A".repeat(43));
        let note: Note = text.parse().expect("a note");
        (note.text().parse().expect("a head"), note)
    }

    #[test]
    fn what_is_kept_is_there_when_the_file_is_opened_again() {
        let folder = Folder::new("kept").begin();
        let mut memory = folder.open().expect("a new file");
        assert!(memory.is_new());
        for (origin, size) in [("a", 3), ("b", 1), ("a", 7)] {
            let (head, note) = signed(origin, size);
            memory.keep(head, note).expect("it is written");
        }
        drop(memory);
        let memory = folder.open().expect("the same file");
        let size = |origin| memory.last(origin).map(|head| head.size);
        assert_eq!((size("a"), size("b"), size("c")), (Some(7), Some(1), None));
        assert_eq!(memory.find(|origin| origin == "a"), Some(&signed("a", 7).1));
    }

    #[test]
    fn a_file_is_one_witness_s_alone() {
        let folder = Folder::new("alone").begin();
        let _memory = folder.open().expect("a new file");
        assert!(matches!(folder.open(), Err(MemoryError::InUse(_))));
    }

    #[test]
    fn nothing_is_begun_but_once_and_on_purpose() {
        let folder = Folder::new("begun");
        assert!(matches!(folder.open(), Err(MemoryError::Missing(_))));
        let folder = folder.begin();
        assert!(folder.open().expect("a new file").is_new());
        assert!(matches!(Memory::begin(folder.0.join("state")), Err(MemoryError::There(_))));
    }

    #[cfg(unix)]
    #[test]
    fn a_link_to_a_file_is_that_file() {
        let folder = Folder::new("link").begin();
        let link = folder.0.join("link");
        std::os::unix::fs::symlink(folder.0.join("state"), &link).expect("a link");
        let mut memory = Memory::open(link.clone()).expect("the file");
        assert!(matches!(folder.open(), Err(MemoryError::InUse(_))));
        let (head, note) = signed("a", 3);
        memory.keep(head, note).expect("it is written");
        drop(memory);
        assert_eq!(folder.open().expect("the file").last("a").map(|head| head.size), Some(3));
        fs::remove_file(folder.0.join("state")).expect("it goes");
        assert!(matches!(Memory::open(link), Err(MemoryError::Missing(_))), "what it leads to is away");
    }

    #[test]
    fn a_file_that_is_none_is_never_begun_anew() {
        let folder = Folder::new("none");
        let (_, note) = signed("a", 3);
        for wrong in ["", "{", "[]", r#"{"a": "b"}"#, &serde_json::json!({"b": note.to_string()}).to_string()]
        {
            fs::write(folder.0.join("state"), wrong).expect("a file");
            assert!(matches!(folder.open(), Err(MemoryError::Malformed { .. })), "{wrong:?}");
            assert_eq!(fs::read_to_string(folder.0.join("state")).expect("a file"), wrong);
        }
    }

    #[test]
    fn what_cannot_be_kept_is_not_remembered() {
        let folder = Folder::new("gone").begin();
        let mut memory = folder.open().expect("a new file");
        fs::remove_dir_all(&folder.0).expect("it goes");
        let (head, note) = signed("a", 3);
        assert!(memory.keep(head, note).is_err());
        assert_eq!(memory.last("a"), None);
    }
}
