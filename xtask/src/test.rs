//! `cargo xtask test`: formatting, lints and every test, against private servers that exist only meanwhile.

use std::path::Path;

use crate::failure::{Failure, Result};
use crate::install;
use crate::interrupt::Interrupt;
use crate::ports::Ports;
use crate::progress::Step;
use crate::random;
use crate::servers::{Addresses, Profile, Scratch, Servers, make};
use crate::workspace::Workspace;

/// What to test, and how.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// Skip formatting and clippy: for the inner loop while writing.
    #[arg(long)]
    no_lint: bool,
    /// Passed on to `cargo test`: a filter, `-p CRATE`, or `-- --nocapture`. With no `-p`, the whole workspace.
    #[arg(last = true)]
    arguments: Vec<String>,
}

/// Runs it all; fails when anything does.
pub fn run(options: &Options) -> Result<()> {
    let workspace = Workspace::find()?;
    let interrupt = Interrupt::listen()?;
    install::ensure(&interrupt)?;
    if !options.no_lint {
        check(&workspace, "Checking the formatting", &["fmt", "--all", "--check"], &interrupt)?;
        let clippy = ["clippy", "--quiet", "--workspace", "--all-targets", "--", "-D", "warnings"];
        check(&workspace, "Checking with clippy", &clippy, &interrupt)?;
    }
    check(
        &workspace,
        "Building the programs",
        &["build", "--workspace", "--bins", "--examples"],
        &interrupt,
    )?;
    let tests = scope(&options.arguments);
    let mut no_run = vec!["test", "--no-run"];
    no_run.extend(before_dashes(&tests));
    check(&workspace, "Building the tests", &no_run, &interrupt)?;

    let requirements = workspace.root().join("tests/counterparts/requirements.txt");
    let python = install::python(&requirements, &workspace.programs(false), &interrupt)?;
    let scratch = Scratch::new()?;
    let mut servers = start(&scratch, &interrupt)?;
    let temporary = scratch.site().home.join("tmp");
    make(&temporary)?;
    let mut environment = environment(&servers.addresses, &workspace.programs(false));
    environment.extend(python.map(|python| ("DAYBOOK_TEST_PYTHON", python.display().to_string())));
    // What a test that was killed leaves behind goes with our own folder.
    environment.push(("TMPDIR", temporary.display().to_string()));
    let mut arguments = vec!["test", "--no-fail-fast"];
    arguments.extend(&tests);
    let passed = workspace.cargo(&arguments, &environment, &interrupt);
    servers.stop();
    if passed? { Ok(()) } else { Err(Failure::new("tests failed")) }
}

fn check(workspace: &Workspace, what: &str, arguments: &[&str], interrupt: &Interrupt) -> Result<()> {
    let step = Step::begin_loud(what);
    if !workspace.cargo(arguments, &[], interrupt)? {
        return Err(Failure::new(format!("`cargo {}` failed", arguments.join(" "))));
    }
    step.done("");
    Ok(())
}

fn start(scratch: &Scratch, interrupt: &Interrupt) -> Result<Servers> {
    let key = random::hex::<16>()?;
    let mut servers = Servers::plan(scratch.site(), Profile::TEST, &mut Ports::default(), &key)?;
    for server in &mut servers.servers {
        interrupt.check()?;
        let step = Step::begin(format!("Starting {}", server.name()));
        server.start()?;
        step.done("");
    }
    Ok(servers)
}

/// What the tests are told about the servers they run against.
fn environment(servers: &Addresses, programs: &Path) -> Vec<(&'static str, String)> {
    let mut all = vec![
        ("DAYBOOK_TEST_POSTGRES_URL", format!("{}/postgres", servers.primary)),
        ("DAYBOOK_TEST_REPLICA_URL", format!("{}/postgres", servers.replica)),
        ("DAYBOOK_TEST_NATS_URL", servers.nats.clone()),
        ("DAYBOOK_TEST_REDIS_URL", servers.redis.clone()),
        ("DAYBOOK_TEST_BIN_DIR", programs.display().to_string()),
    ];
    if let Some(search) = &servers.search {
        all.push(("DAYBOOK_TEST_MEILI_URL", search.url.clone()));
        all.push(("DAYBOOK_TEST_MEILI_KEY", search.key.clone()));
    }
    all
}

/// The arguments as given, with the whole workspace where they name no package.
fn scope(arguments: &[String]) -> Vec<&str> {
    let names_a_package = before_dashes(arguments).iter().any(|argument| {
        argument.starts_with("-p") || argument.starts_with("--package") || argument.starts_with("--workspace")
    });
    let whole = (!names_a_package).then_some("--workspace");
    whole.into_iter().chain(arguments.iter().map(String::as_str)).collect()
}

/// The arguments for cargo itself, without those for the tests' own harness.
fn before_dashes<T: AsRef<str>>(arguments: &[T]) -> &[T] {
    let end = arguments.iter().position(|argument| argument.as_ref() == "--").unwrap_or(arguments.len());
    &arguments[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(line: &str) -> Vec<String> {
        line.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn the_whole_workspace_is_tested_unless_a_package_is_named() {
        assert_eq!(scope(&given("")), ["--workspace"]);
        assert_eq!(
            scope(&given("order -- --nocapture -p")),
            ["--workspace", "order", "--", "--nocapture", "-p"]
        );
        assert_eq!(scope(&given("-p daybook-domain")), ["-p", "daybook-domain"]);
    }

    #[test]
    fn what_is_meant_for_the_harness_is_not_shown_to_the_build() {
        assert_eq!(before_dashes(&given("-p x -- --nocapture")), ["-p", "x"]);
    }
}
