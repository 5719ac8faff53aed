//! One of the appender's connections: opened when first used, and given up as soon as it is in doubt.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions as _, PgConnection};

use super::batch::{self, Sender};
use super::{Append, Appended};
use crate::error::StoreError;

/// How long the database may take to accept the connection.
pub(crate) const CONNECT: Duration = Duration::from_secs(5);
/// How long one attempt at a batch may take.
const ATTEMPT: Duration = Duration::from_secs(5);

/// A plan that was made while the tables were small must not scan them when they are large, and what is forbidden is
/// priced so high that the server would compile it. Planning anew for each batch would cost more than a small one does.
pub(crate) const PLANNING: [(&str, &str); 5] = [
    ("enable_seqscan", "off"),
    ("enable_hashjoin", "off"),
    ("enable_mergejoin", "off"),
    ("jit", "off"),
    ("plan_cache_mode", "force_generic_plan"),
];

/// The line to the primary.
#[derive(Debug)]
pub(super) struct Line {
    database: PgConnectOptions,
    open: Option<PgConnection>,
    /// What an appender's lines tell the store that they are. It becomes another one when a batch is given up that the
    /// store may still be at: of that, nobody here knows what it touches any more.
    writer: Arc<AtomicI64>,
}

impl Line {
    pub(super) fn to(database: PgConnectOptions, writer: Arc<AtomicI64>) -> Self {
        Self { database: database.options(PLANNING), open: None, writer }
    }

    /// Appends the batch in one commit and returns an outcome for each of its commands; `beside` another one that is on
    /// its way.
    ///
    /// # Errors
    /// When the database does not answer in time or refuses; only a refusal ([`is_refusal`]) means that nothing was done.
    pub(super) async fn append(
        &mut self,
        batch: &[&Append],
        beside: bool,
    ) -> Result<Vec<Appended>, StoreError> {
        let mut connection = match self.open.take() {
            Some(connection) => connection,
            None => in_time(CONNECT, async { Ok(self.database.connect().await?) }).await?,
        };
        let sender = Sender { writer: self.writer.load(Ordering::Relaxed), beside };
        let appended = in_time(ATTEMPT, batch::append(&mut connection, batch, sender)).await;
        // What was cut off may be half-way, and a server that was replaced is to be left.
        if appended.as_ref().err().is_none_or(is_refusal) {
            self.open = Some(connection);
        } else {
            self.writer.fetch_add(1, Ordering::Relaxed);
        }
        appended
    }
}

async fn in_time<T>(
    limit: Duration,
    call: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    tokio::time::timeout(limit, call).await.map_err(|_elapsed| StoreError::TimedOut)?
}

/// Whether the database would say the same again: it is there and in order, and refuses something in the batch.
pub(super) fn is_refusal(error: &StoreError) -> bool {
    /// Classes 08 (connection), 40 (rollback), 53 (resources), 57 (operator intervention): `PostgreSQL`, appendix A.
    const PASSING: [&str; 4] = ["08", "40", "53", "57"];
    /// `read_only_sql_transaction`: the primary was demoted, and a new connection may reach the new one.
    const DEMOTED: &str = "25006";
    let StoreError::Database(sqlx::Error::Database(error)) = error else { return false };
    error.code().is_some_and(|code| code != DEMOTED && !PASSING.iter().any(|class| code.starts_with(class)))
}
