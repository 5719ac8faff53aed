//! Subjects: `daybook.<aggregate type>.<aggregate id>.<event type>`.

use std::fmt::Write as _;

use crate::event::RecordedEvent;

/// What all subjects of the stream of this name begin with.
pub(crate) fn prefix(stream: &str) -> String {
    token(&stream.to_lowercase())
}

/// The subject of an event in the stream of this name.
pub(crate) fn subject(stream: &str, event: &RecordedEvent) -> String {
    let tokens = [&event.aggregate_type, &event.aggregate_id, &event.event_type];
    tokens.into_iter().fold(prefix(stream), |subject, part| subject + "." + &token(part))
}

/// `text` as one token: what would end, split or widen a subject is percent-encoded.
fn token(text: &str) -> String {
    escaped(text, |byte| byte.is_ascii_graphic() && !matches!(byte, b'.' | b'*' | b'>' | b'%'))
}

/// `text` with each byte that is not `plain` percent-encoded.
pub(super) fn escaped(text: &str, plain: impl Fn(u8) -> bool) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        if plain(byte) {
            escaped.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(escaped, "%{byte:02X}");
        }
    }
    escaped
}

/// What was `escaped`; nothing when it is not that.
pub(super) fn unescaped(text: &str) -> Option<String> {
    if !text.contains('%') {
        return Some(text.to_owned());
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte == b'%' {
            let digits = std::str::from_utf8(rest.get(..2)?).ok()?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
            rest = &rest[2..];
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_never_ends_splits_or_widens_a_subject() {
        assert_eq!(token("a.b*c>d e%\u{e9}\n"), "a%2Eb%2Ac%3Ed%20e%25%C3%A9%0A");
        assert_eq!(prefix("DAYBOOK"), "daybook");
    }

    #[test]
    fn what_is_escaped_comes_back() {
        for text in ["", "plain", "Zo\u{eb} 100% \r\n", "%41"] {
            assert_eq!(unescaped(&escaped(text, |byte| byte.is_ascii_alphanumeric())).as_deref(), Some(text));
        }
        assert_eq!(unescaped("%4"), None);
        assert_eq!(unescaped("%FF"), None);
    }
}
