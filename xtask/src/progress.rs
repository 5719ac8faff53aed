//! Shows each step while it runs and what came of it: a spinner in a terminal, plain lines elsewhere.
//!
//! Everything goes to the error stream, so that the output of a command stays what it was asked for.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

/// One step under way.
#[derive(Debug)]
pub struct Step {
    bar: Option<ProgressBar>,
    what: String,
    began: Instant,
    finished: bool,
}

impl Step {
    /// Begins a step, named by what it does: "Starting NATS".
    pub fn begin(what: impl Into<String>) -> Self {
        let what = what.into();
        let bar = std::io::stderr().is_terminal().then(|| spinner(&what));
        if bar.is_none() {
            eprintln!("  … {what}");
        }
        Self { bar, what, began: Instant::now(), finished: false }
    }

    /// Begins a step whose own programs write to the terminal.
    pub fn begin_loud(what: impl Into<String>) -> Self {
        let what = what.into();
        eprintln!("  … {what}");
        Self { bar: None, what, began: Instant::now(), finished: false }
    }

    /// Tells how far the step is.
    pub fn tell(&self, detail: &str) {
        if let Some(bar) = &self.bar {
            bar.set_message(format!("{}: {detail}", self.what));
        }
    }

    /// The step is done; `outcome` is worth a few words or none.
    pub fn done(mut self, outcome: &str) {
        self.finished = true;
        self.clear();
        let (what, took) = (&self.what, self.began.elapsed());
        let between = if outcome.is_empty() { "" } else { ": " };
        eprintln!("  ✓ {what}{between}{outcome} ({})", spoken(took));
    }

    fn clear(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

impl Drop for Step {
    fn drop(&mut self) {
        if !self.finished {
            self.clear();
            eprintln!("  ✗ {}", self.what);
        }
    }
}

/// A duration as a person says it.
pub fn spoken(took: Duration) -> String {
    let seconds = took.as_secs();
    if seconds >= 60 {
        format!("{} min {} s", seconds / 60, seconds % 60)
    } else {
        format!("{}.{} s", seconds, took.subsec_millis() / 100)
    }
}

fn spinner(what: &str) -> ProgressBar {
    let bar = ProgressBar::new_spinner().with_message(what.to_owned());
    if let Ok(style) = ProgressStyle::with_template("  {spinner} {msg} ({elapsed})") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(100));
    bar
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_reads_as_said() {
        assert_eq!(spoken(Duration::from_millis(1_260)), "1.2 s");
        assert_eq!(spoken(Duration::from_secs(185)), "3 min 5 s");
    }
}
