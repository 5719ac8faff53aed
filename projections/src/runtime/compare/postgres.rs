//! Two versions in Postgres: in one snapshot, bucket by bucket of keys, by counts and sums of hashes; what differs, and with
//! `rows` everything, row by row. What the version that is behind lacks is folded into temporary tables.

use sqlx::{PgConnection, PgPool, Row as _};
use tokio::time::Instant;

use daybook_eventstore::{RecordedEvent, begin_tx};
use serde_json::Value;

use super::forward::{Step, step};
use super::{Comparing, Comparison, Difference, LOOK, PATIENCE, Tally, incomparable};
use crate::runtime::error::{RuntimeError, TargetError};
use crate::runtime::fold::{by_key, fold_keys};
use crate::runtime::model::Tabled;
use crate::runtime::postgres::is_about_data;
use crate::runtime::rows::{Changes, load};
use crate::runtime::versions::Version;
use crate::runtime::{parked, versions};

/// How many rows of each side a bucket has at most.
const BUCKET: i64 = 10_000;
/// Where a version is brought forward.
const FORWARD: &str = "pg_temp";

/// A table in both versions.
struct Twin {
    name: &'static str,
    /// What finds the same row on the other side, beside the key.
    by: &'static str,
    /// Whether it has a row per event.
    is_journal: bool,
    /// The table itself on each side, where it is there.
    stored: Vec<String>,
    /// A query for all rows of each side: `key`, `position`, `content` as text and `shown` as JSON.
    sides: [String; 2],
}

