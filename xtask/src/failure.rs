//! The one error type of the front door: what was being done, and what stopped it.
//!
//! It never carries a backtrace or a code: a person reads it once, on one line.

use std::error::Error;

/// Why a command of the front door did not finish.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// Someone asked for it: Ctrl-C, `cargo xtask down` or the end of the terminal.
    #[error("stopped on request")]
    Interrupted,
    /// A step went wrong.
    #[error("{what}")]
    Failed {
        /// What went wrong, as one clause.
        what: String,
        /// What lay beneath it.
        #[source]
        cause: Option<Box<dyn Error + Send + Sync>>,
    },
}

/// The outcome of a step.
pub type Result<T, E = Failure> = std::result::Result<T, E>;

impl Failure {
    /// A failure with no cause beneath it.
    pub fn new(what: impl Into<String>) -> Self {
        Self::Failed { what: what.into(), cause: None }
    }

    /// The whole chain of causes on one line.
    pub fn chain(&self) -> String {
        let mut line = self.to_string();
        let mut source = self.source();
        while let Some(cause) = source {
            line.push_str(": ");
            line.push_str(&cause.to_string());
            source = cause.source();
        }
        line
    }
}

/// Says what was being done when an error came.
pub trait During<T> {
    /// Wraps the error in a sentence about the step.
    fn during(self, what: impl FnOnce() -> String) -> Result<T>;
}

impl<T, E: Into<Box<dyn Error + Send + Sync>>> During<T> for std::result::Result<T, E> {
    fn during(self, what: impl FnOnce() -> String) -> Result<T> {
        self.map_err(|cause| Failure::Failed { what: what(), cause: Some(cause.into()) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_chain_names_every_cause_once() {
        let inner: Result<()> = Err(std::io::Error::other("disk full")).during(|| "cannot write".into());
        let outer = inner.during(|| "cannot keep the state".into()).map_err(|failure| failure.chain());
        assert_eq!(outer, Err("cannot keep the state: cannot write: disk full".into()));
    }
}
