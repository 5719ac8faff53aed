//! `diff`: what of an aggregate changed between two moments, and by which events.

use std::process::ExitCode;

use clap::Args;
use daybook_eventstore::RecordedEvent;
use daybook_eventstore::process::Failure;
use serde::Serialize;
use serde_json::{Value, json};

use super::moment::Moment;
use super::seen::Seen;
use super::{Log, aggregate, nothing, say};

/// Of what, and between which moments.
#[derive(Debug, Args)]
pub(crate) struct Diff {
    /// The id of the aggregate
    id: String,
    /// The earlier moment: a position, or a time in the world
    #[arg(value_name = "A")]
    before: Moment,
    /// The later moment
    #[arg(value_name = "B")]
    after: Moment,
    /// Show it as JSON: one object with the changes and the events
    #[arg(long)]
    json: bool,
}

/// A part of the state that is another one.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Change {
    /// Where in the state it is: names and indices with slashes between (RFC 6901).
    pub(crate) path: String,
    pub(crate) before: Value,
    pub(crate) after: Value,
}

impl Change {
    /// How it is shown.
    pub(crate) fn lines(&self) -> Vec<String> {
        let values = [('-', &self.before), ('+', &self.after)];
        let values = values.into_iter().filter(|(_, value)| !value.is_null());
        let values = values.map(|(sign, value)| format!("  {sign} {value}"));
        std::iter::once(self.path.clone()).chain(values).collect()
    }
}

pub(super) async fn run(log: &Log, asked: Diff) -> Result<ExitCode, Failure> {
    let Diff { id, before, after, json } = asked;
    let mut found = None;
    // An id is of one aggregate, but for a person, whose id is a customer's or a cart's.
    for name in aggregate::names() {
        let events = aggregate::events(log, name, &id).await?;
        if !events.is_empty() {
            found = Some((name, events));
            break;
        }
    }
    let Some((name, events)) = found else { return Ok(nothing(&format!("there is no aggregate {id}"))) };
    let (recorded, seen): (Vec<RecordedEvent>, Vec<Seen>) = events.into_iter().unzip();
    let (first, second) = (before.of(&seen), after.of(&seen));
    let state = |events: &[RecordedEvent]| match events {
        [] => Ok(Value::Null),
        events => aggregate::state(name, events, &log.upcasters),
    };
    let changes = changes(&state(&recorded[..first])?, &state(&recorded[..second])?);
    let between = &seen[first.min(second)..first.max(second)];
    if json {
        let all =
            json!({ "aggregate_type": name, "aggregate_id": id, "changes": changes, "events": between });
        say(&all.to_string())?;
        return Ok(ExitCode::SUCCESS);
    }
    say(&format!("{name} {id} from {before} to {after}"))?;
    for line in changes.iter().flat_map(Change::lines) {
        say(&line)?;
    }
    say("")?;
    for event in between {
        say(&event.line())?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Where two states differ, as deep in them as can be told.
pub(crate) fn changes(before: &Value, after: &Value) -> Vec<Change> {
    let mut found = Vec::new();
    compare(String::new(), before, after, &mut found);
    found
}

fn compare(path: String, before: &Value, after: &Value, found: &mut Vec<Change>) {
    match (before, after) {
        (before, after) if before == after => {}
        (Value::Object(old), Value::Object(new)) => {
            let mut names: Vec<&String> = old.keys().chain(new.keys()).collect();
            names.sort();
            names.dedup();
            for name in names {
                let escaped = name.replace('~', "~0").replace('/', "~1");
                let part = |of: &serde_json::Map<String, Value>| of.get(name).cloned().unwrap_or_default();
                compare(format!("{path}/{escaped}"), &part(old), &part(new), found);
            }
        }
        (Value::Array(old), Value::Array(new)) => {
            for index in 0..old.len().max(new.len()) {
                let part = |of: &Vec<Value>| of.get(index).cloned().unwrap_or_default();
                compare(format!("{path}/{index}"), &part(old), &part(new), found);
            }
        }
        (before, after) => found.push(Change { path, before: before.clone(), after: after.clone() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_is_told_where_it_is() {
        let before =
            json!({ "status": "placed", "lines": [{ "n": 1 }, { "n": 2 }], "a/b": 1, "same": [1, 2] });
        let after =
            json!({ "status": "confirmed", "lines": [{ "n": 1 }], "a/b": 2, "same": [1, 2], "new": {} });
        let found = changes(&before, &after);
        let paths: Vec<&str> = found.iter().map(|change| change.path.as_str()).collect();
        assert_eq!(paths, ["/a~1b", "/lines/1", "/new", "/status"]);
        assert_eq!(found[1].before, json!({ "n": 2 }));
        assert_eq!(found[1].after, Value::Null);
        assert_eq!(changes(&before, &before), []);
        assert_eq!(changes(&Value::Null, &after)[0].path, "");
    }
}
