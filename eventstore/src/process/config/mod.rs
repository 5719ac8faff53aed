//! Configuration: typed values from the environment or files that it names, with an optional TOML file below. It checks what it is
//! asked for and names what is wrong; it never shows a value, and never reads a variable that has no [`Key`].

mod key;
mod secret;
mod value;

use std::collections::BTreeMap;

pub use key::{Key, keys};
pub use secret::Secret;
pub use value::{LogFormat, PgUrl, ServiceUrl, Value};

/// What every variable's name begins with.
const PREFIX: &str = "DAYBOOK_";
/// The variable that names the file.
const FILE: &str = "DAYBOOK_CONFIG";
/// What a variable's name ends with that names a file with the value.
const IN_FILE: &str = "_FILE";

/// What is wrong with the configuration: one line for whoever starts the process.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// A value that must be given is not.
    #[error("{PREFIX}{name} is missing")]
    Missing {
        /// The key.
        name: &'static str,
    },
    /// A value cannot be read.
    #[error("{PREFIX}{name} is wrong: {reason}")]
    Invalid {
        /// The key.
        name: &'static str,
        /// What it should be.
        reason: String,
    },
    /// The file has a key that means nothing.
    #[error("{path}: unknown key `{key}`")]
    UnknownKey {
        /// The file.
        path: String,
        /// The key.
        key: String,
    },
    /// The file cannot be read.
    #[error("{path} (named by {FILE}): {reason}")]
    File {
        /// The file.
        path: String,
        /// Why.
        reason: String,
    },
    /// The process was started with arguments it does not have.
    #[error("{0}")]
    Usage(String),
}

/// The values that were given, by key.
#[derive(Clone, Default)]
pub struct Settings {
    given: BTreeMap<&'static str, Given>,
}

/// Where a value is.
#[derive(Clone)]
enum Given {
    Here(String),
    /// In the file of this path, which is read when somebody asks for the value.
    InFile(String),
}

impl std::fmt::Debug for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.given.keys()).finish()
    }
}

impl Settings {
    /// What the environment and the file named by `DAYBOOK_CONFIG` give; the environment wins.
    pub fn load() -> Result<Self, ConfigError> {
        let variable = |name: &str| std::env::var(name).ok();
        let Some(path) = variable(FILE).filter(|path| !path.is_empty()) else {
            return Self::default().overridden(variable);
        };
        let text = std::fs::read_to_string(&path)
            .map_err(|error| ConfigError::File { path: path.clone(), reason: error.to_string() })?;
        Self::parse(&path, &text)?.overridden(variable)
    }

    /// What a file gives.
    fn parse(path: &str, text: &str) -> Result<Self, ConfigError> {
        let table: toml::Table = text.parse().map_err(|error: toml::de::Error| ConfigError::File {
            path: path.to_owned(),
            reason: error.message().to_owned(),
        })?;
        let given = table.into_iter().map(|(key, value)| {
            let name = key::NAMES
                .iter()
                .find(|name| name.to_lowercase() == key)
                .ok_or_else(|| ConfigError::UnknownKey { path: path.to_owned(), key: key.clone() })?;
            scalar(&value).map(|text| (*name, Given::Here(text))).ok_or_else(|| ConfigError::Invalid {
                name,
                reason: "must be a string, a whole number or a boolean".to_owned(),
            })
        });
        Ok(Self { given: given.collect::<Result<_, _>>()? })
    }

    /// These values, with the variables that are set and not empty in their place, and the files that variables name.
    fn overridden(mut self, variable: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let set = |name: &str| variable(name).filter(|text| !text.is_empty());
        for name in key::NAMES {
            let given = (set(&format!("{PREFIX}{name}")), set(&format!("{PREFIX}{name}{IN_FILE}")));
            let given = match given {
                (Some(text), None) => Given::Here(text),
                (None, Some(path)) => Given::InFile(path),
                (Some(_), Some(_)) => {
                    let reason = format!("{PREFIX}{name}{IN_FILE} is given too");
                    return Err(ConfigError::Invalid { name, reason });
                }
                (None, None) => continue,
            };
            self.given.insert(name, given);
        }
        Ok(self)
    }

    /// The value of `key`, which must be given.
    pub fn required<T: Value>(&self, key: Key<T>) -> Result<T, ConfigError> {
        self.optional(key)?.ok_or(ConfigError::Missing { name: key.name() })
    }

    /// The value of `key`, if it is given.
    pub fn optional<T: Value>(&self, key: Key<T>) -> Result<Option<T>, ConfigError> {
        let name = key.name();
        let parsed = match self.given.get(name) {
            Some(Given::Here(text)) => T::parse(text),
            Some(Given::InFile(path)) => T::parse(&read(name, path)?),
            None => return Ok(None),
        };
        parsed.map(Some).map_err(|reason| ConfigError::Invalid { name, reason })
    }

    /// The value of `key`, or `default`.
    pub fn or<T: Value>(&self, key: Key<T>, default: T) -> Result<T, ConfigError> {
        Ok(self.optional(key)?.unwrap_or(default))
    }
}

/// The value that is in a file, without the space around it. What is wrong never shows the path: by a slip it is the value.
fn read(name: &'static str, path: &str) -> Result<String, ConfigError> {
    let invalid = |reason| ConfigError::Invalid { name, reason };
    let file = format!("the file that {PREFIX}{name}{IN_FILE} names");
    let text = std::fs::read_to_string(path).map_err(|error| invalid(format!("{file}: {error}")))?;
    match text.trim() {
        "" => Err(invalid(format!("{file} is empty"))),
        text => Ok(text.to_owned()),
    }
}

fn scalar(value: &toml::Value) -> Option<String> {
    match value {
        toml::Value::String(text) => Some(text.clone()),
        toml::Value::Integer(number) => Some(number.to_string()),
        toml::Value::Boolean(truth) => Some(truth.to_string()),
        toml::Value::Float(_) | toml::Value::Datetime(_) | toml::Value::Array(_) | toml::Value::Table(_) => {
            None
        }
    }
}

#[cfg(test)]
mod tests;
