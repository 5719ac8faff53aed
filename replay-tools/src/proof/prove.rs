//! `prove`: an event with the proof that it is in the log.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use daybook_eventstore::Position;
use daybook_eventstore::process::Failure;
use daybook_eventstore::process::config::Settings;
use daybook_eventstore::proof::{Facts, InclusionProof, TreeHead, VerifyingKey, is_included};
use daybook_projections::notary;

use super::key::witness;
use super::{found, give, log, tree};

/// What is proved.
#[derive(Debug, Args)]
pub(crate) struct Prove {
    /// The event's position
    #[arg(value_parser = clap::value_parser!(i64).range(1..))]
    position: Position,
    /// The file that the proof is written to; otherwise it is shown
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// The key of a witness, as `witness-key` shows it, who must have signed the checkpoint too: the newest that it has signed is
    /// taken. Can be given several times
    #[arg(long = "witness", value_name = "KEY", value_parser = witness)]
    witnesses: Vec<VerifyingKey>,
}

pub(super) async fn run(settings: &Settings, asked: Prove) -> Result<ExitCode, Failure> {
    let (reader, tree) = (log(settings)?, tree(settings)?);
    let Prove { position, out, witnesses } = asked;
    let Some(event) = reader.find(position).await? else {
        return Err(format!("there is no event at position {position}").into());
    };
    let size = u64::try_from(position)?;
    let Some(checkpoint) = notary::newest_checkpoint(&tree, size, &witnesses).await? else {
        let by = if witnesses.is_empty() { "" } else { ", by all of these witnesses," };
        return Err(format!("nothing is signed yet{by} up to position {position}").into());
    };
    let head: TreeHead = checkpoint.text().parse()?;
    let path = notary::inclusion(&tree, size - 1, head.size).await?.ok_or("the tree is not whole")?;
    if !is_included(Facts::from(&event).hash(), size - 1, head.size, &path, head.root) {
        let what = format!(
            "the event at position {position}, or the tree, is not what was signed; `verify` tells which"
        );
        return Ok(found(&what));
    }
    give(out, &InclusionProof { event, path, checkpoint }.to_string())?;
    Ok(ExitCode::SUCCESS)
}
