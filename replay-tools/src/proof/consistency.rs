//! `consistency`: that a log only grew. The proof has the form in which witnesses take it (C2SP `tlog-witness`).

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use daybook_eventstore::process::Failure;
use daybook_eventstore::process::config::Settings;
use daybook_eventstore::proof::{AddCheckpoint, Note, TreeHead, VerifyingKey, is_consistent};
use daybook_projections::notary;
use sqlx::PgPool;

use super::key::Keys;
use super::{found, give, say, tree};

/// Between which checkpoints.
#[derive(Debug, Args)]
pub(crate) struct Consistency {
    /// How many events the earlier checkpoint is of
    first: u64,
    /// How many the later one is of
    second: u64,
    #[command(flatten)]
    keys: Keys,
    /// The file that the proof is written to
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

pub(super) async fn run(settings: &Settings, asked: Consistency) -> Result<ExitCode, Failure> {
    let tree = tree(settings)?;
    let Consistency { first, second, keys, out } = asked;
    let keys = keys.or_own(settings)?;
    if first > second {
        return Err("the earlier checkpoint comes first".into());
    }
    let ((_, before), (note, after)) =
        (signed(&tree, first, &keys).await?, signed(&tree, second, &keys).await?);
    let path = notary::consistency(&tree, first, second).await?.ok_or("the tree is not whole")?;
    if !is_consistent((first, before.root), (second, after.root), &path) {
        return Ok(found(&format!("the log of {second} events does not begin with the one of {first}")));
    }
    say(&format!("the log of {second} events begins with the one of {first}"));
    if out.is_some() {
        give(out, &AddCheckpoint { old: first, path, checkpoint: note }.to_string())?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The checkpoint of so many events, which one of these keys signed.
async fn signed(tree: &PgPool, size: u64, keys: &[VerifyingKey]) -> Result<(Note, TreeHead), Failure> {
    let note = notary::checkpoint_after(tree, size).await?;
    let note = note.ok_or_else(|| format!("there is no checkpoint of {size} events, or a later one"))?;
    let note: Note = note.parse()?;
    let mut heads = keys.iter().map(|key| TreeHead::of(&note, key));
    let head = heads.find_map(Result::ok).ok_or("the checkpoint is not signed with this key")?;
    if head.size == size {
        return Ok((note, head));
    }
    Err(format!("there is no checkpoint of {size} events; the next one is of {}", head.size).into())
}
