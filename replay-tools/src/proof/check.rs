//! `check`: a proof, without any database.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use daybook_eventstore::process::Failure;
use daybook_eventstore::proof::{InclusionProof, ProofError, VerifyingKey};

use super::key::witness;
use super::{found, read, say};

/// What is checked, and with what.
#[derive(Debug, Args)]
pub(crate) struct Check {
    /// The file with the proof
    proof: PathBuf,
    /// The log's key, as `notary-key` shows it. Have it from somebody you trust
    #[arg(long, value_name = "KEY")]
    key: VerifyingKey,
    /// The key of a witness who must have signed too, as `witness-key` shows it. Can be given several times
    #[arg(long = "witness", value_name = "KEY", value_parser = witness)]
    witnesses: Vec<VerifyingKey>,
}

pub(super) fn run(asked: &Check) -> Result<ExitCode, Failure> {
    let checked = read(&asked.proof)?.parse::<InclusionProof>().and_then(|proof| {
        let head = proof.check(&asked.key)?;
        Ok((proof, head))
    });
    let (proof, head) = match checked {
        Ok(checked) => checked,
        Err(ProofError::Checkpoint(why)) => {
            return Ok(found(&format!("it proves nothing: the checkpoint does not count: {why}")));
        }
        Err(error) => return Ok(found(&format!("it proves nothing: {error}"))),
    };
    let event = &proof.event;
    let mut lines = vec![format!(
        "{} is in {} at position {}, among the {} events that were signed",
        event.event_type, head.origin, event.position, head.size
    )];
    for witness in &asked.witnesses {
        let name = witness.name();
        match proof.checkpoint.verify(witness) {
            Ok(at) => {
                let when = at.map(|at| format!(" at {}", at.to_rfc3339())).unwrap_or_default();
                lines.push(format!("{name} has seen the log so{when}"));
            }
            Err(why) => {
                return Ok(found(&format!("it is not proved that {name} has seen the log so: {why}")));
            }
        }
    }
    lines.extend([
        format!("aggregate    {} {}, {}", event.aggregate_type, event.aggregate_id, event.sequence),
        format!("event        {} version {}", event.event_id, event.event_version),
        format!("recorded at  {}", event.recorded_at.to_rfc3339()),
        format!("payload      {}", event.payload),
        format!("metadata     {}", event.metadata),
    ]);
    say(&lines.join("\n"));
    Ok(ExitCode::SUCCESS)
}
