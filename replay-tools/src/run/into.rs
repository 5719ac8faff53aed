//! Where rows go.

use std::path::PathBuf;
use std::str::FromStr;

use daybook_eventstore::process::Failure;

/// A place for rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Into {
    /// The terminal.
    Table,
    /// A file for each table in a folder.
    Csv(PathBuf),
    /// The same as Parquet.
    Parquet(PathBuf),
    /// A schema in the read database; without a name, the projection's.
    Schema(Option<String>),
}

/// The longest name of a schema.
const LONGEST: usize = 40;

impl FromStr for Into {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            None if text == "table" => Ok(Self::Table),
            None if text == "schema" => Ok(Self::Schema(None)),
            Some(("csv", folder)) if !folder.is_empty() => Ok(Self::Csv(folder.into())),
            Some(("parquet", _)) if !cfg!(feature = "parquet") => {
                Err("this program was built without Parquet".to_owned())
            }
            Some(("parquet", folder)) if !folder.is_empty() => Ok(Self::Parquet(folder.into())),
            Some(("schema", name)) => schema(name).map(|name| Self::Schema(Some(name))),
            Some(_) | None => {
                Err("it is `table`, `csv:FOLDER`, `parquet:FOLDER`, `schema` or `schema:NAME`".to_owned())
            }
        }
    }
}

impl Into {
    /// Makes sure, before anything is done, that rows can go there.
    pub(super) fn check(&self) -> Result<(), Failure> {
        let folder = match self {
            Self::Csv(folder) | Self::Parquet(folder) => folder,
            Self::Table | Self::Schema(_) => return Ok(()),
        };
        std::fs::create_dir_all(folder)
            .map_err(|error| Failure::from(format!("cannot make {}: {error}", folder.display())))
    }
}

fn schema(name: &str) -> Result<String, String> {
    let plain = name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
    let begins = name.starts_with(|c: char| c.is_ascii_lowercase()) && !name.starts_with("pg_");
    // Where projections are built, and what is not one.
    let taken = name.starts_with("daybook_") || ["public", "live", "information_schema"].contains(&name);
    if plain && begins && !taken && name.len() <= LONGEST {
        Ok(name.to_owned())
    } else {
        Err(format!(
            "{name:?} cannot be the schema's name: small letters, digits and underscores, and no name of others"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_go_to_what_is_named() {
        let parse = |text: &str| text.parse::<Into>();
        assert_eq!(parse("table"), Ok(Into::Table));
        assert_eq!(parse("csv:a/b"), Ok(Into::Csv("a/b".into())));
        assert_eq!(parse("schema"), Ok(Into::Schema(None)));
        assert_eq!(parse("schema:sales_2011"), Ok(Into::Schema(Some("sales_2011".to_owned()))));
        for wrong in
            ["", "csv", "csv:", "schema:", "schema:A", "schema:live", "schema:pg_x", "schema:a;b", "excel:a"]
        {
            parse(wrong).unwrap_err();
        }
    }
}
