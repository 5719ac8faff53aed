//! A gateway's webhook as bytes: signing it, checking the signature, reading the notice in it. Nothing here
//! reads a clock or does I/O.
//!
//! The header is `t=UNIX,v1=HEX`, where `HEX` is the HMAC-SHA256 of `UNIX.BODY`; there may be several `v1`, so that
//! a secret can be changed while webhooks are under way.

use std::fmt::Write as _;
use std::time::Duration;

use daybook_domain::Timestamp;
use hmac::{Hmac, Mac};
use sha2::Sha256;

use super::notice::GatewayNotice;

/// The header that carries the signature.
pub const SIGNATURE_HEADER: &str = "daybook-signature";
/// How old or how far ahead a webhook's signature may be.
pub const SIGNATURE_TOLERANCE: Duration = Duration::from_mins(5);
/// How many signatures of one header are looked at.
const MAX_SIGNATURES: usize = 8;

/// Why a webhook is not taken.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum WebhookError {
    /// The header is not of the form that it must have.
    #[error("the signature is malformed")]
    Malformed,
    /// The signature is too old or too far ahead, so the webhook may be one that was overheard.
    #[error("the signature is outside the tolerance")]
    Stale,
    /// Nobody who knows the secret signed this body at this time.
    #[error("the signature does not match")]
    Mismatch,
    /// The body is signed but is not a notice.
    #[error("the body is not a notice")]
    NotANotice,
}

/// The header's value for this body, signed at this time.
pub fn sign(secret: &str, at: Timestamp, body: &[u8]) -> String {
    let unix = at.timestamp();
    let mut header = format!("t={unix},v1=");
    if let Some(mac) = mac(secret, unix, body) {
        for byte in mac.finalize().into_bytes() {
            // Writing to a string cannot fail.
            let _ = write!(header, "{byte:02x}");
        }
    }
    header
}

/// Checks that somebody who knows the secret signed this body, and did so lately.
///
/// # Errors
/// When the signature is malformed, too old or wrong; which bytes are wrong takes no longer or shorter to find.
pub fn verify(
    secret: &str,
    header: &str,
    body: &[u8],
    now: Timestamp,
    tolerance: Duration,
) -> Result<(), WebhookError> {
    let (unix, signatures) = parts(header).ok_or(WebhookError::Malformed)?;
    if now.timestamp().abs_diff(unix) > tolerance.as_secs() {
        return Err(WebhookError::Stale);
    }
    let matches =
        |signature: &Vec<u8>| mac(secret, unix, body).is_some_and(|mac| mac.verify_slice(signature).is_ok());
    if signatures.iter().any(matches) { Ok(()) } else { Err(WebhookError::Mismatch) }
}

/// Reads a verified webhook's notice.
///
/// # Errors
/// When the body is anything else.
pub fn parse(body: &[u8]) -> Result<GatewayNotice, WebhookError> {
    serde_json::from_slice(body).map_err(|_| WebhookError::NotANotice)
}

fn mac(secret: &str, unix: i64, body: &[u8]) -> Option<Hmac<Sha256>> {
    // HMAC takes a key of any length, so there always is one.
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).ok()?;
    mac.update(unix.to_string().as_bytes());
    mac.update(b".");
    mac.update(body);
    Some(mac)
}

fn parts(header: &str) -> Option<(i64, Vec<Vec<u8>>)> {
    let mut unix = None;
    let mut signatures = Vec::new();
    for part in header.split(',') {
        match part.trim().split_once('=')? {
            ("t", value) => unix = Some(value.parse().ok()?),
            ("v1", value) if signatures.len() < MAX_SIGNATURES => signatures.push(unhex(value)?),
            // Later schemes may stand beside ours.
            _ => {}
        }
    }
    (!signatures.is_empty()).then_some((unix?, signatures))
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    if text.len() != 64 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    (0..text.len()).step_by(2).map(|i| u8::from_str_radix(text.get(i..i + 2)?, 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use daybook_domain::{Currency, Money, PaymentId};
    use uuid::Uuid;

    use super::{SIGNATURE_TOLERANCE, Timestamp, WebhookError, parse, sign, verify};
    use crate::gateway::{GatewayNotice, GatewayOutcome};

    fn at(unix: i64) -> Timestamp {
        Timestamp::from_timestamp(unix, 0).expect("a moment")
    }

    fn check(header: &str, body: &[u8], now: i64) -> Result<(), WebhookError> {
        verify("secret", header, body, at(now), SIGNATURE_TOLERANCE)
    }

    #[test]
    fn the_signature_is_hmac_sha256_over_time_and_body() {
        // python3 -c "import hmac;print(hmac.new(b'secret',b'1700000000.{}','sha256').hexdigest())"
        let header = sign("secret", at(1_700_000_000), b"{}");
        assert_eq!(
            header,
            "t=1700000000,v1=b8569b78799ff9e3cbff0fc2d63a33a2b57f3282abd07c37ae5e8e7d79a5f163"
        );
    }

    #[test]
    fn what_was_signed_verifies_and_nothing_else_does() {
        let header = sign("secret", at(1_000), b"body");
        assert_eq!(check(&header, b"body", 1_000), Ok(()));
        assert_eq!(check(&header, b"bodY", 1_000), Err(WebhookError::Mismatch));
        assert_eq!(check(&header.replace("t=1000", "t=1001"), b"body", 1_000), Err(WebhookError::Mismatch));
        let other = sign("another secret", at(1_000), b"body");
        assert_eq!(check(&other, b"body", 1_000), Err(WebhookError::Mismatch));
    }

    #[test]
    fn an_old_signature_and_one_from_the_future_are_refused() {
        let header = sign("secret", at(1_000), b"body");
        assert_eq!(check(&header, b"body", 1_300), Ok(()));
        assert_eq!(check(&header, b"body", 1_301), Err(WebhookError::Stale));
        assert_eq!(check(&header, b"body", 699), Err(WebhookError::Stale));
        assert_eq!(check(&header, b"body", i64::from(i32::MIN)), Err(WebhookError::Stale));
    }

    #[test]
    fn any_of_several_signatures_will_do_while_a_secret_is_changed() {
        let (old, new) = (sign("old", at(1_000), b"body"), sign("secret", at(1_000), b"body"));
        let both = format!("{old},{},v2=later", new.split_once(',').expect("two parts").1);
        assert_eq!(check(&both, b"body", 1_000), Ok(()));
    }

    #[test]
    fn a_malformed_header_is_refused() {
        for header in
            ["", "t=1000", "v1=00", "t=,v1=", "t=x,v1=00", "t=1000,v1=zz", "t=1000,v1=é", "t=1000;v1=00"]
        {
            assert_eq!(check(header, b"body", 1_000), Err(WebhookError::Malformed), "{header}");
        }
    }

    #[test]
    fn a_notice_is_read_back_from_its_bytes() {
        let notice = GatewayNotice {
            event_id: Uuid::from_u128(1),
            payment_id: PaymentId::new(Uuid::from_u128(2)),
            correlation_id: Uuid::from_u128(3),
            traceparent: None,
            outcome: GatewayOutcome::Authorised {
                amount: Money::new(1_999, Currency::GBP),
                gateway_reference: "sim_2".to_owned(),
            },
        };
        let body = serde_json::to_vec(&notice).expect("it serialises");
        assert_eq!(parse(&body), Ok(notice));
        assert_eq!(parse(b"{\"outcome\":{\"kind\":\"gone\"}}"), Err(WebhookError::NotANotice));
    }
}
