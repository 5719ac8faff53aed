//! What is killed and cut off, and when: all of it follows from the seed.

use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use serde::Serialize;
use xtask::process::{Launch, Running, Signal, signal};
use xtask::servers::Server;

use super::Failed;
use super::dice::Dice;

/// How long a writer may take to end when it is asked to: its last appends may take as long as appends may.
const ENDING: Duration = Duration::from_secs(40);
/// How often a server is started that does not start.
const STARTS: usize = 5;
/// The longest time between two deeds, in milliseconds.
const QUIET: u64 = 2_500;
/// The shortest time in which the database is restarted too; that happens once, and then every minute.
const LONG: Duration = Duration::from_secs(15);
const MINUTE: Duration = Duration::from_mins(1);

/// Something bad.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Deed {
    /// Kill this writer, and start it again.
    KillWriter(usize),
    /// Let this writer stand still.
    HoldWriter(usize),
    /// Let it go on.
    FreeWriter(usize),
    /// Kill the relay, and start it again.
    KillRelay,
    /// Kill NATS, and start it again after this time.
    CutNats(Duration),
    /// Kill the database with all its sessions, and start it again.
    RestartPostgres,
    /// The same with its replica.
    RestartReplica,
}

/// What was done how often.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Done {
    pub(crate) writers_killed: u64,
    pub(crate) writers_held: u64,
    pub(crate) relays_killed: u64,
    pub(crate) nats_cut: u64,
    pub(crate) postgres_restarted: u64,
    pub(crate) replica_restarted: u64,
}

/// A writer, through all of its lives.
pub(crate) struct Writer {
    /// How it is started, but for what is particular to a life.
    pub(crate) launch: Launch,
    /// Where its histories are.
    pub(crate) histories: PathBuf,
    life: usize,
    running: Option<Running>,
}

/// All that can be killed.
pub(crate) struct Nemesis {
    pub(crate) writers: Vec<Writer>,
    pub(crate) relay: Launch,
    pub(crate) relaying: Option<Running>,
    pub(crate) nats: Server,
    pub(crate) postgres: Server,
    pub(crate) replica: Server,
    pub(crate) done: Done,
}

/// What happens within this time, and when.
pub(crate) fn schedule(seed: u64, writers: usize, time: Duration) -> Vec<(Duration, Deed)> {
    let mut dice = Dice::of(seed, &[]);
    let mut deeds = Vec::new();
    let mut at = dice.between(1_000, QUIET);
    while at < time {
        let writer = usize::try_from(dice.below(u64::try_from(writers).unwrap_or(1))).unwrap_or(0);
        match dice.below(20) {
            0..=9 => deeds.push((at, Deed::KillWriter(writer))),
            10..=13 => {
                deeds.push((at, Deed::HoldWriter(writer)));
                deeds.push((at + dice.between(200, 3_000), Deed::FreeWriter(writer)));
            }
            14..=18 => deeds.push((at, Deed::KillRelay)),
            _ => deeds.push((at, Deed::CutNats(dice.between(100, 4_000)))),
        }
        at += dice.between(200, QUIET);
    }
    // That these happen is not left to chance.
    let third = time / 3;
    for deed in [Deed::KillWriter(0), Deed::KillRelay] {
        deeds.push((third + dice.between(0, 3_000), deed));
    }
    for begin in [Duration::ZERO, third * 2] {
        let cut = dice.between(200, 2_500);
        deeds.push((begin + third / 3 + dice.between(0, 1_000), Deed::CutNats(cut)));
    }
    if time >= LONG {
        let minutes = (1..).map(|minute| MINUTE * minute).take_while(|minute| *minute < time);
        for begin in std::iter::once(third).chain(minutes) {
            deeds.push((begin + dice.between(0, 2_000), Deed::RestartPostgres));
            deeds.push((begin + dice.between(3_000, 5_000), Deed::RestartReplica));
        }
    }
    deeds.sort_by_key(|(at, _)| *at);
    deeds
}

impl Writer {
    /// A writer that does not run yet.
    pub(crate) const fn new(launch: Launch, histories: PathBuf) -> Self {
        Self { launch, histories, life: 0, running: None }
    }

    /// Starts its next life.
    pub(crate) fn start(&mut self) -> Result<(), Failed> {
        let history = |life: usize| self.histories.with_extension(format!("{life}.jsonl"));
        let mut launch = self.launch.clone().arg("--life").arg(self.life.to_string());
        launch = launch.arg("--history").arg(history(self.life));
        if let Some(before) = self.life.checked_sub(1) {
            launch = launch.arg("--predecessor").arg(history(before));
        }
        self.running = Some(launch.stop_with(Signal::TERM, ENDING).start()?);
        self.life += 1;
        Ok(())
    }

    /// Where each of its lives was written down.
    pub(crate) fn histories(&self) -> impl Iterator<Item = PathBuf> {
        (0..self.life).map(|life| self.histories.with_extension(format!("{life}.jsonl")))
    }

