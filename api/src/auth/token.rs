//! Development tokens: a JWT (RFC 7519) signed with HS256 by whoever has the shop's key, saying who asks.
//! Accounts and their sign-in take this place later.

use axum::http::{HeaderMap, header};
use daybook_domain::CustomerId;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Identity, Role};

/// The most characters of a subject.
const MAX_SUBJECT: usize = 64;

/// What a token says.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Claims {
    /// Who asks: a customer's UUID, or the name of one of the shop's people.
    pub sub: String,
    /// What they are to the shop.
    pub role: Role,
    /// Until when the token is good, in seconds since 1970.
    pub exp: u64,
}

/// The token does not say who asks: it is malformed, expired, or not signed with the shop's key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TokenError;

/// Reads tokens.
#[derive(Clone)]
pub struct Tokens {
    key: DecodingKey,
    validation: Validation,
}

impl std::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tokens").finish_non_exhaustive()
    }
}

impl Tokens {
    /// Reads tokens that are signed with this key.
    pub fn new(key: &[u8]) -> Self {
        let mut validation = Validation::new(Algorithm::HS256);
        validation.leeway = 0;
        Self { key: DecodingKey::from_secret(key), validation }
    }

    /// Who sent these headers; nobody in particular when they have no `Authorization`.
    ///
    /// # Errors
    /// When they have one that is not a good token.
    pub fn identify(&self, headers: &HeaderMap) -> Result<Identity, TokenError> {
        match headers.get(header::AUTHORIZATION) {
            None => Ok(Identity::anonymous()),
            Some(value) => self.read(value.to_str().map_err(|_| TokenError)?),
        }
    }

    /// Who an `Authorization` value speaks for.
    ///
    /// # Errors
    /// When it is not a good token.
    pub fn read(&self, authorization: &str) -> Result<Identity, TokenError> {
        let (scheme, token) = authorization.split_once(' ').ok_or(TokenError)?;
        if !scheme.eq_ignore_ascii_case("bearer") {
            return Err(TokenError);
        }
        let decoded = jsonwebtoken::decode::<Claims>(token.trim(), &self.key, &self.validation);
        let Claims { sub, role, exp } = decoded.map_err(|_| TokenError)?.claims;
        match role {
            Role::Anonymous => Err(TokenError),
            Role::Customer => {
                let id = Uuid::parse_str(&sub).map_err(|_| TokenError)?;
                Ok(Identity::customer(CustomerId::new(id)).until(exp))
            }
            Role::Staff | Role::Warehouse | Role::Support | Role::Auditor | Role::Admin => {
                let named =
                    (1..=MAX_SUBJECT).contains(&sub.len()) && sub.bytes().all(|b| b.is_ascii_graphic());
                if named { Ok(Identity::staff(role, &sub).until(exp)) } else { Err(TokenError) }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use jsonwebtoken::{EncodingKey, Header};

    use super::*;

    const FAR: u64 = 4_000_000_000;

    fn signed(key: &str, role: &str, sub: &str, exp: u64) -> String {
        let claims = serde_json::json!({ "sub": sub, "role": role, "exp": exp });
        let token =
            jsonwebtoken::encode(&Header::default(), &claims, &EncodingKey::from_secret(key.as_bytes()));
        format!("Bearer {}", token.expect("a token"))
    }

    #[test]
    fn a_signed_token_says_who_asks() {
        let tokens = Tokens::new(b"key");
        let staff = tokens.read(&signed("key", "staff", "ada", FAR)).expect("an identity");
        assert_eq!((staff.role(), staff.actor()), (Role::Staff, "staff:ada"));
        assert_eq!((staff.expires(), Identity::anonymous().expires()), (Some(FAR), None));
        let id = Uuid::from_u128(7);
        let customer = tokens.read(&signed("key", "customer", &id.to_string(), FAR)).expect("an identity");
        assert_eq!(customer.customer_id(), Some(CustomerId::new(id)));
    }

    #[test]
    fn what_is_not_signed_with_the_key_or_out_of_date_or_odd_says_nothing() {
        let tokens = Tokens::new(b"key");
        for bad in [
            signed("other", "staff", "ada", FAR),
            signed("key", "staff", "ada", 1),
            signed("key", "owner", "ada", FAR),
            signed("key", "anonymous", "ada", FAR),
            signed("key", "customer", "ada", FAR),
            signed("key", "staff", "", FAR),
            signed("key", "staff", "a b", FAR),
            "Bearer".to_owned(),
            "Bearer x.y.z".to_owned(),
            signed("key", "staff", "ada", FAR).replace("Bearer", "Basic"),
        ] {
            assert_eq!(tokens.read(&bad), Err(TokenError), "{bad}");
        }
    }
}
