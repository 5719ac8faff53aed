//! A live batch in Postgres by one statement, with the rows at hand that the follower has written itself. That is right
//! only while nobody else writes the version; whenever anything is other than expected nothing is written, and the
//! transaction in `postgres` finds out why.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use sqlx::{PgPool, Row};

use super::error::TargetError;
use super::fold::{Folded, Kept, Keyed, fold_all};
use super::model::Tabled;
use super::postgres::Work;
use super::recent::Recent;
use super::rows::{Changes, load};
use super::target::Applied;
use super::versions::{ADVANCE, STAMP, bind_advance};

/// A follower's right to go on from the rows in its memory. Whoever else writes a version's rows writes its row in the
/// register in the same transaction: another follower moves the checkpoint, and so does who applies what was parked,
/// if only to where it is. Then the stamp is another. It is given only while nothing is parked.
pub(crate) struct Tenure<R> {
    stamp: i64,
    rows: Recent<R>,
}

impl<R> Tenure<R> {
    /// Begins with a checkpoint that this follower has moved, and with no rows.
    pub(crate) fn new(stamp: i64) -> Self {
        Self { stamp, rows: Recent::new() }
    }
}

/// The tenures of a read model's versions. One is taken for each batch and put back by who succeeds, so that an error,
/// a time-out or an abort ends it.
pub(crate) struct Tenures<R>(Mutex<HashMap<i32, Tenure<R>>>);

impl<R> Tenures<R> {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(HashMap::new()))
    }

    pub(crate) fn take(&self, version: i32) -> Option<Tenure<R>> {
        self.lock().remove(&version)
    }

    pub(crate) fn put(&self, version: i32, tenure: Option<Tenure<R>>) {
        self.lock().extend(tenure.map(|tenure| (version, tenure)));
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<i32, Tenure<R>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Applies the batch, all of it or nothing; nothing when the tenure is over, an event cannot be folded, or the database
/// refuses.
pub(crate) async fn apply<M: Tabled>(
    pool: &PgPool,
    work: &Work<'_>,
    tenure: Tenure<M::Row>,
) -> Result<Option<(Applied, Tenure<M::Row>)>, TargetError> {
    match attempt::<M>(pool, work, tenure).await {
        Err(TargetError::Postgres(error)) if error.as_database_error().is_some() => Ok(None),
        other => other,
    }
}

async fn attempt<M: Tabled>(
    pool: &PgPool,
    work: &Work<'_>,
    mut tenure: Tenure<M::Row>,
) -> Result<Option<(Applied, Tenure<M::Row>)>, TargetError> {
    let Some(folded) = fold::<M>(pool, work, &mut tenure.rows).await? else { return Ok(None) };
    let changes = Changes::<M>::of(&folded)?;
    let advanced = format!("advanced AS ({ADVANCE} AND {STAMP} = $8 RETURNING {STAMP} AS stamp)");
    let items = changes.items(&work.schema, 9, "EXISTS (SELECT FROM advanced)");
    let items: Vec<_> = std::iter::once(advanced).chain(items).collect();
    let statement = format!("WITH {} SELECT stamp FROM advanced", items.join(", "));
    let query = bind_advance(sqlx::query(&statement), work.id, work.from, work.to).bind(tenure.stamp);
    let Some(row) = changes.bind(query).fetch_optional(pool).await? else { return Ok(None) };
    tenure.stamp = row.try_get("stamp")?;
    let applied = Applied { keys: folded.len(), parked: 0 };
    for Folded { key, row, applied, .. } in folded {
        if let (Some(last), Some(row)) = (applied.last(), row) {
            tenure.rows.put(key.to_owned(), Kept { position: last.position(), row });
        }
    }
    Ok(Some((applied, tenure)))
}

/// Folds the batch into the rows at hand and those that are not; nothing when something of it has to be parked.
async fn fold<'a, M: Tabled>(
    pool: &PgPool,
    work: &'a Work<'_>,
    rows: &mut Recent<M::Row>,
) -> Result<Option<Vec<Folded<'a, M::Row>>>, TargetError> {
    let at_hand: Vec<_> = work.keyed.iter().map(|keyed| (keyed, rows.take(&keyed.key))).collect();
    let missing = at_hand.iter().filter(|(_, kept)| kept.is_none());
    let missing: Vec<&str> = missing.map(|(keyed, _)| keyed.key.as_str()).collect();
    let stored = load::<M>(pool, &work.schema, &missing).await?;
    let fold = |(keyed, kept): (&'a Keyed, Option<Kept<M::Row>>)| {
        let kept = match (kept, stored.get(&keyed.key)) {
            (None, Some(stored)) => Some(Kept::try_new(stored).ok()?),
            (kept, _) => kept,
        };
        fold_all::<M>(kept, keyed)
    };
    Ok(at_hand.into_iter().map(fold).collect())
}
