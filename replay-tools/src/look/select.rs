//! Which events somebody wants to see.

use clap::Args;
use daybook_domain::{Timestamp, catalogue};
use daybook_eventstore::process::Failure;
use daybook_eventstore::process::config::ConfigError;
use daybook_eventstore::{Filter, StreamId};

use super::aggregate;
use super::seen::Seen;

/// Which.
#[derive(Debug, Clone, Args)]
pub(super) struct Wanted {
    /// Only events of these types, such as `OrderPlaced`
    #[arg(long = "type", value_name = "TYPE", value_delimiter = ',')]
    types: Vec<String>,
    /// Only of aggregates of these types, such as `Order`, or of one, such as `Order/019aa5b2-…`
    #[arg(long = "aggregate", value_name = "TYPE[/ID]", value_delimiter = ',')]
    aggregates: Vec<String>,
    /// Only what somebody caused whose name begins so, such as `customer:` or `process:checkout`
    #[arg(long)]
    actor: Option<String>,
    /// Only what happened in the world at this time or later
    #[arg(long, value_name = "TIME")]
    since: Option<Timestamp>,
    /// Only what had happened in the world by this time
    #[arg(long, value_name = "TIME")]
    as_of: Option<Timestamp>,
}

impl Wanted {
    /// What of it the log can be searched for.
    pub(super) fn filter(&self) -> Result<Filter, Failure> {
        let mut filter = Filter::default();
        let known = catalogue::event_types();
        if let Some(unknown) = self.types.iter().find(|name| known.iter().all(|event| event.name != *name)) {
            return Err(wrong(format!("there is no event {unknown:?}; docs/events.md has all")));
        }
        if !self.types.is_empty() {
            filter = filter.of_types(self.types.clone());
        }
        let (streams, whole): (Vec<&String>, Vec<&String>) =
            self.aggregates.iter().partition(|aggregate| aggregate.contains('/'));
        if !streams.is_empty() && !whole.is_empty() {
            return Err(wrong("either types of aggregates or single ones, not both".to_owned()));
        }
        let of = |aggregate: &String| {
            let (name, id) = aggregate.split_once('/').unwrap_or((aggregate, ""));
            let aggregate_type = aggregate::name(name).map_err(wrong)?.to_owned();
            Ok(StreamId { aggregate_type, aggregate_id: id.to_owned() })
        };
        if !streams.is_empty() {
            filter = filter.of_streams(streams.into_iter().map(of).collect::<Result<Vec<_>, Failure>>()?);
        }
        if !whole.is_empty() {
            let types = whole.into_iter().map(|name| aggregate::name(name).map_err(wrong));
            filter = filter.of_aggregates(types.collect::<Result<Vec<_>, Failure>>()?);
        }
        Ok(filter)
    }

    /// Whether an event that was found is wanted.
    pub(super) fn includes(&self, event: &Seen) -> bool {
        self.actor.as_ref().is_none_or(|actor| event.actor().starts_with(actor.as_str()))
            && self.since.is_none_or(|since| event.at() >= since)
            && self.as_of.is_none_or(|as_of| event.at() <= as_of)
    }
}

/// What is wrong with the arguments.
fn wrong(what: String) -> Failure {
    ConfigError::Usage(what).into()
}
