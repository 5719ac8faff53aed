//! Why a chunk did not take effect: because of what is in it, or of what is around it.

use crate::error::StoreError;

/// The classes of what the database has against a command, and would say again: its data, a rule of the tables, and a limit
/// (`PostgreSQL`, appendix A). Whatever else it says, a missing privilege for example, is about nobody's command.
const AGAINST_DATA: [&str; 3] = ["22", "23", "54"];
/// `unique_violation`.
const TAKEN: &str = "23505";
/// A command was recorded meanwhile that appends nothing. The next look sees it.
const RECORDED: &str = "commands_pkey";

/// Why a chunk did not take effect.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) error: StoreError,
    /// Whether the database refuses a command in it, and would again.
    pub(super) is_refusal: bool,
}

impl Failure {
    /// The database could not be reached, whatever the chunk is.
    pub(super) const fn to_connect(error: StoreError) -> Self {
        Self { error, is_refusal: false }
    }

    /// The database was given the chunk.
    pub(super) fn with_chunk(error: StoreError) -> Self {
        Self { is_refusal: is_refusal(&error), error }
    }
}

fn is_refusal(error: &StoreError) -> bool {
    let StoreError::Database(sqlx::Error::Database(error)) = error else { return false };
    let Some(code) = error.code() else { return false };
    let is_against_data = AGAINST_DATA.iter().any(|class| code.starts_with(class));
    is_against_data && !(code == TAKEN && error.constraint() == Some(RECORDED))
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;
    use std::error::Error;
    use std::fmt;

    use sqlx::error::{DatabaseError, ErrorKind};

    use super::*;

    /// What a database says.
    #[derive(Debug)]
    struct Said(&'static str, Option<&'static str>);

    impl fmt::Display for Said {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.0)
        }
    }

    impl Error for Said {}

    impl DatabaseError for Said {
        fn message(&self) -> &str {
            self.0
        }

        fn code(&self) -> Option<Cow<'_, str>> {
            Some(self.0.into())
        }

        fn constraint(&self) -> Option<&str> {
            self.1
        }

        fn kind(&self) -> ErrorKind {
            ErrorKind::Other
        }

        fn as_error(&self) -> &(dyn Error + Send + Sync + 'static) {
            self
        }

        fn as_error_mut(&mut self) -> &mut (dyn Error + Send + Sync + 'static) {
            self
        }

        fn into_error(self: Box<Self>) -> Box<dyn Error + Send + Sync + 'static> {
            self
        }
    }

    fn said(code: &'static str, constraint: Option<&'static str>) -> StoreError {
        StoreError::Database(sqlx::Error::Database(Box::new(Said(code, constraint))))
    }

    #[test]
    fn only_what_is_said_against_a_command_refuses_it() {
        for (code, constraint) in
            [("22P02", None), ("22021", None), ("23514", None), ("54001", None), (TAKEN, Some("events_pkey"))]
        {
            assert!(Failure::with_chunk(said(code, constraint)).is_refusal, "{code}");
            assert!(!Failure::to_connect(said(code, constraint)).is_refusal, "{code}");
        }
        // No such password, database, privilege or function; a lost connection, a race, a demoted primary; recorded by others.
        for code in ["28P01", "3D000", "42501", "42883", "08006", "40001", "25006", "57014"] {
            assert!(!Failure::with_chunk(said(code, None)).is_refusal, "{code}");
        }
        assert!(!Failure::with_chunk(said(TAKEN, Some(RECORDED))).is_refusal);
        assert!(!Failure::with_chunk(StoreError::TimedOut).is_refusal);
    }
}
