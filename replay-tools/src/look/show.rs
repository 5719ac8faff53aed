//! `show`: one aggregate as it is, or as it was, and the events that made it so.

use std::process::ExitCode;

use clap::Args;
use daybook_eventstore::RecordedEvent;
use daybook_eventstore::process::Failure;
use serde_json::json;

use super::moment::Moment;
use super::seen::Seen;
use super::{Log, aggregate, nothing, say};

/// Which.
#[derive(Debug, Args)]
pub(crate) struct Show {
    /// The type of the aggregate, such as `Order`
    #[arg(value_parser = aggregate::name)]
    aggregate: &'static str,
    /// Its id
    id: String,
    /// As it was when the log had come to a position, or at a time in the world
    #[arg(long, value_name = "POSITION|TIME")]
    as_of: Option<Moment>,
    /// Show it as JSON: one object with the state and the events
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(log: &Log, asked: Show) -> Result<ExitCode, Failure> {
    let Show { aggregate, id, as_of, json } = asked;
    let mut events = aggregate::events(log, aggregate, &id).await?;
    let whole = events.len();
    events.truncate(as_of.map_or(whole, |moment| moment.of(events.iter().map(|(_, seen)| seen))));
    if events.is_empty() {
        let when = as_of.map_or_else(String::new, |moment| format!(" at {moment}"));
        return Ok(nothing(&format!("there is no {aggregate} {id}{when}")));
    }
    let (recorded, seen): (Vec<RecordedEvent>, Vec<Seen>) = events.into_iter().unzip();
    let state = aggregate::state(aggregate, &recorded, &log.upcasters)?;
    if json {
        let version = seen.len();
        let all = json!({ "aggregate_type": aggregate, "aggregate_id": id, "version": version, "state": state, "events": seen });
        say(&all.to_string())?;
        return Ok(ExitCode::SUCCESS);
    }
    say(&format!("{aggregate} {id}, version {}", seen.len()))?;
    say(&serde_json::to_string_pretty(&state)?)?;
    say("")?;
    for event in seen {
        say(&event.line())?;
    }
    Ok(ExitCode::SUCCESS)
}
