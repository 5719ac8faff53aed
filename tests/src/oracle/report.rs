//! What the oracle found, as a table for people and as JSON.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;
use xtask::table;

use super::checker::Faults;
use super::history::{History, Told};
use super::nemesis::Done;
use super::planted::Planted;
use super::round::Plan;

/// All that was found.
#[derive(Debug, Serialize)]
pub struct Report {
    pub(crate) seed: u64,
    pub(crate) writers: usize,
    pub(crate) seconds: u64,
    /// How many of the planted mistakes were found, and how many there are.
    pub(crate) planted_caught: usize,
    pub(crate) planted_total: usize,
    /// Whether the store was right, every mistake was found, and nothing else was.
    pub(crate) right: bool,
    pub(crate) planted: Vec<Planted>,
    pub(crate) rounds: Vec<Round>,
}

/// What came of a round.
#[derive(Debug, Serialize)]
pub(crate) struct Round {
    pub(crate) number: u64,
    pub(crate) seed: u64,
    pub(crate) seconds: u64,
    pub(crate) events: usize,
    /// Commands that took effect.
    pub(crate) commands: usize,
    /// How many answers there were of each kind.
    pub(crate) answers: BTreeMap<&'static str, u64>,
    pub(crate) done: Done,
    pub(crate) connections_ended: u64,
    /// How many events each reader saw.
    pub(crate) readers: BTreeMap<String, usize>,
    /// Whether every reader got to the head.
    pub(crate) reached: bool,
    pub(crate) faults: Faults,
}

impl Round {
    pub(crate) fn of(
        plan: Plan,
        history: &History,
        (done, connections_ended): (Done, u64),
        reached: bool,
        faults: Faults,
    ) -> Self {
        let mut answers = BTreeMap::new();
        for attempt in &history.attempts {
            *answers.entry(name(&attempt.told)).or_default() += 1;
        }
        let seen = history.readings.iter().map(|reading| (reading.reader.clone(), reading.seen.len()));
        Self {
            number: plan.number,
            seed: plan.seed,
            seconds: plan.time.as_secs(),
            events: history.log.len(),
            commands: history.recorded.as_ref().map_or(0, Vec::len),
            answers,
            done,
            connections_ended,
            readers: seen.collect(),
            reached,
            faults,
        }
    }

    /// Whether nothing was wrong.
    pub(crate) fn is_right(&self) -> bool {
        self.reached && self.faults.is_empty()
    }
}

fn name(told: &Told) -> &'static str {
    match told {
        Told::Done { .. } => "done",
        Told::Replayed { .. } => "replayed",
        Told::Mismatch => "mismatch",
        Told::Conflict => "conflict",
        Told::NotDone => "not done",
        Told::Unknown => "unknown",
    }
}

impl Report {
    pub(crate) fn new(
        seed: u64,
        writers: usize,
        took: Duration,
        planted: Vec<Planted>,
        rounds: Vec<Round>,
    ) -> Self {
        let mistakes = || planted.iter().filter(|one| one.mistake.is_some());
        Self {
            seed,
            writers,
            seconds: took.as_secs(),
            planted_caught: mistakes().filter(|one| one.as_it_must).count(),
            planted_total: mistakes().count(),
            right: planted.iter().all(|one| one.as_it_must) && rounds.iter().all(Round::is_right),
            planted,
            rounds,
        }
    }

    /// Whether everything was as it must be.
    pub fn is_right(&self) -> bool {
        self.right
    }

    /// For people.
    pub fn text(&self) -> String {
        let mut lines = table::lines(&self.planted_rows());
        lines.push(String::new());
        lines.extend(table::lines(&self.round_rows()));
        lines.extend(self.rounds.iter().flat_map(faults));
        lines.push(String::new());
        let verdict = if self.right { "right" } else { "WRONG" };
        lines.push(format!(
            "planted mistakes found: {} of {}; the store is judged on {} events of {} rounds; all in all {verdict}; \
             seed {}, {} writers, {} s",
            self.planted_caught,
            self.planted_total,
            self.rounds.iter().map(|round| round.events).sum::<usize>(),
            self.rounds.len(),
            self.seed,
            self.writers,
            self.seconds,
        ));
        lines.join("\n")
    }

    fn planted_rows(&self) -> Vec<Vec<String>> {
        let head = ["planted mistake", "events", "must find", "found", ""].map(str::to_owned).to_vec();
        let row = |one: &Planted| {
            vec![
                one.mistake.unwrap_or("none").to_owned(),
                one.events.to_string(),
                one.must_find.map_or("nothing".to_owned(), |kind| format!("{kind:?}")),
                counted(&one.found),
                if one.as_it_must { "" } else { "MISSED" }.to_owned(),
            ]
        };
        std::iter::once(head).chain(self.planted.iter().map(row)).collect()
    }

    fn round_rows(&self) -> Vec<Vec<String>> {
        let mut rows: Vec<Vec<String>> = Vec::new();
        let mut row = |what: &str, of: &dyn Fn(&Round) -> String| {
            let cells = self.rounds.iter().map(of);
            rows.push(std::iter::once(what.to_owned()).chain(cells).collect());
        };
        row("round", &|round| round.number.to_string());
        row("seed", &|round| round.seed.to_string());
        row("seconds", &|round| round.seconds.to_string());
        row("events", &|round| round.events.to_string());
        row("commands that took effect", &|round| round.commands.to_string());
        for answer in ["done", "replayed", "mismatch", "conflict", "not done", "unknown"] {
            row(&format!("answered: {answer}"), &|round| {
                round.answers.get(answer).copied().unwrap_or(0).to_string()
            });
        }
        row("writers killed", &|round| round.done.writers_killed.to_string());
        row("writers held", &|round| round.done.writers_held.to_string());
        row("relays killed", &|round| round.done.relays_killed.to_string());
        row("NATS cut", &|round| round.done.nats_cut.to_string());
        row("Postgres restarted", &|round| round.done.postgres_restarted.to_string());
        row("connections ended", &|round| round.connections_ended.to_string());
        let readers = self.rounds.first().map(|round| round.readers.keys().cloned().collect::<Vec<_>>());
        for reader in readers.unwrap_or_default() {
            row(&format!("{reader}: seen"), &|round| {
                round.readers.get(&reader).copied().unwrap_or(0).to_string()
            });
        }
        row("wrong", &|round| if round.is_right() { "nothing".to_owned() } else { counted(&round.faults) });
        rows
    }
}

fn faults(round: &Round) -> Vec<String> {
    let mut lines = Vec::new();
    if !round.reached {
        lines.push(format!("round {}: not every reader got to the head", round.number));
    }
    for fault in &round.faults.first {
        lines.push(format!("round {}: {:?}: {}", round.number, fault.kind, fault.what));
    }
    lines
}

fn counted(faults: &Faults) -> String {
    let counts = faults.counts.iter().map(|(kind, count)| format!("{kind:?} {count}"));
    let all = counts.collect::<Vec<_>>().join(", ");
    if all.is_empty() { "nothing".to_owned() } else { all }
}