/// Compares two versions of a read model.
pub(crate) async fn compare<M: Tabled>(
    pool: &PgPool,
    within: &Comparing<'_>,
    asked: [&Version; 2],
) -> Result<Comparison, RuntimeError> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let mut tx = begin_tx(pool).await?;
        let isolation = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ";
        sqlx::query(isolation).execute(&mut *tx).await?;
        // A bucket is a small part of the table: which, has to be known to plan for it.
        sqlx::query("SET LOCAL plan_cache_mode = force_custom_plan").execute(&mut *tx).await?;
        let compared = in_snapshot::<M>(&mut tx, within, asked).await;
        tx.rollback().await?;
        match compared {
            Ok(Some(compared)) => return Ok(compared),
            Ok(None) => {}
            // What is refused when the version takes it is refused here as well; once it has been, it is parked.
            Err(RuntimeError::Target(TargetError::Postgres(error))) if is_about_data(&error) => {}
            Err(error) => return Err(error),
        }
        if Instant::now() > deadline {
            return Err(incomparable(&asked[0].name, asked, "they do not come to one position"));
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// The comparison as of this snapshot; nothing when the versions cannot be brought to one position from here.
async fn in_snapshot<M: Tabled>(
    tx: &mut PgConnection,
    within: &Comparing<'_>,
    asked: [&Version; 2],
) -> Result<Option<Comparison>, RuntimeError> {
    let name = asked[0].name.as_str();
    let known = versions::list(&mut *tx, name).await?;
    let find = |version: i32| known.iter().find(|row| row.version == version);
    let (Some(live), Some(other)) = (find(asked[0].version), find(asked[1].version)) else {
        return Err(RuntimeError::NoVersion { name: name.to_owned(), what: "such" });
    };
    let rows = [live, other];
    let at = rows.map(|row| row.checkpoint);
    let Some(Step { side, events, to }) = step(within, rows, at, M::REVISION).await? else { return Ok(None) };
    let mut compared = Comparison::new(rows);
    compared.position = to;
    let is_behind = !events.is_empty();
    if is_behind {
        compared.sides[side].parked += bring_forward::<M>(tx, within, rows[side], events).await?;
    }
    let journal = M::JOURNAL.map(|table| table.name);
    for (table, is_journal) in std::iter::once((M::TABLE.name, false)).chain(journal.map(|name| (name, true)))
    {
        let mut tally = Tally::new(table);
        let behind = is_behind.then_some(side);
        let twin = Twin::find(tx, rows, (table, is_journal), behind, &mut tally.columns).await?;
        walk(tx, &twin, within, (&mut tally, &mut compared.differences)).await?;
        compared.tables.push(tally);
    }
    Ok(Some(compared))
}

/// Folds events into rows of temporary tables, named like those of the version; says how many events would be parked.
async fn bring_forward<M: Tabled>(
    tx: &mut PgConnection,
    within: &Comparing<'_>,
    version: &Version,
    events: Vec<RecordedEvent>,
) -> Result<i64, RuntimeError> {
    let schema = schema(version);
    let keyed = by_key::<M>(events, &within.log.upcasters);
    let stops = parked::stops(&mut *tx, (&version.name, version.version), &keyed).await?;
    let keys: Vec<&str> = keyed.iter().map(|keyed| keyed.key.as_str()).collect();
    let stored = load::<M>(&mut *tx, &schema, &keys).await?;
    let folded = fold_keys::<M>(&keyed, &stored, &stops);
    let journal = M::JOURNAL.map(|table| table.name);
    for table in std::iter::once(M::TABLE.name).chain(journal) {
        let like = format!("CREATE TABLE {FORWARD}.{table} (LIKE {schema}.{table} INCLUDING ALL)");
        sqlx::query(&like).execute(&mut *tx).await?;
    }
    Changes::<M>::of(&folded)?.save(&mut *tx, FORWARD).await?;
    // Those that are gone are in no table, and no longer what they were.
    let touched: Vec<&str> =
        folded.iter().filter(|key| key.position().is_some()).map(|key| key.key).collect();
    let create = format!("CREATE TABLE {FORWARD}.touched (key text COLLATE \"C\" PRIMARY KEY)");
    sqlx::query(&create).execute(&mut *tx).await?;
    let insert = format!("INSERT INTO {FORWARD}.touched SELECT unnest($1::text[])");
    sqlx::query(&insert).bind(touched).execute(&mut *tx).await?;
    let parked: usize = folded.iter().map(|key| key.parked.len()).sum();
    Ok(i64::try_from(parked).unwrap_or(i64::MAX))
}

fn schema(version: &Version) -> String {
    format!("{}_v{}", version.name, version.version)
}

impl Twin {
    /// The table of both versions, by the columns that both have; tells which only one has. One that only one version has
    /// has no rows in the other.
    async fn find(
        tx: &mut PgConnection,
        versions: [&Version; 2],
        (name, is_journal): (&'static str, bool),
        behind: Option<usize>,
        odd: &mut Vec<String>,
    ) -> Result<Self, RuntimeError> {
        let [live, other] = versions.map(|row| format!("{}.{name}", schema(row)));
        let columns = [columns(tx, &live).await?, columns(tx, &other).await?];
        let there = |side: usize| !columns[side].is_empty();
        if !there(0) && !there(1) {
            return Err(TargetError::Gone.into());
        }
        let (shared, single): (Vec<&String>, Vec<&String>) = columns[0]
            .iter()
            .chain(columns[1].iter().filter(|column| !columns[0].contains(column)))
            .partition(|column| !(there(0) && there(1)) || columns.iter().all(|side| side.contains(column)));
        odd.extend(single.into_iter().cloned());
        let stored = [live, other];
        let side = |side: usize| {
            if !there(side) {
                return "SELECT '' COLLATE \"C\" AS key, 0::bigint AS position, '' AS content, NULL::json AS shown
                        WHERE false"
                    .to_owned();
            }
            let all = rows_of(&stored[side], &shared);
            if behind != Some(side) {
                return all;
            }
            let forward = rows_of(&format!("{FORWARD}.{name}"), &shared);
            let untouched = if is_journal {
                String::new()
            } else {
                format!(" WHERE NOT EXISTS (SELECT FROM {FORWARD}.touched WHERE touched.key = t.key)")
            };
            format!("{all}{untouched} UNION ALL {forward}")
        };
        let sides = [side(0), side(1)];
        let by = if is_journal { " AND a.position = b.position" } else { "" };
        let mut is_there = [there(0), there(1)].into_iter();
        let mut stored = Vec::from(stored);
        stored.retain(|_| is_there.next().unwrap_or(false));
        Ok(Self { name, by, is_journal, stored, sides })
    }
}

/// The columns of a table that are written, in their order; none when it is not there.
async fn columns(tx: &mut PgConnection, table: &str) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT attname::text FROM pg_attribute
         WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped AND attgenerated = '' ORDER BY attnum",
    )
    .bind(table)
    .fetch_all(tx)
    .await
}

/// A query for all rows of a table.
fn rows_of(table: &str, columns: &[&String]) -> String {
    let quoted = |column: &&String| format!("t.\"{}\"", column.replace('"', "\"\""));
    let named = |column: &&String| format!("'{}', {}", column.replace('\'', "''"), quoted(column));
    let content: Vec<String> = columns.iter().map(quoted).collect();
    let shown: Vec<String> = columns.iter().map(named).collect();
    format!(
        "SELECT t.key, t.position, ROW({})::text AS content, json_build_object({}) AS shown FROM {table} AS t",
        content.join(", "),
        shown.join(", "),
    )
}

/// A part of a table: the keys after the first one, from the beginning where there is none, up to the second one, to the
/// end where there is none.
type Bucket<'a> = (Option<&'a str>, Option<&'a str>);
/// The keys after the first argument.
const AFTER: &str = "($1::text IS NULL OR key > $1)";

