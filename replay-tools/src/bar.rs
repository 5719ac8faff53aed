//! How a long task comes along: a bar on a terminal, now and then a line elsewhere.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

/// How often a line is written where there is no terminal.
const EVERY: Duration = Duration::from_secs(5);
const TEMPLATE: &str = "{bar:30} {human_pos} of {human_len} {msg}, {per_sec}, {eta} left";

/// What shows the progress.
pub(crate) struct Bar {
    /// What is counted.
    what: &'static str,
    shown: Option<ProgressBar>,
    started: Instant,
    told: Instant,
    /// Where this run began.
    from: u64,
    done: u64,
    of: u64,
}

impl Bar {
    /// Begins at `done` of `of` lines or events, whatever is counted.
    pub(crate) fn new(what: &'static str, done: u64, of: u64) -> Self {
        let shown = std::io::stderr().is_terminal().then(|| {
            let style =
                ProgressStyle::with_template(TEMPLATE).unwrap_or_else(|_| ProgressStyle::default_bar());
            let bar = ProgressBar::new(of).with_style(style).with_message(what).with_position(done);
            bar.reset_eta();
            bar
        });
        let started = Instant::now();
        Self { what, shown, started, told: started, from: done, done, of }
    }

    /// More of it is done.
    pub(crate) fn advance(&mut self, more: u64) {
        self.reach(self.done + more, self.of);
    }

    /// So much is done, of so much.
    pub(crate) fn reach(&mut self, done: u64, of: u64) {
        (self.done, self.of) = (done, of);
        match &self.shown {
            Some(bar) => {
                bar.set_length(of);
                bar.set_position(done);
            }
            None if self.told.elapsed() >= EVERY => {
                self.told = Instant::now();
                self.tell();
            }
            None => {}
        }
    }

    /// Takes the bar away.
    pub(crate) fn clear(&self) {
        if let Some(bar) = &self.shown {
            bar.finish_and_clear();
        }
    }

    #[expect(clippy::print_stderr, reason = "progress is for whoever started the task")]
    fn tell(&self) {
        let milliseconds = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX).max(1);
        let rate = self.done.saturating_sub(self.from).saturating_mul(1_000) / milliseconds;
        let left = self.of.saturating_sub(self.done) / rate.max(1);
        eprintln!("{} of {} {}, {rate}/s, {left} s left", self.done, self.of, self.what);
    }
}
