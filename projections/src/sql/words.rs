//! Which statements a projection may consist of, and which words would make its rows depend on anything but the events.
//! It helps whoever writes one; that a file does no harm is the business of the account that it is run as.

use super::error::FileError;
use super::file::Statement;
use super::lexer::{Kind, Token, tokens};

/// What tables are made with.
const MAKING: &[&str] = &["create", "comment", "insert"];
/// What a `CREATE` may make.
const MADE: &[&str] = &["table", "view", "index", "unique", "type"];
/// What is done with events.
const DOING: &[&str] = &["insert", "update", "delete", "merge", "with"];

/// Why what tells the time is not for projections.
const CLOCK: &str =
    "the same events would give other rows another time; an event has occurred_at and recorded_at";
/// Why what gives something else each time is not.
const CHANCE: &str = "the same events would give other rows each time; an event has a position";
/// Why what reads a table by its name is not: which columns it reads cannot be asked.
const HIDDEN: &str = "what it reads cannot be known beforehand";
/// Functions that are not for projections, beside all those that Postgres calls volatile.
const FUNCTIONS: &[(&str, &str)] = &[
    ("now", CLOCK),
    ("clock_timestamp", CLOCK),
    ("statement_timestamp", CLOCK),
    ("transaction_timestamp", CLOCK),
    ("timeofday", CLOCK),
    ("random", CHANCE),
    ("gen_random_uuid", CHANCE),
    ("nextval", CHANCE),
    ("txid_current", CHANCE),
    ("txid_current_snapshot", CHANCE),
    ("pg_current_xact_id", CHANCE),
    ("pg_current_snapshot", CHANCE),
    ("pg_backend_pid", CHANCE),
    ("pg_postmaster_start_time", CLOCK),
    ("pg_conf_load_time", CLOCK),
];
/// Strings that a time is read from with a look at the clock.
const MOMENTS: &[&str] = &["now", "today", "tomorrow", "yesterday"];
/// Words that are not for projections, wherever they stand.
const KEYWORDS: &[(&str, &str)] = &[
    ("current_date", CLOCK),
    ("current_time", CLOCK),
    ("current_timestamp", CLOCK),
    ("localtime", CLOCK),
    ("localtimestamp", CLOCK),
    ("smallserial", CHANCE),
    ("serial", CHANCE),
    ("bigserial", CHANCE),
    ("identity", CHANCE),
    ("tablesample", CHANCE),
];

/// Makes sure that a statement is one that makes tables.
pub(super) fn check_making(statement: &Statement) -> Result<(), FileError> {
    let words = words(statement)?;
    begins_with(statement, &words, MAKING, "a table is made with")?;
    if let [first, second, ..] = words.as_slice()
        && first.text == "create"
        && !MADE.contains(&second.text.as_str())
    {
        return Err(FileError::at(second.line, format!("a projection does not make a {:?}", second.text)));
    }
    is_repeatable(&words)
}

/// Makes sure that a statement is one that does something with events.
pub(super) fn check_doing(statement: &Statement) -> Result<(), FileError> {
    let words = words(statement)?;
    begins_with(statement, &words, DOING, "something is done with events by")?;
    is_repeatable(&words)
}

/// The names of the functions that a statement may call, each with its line.
pub(super) fn calls(statement: &Statement) -> Result<Vec<(String, usize)>, FileError> {
    Ok(words(statement)?
        .into_iter()
        .filter(|word| word.arguments.is_some())
        .map(|word| (word.text, word.line))
        .collect())
}

/// A word of a statement.
struct Word {
    /// In small letters, without quotes.
    text: String,
    line: usize,
    /// Whether a parenthesis follows, and how many arguments are in it.
    arguments: Option<usize>,
    /// Whether it is a part of a longer name.
    is_part: bool,
    /// Whether it is a string.
    is_string: bool,
}

fn words(statement: &Statement) -> Result<Vec<Word>, FileError> {
    let tokens = tokens(&statement.sql)?;
    let is = |token: Option<&Token>, mark| token.is_some_and(|token| token.kind == Kind::Mark(mark));
    let named =
        tokens.iter().enumerate().filter(|(_, token)| matches!(token.kind, Kind::Word | Kind::Literal));
    let words = named.map(|(i, token)| {
        let text = &statement.sql[token.start..token.end];
        let string = inside(text);
        Word {
            text: string.unwrap_or(text.trim_matches('"')).trim().to_lowercase(),
            line: statement.line + token.line - 1,
            arguments: is(tokens.get(i + 1), '(').then(|| arguments(&tokens[i + 2..])),
            is_part: i > 0 && is(tokens.get(i - 1), '.'),
            is_string: string.is_some(),
        }
    });
    Ok(words.collect())
}