/// Compares a table, bucket by bucket.
async fn walk(
    tx: &mut PgConnection,
    twin: &Twin,
    within: &Comparing<'_>,
    (tally, shown): (&mut Tally, &mut Vec<Difference>),
) -> Result<(), RuntimeError> {
    let mut after: Option<String> = None;
    loop {
        let until = boundary(tx, twin, after.as_deref()).await?;
        let bucket = (after.as_deref(), until.as_deref());
        let sums = sums(tx, twin, bucket).await?;
        for (side, (rows, sum)) in sums.into_iter().enumerate() {
            tally.add(side, rows, sum);
        }
        if within.depth.rows || sums[0] != sums[1] {
            let room = within.depth.show.saturating_sub(shown.len());
            tally.different += differing(tx, twin, bucket, room, shown).await?;
        }
        match until {
            Some(until) => after = Some(until),
            None => return Ok(()),
        }
    }
}

/// The last key of the bucket that begins after this key; nothing when it is the last bucket.
async fn boundary(
    tx: &mut PgConnection,
    twin: &Twin,
    after: Option<&str>,
) -> Result<Option<String>, sqlx::Error> {
    let last = |table: &String| {
        format!("(SELECT key FROM {table} WHERE {AFTER} ORDER BY key OFFSET {} LIMIT 1)", BUCKET - 1)
    };
    let lasts: Vec<String> = twin.stored.iter().map(last).collect();
    let statement = format!("SELECT least({})", lasts.join(", "));
    sqlx::query_scalar(&statement).bind(after).fetch_one(tx).await
}

/// What a bucket's keys are, as a condition; its bounds are the first arguments.
fn range((_, until): Bucket<'_>) -> String {
    let until = if until.is_some() { "key <= $2" } else { "$2::text IS NULL" };
    format!("{AFTER} AND {until}")
}

/// How many rows each side has in a bucket, and the sums of their hashes.
async fn sums(
    tx: &mut PgConnection,
    twin: &Twin,
    bucket: Bucket<'_>,
) -> Result<[(u64, u64); 2], RuntimeError> {
    let range = range(bucket);
    let sum = |side: &String| {
        format!(
            "SELECT count(*) AS rows, coalesce(sum(hashtextextended(content, 0)), 0)::text AS sum
             FROM ({side}) AS all_rows WHERE {range}"
        )
    };
    let [live, other] = &twin.sides;
    let statement =
        format!("SELECT a.rows, a.sum, b.rows, b.sum FROM ({}) AS a, ({}) AS b", sum(live), sum(other));
    let row = sqlx::query(&statement).bind(bucket.0).bind(bucket.1).fetch_one(tx).await?;
    let mut sums = [(0, 0); 2];
    for (side, sum) in sums.iter_mut().enumerate() {
        let (rows, total): (i64, String) = (row.try_get(2 * side)?, row.try_get(2 * side + 1)?);
        let total: i128 = total.parse().map_err(|_| sqlx::Error::Decode("not a whole number".into()))?;
        let total = total.rem_euclid(1 << 64);
        *sum = (rows.cast_unsigned(), u64::try_from(total).unwrap_or_default());
    }
    Ok(sums)
}

/// How many rows of a bucket differ; shows the first of them, as far as there is room.
async fn differing(
    tx: &mut PgConnection,
    twin: &Twin,
    bucket: Bucket<'_>,
    room: usize,
    shown: &mut Vec<Difference>,
) -> Result<u64, RuntimeError> {
    let (range, by, [live, other]) = (range(bucket), twin.by, &twin.sides);
    let statement = format!(
        "SELECT coalesce(a.key, b.key), coalesce(a.position, b.position), a.shown::text, b.shown::text,
             count(*) OVER ()
         FROM (SELECT * FROM ({live}) AS all_rows WHERE {range}) AS a
             FULL JOIN (SELECT * FROM ({other}) AS all_rows WHERE {range}) AS b ON a.key = b.key{by}
         WHERE a.content IS DISTINCT FROM b.content
         ORDER BY 1, 2 LIMIT $3"
    );
    let limit = i64::try_from(room.max(1)).unwrap_or(i64::MAX);
    let rows = sqlx::query(&statement).bind(bucket.0).bind(bucket.1).bind(limit).fetch_all(tx).await?;
    let Some(first) = rows.first() else { return Ok(0) };
    let different = first.try_get::<i64, _>(4)?.cast_unsigned();
    for row in rows.iter().take(room) {
        let json = |text: Option<String>| -> Result<Option<Value>, TargetError> {
            Ok(text.map(|text| serde_json::from_str(&text)).transpose()?)
        };
        shown.push(Difference {
            table: twin.name.to_owned(),
            key: row.try_get(0)?,
            position: if twin.is_journal { Some(row.try_get(1)?) } else { None },
            rows: [json(row.try_get(2)?)?, json(row.try_get(3)?)?],
        });
    }
    Ok(different)
}
