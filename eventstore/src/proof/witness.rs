//! A witness: it remembers the last head that it signed of each log, and signs only what begins with that. So a log that is
//! made anew, or shown to each in another form, finds nobody to sign it. C2SP `tlog-witness`, <https://c2sp.org/tlog-witness>.
//!
//! Here is what a witness is asked, what it decides, and what of its answer counts; nothing of how it is reached, or where
//! it remembers.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use daybook_domain::Timestamp;

use super::hash::TreeHash;
use super::head::{TreeHead, number};
use super::key::{KeyError, SigningKey, Signs, VerifyingKey};
use super::note::{Note, NoteError, NoteSignature};
use super::path::is_consistent;

const OLD: &str = "old ";
/// The longest path there is.
const MAX_PATH: usize = 63;

/// What a witness is asked with `POST …/add-checkpoint`: to sign a head, which begins with the one that it signed last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddCheckpoint {
    /// How many entries the head had that it signed last; 0 when it signed none.
    pub old: u64,
    /// What proves that the new one begins with that.
    pub path: Vec<TreeHash>,
    /// The new one, signed by the log.
    pub checkpoint: Note,
}

/// Why a witness does not sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It has another form.
    #[error("not a checkpoint with a proof")]
    Malformed,
    /// Nobody asked for this log to be watched.
    #[error("not a log that is watched here")]
    UnknownLog,
    /// The log did not sign it.
    #[error("not signed by the log")]
    Unsigned,
    /// It says that the log became shorter.
    #[error("the old size is larger than the checkpoint's")]
    Shorter,
    /// The proof begins at another head than the last one that was signed.
    #[error("the last checkpoint that was signed is of {size} entries")]
    Elsewhere {
        /// How many entries that has; 0 when none was signed.
        size: u64,
    },
    /// It is not proved that the log begins with what was signed.
    #[error("not proved to begin with the checkpoint that was signed last")]
    Inconsistent,
}

/// Who signs what logs show, once it agrees with all that they showed before.
#[derive(Debug)]
pub struct Witness {
    key: SigningKey,
    logs: Vec<VerifyingKey>,
}

impl Witness {
    /// A witness with this key of the logs with these; a log that changed its key has several.
    ///
    /// # Errors
    /// When a key is not of the kind that it must be.
    pub fn try_new(key: SigningKey, logs: Vec<VerifyingKey>) -> Result<Self, KeyError> {
        let are_right =
            key.verifying().signs() == Signs::Witness && logs.iter().all(|log| log.signs() == Signs::Log);
        if are_right { Ok(Self { key, logs }) } else { Err(KeyError::Unsupported) }
    }

    /// What everybody may know of its key.
    pub const fn key(&self) -> &VerifyingKey {
        self.key.verifying()
    }

    /// The head that is to be signed, once it is clear that the log itself signed it.
    ///
    /// # Errors
    /// When it is no head, the log is not known, or the log did not sign it.
    pub fn recognise(&self, asked: &AddCheckpoint) -> Result<TreeHead, Refusal> {
        let head: TreeHead =
            asked.checkpoint.text().parse().map_err(|_form: NoteError| Refusal::Malformed)?;
        let mut signed = Err(Refusal::UnknownLog);
        for key in self.logs.iter().filter(|key| key.name() == head.origin) {
            match asked.checkpoint.verify(key) {
                Ok(_) => signed = Ok(()),
                Err(NoteError::Unsigned) => signed = signed.or(Err(Refusal::Unsigned)),
                // Whoever forges one signature is not believed for another.
                Err(NoteError::False | NoteError::Malformed) => return Err(Refusal::Unsigned),
            }
        }
        signed.map(|()| head)
    }

    /// Whether a head that was recognised may be signed, when the last one that was signed of this log is `last`. Whoever
    /// asks lets nobody else ask about this log until what was signed is remembered.
    ///
    /// # Errors
    /// When it does not begin with that, or this is not proved.
    pub fn judge(asked: &AddCheckpoint, head: &TreeHead, last: Option<&TreeHead>) -> Result<(), Refusal> {
        if asked.old > head.size {
            return Err(Refusal::Shorter);
        }
        let last = last.map_or_else(|| (0, TreeHash::of_nothing()), |last| (last.size, last.root));
        if asked.old != last.0 {
            return Err(Refusal::Elsewhere { size: last.0 });
        }
        if is_consistent(last, (head.size, head.root), &asked.path) {
            Ok(())
        } else {
            Err(Refusal::Inconsistent)
        }
    }

