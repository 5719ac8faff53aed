//! Text that people and other systems send: bounded, and free of characters that no column or page can hold.

use std::ops::RangeInclusive;

/// The text is too short, too long, or holds characters it may not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field} must have {min} to {max} characters, none of them a control character")]
pub struct TextError {
    /// What the text is, such as `title`.
    pub field: &'static str,
    /// The fewest characters it may have.
    pub min: usize,
    /// The most.
    pub max: usize,
}

/// Accepts one line: its length in characters within `length`, not blank unless it may be empty, no control
/// characters (a NUL would be refused by every read model).
pub(crate) fn check_line(
    field: &'static str,
    text: &str,
    length: RangeInclusive<usize>,
) -> Result<(), TextError> {
    check(field, text, length, char::is_control)
}

/// Accepts text of several lines: as a line, with line breaks and tabs.
pub(crate) fn check_prose(
    field: &'static str,
    text: &str,
    length: RangeInclusive<usize>,
) -> Result<(), TextError> {
    check(field, text, length, |c| c.is_control() && !matches!(c, '\n' | '\r' | '\t'))
}

fn check(
    field: &'static str,
    text: &str,
    length: RangeInclusive<usize>,
    forbidden: impl Fn(char) -> bool,
) -> Result<(), TextError> {
    let (min, max) = (*length.start(), *length.end());
    // Bytes first, so that a huge text is never counted through.
    let fits = text.len() <= max.saturating_mul(4) && length.contains(&text.chars().count());
    let blank = min > 0 && text.trim().is_empty();
    if fits && !blank && !text.chars().any(forbidden) {
        return Ok(());
    }
    Err(TextError { field, min, max })
}

/// What can be kept of a text that must not be refused, such as an answer that would be lost: without control
/// characters, and no longer than `max` characters.
pub(crate) fn tidied(text: &str, max: usize) -> String {
    text.chars().filter(|c| !c.is_control()).take(max).collect()
}

#[cfg(test)]
mod tests {
    use super::{TextError, check_line, check_prose, tidied};

    #[test]
    fn a_text_that_must_be_kept_loses_what_cannot_be() {
        assert_eq!(tidied("a\0bñ\ncd", 4), "abñc");
    }

    #[test]
    fn a_line_is_bounded_in_characters_not_bytes() {
        assert_eq!(check_line("title", "ñandú", 1..=5), Ok(()));
        assert_eq!(check_line("title", "ñandúes", 1..=5), Err(TextError { field: "title", min: 1, max: 5 }));
    }

    #[test]
    fn blank_is_not_a_text_but_may_be_left_empty_where_nothing_is_needed() {
        assert!(check_line("title", "   ", 1..=5).is_err());
        assert!(check_line("note", "", 0..=5).is_ok());
    }

    #[test]
    fn control_characters_are_refused_and_prose_may_break_lines() {
        assert!(check_line("title", "a\0b", 1..=5).is_err());
        assert!(check_line("title", "a\nb", 1..=5).is_err());
        assert!(check_prose("description", "a\r\n\tb", 0..=9).is_ok());
        assert!(check_prose("description", "a\0b", 0..=9).is_err());
    }
}
