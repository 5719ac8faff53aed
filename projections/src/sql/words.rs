//! Which statements a projection may consist of, and which words would make its rows depend on anything but the events.
//! It helps whoever writes one; that a file does no harm is the business of the account that it is run as.

use super::error::FileError;
use super::file::Statement;
use super::lexer::{Kind, Token, tokens};

/// What tables are made with.
const MAKING: &[&str] = &["create", "comment", "insert"];
/// What a `CREATE` may make.
const MADE: &[&str] = &["table", "unlogged", "view", "index", "unique", "type"];
/// What is done with events.
const DOING: &[&str] = &["insert", "update", "delete", "merge", "with"];

/// Why what tells the time is not for projections.
const CLOCK: &str =
    "the same events would give other rows another time; an event has occurred_at and recorded_at";
/// Why what gives something else each time is not.
const CHANCE: &str = "the same events would give other rows each time; an event has a position";
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
];
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
        .filter(|word| word.is_called)
        .map(|word| (word.text, word.line))
        .collect())
}

/// A word of a statement.
struct Word {
    /// In small letters.
    text: String,
    line: usize,
    /// Whether a parenthesis follows.
    is_called: bool,
    /// Whether it is a part of a longer name.
    is_part: bool,
}

fn words(statement: &Statement) -> Result<Vec<Word>, FileError> {
    let tokens = tokens(&statement.sql)?;
    let is = |token: Option<&Token>, mark| token.is_some_and(|token| token.kind == Kind::Mark(mark));
    let words =
        tokens.iter().enumerate().filter(|(_, token)| token.kind == Kind::Word).map(|(i, token)| Word {
            text: statement.sql[token.start..token.end].to_lowercase(),
            line: statement.line + token.line - 1,
            is_called: is(tokens.get(i + 1), '('),
            is_part: i > 0 && is(tokens.get(i - 1), '.'),
        });
    Ok(words.collect())
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
    for word in words {
        let why = |list: &[(&str, &'static str)]| {
            list.iter().find(|(banned, _)| *banned == word.text).map(|(_, why)| *why)
        };
        let called = why(FUNCTIONS).filter(|_| word.is_called);
        if let Some(why) = called.or_else(|| why(KEYWORDS).filter(|_| !word.is_part)) {
            return Err(FileError::at(word.line, format!("{:?} is not for projections: {why}", word.text)));
        }
    }
    Ok(())
}
