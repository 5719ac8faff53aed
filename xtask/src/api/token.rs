//! Development tokens: a JWT (RFC 7519) signed with HS256, by which a client says what it is to the shop.

use std::fmt;
use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac};
use serde_json::json;
use sha2::Sha256;

use crate::failure::{During, Result};

/// How long a token is good: longer than any command of the front door takes.
const GOOD_FOR: Duration = Duration::from_hours(24);

/// What a client is to the shop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Role {
    /// A shopper with an account; the name is the account's UUID.
    Customer,
    /// Who runs the shop.
    Staff,
    /// Who packs and sends.
    Warehouse,
    /// Who helps shoppers.
    Support,
    /// Who checks the books, and changes nothing.
    Auditor,
    /// Who may do everything.
    Admin,
}

impl Role {
    fn name(self) -> &'static str {
        match self {
            Self::Customer => "customer",
            Self::Staff => "staff",
            Self::Warehouse => "warehouse",
            Self::Support => "support",
            Self::Auditor => "auditor",
            Self::Admin => "admin",
        }
    }
}

/// A signed token.
#[derive(Clone)]
pub struct Token(String);

impl fmt::Debug for Token {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Token")
    }
}

impl fmt::Display for Token {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl Token {
    /// A token for a customer or one of the shop's people, signed with the shop's key.
    #[expect(clippy::disallowed_methods, reason = "the front door has no clock to inject: it is the outside")]
    pub fn sign(key: &str, role: Role, name: &str) -> Result<Self> {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let expires = now.during(|| "the clock stands before 1970".into())? + GOOD_FOR;
        signed(&bytes(key)?, role, name, expires.as_secs())
    }
}

/// The bytes of a key, which is configured as hexadecimal digits.
fn bytes(key: &str) -> Result<Vec<u8>> {
    let byte = |at| u8::from_str_radix(key.get(at..at + 2).unwrap_or_default(), 16);
    let bytes: std::result::Result<_, _> = (0..key.len()).step_by(2).map(byte).collect();
    bytes.during(|| "the token key is not hexadecimal".into())
}

fn signed(key: &[u8], role: Role, name: &str, expires: u64) -> Result<Token> {
    let header = json!({ "alg": "HS256", "typ": "JWT" });
    let claims = json!({ "sub": name, "role": role.name(), "exp": expires });
    let [header, claims] = [header, claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
    let text = format!("{header}.{claims}");
    let mut mac = Hmac::<Sha256>::new_from_slice(key).during(|| "cannot sign with the token key".into())?;
    mac.update(text.as_bytes());
    let signature = URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes());
    Ok(Token(format!("{text}.{signature}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_hexadecimal_as_it_is_configured() {
        assert_eq!(bytes("00ff").expect("a key"), [0, 255]);
        assert!(bytes("0").is_err() && bytes("zz").is_err());
    }

    #[test]
    fn a_token_is_what_any_other_signer_would_make() {
        let token = signed(b"key", Role::Staff, "ada", 4_000_000_000).expect("a token");
        let parts: Vec<_> = token.0.split('.').collect();
        let read = |part: &str| {
            let bytes = URL_SAFE_NO_PAD.decode(part).expect("base64");
            serde_json::from_slice::<serde_json::Value>(&bytes).expect("json")
        };
        assert_eq!(read(parts[0]), json!({ "alg": "HS256", "typ": "JWT" }));
        assert_eq!(read(parts[1]), json!({ "sub": "ada", "role": "staff", "exp": 4_000_000_000_u64 }));
        assert_eq!(parts[2], "LUsxfBNKPmQYvNE7mT3Jku35Kp0YlbI9bbip70iqvDI");
    }
}
