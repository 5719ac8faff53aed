//! `cargo xtask oracle`: whether the event store stays right while everything around it is killed, on private servers that
//! exist only meanwhile.

use std::env;
use std::path::PathBuf;

use crate::failure::{During, Failure, Result};
use crate::install;
use crate::interrupt::Interrupt;
use crate::progress::Step;
use crate::workspace::Workspace;

/// For how long the store is written to, and how.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// For how many minutes it is written to; what is planted and judging take more.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
    minutes: u64,
    /// What all that is chosen follows from: that of a run that is to be done again.
    #[arg(long)]
    seed: Option<u64>,
    /// How many processes write.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..))]
    writers: u16,
    /// Write what was found to this file, as JSON.
    #[arg(long)]
    json: Option<PathBuf>,
}

/// Runs it; fails when the store was wrong, or when a planted mistake was not found.
pub fn run(options: &Options) -> Result<()> {
    let workspace = Workspace::find()?;
    let interrupt = Interrupt::listen()?;
    install::ensure(&interrupt)?;
    let step = Step::begin_loud("Building the oracle");
    let build = ["build", "--package", "daybook-eventstore", "--package", "daybook-tests", "--bins"];
    if !workspace.cargo(&build, &[], &interrupt)? {
        return Err(Failure::new("the oracle cannot be built"));
    }
    step.done("");
    let run = ["run", "--quiet", "--package", "daybook-tests", "--bin", "daybook-oracle", "--", "run"];
    let mut arguments: Vec<String> = run.map(str::to_owned).to_vec();
    arguments.extend(given(options)?);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    if workspace.cargo(&arguments, &[], &interrupt)? {
        Ok(())
    } else {
        Err(Failure::new("the oracle found something wrong, or could not go on"))
    }
}

/// The options, for who does it.
fn given(options: &Options) -> Result<Vec<String>> {
    let mut given = vec!["--minutes".to_owned(), options.minutes.to_string()];
    given.extend(["--writers".to_owned(), options.writers.to_string()]);
    if let Some(seed) = options.seed {
        given.extend(["--seed".to_owned(), seed.to_string()]);
    }
    if let Some(file) = &options.json {
        let here = env::current_dir().during(|| "cannot find this folder".into())?;
        given.extend(["--json".to_owned(), here.join(file).display().to_string()]);
    }
    Ok(given)
}
