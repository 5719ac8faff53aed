//! A projection in SQL, as its file has it: a header, the tables, and for each type of event what is to be done with a
//! batch of them. `docs/sql-projections.md` is its manual.

use std::collections::BTreeSet;

use sha2::{Digest, Sha256};

use super::error::FileError;
use super::lexer::{Kind, Token, tokens};
use super::words;

/// The longest name: with what is put around it, it must be one of the database.
const LONGEST: usize = 30;
/// The section for all events of a batch.
const ALL: &str = "all";

/// A statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// Its text, without the semicolon.
    pub sql: String,
    /// The line of the file that it begins on.
    pub line: usize,
}

impl Statement {
    /// The line of the file that a character of it is on; the first is 1.
    pub(super) fn line_of(&self, character: usize) -> usize {
        self.line + self.sql.chars().take(character.saturating_sub(1)).filter(|c| *c == '\n').count()
    }
}

/// What is to be done with some types of event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    /// Of which types the events are.
    pub types: Vec<String>,
    /// What is done with those of a batch, one statement after another.
    pub statements: Vec<Statement>,
}

/// A projection in SQL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Projection {
    /// Its name.
    pub name: String,
    /// Its version: another one has tables of its own.
    pub version: i32,
    /// The types of event that it reads.
    pub reads: Vec<String>,
    /// The tables and views that are what it is made for; all, when it says nothing.
    pub shows: Vec<String>,
    /// What makes its tables.
    pub tables: Vec<Statement>,
    /// What is done with the events of a batch, section by section.
    pub sections: Vec<Section>,
    /// SHA-256 of the file.
    pub digest: [u8; 32],
}

impl Projection {
    /// Reads a file. `known` are the types of event that there are.
    ///
    /// # Errors
    /// When it is not a projection: the first line where it is not.
    pub fn parse(source: &str, known: &[&str]) -> Result<Self, FileError> {
        let mut reading = Reading::default();
        let mut begun: Option<Token> = None;
        let mut last = 1;
        for token in tokens(source)? {
            last = token.line;
            match (token.kind, begun) {
                (Kind::Directive, None) => {
                    reading.directive(source[token.start + 3..token.end].trim(), token.line)?;
                }
                (Kind::Directive, Some(first)) => {
                    return Err(FileError::at(first.line, "the statement that begins here has no semicolon"));
                }
                (Kind::Semicolon, None) => {}
                (Kind::Semicolon, Some(first)) => {
                    let sql = source[first.start..token.start].trim_end().to_owned();
                    reading.statement(Statement { sql, line: first.line })?;
                    begun = None;
                }
                (Kind::Word | Kind::Literal | Kind::Mark(_), _) => begun = begun.or(Some(token)),
            }
        }
        if let Some(first) = begun {
            return Err(FileError::at(first.line, "the statement that begins here has no semicolon"));
        }
        reading.finish(known, last, Sha256::digest(source.as_bytes()).into())
    }

    /// Its name and version.
    pub fn title(&self) -> String {
        format!("{}@{}", self.name, self.version)
    }

    /// All its statements.
    pub(super) fn statements(&self) -> impl Iterator<Item = &Statement> {
        self.tables.iter().chain(self.sections.iter().flat_map(|section| &section.statements))
    }
}

/// Where in the file a statement stands.
#[derive(Debug, Default)]
enum Part {
    #[default]
    Header,
    Tables,
    Section(Section),
}

#[derive(Debug, Default)]
struct Reading {
    name: Option<String>,
    version: Option<i32>,
    reads: Vec<(String, usize)>,
    shows: Vec<String>,
    tables: Vec<Statement>,
    sections: Vec<(Section, usize)>,
    part: Part,
    /// The line that the part begins on.
    began: usize,
}

