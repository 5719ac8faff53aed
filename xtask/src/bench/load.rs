//! Applies load: so many clients, each on a thread and a connection of its own, each doing one thing after another.
//! It measures what clients see and knows nothing of what they do.

use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use crate::failure::{Failure, Result};
use crate::interrupt::Interrupt;

/// How long the clients warm up before anything counts.
const WARM_UP: Duration = Duration::from_secs(1);
/// How many failures of one client end its work: by then the numbers are worth nothing.
const HOPELESS: u64 = 20;
/// How long a client pauses after a failure, so that failing fast does not pass for load.
const PAUSE: Duration = Duration::from_millis(20);

/// A client under load.
pub(super) trait Worker {
    /// Makes ready, before anything is measured.
    fn prepare(&mut self) -> Result<()> {
        Ok(())
    }

    /// Does the thing once and says how long the part took that is measured.
    fn once(&mut self) -> Result<Duration>;
}

impl<W: Worker + ?Sized> Worker for Box<W> {
    fn prepare(&mut self) -> Result<()> {
        (**self).prepare()
    }

    fn once(&mut self) -> Result<Duration> {
        (**self).once()
    }
}

/// What was measured.
#[derive(Debug, Default)]
pub(super) struct Measured {
    /// How long each thing took, in ascending order.
    pub(super) latencies: Vec<Duration>,
    /// How many failed.
    pub(super) errors: u64,
    /// Why the first of them did.
    pub(super) first_error: Option<String>,
    /// From the end of the warming up to the last thing's end.
    pub(super) elapsed: Duration,
}

impl Measured {
    /// The latency that so many per cent are not above.
    pub(super) fn percentile(&self, percent: usize) -> Duration {
        let rank = (self.latencies.len() * percent).div_ceil(100);
        self.latencies.get(rank.saturating_sub(1)).copied().unwrap_or_default()
    }

    fn merge(&mut self, other: Self) {
        self.latencies.extend(other.latencies);
        self.errors += other.errors;
        self.first_error = self.first_error.take().or(other.first_error);
        self.elapsed = self.elapsed.max(other.elapsed);
    }
}

/// Lets so many workers work for so long. Each is made on its own thread, and none begins before all are ready.
pub(super) fn apply<W: Worker>(
    clients: usize,
    lasting: Duration,
    interrupt: &Interrupt,
    make: impl Fn(usize) -> W + Sync,
) -> Result<Measured> {
    let barrier = Barrier::new(clients);
    let work = |index| {
        let mut worker = make(index);
        let prepared = worker.prepare();
        barrier.wait();
        prepared.map(|()| measure(worker, lasting, interrupt))
    };
    let parts: Vec<Result<Measured>> = thread::scope(|scope| {
        let work = &work;
        let threads: Vec<_> = (0..clients).map(|index| scope.spawn(move || work(index))).collect();
        let lost = |_| Err(Failure::new("a client of the benchmark panicked"));
        threads.into_iter().map(|thread| thread.join().unwrap_or_else(lost)).collect()
    });
    interrupt.check()?;
    let mut whole = Measured::default();
    for part in parts {
        whole.merge(part?);
    }
    whole.latencies.sort_unstable();
    Ok(whole)
}

fn measure(mut worker: impl Worker, lasting: Duration, interrupt: &Interrupt) -> Measured {
    let mut measured = Measured::default();
    let from = Instant::now() + WARM_UP;
    let until = from + lasting;
    loop {
        let now = Instant::now();
        if now >= until || measured.errors >= HOPELESS || interrupt.raised() {
            return measured;
        }
        match worker.once() {
            Ok(took) if now >= from => {
                measured.latencies.push(took);
                measured.elapsed = from.elapsed();
            }
            Ok(_) => {}
            Err(failure) => {
                measured.errors += 1;
                measured.first_error.get_or_insert_with(|| failure.chain());
                thread::sleep(PAUSE);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Sleeper(u64);

    impl Worker for Sleeper {
        fn prepare(&mut self) -> Result<()> {
            if self.0 > 0 { Err(Failure::new("no")) } else { Ok(()) }
        }

        fn once(&mut self) -> Result<Duration> {
            self.0 += 1;
            thread::sleep(Duration::from_millis(5));
            if self.0.is_multiple_of(10) {
                Err(Failure::new("the tenth"))
            } else {
                Ok(Duration::from_millis(5))
            }
        }
    }

    #[test]
    fn every_client_works_and_failures_are_counted() {
        let interrupt = Interrupt::listen().expect("signals");
        let lasting = Duration::from_millis(200);
        let measured = apply(4, lasting, &interrupt, |_| Sleeper(0)).expect("measured");
        assert!(measured.latencies.len() > 4 && measured.errors >= 4);
        assert_eq!(measured.first_error.as_deref(), Some("the tenth"));
        assert!(measured.elapsed > Duration::from_millis(100));
    }

    #[test]
    fn a_client_that_cannot_make_ready_fails_the_measurement() {
        let interrupt = Interrupt::listen().expect("signals");
        assert!(apply(2, Duration::ZERO, &interrupt, |index| Sleeper(u64::from(index == 1))).is_err());
    }

    #[test]
    fn a_percentile_is_a_latency_that_was_measured() {
        let latencies = (1..=200).map(Duration::from_millis).collect();
        let measured = Measured { latencies, ..Measured::default() };
        assert_eq!(measured.percentile(50), Duration::from_millis(100));
        assert_eq!(measured.percentile(99), Duration::from_millis(198));
        assert_eq!(Measured::default().percentile(99), Duration::ZERO);
    }
}
