//! SQL cut into words as Postgres cuts it ("Lexical Structure" of its manual), as far as it takes to know where a
//! statement ends and which words it uses. Nothing here knows what a statement means.

use super::error::FileError;

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A name or a keyword without quotes.
    Word,
    /// A string, a number or a name in quotes.
    Literal,
    /// What ends a statement.
    Semicolon,
    /// Anything else, one character.
    Mark(char),
    /// A line that tells Daybook something: what follows `--!`.
    Directive,
}

/// A part of the source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) kind: Kind,
    /// Where it begins, in bytes.
    pub(super) start: usize,
    /// Where it ends.
    pub(super) end: usize,
    /// The line it begins on, from 1.
    pub(super) line: usize,
}

/// What a line begins with that is for Daybook.
const DIRECTIVE: &str = "--!";

struct Lexer<'a> {
    source: &'a str,
    at: usize,
    line: usize,
}

/// The tokens of a source, without white space and comments.
///
/// # Errors
/// When a string, a name in quotes or a comment has no end.
pub(super) fn tokens(source: &str) -> Result<Vec<Token>, FileError> {
    let mut lexer = Lexer { source, at: 0, line: 1 };
    let mut tokens = Vec::new();
    while let Some(token) = lexer.next()? {
        tokens.push(token);
    }
    Ok(tokens)
}

impl Lexer<'_> {
    fn next(&mut self) -> Result<Option<Token>, FileError> {
        while let Some(c) = self.rest().chars().next() {
            let (start, line) = (self.at, self.line);
            let token = |kind, lexer: &Self| Token { kind, start, end: lexer.at, line };
            if c.is_whitespace() {
                self.skip(c.len_utf8());
            } else if self.rest().starts_with(DIRECTIVE) {
                self.skip(self.rest().find('\n').unwrap_or(self.rest().len()));
                return Ok(Some(token(Kind::Directive, self)));
            } else if self.rest().starts_with("--") {
                self.skip(self.rest().find('\n').unwrap_or(self.rest().len()));
            } else if self.rest().starts_with("/*") {
                self.comment()?;
            } else {
                let kind = self.token(c)?;
                return Ok(Some(token(kind, self)));
            }
        }
        Ok(None)
    }

    fn token(&mut self, first: char) -> Result<Kind, FileError> {
        match first {
            '\'' => self.quoted('\'', false),
            '"' => self.quoted('"', false),
            '$' => self.dollars(),
            ';' => {
                self.skip(1);
                Ok(Kind::Semicolon)
            }
            _ if is_word(first) => {
                let length = self.rest().find(|c| !is_word(c) && c != '$').unwrap_or(self.rest().len());
                let escapes = self.rest()[..length].eq_ignore_ascii_case("e");
                self.skip(length);
                match self.rest().starts_with('\'') {
                    // A string with a letter before it: `E'…'`, `B'…'`, `X'…'`, `N'…'`.
                    true if length == 1 => self.quoted('\'', escapes),
                    _ if first.is_ascii_digit() => Ok(Kind::Literal),
                    _ => Ok(Kind::Word),
                }
            }
            _ => {
                self.skip(first.len_utf8());
                Ok(Kind::Mark(first))
            }
        }
    }

    /// Skips a string or a name in quotes; two quotes in it stand for one.
    fn quoted(&mut self, quote: char, escapes: bool) -> Result<Kind, FileError> {
        let line = self.line;
        self.skip(1);
        loop {
            let Some(length) = self.rest().find(|c| c == quote || (escapes && c == '\\')) else {
                return Err(FileError::at(line, "what begins here with a quote has no end"));
            };
            let is_escape = self.rest()[length..].starts_with('\\');
            self.skip(length + 1);
            if is_escape {
                self.skip(self.rest().chars().next().map_or(0, char::len_utf8));
            } else if self.rest().starts_with(quote) {
                self.skip(1);
            } else {
                return Ok(Kind::Literal);
            }
        }
    }

    /// Skips a string in `$$` or `$tag$`; a dollar alone is a mark.
    fn dollars(&mut self) -> Result<Kind, FileError> {
        let tag = self.rest()[1..].find('$').map(|length| &self.rest()[..length + 2]);
        let tag =
            tag.filter(|tag| tag[1..tag.len() - 1].chars().all(is_word) && !starts_with_digit(&tag[1..]));
        let Some(length) = tag.map(str::len) else {
            self.skip(1);
            return Ok(Kind::Mark('$'));
        };
        let (begin, body) = self.rest().split_at(length);
        let Some(end) = body.find(begin) else {
            return Err(FileError::at(self.line, format!("what begins here with {begin} has no end")));
        };
        self.skip(length + end + length);
        Ok(Kind::Literal)
    }

    /// Skips a comment, which may have others in it.
    fn comment(&mut self) -> Result<(), FileError> {
        let (line, mut depth) = (self.line, 0);
        loop {
            let rest = self.rest();
            let (open, close) = (rest.find("/*"), rest.find("*/"));
            match (open, close) {
                (Some(open), Some(close)) if open < close => {
                    depth += 1;
                    self.skip(open + 2);
                }
                (_, Some(close)) => {
                    depth -= 1;
                    self.skip(close + 2);
                }
                (_, None) => return Err(FileError::at(line, "the comment that begins here has no end")),
            }
            if depth == 0 {
                return Ok(());
            }
        }
    }

    fn rest(&self) -> &str {
        &self.source[self.at..]
    }

    fn skip(&mut self, bytes: usize) {
        let skipped = &self.source[self.at..self.at + bytes];
        self.line += skipped.matches('\n').count();
        self.at += bytes;
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn starts_with_digit(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The tokens' texts, with their lines.
    fn cut(source: &str) -> Vec<(&str, usize)> {
        let tokens = tokens(source).expect("it can be cut");
        tokens.iter().map(|token| (&source[token.start..token.end], token.line)).collect()
    }

    #[test]
    fn a_semicolon_in_a_string_a_name_or_a_comment_ends_nothing() {
        for whole in ["'a;b'", "'it''s;'", r"E'\';'", "\"a;b\"", "$$a;b$$", "$x$a$$;b$x$", "B'1;'"] {
            assert_eq!(cut(whole), [(whole, 1)]);
        }
        assert_eq!(cut("a -- ; \n/* ; /* ; */ ; */ b;"), [("a", 1), ("b", 2), (";", 2)]);
    }

    #[test]
    fn words_numbers_and_marks_are_told_apart() {
        let kinds: Vec<_> =
            tokens("sum(x) + 1.5 = $1").expect("tokens").into_iter().map(|token| token.kind).collect();
        let mark = Kind::Mark;
        let expected = [
            Kind::Word,
            mark('('),
            Kind::Word,
            mark(')'),
            mark('+'),
            Kind::Literal,
            mark('.'),
            Kind::Literal,
            mark('='),
            mark('$'),
            Kind::Literal,
        ];
        assert_eq!(kinds, expected);
        assert_eq!(cut("--! on A\nSELECT"), [("--! on A", 1), ("SELECT", 2)]);
    }

    #[test]
    fn what_has_no_end_is_told_with_the_line_it_begins_on() {
        for (source, line) in [("a\n'b", 2), ("\"b\n\n", 1), ("a\n\n$t$ $$", 3), ("/* /* */\n", 1)] {
            assert_eq!(tokens(source).map_err(|error| error.line), Err(line), "{source}");
        }
    }
}
