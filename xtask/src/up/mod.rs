//! `cargo xtask up`: everything Daybook needs and everything it is, started in order, given something to sell, and
//! watched until told to stop.

mod announce;
mod crew;
mod detach;
mod leftovers;
mod private;

use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use crate::api::{Role, Shop};
use crate::catalogue;
use crate::daybook::{self, Environment, PROCESSES, REPLAY};
use crate::failure::{During, Failure, Result};
use crate::home::{self, Lock, Secrets, State};
use crate::install;
use crate::interrupt::Interrupt;
use crate::ports;
use crate::progress::Step;
use crate::servers::{Profile, Servers, Site, elsewhere, make};
use crate::workspace::Workspace;

pub use private::Private;

use crew::{Crew, Member};

/// How often the crew is looked after.
const GLANCE: Duration = Duration::from_millis(100);
/// How long the processes may take until all of them are ready.
const PATIENCE: Duration = Duration::from_mins(2);

/// How to start.
#[derive(Debug, Clone, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub struct Options {
    /// Return once everything is ready, and leave it running.
    #[arg(long)]
    detach: bool,
    /// Remove all data first and begin from nothing.
    #[arg(long)]
    fresh: bool,
    /// Run debug builds: quicker to build, slower to run.
    #[arg(long)]
    dev: bool,
    /// The port of the API on 127.0.0.1.
    #[arg(long, default_value_t = 8080)]
    port: u16,
    /// This is the process that `--detach` leaves running.
    #[arg(long, hide = true, conflicts_with = "detach")]
    in_background: bool,
}

/// Starts everything and watches it until told to stop.
pub fn run(options: &Options) -> Result<()> {
    let workspace = Workspace::find()?;
    let home = workspace.home();
    make(&home.join("logs"))?;
    Lock::refuse_if_held(&home)?;
    let interrupt = Interrupt::listen()?;
    install::ensure(&interrupt)?;
    if options.detach {
        return detach::run(options, &home, &interrupt);
    }
    if options.in_background {
        // A terminal that closes must not take us along.
        rustix::process::setsid().during(|| "cannot leave the terminal".into())?;
    }
    let _lock = Lock::take(&home)?;
    let mut start = Start::prepare(options, &workspace, home, Profile::UP)?;
    start.build(&workspace, &interrupt)?;
    start.servers(&interrupt)?;
    start.migrate(&interrupt)?;
    start.processes(&interrupt)?;
    start.catalogue(&interrupt)?;
    start.announce(options.in_background)?;
    start.watch(&interrupt);
    start.finish()
}

/// A start under way, and then all that runs.
struct Start {
    home: PathBuf,
    programs: PathBuf,
    release: bool,
    api_port: u16,
    site: Site,
    state: State,
    servers: Servers,
    environment: Environment,
    shop: Shop,
    crew: Crew,
}

impl Start {
    fn prepare(options: &Options, workspace: &Workspace, home: PathBuf, profile: Profile) -> Result<Self> {
        leftovers::stop(&State::load(&home)?);
        if options.fresh || !Secrets::exist(&home) {
            // Data without its secrets is as good as none: the password and the vault's key are gone.
            home::wipe(&home, &elsewhere(&home))?;
        }
        if !ports::is_free(options.port) {
            let port = options.port;
            return Err(Failure::new(format!("port {port} is taken: choose another one with `--port`")));
        }
        let secrets = Secrets::load_or_make(&home)?;
        let mut state = State::load(&home)?;
        let site = Site::open(&home, &elsewhere(&home), secrets.postgres_password.clone())?;
        let servers = Servers::plan(&site, profile, &mut state.ports, &secrets.meilisearch_key)?;
        let environment = Environment::new(&servers.addresses, &secrets, options.port);
        state.postgres_home = Some(site.postgres_home.clone());
        state.ready_under = None;
        state.processes.clear();
        let release = !options.dev;
        let programs = workspace.programs(release);
        let crew = Crew::default();
        let (api_port, shop) = (options.port, Shop::new(options.port, secrets.token_key));
        let start = Self { home, programs, release, api_port, site, state, servers, environment, shop, crew };
        start.state.save(&start.home)?;
        Ok(start)
    }