impl Reading {
    fn directive(&mut self, text: &str, line: usize) -> Result<(), FileError> {
        let (what, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
        let rest = rest.trim();
        let is_header = matches!(self.part, Part::Header);
        match what {
            "projection" if is_header && self.name.is_none() => self.name = Some(name(rest, line)?),
            "version" if is_header && self.version.is_none() => {
                let version = rest.parse().ok().filter(|version| (1..=999_999).contains(version));
                self.version = Some(
                    version
                        .ok_or_else(|| FileError::at(line, "the version must be a whole number from 1"))?,
                );
            }
            "reads" if is_header => self.reads.extend(list(rest).map(|name| (name, line))),
            "shows" if is_header => {
                for shown in list(rest) {
                    self.shows.push(name(&shown, line)?);
                }
            }
            "tables" if is_header && rest.is_empty() => self.begin(Part::Tables, line)?,
            "on" => {
                let types: Vec<String> = match rest {
                    ALL => self.reads.iter().map(|(name, _)| name.clone()).collect(),
                    _ => list(rest).collect(),
                };
                if types.is_empty() {
                    return Err(FileError::at(line, "on which events?"));
                }
                self.begin(Part::Section(Section { types, statements: Vec::new() }), line)?;
            }
            "projection" | "version" | "reads" | "shows" | "tables" => {
                return Err(FileError::at(line, format!("{what:?} belongs to the header, once")));
            }
            other => {
                let known = "projection, version, reads, shows, tables and on";
                return Err(FileError::at(line, format!("{other:?} means nothing; there are {known}")));
            }
        }
        Ok(())
    }

    fn begin(&mut self, part: Part, line: usize) -> Result<(), FileError> {
        self.end()?;
        (self.part, self.began) = (part, line);
        Ok(())
    }

    /// The part that was being read has ended.
    fn end(&mut self) -> Result<(), FileError> {
        match std::mem::take(&mut self.part) {
            Part::Section(section) if section.statements.is_empty() => {
                Err(FileError::at(self.began, "nothing is done with these events"))
            }
            Part::Section(section) => {
                self.sections.push((section, self.began));
                Ok(())
            }
            Part::Header | Part::Tables => Ok(()),
        }
    }

    fn statement(&mut self, statement: Statement) -> Result<(), FileError> {
        match &mut self.part {
            Part::Header => {
                Err(FileError::at(statement.line, "a statement belongs to --! tables or to an --! on"))
            }
            Part::Tables => {
                words::check_making(&statement)?;
                self.tables.push(statement);
                Ok(())
            }
            Part::Section(section) => {
                words::check_doing(&statement)?;
                section.statements.push(statement);
                Ok(())
            }
        }
    }

    fn finish(mut self, known: &[&str], last: usize, digest: [u8; 32]) -> Result<Projection, FileError> {
        self.end()?;
        let missing = |what: &str| FileError::at(last, format!("there is no --! {what}"));
        let name = self.name.ok_or_else(|| missing("projection"))?;
        let version = self.version.ok_or_else(|| missing("version"))?;
        if self.reads.is_empty() {
            return Err(missing("reads"));
        }
        if self.tables.is_empty() {
            return Err(missing("tables with a statement"));
        }
        for (read, line) in &self.reads {
            if !known.contains(&read.as_str()) {
                return Err(FileError::at(
                    *line,
                    format!("there is no event {read:?}{}", meant(read, known)),
                ));
            }
            if !self.sections.iter().any(|(section, _)| section.types.contains(read)) {
                return Err(FileError::at(*line, format!("nothing is done with {read}")));
            }
        }
        let reads: BTreeSet<String> = self.reads.into_iter().map(|(name, _)| name).collect();
        for (section, line) in &self.sections {
            if let Some(unread) = section.types.iter().find(|name| !reads.contains(*name)) {
                return Err(FileError::at(
                    *line,
                    format!("{unread} is not among what the header says it reads"),
                ));
            }
        }
        let sections = self.sections.into_iter().map(|(section, _)| section).collect();
        let reads = reads.into_iter().collect();
        Ok(Projection { name, version, reads, shows: self.shows, tables: self.tables, sections, digest })
    }
}

/// The names in a list.
fn list(text: &str) -> impl Iterator<Item = String> {
    text.split([',', ' ', '\t']).filter(|name| !name.is_empty()).map(str::to_owned)
}

/// A name that needs no quotes in SQL.
fn name(text: &str, line: usize) -> Result<String, FileError> {
    let plain = text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
    let reserved = text.starts_with("pg_") || text.starts_with("daybook_");
    if plain && text.starts_with(|c: char| c.is_ascii_lowercase()) && text.len() <= LONGEST && !reserved {
        Ok(text.to_owned())
    } else {
        let wanted = "small letters, digits and underscores";
        let most = format!("{LONGEST} at most, a letter first, and not pg_ or daybook_");
        Err(FileError::at(line, format!("{text:?} is no name: {wanted}, {most}")))
    }
}

/// What may have been meant by a type of event that there is not.
fn meant(read: &str, known: &[&str]) -> String {
    let like =
        |name: &&&str| name.eq_ignore_ascii_case(read) || name.ends_with(read) || read.ends_with(**name);
    known.iter().find(like).map_or_else(String::new, |name| format!("; is it {name}?"))
}

#[cfg(test)]
mod tests;
