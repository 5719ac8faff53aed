//! What came of comparing two versions of a read model, as it is told.

use clap::Args;
use daybook_eventstore::process::Failure;
use daybook_projections::runtime::{Comparison, Depth, Difference, Side, Tally};
use serde_json::{Value, json};

use crate::look::{self, Change, changes};

/// What the program exits with when a read model is not its own rebuild.
pub(super) const EXIT_DIFFERENT: u8 = 3;

/// How thoroughly versions are compared.
#[derive(Debug, Args)]
pub(super) struct Thoroughness {
    /// Look at every row, also where counts and checksums agree
    #[arg(long)]
    rows: bool,
    /// How many rows that differ are shown; all are counted
    #[arg(long, value_name = "ROWS", default_value_t = 10)]
    show: usize,
}

impl Thoroughness {
    /// The same for who compares.
    pub(super) const fn depth(&self) -> Depth {
        Depth { rows: self.rows, show: self.show }
    }
}

/// Tells it, as text or as one JSON object.
pub(super) fn say(name: &str, compared: &Comparison, as_json: bool) -> Result<(), Failure> {
    if as_json {
        return look::say(&object(name, compared).to_string());
    }
    for line in lines(name, compared) {
        look::say(&line)?;
    }
    Ok(())
}

fn lines(name: &str, compared: &Comparison) -> Vec<String> {
    let [live, other] = &compared.sides;
    let verdict = if compared.is_equal() { "equals" } else { "differs from" };
    let mut lines = vec![format!(
        "version {} of {name} {verdict} version {}, the live one, at position {}",
        other.version, live.version, compared.position
    )];
    lines.extend(compared.tables.iter().flat_map(tally));
    if !compared.is_of_one_revision() {
        lines.push(format!(
            "  revision {} and revision {} of the code folded them, so a difference is to be expected",
            live.revision, other.revision
        ));
    }
    lines.extend(compared.sides.iter().filter(|side| side.parked > 0).map(stands_still));
    if !compared.differences.is_empty() {
        lines.push(format!("  - is version {}, + is version {}", live.version, other.version));
    }
    lines.extend(compared.differences.iter().flat_map(|one| difference(one, &compared.sides)));
    let left = compared.different() - compared.differences.len() as u64;
    if left > 0 {
        lines.push(format!("and {left} more; `--show` shows as many as it is told"));
    }
    lines
}

fn tally(tally: &Tally) -> Vec<String> {
    let Tally { table, rows: [live, other], checksums: [one, two], different, columns } = tally;
    let rows = if live == other { format!("{live} rows") } else { format!("{live} and {other} rows") };
    let sums = if one == two {
        format!("checksum {one:016x}")
    } else {
        format!("checksums {one:016x} and {two:016x}")
    };
    let mut lines = vec![match different {
        0 => format!("  {table}: {rows}, {sums}"),
        _ => format!("  {table}: {rows}, {sums}, {different} different"),
    }];
    if !columns.is_empty() {
        lines.push(format!("  {table}: only one version has {}", columns.join(", ")));
    }
    lines
}

fn stands_still(side: &Side) -> String {
    format!(
        "  version {} is not whole: {} of its events are parked, and its rows are those of before",
        side.version, side.parked
    )
}

fn difference(difference: &Difference, sides: &[Side; 2]) -> Vec<String> {
    let Difference { table, key, position, rows } = difference;
    let row = match position {
        Some(position) => format!("{table} {key} at {position}"),
        None => format!("{table} {key}"),
    };
    match rows {
        [Some(live), Some(other)] => {
            let changes = changes(live, other);
            let how = if changes.is_empty() { "says the same in other words" } else { "differs" };
            std::iter::once(format!("{row} {how}")).chain(changes.iter().flat_map(Change::lines)).collect()
        }
        [Some(only), None] => {
            vec![format!("{row} is only in version {}", sides[0].version), format!("  - {only}")]
        }
        [None, Some(only)] => {
            vec![format!("{row} is only in version {}", sides[1].version), format!("  + {only}")]
        }
        [None, None] => Vec::new(),
    }
}

fn object(name: &str, compared: &Comparison) -> Value {
    let side =
        |side: &Side| json!({ "version": side.version, "revision": side.revision, "parked": side.parked });
    let hex = |sum: u64| format!("{sum:016x}");
    let tables = compared.tables.iter().map(|tally| {
        json!({ "table": tally.table, "rows": tally.rows, "checksums": tally.checksums.map(hex),
            "different": tally.different, "odd_columns": tally.columns })
    });
    let differences = compared.differences.iter().map(|one| {
        let changes = match &one.rows {
            [Some(live), Some(other)] => changes(live, other),
            _ => Vec::new(),
        };
        json!({ "table": one.table, "key": one.key, "position": one.position, "live": one.rows[0],
            "other": one.rows[1], "changes": changes })
    });
    json!({
        "name": name,
        "equal": compared.is_equal(),
        "position": compared.position,
        "live": side(&compared.sides[0]),
        "other": side(&compared.sides[1]),
        "tables": tables.collect::<Vec<_>>(),
        "differences": differences.collect::<Vec<_>>(),
    })
}
