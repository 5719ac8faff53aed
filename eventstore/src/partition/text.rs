//! Events in the text form of the server's `COPY` (`PostgreSQL`, SQL commands, COPY, file formats): a line an event, its
//! columns between tabs.

use std::io;

use chrono::DateTime;

use crate::event::RecordedEvent;

/// The columns, in the order of the lines.
pub(super) const COLUMNS: [&str; 10] = [
    "position",
    "event_id",
    "aggregate_type",
    "aggregate_id",
    "sequence",
    "event_type",
    "event_version",
    "payload",
    "metadata",
    "recorded_at",
];

/// How the server writes a time in the time zone UTC.
const TIME: &str = "%Y-%m-%d %H:%M:%S%.f%#z";

/// The events of some lines.
///
/// # Errors
/// [`io::ErrorKind::InvalidData`] when they are not events.
pub(super) fn events(lines: &[u8]) -> io::Result<Vec<RecordedEvent>> {
    let lines = std::str::from_utf8(lines).map_err(|error| not_events(&error.to_string()))?;
    lines.lines().map(event).collect()
}

fn event(line: &str) -> io::Result<RecordedEvent> {
    let mut columns = line.split('\t');
    let mut next = || columns.next().ok_or_else(|| not_events("a column is missing")).and_then(unescape);
    Ok(RecordedEvent {
        position: number(&next()?)?,
        event_id: next()?.parse().map_err(|_| not_events("an id is none"))?,
        aggregate_type: next()?,
        aggregate_id: next()?,
        sequence: number(&next()?)?,
        event_type: next()?,
        event_version: next()?,
        payload: next()?,
        metadata: next()?,
        recorded_at: DateTime::parse_from_str(&next()?, TIME)
            .map_err(|_| not_events("a time is none"))?
            .into(),
    })
}

fn number(text: &str) -> io::Result<i64> {
    text.parse().map_err(|_| not_events("a number is none"))
}

/// What stands for itself and what stands for something else. No column may be null, so `\N` is as wrong as any other.
fn unescape(column: &str) -> io::Result<String> {
    let Some(first) = column.find('\\') else { return Ok(column.to_owned()) };
    let mut text = String::with_capacity(column.len());
    let (plain, rest) = column.split_at(first);
    text.push_str(plain);
    let mut rest = rest.chars();
    while let Some(next) = rest.next() {
        text.push(if next == '\\' { escaped(rest.next())? } else { next });
    }
    Ok(text)
}

fn escaped(letter: Option<char>) -> io::Result<char> {
    match letter {
        Some('\\') => Ok('\\'),
        Some('n') => Ok('\n'),
        Some('t') => Ok('\t'),
        Some('r') => Ok('\r'),
        Some('b') => Ok('\u{8}'),
        Some('f') => Ok('\u{c}'),
        Some('v') => Ok('\u{b}'),
        _ => Err(not_events("what follows a backslash is unknown")),
    }
}

pub(super) fn not_events(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("not an archive of events: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = "7\t00000000-0000-7000-8000-000000000001\tOrder\tord\\\\er\t2\tPlaced\t1\t\
        {\"text\": \"a\\\\\\\\b \\\\n\",\\n\\t\"ü\": 1}\t{}\t2026-11-28 02:11:13.123456+00\n";

    #[test]
    fn what_the_server_escaped_is_what_it_was() {
        let events = events(LINE.as_bytes()).expect("events");
        let [event] = events.as_slice() else { panic!("{events:?}") };
        assert_eq!((event.position, event.sequence), (7, 2));
        assert_eq!(event.aggregate_id, "ord\\er");
        assert_eq!(event.payload, "{\"text\": \"a\\\\b \\n\",\n\t\"ü\": 1}");
        assert_eq!(event.recorded_at.to_rfc3339(), "2026-11-28T02:11:13.123456+00:00");
    }

    #[test]
    fn a_line_that_is_no_event_is_refused() {
        for wrong in [
            LINE.replacen('7', "x", 1),
            LINE.replacen("\\\\", "\\q", 1),
            LINE.replace("\t{}", ""),
            String::from("\n"),
        ] {
            assert_eq!(events(wrong.as_bytes()).expect_err(&wrong).kind(), io::ErrorKind::InvalidData);
        }
    }
}