/// What is in a string, however it is quoted; nothing when it is none.
fn inside(text: &str) -> Option<&str> {
    if let Some(dollars) = text.strip_prefix('$') {
        let (tag, rest) = dollars.split_once('$')?;
        return rest.strip_suffix('$')?.strip_suffix(tag)?.strip_suffix('$');
    }
    text.split_once('\'').and_then(|(_, rest)| rest.strip_suffix('\''))
}

/// How many arguments there are before the parenthesis is closed.
fn arguments(tokens: &[Token]) -> usize {
    let (mut depth, mut commas) = (0, 0);
    for (i, token) in tokens.iter().enumerate() {
        match token.kind {
            Kind::Mark('(' | '[') => depth += 1,
            Kind::Mark(')') if depth == 0 => return if i == 0 { 0 } else { commas + 1 },
            Kind::Mark(')' | ']') => depth -= 1,
            Kind::Mark(',') if depth == 0 => commas += 1,
            Kind::Word | Kind::Literal | Kind::Semicolon | Kind::Mark(_) | Kind::Directive => {}
        }
    }
    commas + 1
}

fn begins_with(statement: &Statement, words: &[Word], allowed: &[&str], what: &str) -> Result<(), FileError> {
    match words.first() {
        Some(first) if allowed.contains(&first.text.as_str()) => Ok(()),
        _ => {
            let allowed = allowed.join(", ").to_uppercase();
            Err(FileError::at(statement.line, format!("{what} {allowed}, and nothing else")))
        }
    }
}

/// Makes sure that the same events give the same rows another time.
fn is_repeatable(words: &[Word]) -> Result<(), FileError> {
    match words.iter().find_map(|word| unrepeatable(word).map(|why| (word, why))) {
        None => Ok(()),
        Some((word, why)) => {
            Err(FileError::at(word.line, format!("{:?} is not for projections: {why}", word.text)))
        }
    }
}

/// Why a word is not for projections, if it is not.
fn unrepeatable(word: &Word) -> Option<&'static str> {
    let of = |list: &[(&str, &'static str)]| {
        list.iter().find(|(banned, _)| *banned == word.text).map(|(_, why)| *why)
    };
    if word.is_string {
        // `today 12:00` is one too; `today we sold nothing` is not.
        let mut parts = word.text.split_whitespace();
        let is_moment = parts.next().is_some_and(|first| MOMENTS.contains(&first));
        return (is_moment && parts.all(|part| part.starts_with(|c: char| c.is_ascii_digit())))
            .then_some(CLOCK);
    }
    match word.arguments {
        // It is counted from today on.
        Some(1) if word.text == "age" => Some(CLOCK),
        Some(_) if word.text.contains("_to_xml") => Some(HIDDEN),
        Some(_) => of(FUNCTIONS).or_else(|| of(KEYWORDS)),
        None => of(KEYWORDS).filter(|_| !word.is_part),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(sql: &str) -> Result<(), FileError> {
        check_doing(&Statement { sql: format!("INSERT INTO x SELECT {sql}"), line: 1 })
    }

    #[test]
    fn what_gives_other_rows_another_time_is_refused() {
        for sql in [
            "now()",
            "\"now\"()",
            "pg_catalog.now()",
            "CURRENT_DATE",
            "'now'::timestamptz",
            "date 'today'",
            "timestamp 'today 12:00'",
            "E'now'::date",
            "$$yesterday$$::date",
            "$x$now$x$::date",
            "age(at)",
            "age((a, b))",
            "txid_current()",
            "table_to_xml('events', true, true, '')",
            "random()",
        ] {
            check(sql).expect_err(sql);
        }
        for sql in [
            "age(a, b)",
            "now",
            "t.current_date",
            "'now and then'",
            "$$nowhere$$",
            "t.random",
            "age(f(a, b), c)",
        ] {
            check(sql).expect(sql);
        }
    }
}
