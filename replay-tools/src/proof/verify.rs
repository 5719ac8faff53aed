//! `verify`: the whole log against everything that was signed of it.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use daybook_eventstore::process::Failure;
use daybook_eventstore::process::config::Settings;
use daybook_eventstore::proof::VerifyingKey;
use daybook_projections::notary::{self, Audited, Trusted};

use super::key::{Keys, witness};
use super::{find_tree, found, log, note, say, tree};
use crate::bar::Bar;
use crate::cli::causes;

/// What it is compared with.
#[derive(Debug, Args)]
pub(crate) struct Verify {
    #[command(flatten)]
    keys: Keys,
    /// A checkpoint that you kept yourself: the database may have lost it. Can be given several times
    #[arg(long = "checkpoint", value_name = "FILE")]
    checkpoints: Vec<PathBuf>,
    /// The key of a witness, as `witness-key` shows it: says how much of the log it has signed. Can be given several times
    #[arg(long = "witness", value_name = "KEY", value_parser = witness)]
    witnesses: Vec<VerifyingKey>,
}

pub(super) async fn run(settings: &Settings, asked: Verify) -> Result<ExitCode, Failure> {
    let keys = asked.keys.or_own(settings)?;
    let others = asked.checkpoints.iter().map(|file| note(file)).collect::<Result<Vec<_>, _>>()?;
    let reader = log(settings)?;
    // Without the read database the checkpoints that were given must do.
    let tree = if others.is_empty() { Some(tree(settings)?) } else { find_tree(settings)? };
    let mut bar: Option<Bar> = None;
    let trusted = Trusted { log: &keys, witnesses: &asked.witnesses };
    let audited = notary::audit(&reader, tree.as_ref(), trusted, &others, |done, of| {
        bar.get_or_insert_with(|| Bar::new("events", done, of)).reach(done, of);
    })
    .await;
    if let Some(bar) = bar {
        bar.clear();
    }
    match audited {
        Ok(audited) => Ok(tell(&audited, &asked.witnesses)),
        Err(error) if error.is_finding() => Ok(found(&causes(&error))),
        Err(error) => Err(error.into()),
    }
}

/// Says that all is as it was signed. That a witness signed nothing of it answers nothing of what was asked.
fn tell(audited: &Audited, witnesses: &[VerifyingKey]) -> ExitCode {
    for position in &audited.damaged {
        say(&format!(
            "the tree in the read database is damaged at position {position}; the event is as it was signed"
        ));
    }
    say(&format!(
        "the first {} events are as they were signed, by {} checkpoints",
        audited.signed, audited.checkpoints
    ));
    let mut code = ExitCode::SUCCESS;
    for (witness, seen) in witnesses.iter().zip(&audited.witnessed) {
        let name = witness.name();
        if let Some((size, at)) = seen {
            say(&format!("{name} has signed the first {size} of them too, at {}", at.to_rfc3339()));
        } else {
            say(&format!("NOT SIGNED by {name}: none of the checkpoints"));
            code = ExitCode::FAILURE;
        }
    }
    match audited.events - audited.signed {
        0 => {}
        more => say(&format!("NOT SIGNED yet: the last {more} events, of which nobody can tell")),
    }
    say(&format!("the root of all {} is {}", audited.events, audited.root));
    code
}
