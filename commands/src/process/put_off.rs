//! What a process does later: reactions that are to be run again, and what is due at a time it had set. Both are
//! timers that name the event they belong to, so that nothing but the log has to be remembered.

use std::sync::Arc;

use chrono::TimeDelta;
use daybook_domain::Timestamp;
use daybook_eventstore::{LogReader, RecordedEvent, Upcasters};
use uuid::Uuid;

use super::{Process, ProcessError, Progress, Reaction};
use crate::timers::Timer;

/// How long until a put-off reaction is run again; the timer's own back-off does the rest.
const PUT_OFF: TimeDelta = TimeDelta::seconds(2);
/// What a timer that runs a reaction again is for.
const AGAIN: &str = "again";

/// Something that a process is to do at a time.
#[derive(Debug, Clone, Copy)]
pub struct Due {
    /// What, in the process's own words.
    pub what: &'static str,
    /// When.
    pub at: Timestamp,
}

impl Due {
    /// The timer for it. The same reaction sets it once, however often it is run.
    pub fn timer(self, process: &dyn Process, reaction: &Reaction) -> Timer {
        let event = (reaction.event_id, reaction.aggregate_id.as_str(), reaction.position);
        timer(process, event, Some(reaction.correlation_id()), self.what, self.at)
    }
}

/// The timer that runs a reaction again.
pub(super) fn again(process: &dyn Process, reaction: &Reaction, now: Timestamp) -> Timer {
    Due { what: AGAIN, at: now + PUT_OFF }.timer(process, reaction)
}

/// The timer that reacts to an event that this program cannot read; one that can may fire it.
pub(super) fn once_readable(process: &dyn Process, event: &RecordedEvent, now: Timestamp) -> Timer {
    let correlation_id = event.trace().correlation_id;
    let event = (event.event_id, event.aggregate_id.as_str(), event.position);
    timer(process, event, correlation_id, AGAIN, now + PUT_OFF)
}

fn timer(
    process: &dyn Process,
    (event_id, subject, position): (Uuid, &str, i64),
    correlation_id: Option<Uuid>,
    what: &str,
    due_at: Timestamp,
) -> Timer {
    let kind = format!("{}:{what}", process.name());
    Timer {
        timer_id: Uuid::new_v5(&event_id, kind.as_bytes()),
        due_at,
        kind,
        subject: subject.to_owned(),
        // Only the position is ever read; the other is for log lines.
        payload: serde_json::json!({ "position": position, "correlation_id": correlation_id }),
    }
}

/// Fires a timer of one of these processes.
///
/// # Errors
/// When it is to be fired again later.
pub async fn fire(
    processes: &[Arc<dyn Process>],
    reader: &LogReader,
    upcasters: &Upcasters,
    timer: Timer,
) -> Result<(), ProcessError> {
    let (name, what) = timer.kind.split_once(':').unwrap_or((&timer.kind, AGAIN));
    let process = processes.iter().find(|process| process.name() == name);
    let position = timer.payload.get("position").and_then(serde_json::Value::as_i64);
    let (Some(process), Some(position)) = (process, position) else {
        // While programs are exchanged, another worker may know it.
        return Err(ProcessError::Unknown(timer.kind));
    };
    let Some(event) = reader.find(position).await? else {
        tracing::error!(
            kind = timer.kind,
            position,
            "a timer for an event that is not in the log; it is dropped"
        );
        return Ok(());
    };
    let Some(reaction) = Reaction::to(&event, name, upcasters)? else { return Ok(()) };
    let progress =
        if what == AGAIN { process.react(&reaction).await? } else { process.due(what, &reaction).await? };
    match progress {
        Progress::Done => Ok(()),
        Progress::Waiting => Err(ProcessError::Waiting),
    }
}
