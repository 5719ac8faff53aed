//! `up --detach`: starts the supervisor in the background and waits until it says that all is ready.

use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;

use crate::failure::{During, Failure, Result};
use crate::home::State;
use crate::interrupt::Interrupt;
use crate::process::{Signal, signal};

use super::{GLANCE, Options};

/// Starts a supervisor of its own session and shows what it says until everything is ready.
pub(super) fn run(options: &Options, home: &Path, interrupt: &Interrupt) -> Result<()> {
    let log = home.join("logs").join("up.log");
    let cannot = || format!("cannot write {}", log.display());
    let out = File::create(&log).during(cannot)?;
    let err = out.try_clone().during(cannot)?;
    let mut said = File::open(&log).during(cannot)?;
    let mut supervisor = command(options)?
        .stdin(Stdio::null())
        .stdout(out)
        .stderr(err)
        .spawn()
        .during(|| "cannot start in the background".into())?;
    let outcome = follow(&mut supervisor, home, &mut said, interrupt);
    pass_on(&mut said);
    outcome
}

fn command(options: &Options) -> Result<Command> {
    let ourselves = std::env::current_exe().during(|| "cannot find our own program".into())?;
    let mut command = Command::new(ourselves);
    command.args(["up", "--in-background", "--port", &options.port.to_string()]);
    command.args(options.fresh.then_some("--fresh")).args(options.dev.then_some("--dev"));
    Ok(command)
}

fn follow(supervisor: &mut Child, home: &Path, said: &mut File, interrupt: &Interrupt) -> Result<()> {
    loop {
        pass_on(said);
        if let Some(status) = supervisor.try_wait().during(|| "cannot watch the supervisor".into())? {
            return Err(Failure::new(format!("it did not start ({status})")));
        }
        if State::load(home).is_ok_and(|state| state.ready_under == Some(supervisor.id())) {
            return Ok(());
        }
        if interrupt.raised() {
            signal(supervisor.id(), Signal::TERM);
            supervisor.wait().during(|| "cannot watch the supervisor".into())?;
            return Err(Failure::Interrupted);
        }
        thread::sleep(GLANCE);
    }
}

/// Shows what the supervisor said since the last look.
fn pass_on(said: &mut File) {
    let mut news = Vec::new();
    if said.read_to_end(&mut news).is_ok() {
        // A closed terminal loses nothing: the log has it all.
        drop(std::io::stdout().write_all(&news));
    }
}
