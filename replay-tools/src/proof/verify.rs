//! `verify`: the whole log against everything that was signed of it.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use daybook_eventstore::process::Failure;
use daybook_eventstore::process::config::Settings;
use daybook_projections::notary;

use super::key::Keys;
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
}

pub(super) async fn run(settings: &Settings, asked: Verify) -> Result<ExitCode, Failure> {
    let keys = asked.keys.or_own(settings)?;
    let others = asked.checkpoints.iter().map(|file| note(file)).collect::<Result<Vec<_>, _>>()?;
    let reader = log(settings)?;
    // Without the read database the checkpoints that were given must do.
    let tree = if others.is_empty() { Some(tree(settings)?) } else { find_tree(settings)? };
    let mut bar: Option<Bar> = None;
    let audited = notary::audit(&reader, tree.as_ref(), &keys, &others, |done, of| {
        bar.get_or_insert_with(|| Bar::new("events", done, of)).reach(done, of);
    })
    .await;
    if let Some(bar) = bar {
        bar.clear();
    }
    match audited {
        Ok(audited) => {
            for position in &audited.damaged {
                say(&format!(
                    "the tree in the read database is damaged at position {position}; the event is as it was signed"
                ));
            }
            say(&format!(
                "the first {} events are as they were signed, by {} checkpoints",
                audited.signed, audited.checkpoints
            ));
            match audited.events - audited.signed {
                0 => {}
                more => say(&format!("NOT SIGNED yet: the last {more} events, of which nobody can tell")),
            }
            say(&format!("the root of all {} is {}", audited.events, audited.root));
            Ok(ExitCode::SUCCESS)
        }
        Err(error) if error.is_finding() => Ok(found(&causes(&error))),
        Err(error) => Err(error.into()),
    }
}