    /// The checkpoint with the log's signature alone, that of each of its keys once.
    pub fn as_shown(&self, checkpoint: Note) -> Note {
        // A head begins with it.
        let origin = checkpoint.text().lines().next().unwrap_or_default().to_owned();
        checkpoint.signed_by(self.logs.iter().filter(|key| key.name() == origin))
    }

    /// The checkpoint with the log's signature, and last the witness's own, of this moment. Whatever else was signed there,
    /// nobody has looked at.
    pub fn cosign(&self, checkpoint: Note, at: Timestamp) -> Note {
        let mut note = self.as_shown(checkpoint);
        note.sign(&self.key, at);
        note
    }
}

/// What counts of a witness's answer: its signature under this checkpoint, and when that was.
///
/// # Errors
/// When it did not sign this one.
pub fn cosignature(
    answer: &str,
    checkpoint: &Note,
    witness: &VerifyingKey,
) -> Result<(NoteSignature, Timestamp), NoteError> {
    let mut lines = answer.split_terminator('\n').filter_map(|line| line.parse::<NoteSignature>().ok());
    let signature = lines.find(|signature| signature.is_of(witness)).ok_or(NoteError::Unsigned)?;
    let mut note = checkpoint.clone().signed_by([]);
    note.add(signature.clone());
    let at = note.verify(witness)?.filter(|at| at.timestamp() > 0).ok_or(NoteError::False)?;
    Ok((signature, at))
}

impl fmt::Display for AddCheckpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{OLD}{}", self.old)?;
        self.path.iter().try_for_each(|hash| writeln!(f, "{}", BASE64.encode(hash.0)))?;
        write!(f, "\n{}", self.checkpoint)
    }
}

impl FromStr for AddCheckpoint {
    type Err = Refusal;