    fn build(&self, workspace: &Workspace, interrupt: &Interrupt) -> Result<()> {
        let step = Step::begin_loud("Building Daybook");
        let programs = daybook::programs();
        let mut arguments = vec!["build", "--workspace"];
        arguments.extend(self.release.then_some("--release"));
        arguments.extend(programs.iter().flat_map(|program| ["--bin", program]));
        if !workspace.cargo(&arguments, &[], interrupt)? {
            return Err(Failure::new("Daybook does not build"));
        }
        step.done("");
        Ok(())
    }

    fn servers(&mut self, interrupt: &Interrupt) -> Result<()> {
        for mut server in std::mem::take(&mut self.servers.servers) {
            interrupt.check()?;
            let step = Step::begin(format!("Starting {}", server.name()));
            rotate(&self.site.log(server.name()));
            server.start()?;
            let (name, url, probe) = (server.name(), server.url(), server.probe());
            let (launch, running) = server.release()?;
            self.crew.add(Member::server(name, url, probe, launch, running));
            self.record()?;
            step.done("");
        }
        Ok(())
    }

    fn migrate(&self, interrupt: &Interrupt) -> Result<()> {
        interrupt.check()?;
        let step = Step::begin("Migrating the databases");
        self.environment.command(&self.programs.join(REPLAY)).arg("migrate").run()?;
        step.done("");
        Ok(())
    }

    fn processes(&mut self, interrupt: &Interrupt) -> Result<()> {
        let step = Step::begin("Starting Daybook");
        for process in PROCESSES {
            interrupt.check()?;
            rotate(&self.site.log(process.name));
            let (launch, ops) =
                self.environment.process(process, &self.programs, &self.site, &mut self.state.ports)?;
            let url = if process.name == "daybook-api" { self.api() } else { ops.clone() };
            self.crew.add(Member::daybook(process.name, url, &ops, launch)?);
        }
        self.record()?;
        let until = Instant::now() + PATIENCE;
        loop {
            interrupt.check()?;
            self.look_after()?;
            self.crew.give_up_on_the_hopeless()?;
            let waiting = self.crew.waiting();
            let Some((name, why)) = waiting.first() else { break };
            if Instant::now() >= until {
                return Err(Failure::new(format!(
                    "{name} is not ready: {why}{}",
                    self.crew.last_words(name)
                )));
            }
            step.tell(&format!("waiting for {name}: {why}"));
            thread::sleep(GLANCE);
        }
        step.done("every process is ready");
        Ok(())
    }

    fn catalogue(&self, interrupt: &Interrupt) -> Result<()> {
        let mut staff = self.shop.person(Role::Staff, "catalogue")?;
        catalogue::load(&mut staff, || interrupt.check())
    }

    fn announce(&mut self, in_background: bool) -> Result<()> {
        print!("{}", announce::text(&self.api(), &self.crew.roster(), &self.home, in_background));
        self.state.ready_under = Some(std::process::id());
        self.record()
    }

    fn watch(&mut self, interrupt: &Interrupt) {
        while !interrupt.raised() {
            if !self.home.exists() {
                eprintln!("  {} is gone, and all data with it", self.home.display());
                return;
            }
            if let Err(failure) = self.look_after() {
                eprintln!("  {}", failure.chain());
            }
            thread::sleep(GLANCE);
        }
    }

    fn look_after(&mut self) -> Result<()> {
        let news = self.crew.look_after();
        for line in &news {
            eprintln!("  {line}");
        }
        if news.is_empty() { Ok(()) } else { self.record() }
    }

    /// Stops everything in order and says so in the state.
    fn finish(mut self) -> Result<()> {
        let step = Step::begin("Stopping Daybook");
        self.crew.stop();
        self.state.ready_under = None;
        self.record()?;
        step.done("");
        Ok(())
    }

    fn record(&mut self) -> Result<()> {
        self.state.processes = self.crew.roster();
        self.state.save(&self.home)
    }

    fn api(&self) -> String {
        format!("http://127.0.0.1:{}", self.api_port)
    }
}

/// Sets the last start's log aside, so that a log tells one start and never grows for ever.
fn rotate(log: &Path) {
    if log.exists() {
        // A log that cannot be set aside goes on being written to.
        drop(std::fs::rename(log, log.with_extension("log.old")));
    }
}
