//! `migrate`: brings both databases to this program's schema. It creates no database and no account.

use daybook_eventstore::process::config::{Settings, keys};
use daybook_eventstore::process::{Failure, pool};

/// Migrates the event store and the read models; several may do so at once.
pub(crate) async fn run(settings: &Settings) -> Result<(), Failure> {
    // Both are read before either is touched: half a configuration migrates nothing.
    let events = settings.required(keys::EVENTS_URL)?;
    let read = settings.required(keys::READ_URL)?;
    daybook_eventstore::migrate(&pool(&events, 1, "daybook-replay")).await?;
    daybook_projections::migrate(&pool(&read, 1, "daybook-replay")).await?;
    Ok(())
}
