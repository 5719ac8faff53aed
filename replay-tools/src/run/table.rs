//! Rows on a terminal.

use std::pin::pin;

use csv::{ByteRecord, ReaderBuilder};
use daybook_eventstore::process::Failure;
use daybook_projections::sql::{Shown, SqlError};
use futures::{Stream, TryStreamExt};

use super::csv::{Sum, Summed};

/// How wide a column is at most.
const WIDEST: usize = 48;
/// How much is kept of what is shown.
const KEPT: usize = 4 << 20;
/// Types whose values are ranged to the right.
const NUMBERS: &[&str] = &["smallint", "integer", "bigint", "numeric", "real", "double precision"];

/// Shows the first rows, and says how many more there are.
pub(super) async fn show(
    shown: &Shown,
    rows: impl Stream<Item = Result<impl AsRef<[u8]>, SqlError>>,
    most: usize,
) -> Result<Summed, Failure> {
    let (mut rows, mut sum, mut kept) = (pin!(rows), Sum::default(), Vec::new());
    while let Some(bytes) = rows.try_next().await? {
        sum.add(bytes.as_ref());
        if kept.len() < KEPT {
            kept.extend_from_slice(bytes.as_ref());
        }
    }
    let summed = sum.end();
    let (lines, count) = lines(shown, &kept, most);
    say(&format!("\n{}", shown.name));
    for line in &lines {
        say(line);
    }
    match summed.rows - count {
        0 => {}
        more => say(&format!("… and {more} more")),
    }
    Ok(summed)
}

/// The lines of the table, and how many rows are in it.
fn lines(shown: &Shown, csv: &[u8], most: usize) -> (Vec<String>, u64) {
    let mut reader = ReaderBuilder::new().has_headers(false).from_reader(csv);
    let records = reader.byte_records().map_while(Result::ok).take(most.saturating_add(1));
    let cells: Vec<Vec<String>> = records.map(|record| record_cells(&record)).collect();
    let is_number = |column: usize| {
        shown
            .columns
            .get(column)
            .is_some_and(|column| NUMBERS.contains(&column.sql_type.split('(').next().unwrap_or_default()))
    };
    let width =
        |column: usize| cells.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
    let widths: Vec<usize> = (0..shown.columns.len()).map(|column| width(column).unwrap_or(0)).collect();
    let line = |row: &Vec<String>| {
        let padded = row.iter().zip(&widths).enumerate().map(|(column, (cell, width))| {
            if is_number(column) { format!("{cell:>width$}") } else { format!("{cell:<width$}") }
        });
        padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    let rule = widths.iter().map(|width| "─".repeat(*width)).collect::<Vec<_>>().join("──");
    let mut lines: Vec<String> = cells.iter().map(line).collect();
    if !lines.is_empty() {
        lines.insert(1, rule);
    }
    (lines, u64::try_from(cells.len().saturating_sub(1)).unwrap_or(u64::MAX))
}

fn record_cells(record: &ByteRecord) -> Vec<String> {
    let cell = |field: &[u8]| {
        let text: String =
            String::from_utf8_lossy(field).chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        if text.chars().count() > WIDEST {
            text.chars().take(WIDEST - 1).chain(std::iter::once('…')).collect()
        } else {
            text
        }
    };
    record.iter().map(cell).collect()
}

#[expect(clippy::print_stdout, reason = "it is what was asked for")]
fn say(line: &str) {
    println!("{line}");
}
