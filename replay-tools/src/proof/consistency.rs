//! `consistency`: that a log only grew. The proof has the form in which witnesses take it (C2SP `tlog-witness`).

use std::path::PathBuf;
use std::process::ExitCode;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use clap::Args;
use daybook_eventstore::process::Failure;
use daybook_eventstore::process::config::Settings;
use daybook_eventstore::proof::{Note, TreeHead, is_consistent};
use daybook_projections::notary;
use sqlx::PgPool;

use super::{found, give, say, tree};

/// Between which checkpoints.
#[derive(Debug, Args)]
pub(crate) struct Consistency {
    /// How many events the earlier checkpoint is of
    first: u64,
    /// How many the later one is of
    second: u64,
    /// The file that the proof is written to
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

pub(super) async fn run(settings: &Settings, asked: Consistency) -> Result<ExitCode, Failure> {
    let tree = tree(settings)?;
    let Consistency { first, second, out } = asked;
    if first > second {
        return Err("the earlier checkpoint comes first".into());
    }
    let ((_, before), (note, after)) = (signed(&tree, first).await?, signed(&tree, second).await?);
    let path = notary::consistency(&tree, first, second).await?.ok_or("the tree is not whole")?;
    if !is_consistent((first, before.root), (second, after.root), &path) {
        return Ok(found(&format!("the log of {second} events does not begin with the one of {first}")));
    }
    let mut proof = vec![format!("old {first}")];
    proof.extend(path.iter().map(|hash| BASE64.encode(hash.0)));
    proof.extend([String::new(), note.to_string()]);
    say(&format!("the log of {second} events begins with the one of {first}"));
    if out.is_some() {
        give(out, &proof.join("\n"))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The checkpoint of so many events.
async fn signed(tree: &PgPool, size: u64) -> Result<(Note, TreeHead), Failure> {
    let note = notary::checkpoint_after(tree, size).await?;
    let note: Option<Note> = note.map(|note| note.parse()).transpose()?;
    let head: Option<TreeHead> = note.as_ref().map(|note| note.text().parse()).transpose()?;
    match (note, head) {
        (Some(note), Some(head)) if head.size == size => Ok((note, head)),
        (_, Some(next)) => {
            Err(format!("there is no checkpoint of {size} events; the next one is of {}", next.size).into())
        }
        (_, None) => Err(format!("there is no checkpoint of {size} events, or a later one").into()),
    }
}
