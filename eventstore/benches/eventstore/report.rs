//! What was found: ratios first, then the numbers they are made of.

use std::fmt::Write as _;

use crate::measure::Row;

/// The median of several measurements of the same: field by field.
pub(crate) fn median(rows: &[Row]) -> Row {
    let middle = |field: fn(&Row) -> f64| {
        let mut all: Vec<f64> = rows.iter().map(field).collect();
        all.sort_unstable_by(f64::total_cmp);
        all[all.len() / 2]
    };
    Row {
        per_s: middle(|row| row.per_s),
        p50_ms: middle(|row| row.p50_ms),
        p99_ms: middle(|row| row.p99_ms),
        wal_bytes_per_event: middle(|row| row.wal_bytes_per_event),
        cpu_us_per_event: middle(|row| row.cpu_us_per_event),
        client_cpu_us_per_event: middle(|row| row.client_cpu_us_per_event),
        client_mb: rows.iter().map(|row| row.client_mb).max().unwrap_or(0),
        server_mb: rows.iter().map(|row| row.server_mb).max().unwrap_or(0),
        ..rows[0].clone()
    }
}

/// The table.
pub(crate) fn table(rows: &[Row]) -> String {
    let mut text = String::from(
        "| workload | callers | contestant | × postgres-es | × insert | per s | p50 ms | p99 ms | WAL B/event | CPU µs/event | of it client | client MB | server MB |\n\
         |---|---|---|---|---|---|---|---|---|---|---|---|---|\n",
    );
    for row in rows {
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {} | {:.0} | {:.2} | {:.2} | {:.0} | {:.1} | {:.1} | {} | {} |",
            row.workload,
            row.callers,
            row.contestant,
            ratio(rows, row, "postgres-es"),
            ratio(rows, row, "insert"),
            row.per_s,
            row.p50_ms,
            row.p99_ms,
            row.wal_bytes_per_event,
            row.cpu_us_per_event,
            row.client_cpu_us_per_event,
            row.client_mb,
            row.server_mb,
        );
    }
    text
}

fn ratio(rows: &[Row], row: &Row, to: &str) -> String {
    let same = |other: &&Row| other.workload == row.workload && other.callers == row.callers;
    let other = rows.iter().filter(same).find(|other| other.contestant == to);
    other.map_or_else(|| "–".to_owned(), |other| format!("{:.2}", row.per_s / other.per_s))
}