    fn kill(&mut self) -> Result<(), Failed> {
        self.is_well()?;
        if let Some(mut running) = self.running.take() {
            running.kill();
        }
        Ok(())
    }

    fn signal(&self, which: Signal) {
        if let Some(running) = &self.running {
            signal(running.pid(), which);
        }
    }

    /// Fails when it ended by itself.
    fn is_well(&mut self) -> Result<(), Failed> {
        match self.running.as_mut().and_then(Running::ended) {
            Some(status) => Err(format!("a writer ended by itself: {status}; {}", self.said()).into()),
            None => Ok(()),
        }
    }

    fn said(&self) -> String {
        self.launch.log().map(xtask::servers::last_lines).unwrap_or_default()
    }
}

impl Nemesis {
    /// Does what is scheduled, when it is time.
    pub(crate) fn rage(&mut self, schedule: &[(Duration, Deed)], time: Duration) -> Result<(), Failed> {
        let began = Instant::now();
        for (at, deed) in schedule {
            thread::sleep(at.saturating_sub(began.elapsed()));
            self.act(*deed)?;
        }
        thread::sleep(time.saturating_sub(began.elapsed()));
        Ok(())
    }

    fn act(&mut self, deed: Deed) -> Result<(), Failed> {
        match deed {
            Deed::KillWriter(number) => {
                if let Some(writer) = self.writers.get_mut(number) {
                    writer.kill()?;
                    writer.start()?;
                    self.done.writers_killed += 1;
                }
            }
            Deed::HoldWriter(number) | Deed::FreeWriter(number) => {
                let is_hold = deed == Deed::HoldWriter(number);
                if let Some(writer) = self.writers.get(number) {
                    writer.signal(if is_hold { Signal::STOP } else { Signal::CONT });
                    self.done.writers_held += u64::from(is_hold);
                }
            }
            Deed::KillRelay => {
                if let Some(mut relay) = self.relaying.take() {
                    relay.kill();
                }
                self.relaying = Some(self.relay.start()?);
                self.done.relays_killed += 1;
            }
            Deed::CutNats(pause) => {
                self.nats.kill();
                thread::sleep(pause);
                start(&mut self.nats)?;
                self.done.nats_cut += 1;
            }
            Deed::RestartPostgres => {
                restart(&mut self.postgres)?;
                self.done.postgres_restarted += 1;
            }
            Deed::RestartReplica => {
                restart(&mut self.replica)?;
                self.done.replica_restarted += 1;
            }
        }
        Ok(())
    }

    /// Ends all writers in good order; they end at the same time.
    pub(crate) fn end_writers(&mut self) -> Result<(), Failed> {
        for writer in &mut self.writers {
            writer.is_well()?;
            writer.signal(Signal::CONT);
            writer.running.iter_mut().for_each(Running::ask_to_stop);
        }
        let deadline = Instant::now() + ENDING;
        for writer in &mut self.writers {
            while writer.running.as_mut().is_some_and(|running| running.ended().is_none()) {
                if Instant::now() > deadline {
                    return Err(format!("a writer does not end; {}", writer.said()).into());
                }
                thread::sleep(Duration::from_millis(20));
            }
            let status = writer.running.take().as_mut().and_then(Running::ended);
            if !status.is_some_and(|status| status.success()) {
                return Err(format!("a writer failed; {}", writer.said()).into());
            }
        }
        Ok(())
    }
}

fn restart(postgres: &mut Server) -> Result<(), Failed> {
    if let Some(pid) = postgres.pid() {
        // Its "immediate" shutdown: no session ends in order, and the log is recovered at the start.
        signal(pid, Signal::QUIT);
    }
    postgres.stop();
    start(postgres)
}

fn start(server: &mut Server) -> Result<(), Failed> {
    let mut started = server.start();
    for _ in 1..STARTS {
        if started.is_ok() {
            break;
        }
        started = server.start();
    }
    Ok(started?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_does_the_same_and_nothing_is_left_out() {
        let time = Duration::from_mins(1);
        let deeds = schedule(7, 3, time);
        assert_eq!(deeds, schedule(7, 3, time));
        assert_ne!(deeds, schedule(8, 3, time));
        let has = |is: fn(&Deed) -> bool| deeds.iter().any(|(_, deed)| is(deed));
        assert!(has(|deed| matches!(deed, Deed::KillWriter(_))));
        assert!(has(|deed| matches!(deed, Deed::KillRelay)));
        assert!(has(|deed| matches!(deed, Deed::CutNats(_))));
        assert!(has(|deed| matches!(deed, Deed::RestartPostgres)));
        assert!(has(|deed| matches!(deed, Deed::RestartReplica)));
        let held = |is: fn(&Deed) -> bool| deeds.iter().filter(|(_, deed)| is(deed)).count();
        assert_eq!(
            held(|deed| matches!(deed, Deed::HoldWriter(_))),
            held(|deed| matches!(deed, Deed::FreeWriter(_)))
        );
    }
}
