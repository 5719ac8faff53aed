//! The reader of a design: it polls for what is after the last that it saw.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sqlx::{PgPool, Row as _};

use super::super::Failed;
use super::super::dice::Dice;
use super::super::history::Seen;
use super::{Design, Mistake, tables};

/// How often it looks.
const GLANCE: Duration = Duration::from_millis(2);
/// How many events it takes at once.
const BATCH: i64 = 200;
/// How often it looks in vain, once nothing is written any more, until it is at the end: transactions of others hold up who
/// waits for the oldest that runs.
const QUIET: usize = 150;
/// How often it dies before it has kept its place, in percent.
const DIES: u64 = 5;
/// Follows until nothing is written any more, and then to the end.
pub(super) async fn follow(
    pool: PgPool,
    design: Design,
    mut dice: Dice,
    written: Arc<AtomicBool>,
) -> Result<Vec<Seen>, Failed> {
    let statement = statement(design);
    let (mut seen, mut at) = (Vec::new(), ("0".to_owned(), 0_i64));
    let mut in_vain = 0;
    while in_vain < QUIET {
        let is_over = written.load(Ordering::Acquire);
        let rows = sqlx::query(&statement).bind(&at.0).bind(at.1).fetch_all(&pool).await?;
        in_vain = if is_over && rows.is_empty() { in_vain + 1 } else { 0 };
        let before = at.clone();
        for row in rows {
            at = (row.try_get("transaction")?, row.try_get("position")?);
            let event = row.try_get("event")?;
            seen.push(Seen { position: at.1, event: Some(event), digest: tables::digest(event) });
        }
        if design.has(Mistake::Repeat) && dice.percent(DIES) {
            at = before;
        }
        tokio::time::sleep(GLANCE).await;
    }
    Ok(seen)
}

/// What is after a transaction ($1) and a position ($2), in the design's order.
fn statement(design: Design) -> String {
    let (name, order) = (design.schema(), tables::order(design));
    let after = if design.has(Mistake::Xid) {
        "(xid, position) > ($1::text::xid8, $2) AND xid < pg_snapshot_xmin(pg_current_snapshot())"
    } else {
        "position > $2 AND $1::text IS NOT NULL"
    };
    format!(
        "SELECT xid::text AS transaction, position, event FROM {name}.log WHERE {after} ORDER BY {order} LIMIT {BATCH}"
    )
}
