//! Text with signatures under it: C2SP `signed-note`, <https://c2sp.org/signed-note>.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use chrono::DateTime;
use daybook_domain::Timestamp;

use super::key::{SigningKey, Signs, VerifyingKey, is_name};

/// What a line with a signature begins with.
const DASH: &str = "— ";
/// The most signatures that a note may have, and the most bytes.
const MAX_SIGNATURES: usize = 100;
const MAX_BYTES: usize = 1 << 20;

/// A text, and who signed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    text: String,
    signatures: Vec<NoteSignature>,
}

/// A signature, which may be anybody's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoteSignature {
    name: String,
    number: [u8; 4],
    signature: Vec<u8>,
}

/// Why a note is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// It has another form.
    #[error("not a signed note")]
    Malformed,
    /// Nobody signed it who is trusted for that.
    #[error("not signed with this key")]
    Unsigned,
    /// A signature with a trusted name and number is not that key's.
    #[error("a signature is false")]
    False,
}

impl Note {
    /// A text that nobody has signed yet. It must end with a newline, and have no other control characters.
    ///
    /// # Errors
    /// [`NoteError::Malformed`] when it is otherwise.
    pub fn of(text: String) -> Result<Self, NoteError> {
        let is_fit = text.ends_with('\n') && !text.contains(|c: char| c < ' ' && c != '\n');
        if is_fit { Ok(Self { text, signatures: Vec::new() }) } else { Err(NoteError::Malformed) }
    }

    /// The text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Who signed it.
    pub fn signatures(&self) -> &[NoteSignature] {
        &self.signatures
    }

    /// Signs it; what a witness says, it says of this moment.
    pub fn sign(&mut self, key: &SigningKey, at: Timestamp) {
        let signature = match key.verifying().signs() {
            Signs::Log => key.sign(self.text.as_bytes()),
            Signs::Witness => {
                let seconds = u64::try_from(at.timestamp()).unwrap_or(0);
                [seconds.to_be_bytes().as_slice(), &key.sign(cosigned(seconds, &self.text).as_bytes())]
                    .concat()
            }
        };
        let name = key.verifying().name().to_owned();
        self.add(NoteSignature { name, number: key.verifying().number(), signature });
    }

    /// Adds a signature, in place of another one with the same key.
    pub fn add(&mut self, signature: NoteSignature) {
        self.signatures.retain(|other| (&other.name, other.number) != (&signature.name, signature.number));
        self.signatures.push(signature);
    }

    /// Whether this key signed it; of a witness, when it did last.
    ///
    /// # Errors
    /// [`NoteError::Unsigned`] when it did not; [`NoteError::False`] when somebody pretends that it did.
    pub fn verify(&self, key: &VerifyingKey) -> Result<Option<Timestamp>, NoteError> {
        let signatures = self.signatures.iter().filter(|signature| signature.is_of(key));
        let signed = signatures.map(|signature| self.signed_at(key, &signature.signature));
        // One false line, and none is believed.
        let signed: Vec<_> = signed.collect::<Result<_, _>>()?;
        signed.into_iter().max().ok_or(NoteError::Unsigned)
    }

    /// Whether this is the key's signature of the text; of a witness, when it signed.
    fn signed_at(&self, key: &VerifyingKey, signature: &[u8]) -> Result<Option<Timestamp>, NoteError> {
        match key.signs() {
            Signs::Log if key.is_signed(self.text.as_bytes(), signature) => Ok(None),
            Signs::Log => Err(NoteError::False),
            Signs::Witness => {
                let (seconds, signature) = signature.split_first_chunk().ok_or(NoteError::False)?;
                let seconds = u64::from_be_bytes(*seconds);
                let at = i64::try_from(seconds).ok().and_then(|seconds| DateTime::from_timestamp(seconds, 0));
                match at {
                    Some(at) if key.is_signed(cosigned(seconds, &self.text).as_bytes(), signature) => {
                        Ok(Some(at))
                    }
                    Some(_) | None => Err(NoteError::False),
                }
            }
        }
    }

    /// The same text with the signatures of these keys alone, one of each.
    #[must_use]
    pub fn signed_by<'a>(self, keys: impl IntoIterator<Item = &'a VerifyingKey>) -> Self {
        let mut kept = Self { signatures: Vec::new(), text: self.text };
        for key in keys {
            if let Some(signature) = self.signatures.iter().find(|signature| signature.is_of(key)) {
                kept.add(signature.clone());
            }
        }
        kept
    }
}

impl NoteSignature {
    /// Whether it claims to be of this key.
    pub fn is_of(&self, key: &VerifyingKey) -> bool {
        self.name == key.name() && self.number == key.number()
    }

    /// The name of who signed, as it is claimed.
    pub fn name(&self) -> &str {
        &self.name
    }
}

/// What a witness signs.
fn cosigned(seconds: u64, text: &str) -> String {
    format!("cosignature/v1\ntime {seconds}\n{text}")
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        self.signatures.iter().try_for_each(|signature| writeln!(f, "{signature}"))
    }
}

impl fmt::Display for NoteSignature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = [self.number.as_slice(), &self.signature].concat();
        write!(f, "{DASH}{} {}", self.name, BASE64.encode(bytes))
    }
}

impl FromStr for Note {
    type Err = NoteError;

    fn from_str(text: &str) -> Result<Self, NoteError> {
        if text.len() > MAX_BYTES {
            return Err(NoteError::Malformed);
        }
        // The text ends where the last empty line is.
        let (text, signatures) = text.rsplit_once("\n\n").ok_or(NoteError::Malformed)?;
        let lines = signatures.strip_suffix('\n').ok_or(NoteError::Malformed)?;
        let signatures: Vec<NoteSignature> = lines.split('\n').map(str::parse).collect::<Result<_, _>>()?;
        if signatures.len() > MAX_SIGNATURES {
            return Err(NoteError::Malformed);
        }
        Ok(Self { signatures, ..Self::of(format!("{text}\n"))? })
    }
}

impl FromStr for NoteSignature {
    type Err = NoteError;

    fn from_str(line: &str) -> Result<Self, NoteError> {
        let (name, bytes) =
            line.strip_prefix(DASH).and_then(|rest| rest.split_once(' ')).ok_or(NoteError::Malformed)?;
        let bytes = BASE64.decode(bytes).map_err(|_letters| NoteError::Malformed)?;
        let (number, signature) = bytes.split_first_chunk().ok_or(NoteError::Malformed)?;
        if is_name(name) && !signature.is_empty() {
            Ok(Self { name: name.to_owned(), number: *number, signature: signature.to_vec() })
        } else {
            Err(NoteError::Malformed)
        }
    }
}
