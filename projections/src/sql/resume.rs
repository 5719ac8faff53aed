//! What a run goes on with: a run of the same file over the same events, of the same log, where it is to stay or where it was
//! being built. Nothing else is ever gone on with, and nothing of anybody else is ever replaced.

use daybook_eventstore::{Checkpoint, LogReader, StoreError};
use sqlx::Connection as _;

use super::account::{Account, bounded};
use super::error::SqlError;
use super::file::Projection;
use super::session::Request;
use super::state::{self, Asked, Place};
use crate::registry;

/// Makes sure that no other run is to have the schema that is to stay; what there is in its place.
pub(super) async fn reserve(account: &mut Account, request: &Request) -> Result<Place, SqlError> {
    let Some(schema) = &request.schema else { return Ok(Place::Free) };
    if is_reserved(schema) {
        return Err(SqlError::Reserved(schema.clone()));
    }
    account.reserve(schema).await?;
    account.place(schema).await
}

/// Whether something else has a schema of this name, or may want to have one.
fn is_reserved(schema: &str) -> bool {
    let is_of = |read_model: &&str| {
        let version =
            schema.strip_prefix(&read_model.replace('-', "_")).and_then(|rest| rest.strip_prefix("_v"));
        version.is_some_and(|version| version.bytes().all(|byte| byte.is_ascii_digit()))
    };
    let names = ["public", "live", "information_schema"];
    let prefixes = ["pg_", "daybook_"];
    names.contains(&schema)
        || prefixes.iter().any(|prefix| schema.starts_with(prefix))
        || registry::names().iter().any(is_of)
}

/// The schema and the checkpoint of the run to go on with, if there is one.
pub(super) async fn find(
    account: &mut Account,
    log: &LogReader,
    projection: &Projection,
    request: &Request,
    (asked, found): (&Asked, Place),
) -> Result<Option<(String, Checkpoint)>, SqlError> {
    if let Some(place) = &request.schema {
        match found {
            Place::Free => {}
            Place::OtherVersion if request.replace => {}
            Place::OtherVersion => return Err(otherwise(place, "by another version")),
            Place::Ours { begun: true } => match look(account, log, request, asked, place).await? {
                Ok(at) => return Ok(Some((place.clone(), at))),
                Err(by) if !request.replace => return Err(otherwise(place, by)),
                // It stays until the new one takes its place.
                Err(_) => {}
            },
            Place::Ours { begun: false } | Place::Taken => return Err(SqlError::NotOurs(place.clone())),
        }
    }
    let schema = working(projection);
    match account.place(&schema).await? {
        Place::Taken | Place::OtherVersion => Err(SqlError::NotOurs(schema)),
        // A run that ended before it had begun.
        Place::Free | Place::Ours { begun: false } => Ok(None),
        Place::Ours { begun: true } => {
            let at = look(account, log, request, asked, &schema).await?;
            Ok(at.ok().map(|at| (schema, at)))
        }
    }
}

fn otherwise(schema: &str, by: &str) -> SqlError {
    SqlError::MadeOtherwise { schema: schema.to_owned(), by: by.to_owned() }
}

/// Where the run in a schema of ours is, or in what it differs from what is asked for.
async fn look(
    account: &Account,
    log: &LogReader,
    request: &Request,
    asked: &Asked,
    schema: &str,
) -> Result<Result<Checkpoint, &'static str>, SqlError> {
    let mut connection = account.connect(schema).await?;
    let found = bounded(state::find(&mut connection)).await?;
    bounded(connection.close()).await?;
    let Some((before, at)) = found else { return Ok(Err("by somebody else")) };
    Ok(match before.differs(asked) {
        Some(by) => Err(by),
        None if request.until.is_some_and(|until| at.position > until) => Err("up to a later position"),
        None if !is_of_this_log(&at, log).await? => Err("of another log"),
        None => Ok(at),
    })
}

/// Whether the log is still the one that a checkpoint was taken of.
async fn is_of_this_log(at: &Checkpoint, log: &LogReader) -> Result<bool, SqlError> {
    match at.verify(log, "a projection in SQL").await {
        Ok(_) => Ok(true),
        Err(StoreError::LogDiverged { .. }) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Where a projection is built until it is put in its place. No projection has a name that would make it the schema of
/// another one's.
pub(super) fn working(projection: &Projection) -> String {
    format!("daybook_build_{}_v{}", projection.name, projection.version)
}
