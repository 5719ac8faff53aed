//! Outlasting a database that is away for a while. What is sent again changes nothing, so it is sent until it is
//! answered; only for so long, since nobody may be there to bring the database back.

use std::time::Duration;

use daybook_eventstore::{StoreError, VaultError};
use daybook_projections::read::ReadError;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::error::ImportError;

/// How long an outage may last.
const LONGEST: Duration = Duration::from_mins(2);
/// The pause between two attempts, growing from the first to the last.
const PAUSE: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(5));

/// The patience with one thing that is to be done.
pub(super) struct Patience {
    /// When it ends: set when it is first needed.
    until: Option<Instant>,
    pause: Duration,
    stop: CancellationToken,
}

impl Patience {
    /// A full measure of it, which ends at once when the import is to stop.
    pub(super) fn new(stop: &CancellationToken) -> Self {
        Self { until: None, pause: PAUSE.0, stop: stop.clone() }
    }

    /// Waits until it is time for another attempt.
    ///
    /// # Errors
    /// The failure, when it is no outage or there is no patience left.
    pub(super) async fn outlast(&mut self, failure: ImportError) -> Result<(), ImportError> {
        if !is_outage(&failure) {
            return Err(failure);
        }
        let until = *self.until.get_or_insert_with(|| {
            tracing::warn!(error = &failure as &dyn std::error::Error, "the database is away; trying again");
            Instant::now() + LONGEST
        });
        if Instant::now() + self.pause > until {
            return Err(failure);
        }
        tokio::select! {
            () = tokio::time::sleep(self.pause) => {}
            () = self.stop.cancelled() => return Err(failure),
        }
        self.pause = (self.pause * 2).min(PAUSE.1);
        Ok(())
    }
}

/// Whether it may pass by itself.
fn is_outage(failure: &ImportError) -> bool {
    let passes = matches!(
        failure,
        // Once it was ours: the server has not noticed yet that the connection with the lock is gone.
        ImportError::Running
            | ImportError::Store(StoreError::TimedOut | StoreError::Overloaded)
            | ImportError::Vault(VaultError::TimedOut)
            | ImportError::ReadModel(ReadError::TimedOut | ReadError::Overloaded)
    );
    passes || of_database(failure).is_some_and(is_away)
}

const fn of_database(failure: &ImportError) -> Option<&sqlx::Error> {
    let (ImportError::Database(error)
    | ImportError::Store(StoreError::Database(error))
    | ImportError::Vault(VaultError::Database(error))
    | ImportError::ReadModel(ReadError::Database(error))) = failure
    else {
        return None;
    };
    Some(error)
}

fn is_away(error: &sqlx::Error) -> bool {
    /// Classes 08 (connection), 53 (resources), 57 (operator intervention): `PostgreSQL`, appendix A.
    const AWAY: [&str; 3] = ["08", "53", "57"];
    /// `read_only_sql_transaction`: the primary was demoted, and a new connection may reach the new one.
    const DEMOTED: &str = "25006";
    if let Some(code) = error.as_database_error().and_then(sqlx::error::DatabaseError::code) {
        return code == DEMOTED || AWAY.iter().any(|class| code.starts_with(class));
    }
    matches!(error, sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::PoolTimedOut)
}
