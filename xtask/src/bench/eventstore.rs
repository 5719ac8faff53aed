//! `cargo xtask bench eventstore`: the event store beside what a Rust team would otherwise pick, on a private PostgreSQL
//! that exists only meanwhile.

use std::env;
use std::path::PathBuf;

use crate::failure::{During, Failure, Result};
use crate::install;
use crate::interrupt::Interrupt;
use crate::progress::Step;
use crate::servers::{Profile, Scratch};
use crate::tools::on_path;
use crate::workspace::Workspace;

/// What to measure of the event store, and how.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// Write what was found to this file, as JSON.
    #[arg(long)]
    json: Option<PathBuf>,
    /// Measure `disintegrate` and `umadb` too, which an ordinary build does not have. Needs `protoc`.
    #[arg(long)]
    peers: bool,
    /// Passed on to the benchmark: `--only append-1,one-stream`, `--contestants daybook,insert`, `--callers 64`,
    /// `--seconds 3`, `--runs 3`.
    #[arg(last = true)]
    arguments: Vec<String>,
}

pub(super) fn run(options: &Options) -> Result<()> {
    let workspace = Workspace::find()?;
    let interrupt = Interrupt::listen()?;
    install::ensure(&interrupt)?;
    let mut bench = vec!["bench", "--quiet", "--package", "daybook-eventstore", "--bench", "eventstore"];
    if options.peers {
        if env::var_os("PROTOC").is_none() && on_path("protoc").is_none() {
            return Err(Failure::new(
                "UmaDB cannot be built without `protoc`: please install it (Debian's package is protobuf-compiler)",
            ));
        }
        bench.extend(["--features", "peers"]);
    }
    let step = Step::begin_loud("Building the benchmark");
    if !workspace.cargo(&[&bench[..], &["--no-run"]].concat(), &[], &interrupt)? {
        return Err(Failure::new("the benchmark cannot be built"));
    }
    step.done("");
    let mut scratch = Scratch::new()?;
    let step = Step::begin("Starting PostgreSQL");
    let server = scratch.primary(Profile::BENCH)?;
    step.done("");
    let url = format!("{}/postgres", server.url());
    let mut arguments = [&bench[..], &["--"]].concat();
    arguments.extend(options.arguments.iter().map(String::as_str));
    let json = match &options.json {
        Some(file) => Some(env::current_dir().during(|| "cannot find this folder".into())?.join(file)),
        None => None,
    };
    let json = json.map(|file| file.display().to_string());
    if let Some(file) = &json {
        arguments.extend(["--json", file]);
    }
    let measured = workspace.cargo(&arguments, &[("DAYBOOK_BENCH_POSTGRES_URL", url)], &interrupt)?;
    drop(server);
    if measured { Ok(()) } else { Err(Failure::new("the benchmark failed")) }
}
