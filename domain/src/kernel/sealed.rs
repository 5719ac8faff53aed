//! Personal data as events carry it: encrypted for one subject before it reaches the domain.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::SubjectId;

/// A value encrypted under its subject's key. The domain passes it on and can never read it; when the
/// subject is forgotten, nobody can.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Sealed {
    /// Whose data it is.
    pub subject: SubjectId,
    /// Nonce and ciphertext, base64 (RFC 4648, URL-safe, unpadded).
    pub data: String,
}