    fn from_str(text: &str) -> Result<Self, Refusal> {
        let (proof, checkpoint) = text.split_once("\n\n").ok_or(Refusal::Malformed)?;
        let mut lines = proof.split('\n');
        let old = lines.next().and_then(|line| number(line.strip_prefix(OLD)?)).ok_or(Refusal::Malformed)?;
        let hash = |line: &str| BASE64.decode(line).ok().and_then(|hash| hash.try_into().ok().map(TreeHash));
        let path: Option<Vec<TreeHash>> = lines.map(hash).collect();
        let path = path.filter(|path| path.len() <= MAX_PATH).ok_or(Refusal::Malformed)?;
        let checkpoint = checkpoint.parse().map_err(|_form: NoteError| Refusal::Malformed)?;
        Ok(Self { old, path, checkpoint })
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::super::Frontier;
    use super::*;

    const ORIGIN: &str = "shop.example/log";

    fn log() -> SigningKey {
        SigningKey::of(ORIGIN, Signs::Log, [7; 32]).expect("a key")
    }

    fn witness() -> Witness {
        let key = SigningKey::of("witness.example", Signs::Witness, [8; 32]).expect("a key");
        Witness::try_new(key, vec![log().verifying().clone()]).expect("keys of the right kinds")
    }

    fn moment() -> Timestamp {
        DateTime::from_timestamp(1_764_324_000, 0).expect("a moment")
    }

    /// The tree of so many entries, of which each has this in it.
    fn head(size: u64, what: u8) -> TreeHead {
        let mut tree = Frontier::default();
        for index in 0..size {
            let entry = [index.to_be_bytes().as_slice(), &[what]].concat();
            tree.push(TreeHash::of_entry(&entry), |_, _| {});
        }
        TreeHead { origin: ORIGIN.to_owned(), size, root: tree.root() }
    }

    fn note(head: &TreeHead, key: &SigningKey) -> Note {
        let mut note = Note::of(head.to_string()).expect("a text");
        note.sign(key, moment());
        note
    }

    fn ask(old: u64, path: Vec<TreeHash>, head: &TreeHead) -> AddCheckpoint {
        AddCheckpoint { old, path, checkpoint: note(head, &log()) }
    }

    /// What is decided when this was signed last.
    fn judged(asked: &AddCheckpoint, last: Option<&TreeHead>) -> Result<(), Refusal> {
        let head = witness().recognise(asked)?;
        Witness::judge(asked, &head, last)
    }

    #[test]
    fn what_is_asked_is_a_text_that_is_read_as_it_was_written() {
        let asked = ask(3, vec![TreeHash([1; 32]), TreeHash([2; 32])], &head(5, 0));
        let text = asked.to_string();
        assert!(text.starts_with("old 3\nAQEB") && text.contains("=\n\nshop.example/log\n5\n"), "{text}");
        assert_eq!(text.parse(), Ok(asked));
        let first = ask(0, Vec::new(), &head(5, 0));
        assert!(first.to_string().starts_with("old 0\n\nshop.example/log\n"), "{first}");
        assert_eq!(first.to_string().parse(), Ok(first));
    }

    #[test]
    fn what_has_another_form_is_refused_as_that() {
        let text = ask(3, vec![TreeHash([1; 32])], &head(5, 0)).to_string();
        let hash = format!("{}\n", BASE64.encode([1; 32]));
        for wrong in [
            String::new(),
            "old 3\n".to_owned(),
            text.replace("old 3", "old 03"),
            text.replace("old 3", "old +3"),
            text.replace("old 3", "old"),
            text.replace("old 3", "new 3"),
            text.replace("old 3\n", "old 3\r\n"),
            text.replace(&hash, "AAAA\n"),
            text.replace(&hash, "*\n"),
            text.replace(&hash, &hash.repeat(MAX_PATH + 1)),
            text.replacen("\n\n", "\n", 1),
            text.trim_end().to_owned(),
            text.split_inclusive('\n').filter(|line| !line.starts_with('—')).collect(),
        ] {
            assert_eq!(wrong.parse::<AddCheckpoint>(), Err(Refusal::Malformed), "{wrong:?}");
        }
        for wrong in
            ["shop.example/log\n5\n", "shop.example/log\nfive\nAAAA\n", "shop.example/log\n5\nAAAA\n"]
        {
            let mut checkpoint = Note::of(wrong.to_owned()).expect("a text");
            checkpoint.sign(&log(), moment());
            let asked = AddCheckpoint { old: 0, path: Vec::new(), checkpoint };
            assert_eq!(judged(&asked, None), Err(Refusal::Malformed), "{wrong:?}");
        }
    }

    #[test]
    fn only_what_the_log_signed_is_recognised() {
        let asked = |checkpoint| AddCheckpoint { old: 0, path: Vec::new(), checkpoint };
        let head = head(5, 0);
        let stranger = SigningKey::of(ORIGIN, Signs::Log, [9; 32]).expect("a key");
        let other = TreeHead { origin: "other.example".to_owned(), ..head.clone() };
        assert_eq!(judged(&asked(note(&other, &log())), None), Err(Refusal::UnknownLog));
        assert_eq!(judged(&asked(note(&head, &stranger)), None), Err(Refusal::Unsigned));
        // A signature of somebody else beside it is nobody's business.
        let mut both = note(&head, &stranger);
        both.sign(&log(), moment());
        assert_eq!(judged(&asked(both.clone()), None), Ok(()));
        let kept = witness().cosign(both, moment());
        assert_eq!(kept.verify(stranger.verifying()), Err(NoteError::Unsigned));
        assert_eq!(kept.verify(witness().key()), Ok(Some(moment())));
        // And a line that stands there many times is kept once.
        let line = format!("{}\n", note(&head, &log()).signatures()[0]);
        let many = format!("{}{}", note(&head, &log()), line.repeat(90));
        let many: Note = many.parse().expect("a note");
        assert_eq!(judged(&asked(many.clone()), None), Ok(()));
        assert_eq!(witness().cosign(many, moment()).signatures().len(), 2);
        // A false line of the log's own key is, even beside a right one.
        let right = note(&head, &log()).to_string();
        let false_line = note(&super::tests::head(6, 0), &log()).signatures()[0].to_string();
        for text in [format!("{right}{false_line}\n"), right.replace("— ", &format!("{false_line}\n— "))]
        {
            let checkpoint: Note = text.parse().expect("a note");
            assert_eq!(judged(&asked(checkpoint), None), Err(Refusal::Unsigned), "{text}");
        }
    }

    #[test]
    fn a_log_that_only_grew_is_signed_and_no_other() {
        let (three, five) = (head(3, 0), head(5, 0));
        assert_eq!(judged(&ask(0, Vec::new(), &three), None), Ok(()));
        // In a tree of five, from three: entries 2 and 3, the first two, and the last (RFC 6962, section 2.1.2).
        let entry = |index: u64| TreeHash::of_entry(&[index.to_be_bytes().as_slice(), &[0]].concat());
        let path = vec![entry(2), entry(3), TreeHash::join(&entry(0), &entry(1)), entry(4)];
        assert_eq!(judged(&ask(3, path.clone(), &five), Some(&three)), Ok(()));
        assert_eq!(judged(&ask(5, Vec::new(), &five), Some(&five)), Ok(()));

        let refused = |old, path: &[TreeHash], head: &TreeHead, last: Option<&TreeHead>| {
            judged(&ask(old, path.to_vec(), head), last).expect_err("it is not signed")
        };
        assert_eq!(refused(3, &path, &head(5, 1), Some(&three)), Refusal::Inconsistent);
        assert_eq!(refused(3, &path[1..], &five, Some(&three)), Refusal::Inconsistent);
        assert_eq!(refused(5, &[], &head(5, 1), Some(&five)), Refusal::Inconsistent);
        assert_eq!(refused(5, &path, &five, Some(&five)), Refusal::Inconsistent);
        assert_eq!(refused(0, &path, &five, None), Refusal::Inconsistent);
        assert_eq!(refused(6, &[], &five, Some(&three)), Refusal::Shorter);
        assert_eq!(refused(0, &[], &five, Some(&three)), Refusal::Elsewhere { size: 3 });
        assert_eq!(refused(3, &path, &five, Some(&five)), Refusal::Elsewhere { size: 5 });
        assert_eq!(refused(3, &path, &five, None), Refusal::Elsewhere { size: 0 });
    }

    #[test]
    fn the_tree_without_an_entry_has_one_root() {
        let empty = head(0, 0);
        assert_eq!(judged(&ask(0, Vec::new(), &empty), None), Ok(()));
        assert_eq!(judged(&ask(0, Vec::new(), &head(4, 0)), Some(&empty)), Ok(()));
        let wrong = TreeHead { root: TreeHash([0; 32]), ..empty };
        assert_eq!(judged(&ask(0, Vec::new(), &wrong), None), Err(Refusal::Inconsistent));
    }

    #[test]
    fn of_an_answer_only_the_witness_s_own_signature_under_this_checkpoint_counts() {
        let (asked, other) = (ask(0, Vec::new(), &head(5, 0)), ask(0, Vec::new(), &head(6, 0)));
        let line = |asked: &AddCheckpoint, at| {
            let note = witness().cosign(asked.checkpoint.clone(), at);
            format!("{}\n", note.signatures().last().expect("its own"))
        };
        let counts = |answer: &str| cosignature(answer, &asked.checkpoint, witness().key());
        let right = line(&asked, moment());
        let (signature, at) =
            counts(&format!("nonsense\n— other.example AAAAAAAA\n{right}")).expect("it counts");
        assert_eq!((format!("{signature}\n"), at), (right, moment()));
        assert_eq!(counts(""), Err(NoteError::Unsigned));
        assert_eq!(counts(&line(&other, moment())), Err(NoteError::False));
        assert_eq!(counts(&line(&asked, DateTime::UNIX_EPOCH)), Err(NoteError::False), "it must say when");
        let stranger = SigningKey::of("witness.example", Signs::Witness, [9; 32]).expect("a key");
        let answer = cosignature(&line(&asked, moment()), &asked.checkpoint, stranger.verifying());
        assert_eq!(answer, Err(NoteError::Unsigned));
    }

    #[test]
    fn keys_of_another_kind_make_no_witness() {
        let key = |signs| SigningKey::of("a", signs, [1; 32]).expect("a key");
        assert!(Witness::try_new(key(Signs::Log), Vec::new()).is_err());
        let logs = vec![key(Signs::Witness).verifying().clone()];
        assert!(Witness::try_new(key(Signs::Witness), logs).is_err());
    }
}
