//! What a run would do, and whether Postgres takes the statements; nothing of it stays.

use daybook_eventstore::{LogReader, Position};
use sqlx::PgPool;

use super::account::Account;
use super::error::SqlError;
use super::file::Projection;
use super::session::{Request, origin};
use super::state::Asked;
use super::worker::Worker;
use super::{resume, shown, volatile};

/// What a run would do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The role that the statements would run as.
    pub role: String,
    /// The schema in which it would go on, and after which position; nothing when it would begin.
    pub goes_on: Option<(String, Position)>,
    /// The tables and views that it would show.
    pub shown: Vec<String>,
}

/// Makes the tables in a schema that goes again, and has Postgres plan every statement.
///
/// # Errors
/// What a run would fail with before the first event, and what is wrong with any statement whatever the events are.
pub async fn explain(
    log: &LogReader,
    read: &PgPool,
    projection: &Projection,
    request: &Request,
) -> Result<Plan, SqlError> {
    let mut account = Account::take(read, projection, &request.limits).await?;
    let asked = Asked::of(projection, request.after, request.as_of);
    let place = resume::reserve(&mut account, request).await?;
    let found = resume::find(&mut account, log, projection, request, (&asked, place)).await?;
    let role = account.role().to_owned();
    let schema = format!("daybook_check_{}_v{}", projection.name, projection.version);
    account.make_schema(&schema).await?;
    let tried = attempt(&account, log, projection, request, &schema).await;
    account.discard(&schema).await?;
    Ok(Plan { role, goes_on: found.map(|(schema, at)| (schema, at.position)), shown: tried? })
}

async fn attempt(
    account: &Account,
    log: &LogReader,
    projection: &Projection,
    request: &Request,
    schema: &str,
) -> Result<Vec<String>, SqlError> {
    let mut worker = Worker::new(account.connect(schema).await?, request.limits.statement);
    volatile::check(worker.connection(), projection).await?;
    let asked = Asked::of(projection, request.after, request.as_of);
    worker.make(projection, &asked, &origin(log, request.after).await?).await?;
    shown::check(worker.connection(), projection).await?;
    worker.make_relation().await?;
    worker.plan(projection).await?;
    let shown = shown::of(worker.connection(), projection).await?;
    Ok(shown.into_iter().map(|shown| shown.name).collect())
}
