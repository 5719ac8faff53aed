//! Everything that runs under the supervisor: who died is started again, and all are stopped in order.

use std::time::{Duration, Instant};

use crate::daybook::GRACE;
use crate::failure::{Failure, Result};
use crate::home::{Kind, Recorded};
use crate::probe::Probe;
use crate::process::{Launch, Running};
use crate::servers::last_lines;

/// The first pause before a process that died is started again; it doubles with each death.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// Whoever lived this long is forgiven its earlier deaths.
const LONG_LIFE: Duration = Duration::from_secs(30);
/// So many deaths in a row while starting mean that it will never be ready.
const HOPELESS: u32 = 5;

/// One process under the supervisor.
#[derive(Debug)]
pub(super) struct Member {
    name: &'static str,
    kind: Kind,
    url: String,
    probe: Probe,
    launch: Launch,
    running: Option<Running>,
    born: Instant,
    deaths: u32,
    again_at: Instant,
}

impl Member {
    /// A server that runs already.
    pub(super) fn server(
        name: &'static str,
        url: String,
        probe: Probe,
        launch: Launch,
        running: Running,
    ) -> Self {
        Self::new(name, Kind::Server, url, probe, launch, running)
    }

    /// A process of Daybook, started now.
    pub(super) fn daybook(name: &'static str, url: String, ops: &str, launch: Launch) -> Result<Self> {
        let running = launch.start()?;
        let probe = Probe::Http { url: format!("{ops}/readyz") };
        Ok(Self::new(name, Kind::Daybook, url, probe, launch, running))
    }

    fn new(
        name: &'static str,
        kind: Kind,
        url: String,
        probe: Probe,
        launch: Launch,
        running: Running,
    ) -> Self {
        let now = Instant::now();
        Self { name, kind, url, probe, launch, running: Some(running), born: now, deaths: 0, again_at: now }
    }

    /// Notices a death, or starts again whoever's pause is over. Says what happened, if anything did.
    fn look_after(&mut self) -> Option<String> {
        let Some(running) = &mut self.running else { return self.start_again() };
        let status = running.ended()?;
        if self.born.elapsed() >= LONG_LIFE {
            self.deaths = 0;
        }
        let pause = pause_after(self.deaths);
        self.deaths = self.deaths.saturating_add(1);
        self.running = None;
        self.again_at = Instant::now() + pause;
        Some(format!("{} ended ({status}), starting it again in {} ms", self.name, pause.as_millis()))
    }

    fn start_again(&mut self) -> Option<String> {
        if Instant::now() < self.again_at {
            return None;
        }
        match self.launch.start() {
            Ok(running) => {
                self.born = Instant::now();
                self.running = Some(running);
                Some(format!("{} started again", self.name))
            }
            Err(failure) => {
                self.again_at = Instant::now() + LONGEST_PAUSE;
                Some(failure.chain())
            }
        }
    }

    fn last_words(&self) -> String {
        self.launch.log().map(|log| format!("\n{}", last_lines(log))).unwrap_or_default()
    }

    fn recorded(&self) -> Recorded {
        Recorded {
            name: self.name.to_owned(),
            kind: self.kind,
            pid: self.running.as_ref().map(Running::pid),
            url: self.url.clone(),
            probe: self.probe.clone(),
            command: self.launch.line(),
        }
    }
}

/// Everything that runs, in the order it was started. Dropping it stops it.
#[derive(Debug, Default)]
pub(super) struct Crew {
    members: Vec<Member>,
}

impl Crew {
    pub(super) fn add(&mut self, member: Member) {
        self.members.push(member);
    }

    /// Everything that runs, for the state.
    pub(super) fn roster(&self) -> Vec<Recorded> {
        self.members.iter().map(Member::recorded).collect()
    }

    /// Notices who died and starts them again. Says what happened.
    pub(super) fn look_after(&mut self) -> Vec<String> {
        self.members.iter_mut().filter_map(Member::look_after).collect()
    }

    /// Fails when one of the processes dies again and again.
    pub(super) fn give_up_on_the_hopeless(&self) -> Result<()> {
        match self.members.iter().find(|member| member.deaths >= HOPELESS) {
            Some(member) => Err(Failure::new(format!(
                "{} ended {} times and never got ready{}",
                member.name,
                member.deaths,
                member.last_words()
            ))),
            None => Ok(()),
        }
    }

    /// Daybook's processes that are not ready yet, and why.
    pub(super) fn waiting(&self) -> Vec<(&'static str, String)> {
        let ours = self.members.iter().filter(|member| member.kind == Kind::Daybook);
        ours.filter_map(|member| Some((member.name, member.probe.ask().err()?))).collect()
    }

    /// The end of what a process logged.
    pub(super) fn last_words(&self, name: &str) -> String {
        self.members.iter().find(|member| member.name == name).map(Member::last_words).unwrap_or_default()
    }

    /// Stops Daybook's processes all at once, then the servers one by one, the last one started first.
    pub(super) fn stop(&mut self) {
        let ours = |member: &&mut Member| member.kind == Kind::Daybook;
        for running in self.members.iter_mut().filter(ours).filter_map(|member| member.running.as_mut()) {
            running.ask_to_stop();
        }
        let deadline = Instant::now() + GRACE;
        for member in self.members.iter_mut().filter(ours) {
            if let Some(mut running) = member.running.take() {
                running.finish(deadline);
            }
        }
        for member in self.members.iter_mut().rev() {
            if let Some(mut running) = member.running.take() {
                running.stop();
            }
        }
    }
}

impl Drop for Crew {
    fn drop(&mut self) {
        self.stop();
    }
}

fn pause_after(deaths: u32) -> Duration {
    FIRST_PAUSE.saturating_mul(2_u32.saturating_pow(deaths)).min(LONGEST_PAUSE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::is_alive;

    fn crew_of(script: &str) -> Crew {
        let launch = Launch::new("/bin/sh").args(["-c", script]);
        let member = Member::daybook("sleeper", "http://127.0.0.1:1".into(), "http://127.0.0.1:1", launch);
        Crew { members: vec![member.expect("a shell starts")] }
    }

    fn news_of(crew: &mut Crew) -> String {
        let until = Instant::now() + Duration::from_secs(10);
        while Instant::now() < until {
            if let Some(line) = crew.look_after().pop() {
                return line;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        String::from("nothing happened")
    }

    #[test]
    fn the_pause_grows_and_is_bounded() {
        assert_eq!(pause_after(0), Duration::from_millis(200));
        assert_eq!(pause_after(3), Duration::from_millis(1_600));
        assert_eq!(pause_after(u32::MAX), LONGEST_PAUSE);
    }

    #[test]
    fn a_process_that_dies_is_started_again() {
        let mut crew = crew_of("sleep 60");
        let before = crew.roster()[0].pid.expect("it runs");
        crew.members[0].running.as_mut().expect("it runs").kill();
        assert!(news_of(&mut crew).contains("ended"));
        assert_eq!(crew.roster()[0].pid, None);
        assert_eq!(news_of(&mut crew), "sleeper started again");
        let after = crew.roster()[0].pid.expect("it runs again");
        assert!(after != before && is_alive(after));
        drop(crew);
        assert!(!is_alive(after));
    }

    #[test]
    fn a_process_that_never_lives_is_given_up_on() {
        let mut crew = crew_of("exit 1");
        crew.members[0].deaths = HOPELESS - 1;
        crew.give_up_on_the_hopeless().expect("there is hope yet");
        assert!(news_of(&mut crew).contains("exit status: 1"));
        assert!(crew.give_up_on_the_hopeless().is_err());
    }
}
