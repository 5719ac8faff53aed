//! What the oracle found, as a table for people and as JSON.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::Serialize;
use xtask::table;

use super::checker::Faults;
use super::history::{History, Told};
use super::keeper::Moved;
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
    #[serde(flatten)]
    pub(crate) disturbed: Disturbed,
    /// How many events each reader saw.
    pub(crate) readers: BTreeMap<String, usize>,
    /// Whether every reader got to the head.
    pub(crate) reached: bool,
    pub(crate) faults: Faults,
}

/// What was done meanwhile, and how often.
#[derive(Debug, Serialize)]
pub(crate) struct Disturbed {
    pub(crate) done: Done,
    pub(crate) moved: Moved,
    pub(crate) connections_ended: u64,
}

impl Round {
    pub(crate) fn of(
        plan: Plan,
        history: &History,
        disturbed: Disturbed,
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
            disturbed,
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
        lines.extend(self.rounds.iter().flat_map(wrong));
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

    /// What came of all rounds together.
    fn round_rows(&self) -> Vec<Vec<String>> {
        let sum = |of: &dyn Fn(&Round) -> u64| self.rounds.iter().map(of).sum::<u64>().to_string();
        let mut rows = vec![vec!["the store".to_owned(), format!("{} rounds", self.rounds.len())]];
        let mut row = |what: &str, of: &dyn Fn(&Round) -> u64| rows.push(vec![what.to_owned(), sum(of)]);
        row("seconds", &|round| round.seconds);
        row("events", &|round| whole(round.events));
        row("commands that took effect", &|round| whole(round.commands));
        for answer in ["done", "replayed", "mismatch", "conflict", "not done", "unknown"] {
            row(&format!("answered: {answer}"), &|round| round.answers.get(answer).copied().unwrap_or(0));
        }
        row("writers killed", &|round| round.disturbed.done.writers_killed);
        row("writers held", &|round| round.disturbed.done.writers_held);
        row("relays killed", &|round| round.disturbed.done.relays_killed);
        row("NATS cut", &|round| round.disturbed.done.nats_cut);
        row("Postgres restarted", &|round| round.disturbed.done.postgres_restarted);
        row("replica restarted", &|round| round.disturbed.done.replica_restarted);
        row("connections ended", &|round| round.disturbed.connections_ended);
        row("partitions cut", &|round| round.disturbed.moved.cut);
        row("partitions detached", &|round| round.disturbed.moved.detached);
        row("partitions attached", &|round| round.disturbed.moved.attached);
        let readers: BTreeSet<&String> = self.rounds.iter().flat_map(|round| round.readers.keys()).collect();
        for reader in readers {
            row(&format!("{reader}: seen"), &|round| round.readers.get(reader).copied().map_or(0, whole));
        }
        rows
    }
}

/// What was wrong in a round.
fn wrong(round: &Round) -> Vec<String> {
    if round.is_right() {
        return Vec::new();
    }
    let (number, seed) = (round.number, round.seed);
    let mut lines = vec![format!("round {number} (seed {seed}) was wrong: {}", counted(&round.faults))];
    if !round.reached {
        lines.push("  not every reader got to the head".to_owned());
    }
    lines.extend(round.faults.first.iter().map(|fault| format!("  {:?}: {}", fault.kind, fault.what)));
    lines
}

fn whole(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

fn counted(faults: &Faults) -> String {
    let counts = faults.counts.iter().map(|(kind, count)| format!("{kind:?} {count}"));
    let all = counts.collect::<Vec<_>>().join(", ");
    if all.is_empty() { "nothing".to_owned() } else { all }
}
