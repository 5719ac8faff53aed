//! Whether a history is right. Pure: it knows nothing of processes, databases or time but what the history tells.

mod commands;
mod conditions;
mod fault;
mod log;
mod readers;
mod real_time;

#[cfg(test)]
mod tests;

pub(crate) use fault::{Faults, Kind};

use super::history::History;
use log::Index;

/// All that is wrong with a history.
pub(crate) fn check(history: &History) -> Faults {
    let mut faults = Faults::default();
    let index = Index::of(&history.log, &mut faults);
    for reading in &history.readings {
        readers::check(reading, &index, &mut faults);
    }
    commands::check(history, &index, &mut faults);
    conditions::check(history, &index, &mut faults);
    real_time::check(&history.attempts, &mut faults);
    faults
}
