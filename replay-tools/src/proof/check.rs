//! `check`: a proof, without any database.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use daybook_eventstore::process::Failure;
use daybook_eventstore::proof::{InclusionProof, KeyError, ProofError, Signs, VerifyingKey};

use super::{found, read, say};

/// What is checked, and with what.
#[derive(Debug, Args)]
pub(crate) struct Check {
    /// The file with the proof
    proof: PathBuf,
    /// The log's key, as `notary-key` shows it. Have it from somebody you trust
    #[arg(long, value_name = "KEY")]
    key: VerifyingKey,
    /// Keys of witnesses who must have signed too
    #[arg(long = "witness", value_name = "KEY", value_parser = witness)]
    witnesses: Vec<VerifyingKey>,
}

/// A witness's key: what a log says of itself is no witness.
fn witness(text: &str) -> Result<VerifyingKey, String> {
    let key: VerifyingKey = text.parse().map_err(|error: KeyError| error.to_string())?;
    if key.signs() == Signs::Witness { Ok(key) } else { Err("is not a witness's key".to_owned()) }
}

pub(super) fn run(asked: &Check) -> Result<ExitCode, Failure> {
    let checked = read(&asked.proof)?.parse::<InclusionProof>().and_then(|proof| {
        let head = proof.check(&asked.key)?;
        let seen = asked.witnesses.iter().map(|witness| Ok((witness, proof.checkpoint.verify(witness)?)));
        let seen = seen.collect::<Result<Vec<_>, ProofError>>()?;
        let mut lines = vec![format!(
            "{} is in {} at position {}, among the {} events that were signed",
            proof.event.event_type, head.origin, proof.event.position, head.size
        )];
        for (witness, at) in seen {
            let when = at.map(|at| format!(" at {}", at.to_rfc3339())).unwrap_or_default();
            lines.push(format!("{} has seen the log so{when}", witness.name()));
        }
        let event = &proof.event;
        lines.extend([
            format!("aggregate    {} {}, {}", event.aggregate_type, event.aggregate_id, event.sequence),
            format!("event        {} version {}", event.event_id, event.event_version),
            format!("recorded at  {}", event.recorded_at.to_rfc3339()),
            format!("payload      {}", event.payload),
            format!("metadata     {}", event.metadata),
        ]);
        Ok(lines)
    });
    match checked {
        Ok(lines) => {
            say(&lines.join("\n"));
            Ok(ExitCode::SUCCESS)
        }
        Err(ProofError::Checkpoint(why)) => {
            Ok(found(&format!("it proves nothing: the checkpoint does not count: {why}")))
        }
        Err(error) => Ok(found(&format!("it proves nothing: {error}"))),
    }
}
