//! What the benchmark found: a table for people, JSON for programs.

use serde::Serialize;

use crate::table;

use super::decimal::Decimal;
use super::load::Measured;
use super::machine::{Machine, Memory};

/// One measurement.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Row {
    /// What was done.
    pub(super) workload: String,
    /// By how many clients at once.
    pub(super) clients: usize,
    /// How often a second.
    pub(super) per_s: Decimal,
    /// The latency that half of them stayed below.
    pub(super) p50_ms: Option<Decimal>,
    /// The latency that all but a hundredth stayed below.
    pub(super) p99_ms: Option<Decimal>,
    /// The longest.
    pub(super) max_ms: Option<Decimal>,
    /// How many there were.
    pub(super) count: u64,
    /// How many failed.
    pub(super) errors: u64,
    /// Why the first of them did.
    pub(super) first_error: Option<String>,
}

impl Row {
    /// What so many clients saw of a workload.
    pub(super) fn of(workload: &str, clients: usize, measured: Measured) -> Self {
        let count = u64::try_from(measured.latencies.len()).unwrap_or(u64::MAX);
        let percentile = |percent| Some(Decimal::milliseconds(measured.percentile(percent)));
        Self {
            workload: workload.to_owned(),
            clients,
            per_s: Decimal::rate(count, measured.elapsed),
            p50_ms: percentile(50),
            p99_ms: percentile(99),
            max_ms: percentile(100),
            count,
            errors: measured.errors,
            first_error: measured.first_error,
        }
    }

    /// In a few words.
    pub(super) fn spoken(&self) -> String {
        let [p50, p99] = [self.p50_ms, self.p99_ms].map(|latency| latency.map(|ms| ms.to_string()));
        let latency =
            p50.zip(p99).map(|(p50, p99)| format!(", p50 {p50} ms, p99 {p99} ms")).unwrap_or_default();
        let errors = if self.errors > 0 { format!(", {} FAILED", self.errors) } else { String::new() };
        format!("{}/s{latency}{errors}", self.per_s)
    }

    fn cells(&self) -> Vec<String> {
        let latency = |latency: Option<Decimal>| latency.map_or_else(|| "-".to_owned(), |ms| ms.to_string());
        let numbers =
            [self.per_s.to_string(), latency(self.p50_ms), latency(self.p99_ms), latency(self.max_ms)];
        let numbers = numbers.map(|number| format!("{number:>8}"));
        let mut cells = vec![self.workload.clone(), format!("{:>7}", self.clients)];
        cells.extend(numbers);
        cells.push(format!("{:>6}", self.errors));
        cells
    }
}

/// Everything that was found.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Report {
    /// On what.
    pub(super) machine: Machine,
    /// How much memory was taken at most.
    pub(super) memory: Memory,
    /// How long each workload ran with each number of clients.
    pub(super) seconds: u64,
    /// The measurements.
    pub(super) rows: Vec<Row>,
}

impl Report {
    /// The table.
    pub(super) fn text(&self) -> String {
        let head = ["workload", "clients", "   per_s", "  p50_ms", "  p99_ms", "  max_ms", "errors"];
        let head = head.map(str::to_owned).to_vec();
        let rows: Vec<_> = std::iter::once(head).chain(self.rows.iter().map(Row::cells)).collect();
        let Machine { cores, processor, memory_mb, load_before, build } = &self.machine;
        let unknown = || "unknown".to_owned();
        format!(
            "\n{}\n\n{cores} cores ({}), {} MB of memory, load before {}, {build} build.\n\
             Daybook's processes took {} MB at most ({} MB with what they share counted once), the servers {} MB.\n",
            table::lines(&rows).join("\n"),
            processor.clone().unwrap_or_else(unknown),
            memory_mb.map_or_else(unknown, |megabytes| megabytes.to_string()),
            load_before.clone().unwrap_or_else(unknown),
            self.memory.daybook_mb,
            self.memory.daybook_shared_mb,
            self.memory.servers_mb,
        )
    }

    /// How many things failed, and why the first of them did.
    pub(super) fn failures(&self) -> Option<(u64, String)> {
        let errors = self.rows.iter().map(|row| row.errors).sum();
        let first = self.rows.iter().find_map(|row| row.first_error.clone());
        (errors > 0).then(|| (errors, first.unwrap_or_default()))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn report(errors: u64) -> Report {
        let latencies = (1..=100).map(Duration::from_millis).collect();
        let first_error = (errors > 0).then(|| "out of stock".to_owned());
        let measured = Measured { latencies, errors, first_error, elapsed: Duration::from_secs(2) };
        let machine =
            Machine { cores: 2, processor: None, memory_mb: None, load_before: None, build: "release" };
        let memory = Memory { daybook_mb: 120, daybook_shared_mb: 100, servers_mb: 300 };
        Report { machine, memory, seconds: 2, rows: vec![Row::of("checkout", 16, measured)] }
    }

    #[test]
    fn programs_read_the_promised_fields() {
        let json = serde_json::to_value(report(0)).expect("json");
        let row = &json["rows"][0];
        assert_eq!((&row["workload"], &row["clients"]), (&"checkout".into(), &16.into()));
        assert_eq!(
            (&row["per_s"], &row["p50_ms"], &row["p99_ms"]),
            (&50.0.into(), &50.0.into(), &99.0.into())
        );
        assert_eq!(json["machine"]["cores"], 2);
    }

    #[test]
    fn people_read_a_table_and_failures_are_not_hidden() {
        let text = report(3).text();
        assert!(text.contains("checkout       16      50.0      50.0      99.0     100.0       3"), "{text}");
        assert_eq!(report(3).failures(), Some((3, "out of stock".into())));
        assert_eq!(report(0).failures(), None);
    }
}
